//! A shard's cleaner: chooses the dirtiest partition, compacts it, notes how far, and looks again.

use super::checkpoint::{self, CleanedTo};
use super::dirty::{Cleanable, LogFacts};
use super::pass::{Pass, PassStats};
use super::throttle::Throttle;
use super::{CleanerConfig, Interrupted};
use crate::log::{LogStore, PartitionLog};
use crate::rt::sync::{Event, EventListener};
use crate::rt::{self, Queue};
use crate::types::{Offset, TopicPartitionId};
use std::cell::{Cell, RefCell};
use std::collections::BTreeSet;
use std::io;
use std::path::Path;
use std::rc::{Rc, Weak};
use std::time::Duration;

/// The least time between two looks when there was nothing to do, whatever `log.cleaner.backoff.ms` says.
const BACKOFF_MIN: Duration = Duration::from_millis(10);

/// Apache Kafka's own topics in a directory that was its: nobody here uses them yet, so they stay as they are.
const KAFKAS_OWN: [&str; 2] = ["__consumer_offsets", "__transaction_state"];

/// Numbers of one shard's cleaner, for metrics.
#[derive(Clone, Copy, Default, Debug)]
pub struct CompactionStats {
    pub passes: u64,
    pub bytes_read: u64,
    pub bytes_written: u64,
    pub records_read: u64,
    pub records_kept: u64,
    /// Partitions whose records cannot be read.
    pub uncleanable: u64,
    /// How dirty the dirtiest partition was at the last look, from 0 to 1.
    pub dirtiest_ratio: f64,
}

/// What a shard's store keeps for its cleaner.
pub struct Compaction {
    cleaned_to: RefCell<CleanedTo>,
    uncleanable: RefCell<BTreeSet<TopicPartitionId>>,
    stats: Cell<CompactionStats>,
    stopped: Cell<bool>,
    /// Partitions that are about to leave the shard.
    leaving: RefCell<BTreeSet<TopicPartitionId>>,
    busy: Cell<bool>,
    /// The partition of the pass under way.
    current: Cell<Option<TopicPartitionId>>,
    idle: Event,
    config: RefCell<CleanerConfig>,
    reconfigured: Event,
}

impl Compaction {
    /// With what the last start or stop knew of these log directories.
    pub async fn open(dirs: impl Iterator<Item = &Path>, config: CleanerConfig) -> Compaction {
        let mut cleaned_to = CleanedTo::new();
        for dir in dirs {
            match checkpoint::read_all(dir).await {
                Ok(found) => cleaned_to.extend(found),
                // A directory that cannot be read takes no part; whoever uses it says so.
                Err(error) => tracing::warn!("what is compacted is not known: {error}"),
            }
        }
        Compaction {
            cleaned_to: RefCell::new(cleaned_to),
            uncleanable: RefCell::default(),
            stats: Cell::default(),
            stopped: Cell::new(false),
            leaving: RefCell::default(),
            busy: Cell::new(false),
            current: Cell::new(None),
            idle: Event::default(),
            config: RefCell::new(config),
            reconfigured: Event::default(),
        }
    }

    /// The throttle counts at once, also in a pass under way; the rest from the next pass on, which comes at once. What was off stays off.
    pub fn reconfigure(&self, config: CleanerConfig) {
        let changed = *self.config.borrow() != config;
        if changed {
            self.config.replace(config);
            self.reconfigured.notify();
        }
    }

    /// This shard's share of `log.cleaner.io.max.bytes.per.second`.
    pub fn bytes_per_second(&self) -> f64 {
        self.config.borrow().io_bytes_per_second
    }

    /// The end (exclusive) of what is compacted of a partition.
    pub fn cleaned_to(&self, id: TopicPartitionId) -> Option<Offset> {
        self.cleaned_to.borrow().get(&id).copied()
    }

    /// What another shard, which had the partition, compacted.
    pub fn note(&self, id: TopicPartitionId, cleaned_to: Option<Offset>) {
        self.cleaned_to.borrow_mut().extend(cleaned_to.map(|end| (id, end)));
    }

    /// Ends the pass over the partition, and begins no other, until [`Compaction::left`].
    pub async fn leave(&self, id: TopicPartitionId) {
        self.leaving.borrow_mut().insert(id);
        while self.current.get() == Some(id) {
            self.idle.listen().await;
        }
    }

    /// The partition has left the shard, or stays after all.
    pub fn left(&self, id: TopicPartitionId, gone: bool) {
        self.leaving.borrow_mut().remove(&id);
        if gone {
            self.forget(id);
        }
    }

    /// Whether a pass over the partition must end.
    pub fn must_end(&self, id: TopicPartitionId) -> bool {
        self.stopped.get() || self.leaving.borrow().contains(&id)
    }

    /// The partition was deleted.
    pub fn forget(&self, id: TopicPartitionId) {
        self.cleaned_to.borrow_mut().remove(&id);
        self.uncleanable.borrow_mut().remove(&id);
    }

    pub fn stats(&self) -> CompactionStats {
        CompactionStats { uncleanable: self.uncleanable.borrow().len() as u64, ..self.stats.get() }
    }

    /// How long to wait when there was nothing to do, and what ends that early.
    fn pause(&self) -> (Duration, EventListener) {
        (Duration::from_millis(self.config.borrow().backoff_ms).max(BACKOFF_MIN), self.reconfigured.listen())
    }

    /// Ends the pass under way, and begins no other.
    pub async fn stop(&self) {
        self.stopped.set(true);
        while self.busy.get() {
            self.idle.listen().await;
        }
    }
}

/// Starts the shard's cleaner; it ends when the store stops.
pub fn start(store: &Rc<LogStore>) {
    if store.compaction().config.borrow().enable {
        rt::spawn(Queue::Background, run(Rc::downgrade(store)));
    }
}

async fn run(store: Weak<LogStore>) {
    let mut throttle = Throttle::new(f64::MAX, rt::now());
    loop {
        let Some((backoff, reconfigured)) = store.upgrade().map(|store| store.compaction().pause()) else { return };
        rt::timeout(backoff, reconfigured).await;
        let Some(store) = store.upgrade() else { return };
        let compaction = store.compaction();
        while !compaction.stopped.get() {
            let config = compaction.config.borrow().clone();
            compaction.busy.set(true);
            let cleaned = clean_dirtiest(&store, &config, &mut throttle).await;
            compaction.busy.set(false);
            compaction.idle.notify();
            if !cleaned {
                break;
            }
        }
        if compaction.stopped.get() {
            return;
        }
    }
}

/// One pass over the log that needs it most; false if none did, or if it did not succeed.
async fn clean_dirtiest(store: &Rc<LogStore>, config: &CleanerConfig, throttle: &mut Throttle) -> bool {
    let mut dirtiest: Option<(Rc<PartitionLog>, Cleanable)> = None;
    let mut ratio = 0f64;
    for log in store.partitions().into_iter().filter(|log| is_candidate(store, log)) {
        let Some(cleanable) = look(store, &log).await else { continue };
        ratio = ratio.max(cleanable.ratio());
        let is_dirtier = dirtiest.as_ref().is_none_or(|(_, known)| cleanable.ratio() > known.ratio());
        if is_dirtier && cleanable.is_due(log.config().min_cleanable_dirty_ratio) {
            dirtiest = Some((log, cleanable));
        }
        rt::yield_if_needed().await;
    }
    let compaction = store.compaction();
    compaction.stats.set(CompactionStats { dirtiest_ratio: ratio, ..compaction.stats.get() });
    match dirtiest {
        Some((log, cleanable)) => clean(store, &log, cleanable, config, throttle).await,
        None => false,
    }
}

fn is_candidate(store: &LogStore, log: &PartitionLog) -> bool {
    let usable = !log.is_offline() && !log.dir().health.is_full() && !KAFKAS_OWN.contains(&&**log.topic());
    usable
        && log.config().cleanup_compact
        && !store.compaction().must_end(log.id())
        && !store.compaction().uncleanable.borrow().contains(&log.id())
}

async fn look(store: &LogStore, log: &PartitionLog) -> Option<Cleanable> {
    let config = log.config();
    let timestamps = config.min_compaction_lag_ms > 0 || config.max_compaction_lag_ms < i64::MAX;
    let segments = match log.compaction_facts(timestamps).await {
        Ok(segments) => segments,
        Err(interrupted) => {
            note(store, log, interrupted);
            return None;
        }
    };
    let facts = LogFacts {
        log_start: log.log_start(),
        log_end: log.log_end(),
        last_stable: log.last_stable_offset(),
        checkpoint: store.compaction().cleaned_to(log.id()),
        now: rt::wall_clock(),
        min_lag_ms: config.min_compaction_lag_ms,
        max_lag_ms: config.max_compaction_lag_ms,
    };
    Some(Cleanable::of(&facts, &segments))
}

async fn clean(
    store: &Rc<LogStore>,
    log: &Rc<PartitionLog>,
    cleanable: Cleanable,
    config: &CleanerConfig,
    throttle: &mut Throttle,
) -> bool {
    let compaction = store.compaction();
    compaction.current.set(Some(log.id()));
    let mut pass = Pass::new(log, cleanable, config, throttle, compaction);
    let result = pass.run().await;
    compaction.current.set(None);
    compaction.idle.notify();
    add_up(compaction, pass.stats);
    let partition = format_args!("{}-{}", log.topic(), log.id().partition).to_string();
    match result {
        Ok(end) if end > cleanable.first_dirty => {
            tracing::debug!(%partition, from = %cleanable.first_dirty, to = %end, stats = ?pass.stats, "compacted");
            compaction.cleaned_to.borrow_mut().insert(log.id(), end);
            write_checkpoint(store, log).await;
            true
        }
        Ok(_) => false,
        Err(interrupted) => {
            note(store, log, interrupted);
            false
        }
    }
}

fn add_up(compaction: &Compaction, pass: PassStats) {
    let stats = compaction.stats.get();
    compaction.stats.set(CompactionStats {
        passes: stats.passes + 1,
        bytes_read: stats.bytes_read + pass.bytes_read,
        bytes_written: stats.bytes_written + pass.bytes_written,
        records_read: stats.records_read + pass.records_read,
        records_kept: stats.records_kept + pass.records_kept,
        ..stats
    });
}

/// What becomes of a log whose pass ended before its end.
fn note(store: &LogStore, log: &PartitionLog, interrupted: Interrupted) {
    let partition = format!("{}-{}", log.topic(), log.id().partition);
    let why = match interrupted {
        _ if log.is_offline() => return,
        Interrupted::Stopped | Interrupted::Changed => return,
        // Retention was quicker.
        Interrupted::Read(_, error) if error.kind() == io::ErrorKind::NotFound => return,
        Interrupted::Write(error) if error.kind() == io::ErrorKind::StorageFull => {
            tracing::warn!(partition, "not compacted: {error}");
            return log.dir().health.set_full(true);
        }
        Interrupted::Write(error) => return log.dir().health.fail(format_args!("compacting {partition}"), error),
        Interrupted::Damaged(why) => why,
        Interrupted::Read(path, error) => format!("{}: {error}", path.display()),
    };
    tracing::error!(partition, "a partition cannot be read, and is not compacted until the next start: {why}");
    store.compaction().uncleanable.borrow_mut().insert(log.id());
}

async fn write_checkpoint(store: &LogStore, log: &PartitionLog) {
    let dir = log.dir();
    let mine = store.partitions().into_iter().filter(|other| Rc::ptr_eq(other.dir(), dir));
    let cleaned: CleanedTo = mine.filter_map(|log| Some((log.id(), store.compaction().cleaned_to(log.id())?))).collect();
    if let Err(error) = checkpoint::write_shard(dir.health.path(), store.shard(), &cleaned).await {
        // The next pass begins further down than it need.
        tracing::warn!(dir = %dir.health.path().display(), "noting what is compacted: {error}");
    }
}
