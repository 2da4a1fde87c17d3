//! One shard's logs: its partitions and its journals, one journal for each log directory.

use super::checkpoint::{self, Checkpoints};
use super::compaction::{CleanerConfig, Compaction, CompactionStats};
use super::dir::LogDir;
use super::dirs::{ClosedPartition, DirInfo};
use super::format::{DirectoryStage, PartitionDirectory};
use super::handover;
use super::health::DirHealth;
use super::journal::{Journal, WriteObserver};
use super::load::{Expectation, load};
use super::memory::MemoryBudget;
use super::places::Places;
use super::segment::files::Files;
use super::space::Space;
use super::{LogConfig, LogDirsInfo, OpenError, PartitionLog, ShardClosed, TopicLogConfig, maintenance, metadata};
use crate::config::limits;
use crate::rt::fs::FileSystem;
use crate::rt::sync::{Event, EventListener, QueueSender, oneshot, queue};
use crate::rt::{self, Queue, fs};
use crate::types::{ErrorCode, Offset, PartitionIndex, ShardId, TopicId, TopicPartitionId};
use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::rc::Rc;
use std::sync::Arc;

/// One log directory, for DescribeLogDirs and metrics.
#[derive(Clone, Debug)]
pub struct DirStatus {
    pub path: PathBuf,
    /// `None`, or KAFKA_STORAGE_ERROR when the directory went offline.
    pub error: ErrorCode,
    /// Each partition of this shard in the directory and its size in bytes.
    pub partitions: Vec<(TopicPartitionId, u64)>,
}

/// Why a log directory is offline; `index` counts in `log.dirs`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct DirFailure {
    pub index: usize,
    pub reason: String,
}

/// Numbers of one shard's logs, for metrics.
#[derive(Clone, Copy, Default, Debug)]
pub struct LogStats {
    pub journal_frames: u64,
    pub journal_bytes: u64,
    /// Writes to journals under way.
    pub journal_writing: u64,
    /// Ring files in use, in bytes.
    pub journal_used_bytes: u64,
    /// All ring files, in bytes.
    pub journal_size_bytes: u64,
    pub segment_writes: u64,
    pub segment_bytes: u64,
    /// Runs of batches that bypassed the journal.
    pub bypass_runs: u64,
    pub tail_unwritten_bytes: u64,
    pub tail_cached_bytes: u64,
    pub compaction: CompactionStats,
}

/// See the module. One per shard, kept in an `Rc`.
pub struct LogStore {
    shard: ShardId,
    memory: Rc<MemoryBudget>,
    dirs: Vec<Rc<LogDir>>,
    clean: Vec<bool>,
    checkpoints: Vec<RefCell<Checkpoints>>,
    /// The log directory that each partition's directory is in.
    places: Places,
    /// The open partition that each of them belongs to.
    holders: RefCell<BTreeMap<String, TopicPartitionId>>,
    partitions: RefCell<BTreeMap<TopicPartitionId, Rc<PartitionLog>>>,
    /// By log directory: what is to be kept in checkpoints of partitions that other shards have taken over.
    departed: RefCell<Vec<Checkpoints>>,
    opening: RefCell<BTreeSet<TopicPartitionId>>,
    opened: Event,
    /// Deletions under way. A stop waits for them and for `opening`, since it finishes only what is in `partitions`.
    deleting: Cell<usize>,
    deleted: Event,
    /// A stop has begun: nothing is opened or deleted any more.
    stopping: Cell<bool>,
    closing: Cell<bool>,
    /// A log directory went offline.
    failed: Event,
    compaction: Compaction,
    flushes: RefCell<Option<QueueSender<Rc<PartitionLog>>>>,
}

impl LogStore {
    /// Opens the shard's journals for writing. Every shard's [`super::recover`] must be through.
    pub async fn open(config: LogConfig, info: LogDirsInfo, shard: ShardId) -> Result<Rc<LogStore>, OpenError> {
        let config = Rc::new(config);
        let (memory, files) = (Rc::new(MemoryBudget::new(config.tail_bytes_max)), Rc::new(Files::new(&config)));
        let (flushes, flush_receiver) = queue();
        let (mut dirs, mut checkpoints) = (Vec::new(), Vec::new());
        let places = Places::new(info.dirs.len(), usize::from(shard.0) % info.dirs.len());
        for (index, dir) in info.dirs.iter().enumerate() {
            let opened = match &dir.offline {
                Some(reason) => Err(reason.to_string()),
                None => match open_dir(dir, shard, &config).await {
                    Err(error) if !info.may_go_without(index) => return Err(error),
                    opened => opened.map_err(|error| error.to_string()),
                },
            };
            let shared = (Rc::clone(&files), Rc::clone(&memory), Rc::clone(&config));
            let space = Space::new(Arc::clone(&dir.space), config.disk_reserve_bytes);
            let log_dir = match opened {
                Ok((health, file_system, journal, found)) => {
                    found.names.into_iter().for_each(|name| places.found(name, index));
                    checkpoints.push(RefCell::new(found.checkpoints));
                    LogDir::new(health, (Some(file_system), space), Some(journal), shared, flushes.clone())
                }
                Err(reason) => {
                    checkpoints.push(RefCell::default());
                    let health = Rc::new(DirHealth::failed(dir.path.clone(), &reason));
                    LogDir::new(health, (None, space), None, shared, flushes.clone())
                }
            };
            if log_dir.journal.is_some() {
                log_dir.look_for_space().await;
            }
            dirs.push(Rc::new(log_dir));
        }
        let store = Rc::new(LogStore {
            shard,
            memory,
            dirs,
            clean: info.dirs.iter().map(|dir| dir.clean).collect(),
            checkpoints,
            places,
            holders: RefCell::default(),
            partitions: RefCell::default(),
            departed: RefCell::new(vec![Checkpoints::new(); info.dirs.len()]),
            opening: RefCell::default(),
            opened: Event::default(),
            deleting: Cell::new(0),
            deleted: Event::default(),
            stopping: Cell::new(false),
            closing: Cell::new(false),
            failed: Event::default(),
            compaction: Compaction::open(info.dirs.iter().map(|dir| dir.path.as_path()), config.cleaner.clone()).await,
            flushes: RefCell::new(Some(flushes)),
        });
        maintenance::start(&store, flush_receiver);
        Ok(store)
    }

    /// The partition's log; its directory is made if it is missing (durable with the first data). Calling again gives the same log.
    pub async fn open_partition(
        &self,
        topic_id: TopicId,
        topic: &str,
        partition: PartitionIndex,
        config: Rc<TopicLogConfig>,
    ) -> Result<Rc<PartitionLog>, OpenError> {
        let id = TopicPartitionId { topic_id, partition };
        loop {
            let opened = self.opened.listen();
            if let Some(log) = self.partition(id) {
                return Ok(log);
            }
            if self.stopping.get() {
                return Err(OpenError::Offline(self.dirs[0].health.path().to_path_buf()));
            }
            if self.opening.borrow_mut().insert(id) {
                break;
            }
            opened.await;
        }
        let result = self.load(id, topic, config).await;
        self.opening.borrow_mut().remove(&id);
        if let Ok(log) = &result {
            self.partitions.borrow_mut().insert(id, Rc::clone(log));
            self.holders.borrow_mut().insert(PartitionDirectory::live(topic, partition).to_string(), id);
        }
        self.opened.notify();
        result
    }

    async fn load(&self, id: TopicPartitionId, topic: &str, config: Rc<TopicLogConfig>) -> Result<Rc<PartitionLog>, OpenError> {
        let name = PartitionDirectory::live(topic, id.partition).to_string();
        let index = self.place(&name, id).await?;
        let dir = &self.dirs[index];
        dir.health.check()?;
        self.delete_predecessor(id, topic).await?;
        let checkpoint = self.checkpoints[index].borrow().get(&id).copied().unwrap_or_default();
        let expectation =
            Expectation { clean: self.clean[index], checkpoint, begin: checkpoint.log_start, reach: &|end| end, acknowledged: Offset(0) };
        load(dir, id, topic, config, &expectation).await
    }

    /// Ends the log of an earlier topic of the same name whose deletion is still to come: its directory has our name.
    async fn delete_predecessor(&self, id: TopicPartitionId, topic: &str) -> Result<(), OpenError> {
        let holder = self.holders.borrow().get(&PartitionDirectory::live(topic, id.partition).to_string()).copied();
        match holder.filter(|holder| *holder != id && self.partition(*holder).is_some()) {
            Some(predecessor) => self.delete(predecessor, topic).await,
            None => Ok(()),
        }
    }

    /// Where the directory of this name is, or shall be: in the log directory with the fewest partitions.
    async fn place(&self, name: &str, id: TopicPartitionId) -> Result<usize, OpenError> {
        let online = |index: usize| !self.dirs[index].health.is_offline();
        let found = match self.places.of(name) {
            // Another shard may have made it since.
            none if none.is_empty() && self.dirs.len() > 1 => {
                self.look_for(name, (0..self.dirs.len()).filter(|index| online(*index))).await
            }
            found => found,
        };
        let index = match found[..] {
            [] => self.places.choose(online).ok_or_else(|| OpenError::Offline(self.dirs[0].health.path().to_path_buf()))?,
            [index] => index,
            [first, ..] => self.whose(name, id, &found).await?.unwrap_or(first),
        };
        self.places.set(name, index);
        Ok(index)
    }

    /// Those log directories that have a directory of this name.
    async fn look_for(&self, name: &str, among: impl Iterator<Item = usize>) -> Vec<usize> {
        let mut found = Vec::new();
        for index in among {
            if fs::list_dir(&self.dirs[index].health.path().join(name)).await.is_ok() {
                found.push(index);
            }
        }
        found
    }

    /// Of several directories of one name, made while others were offline, the one that is this topic's.
    async fn whose(&self, name: &str, id: TopicPartitionId, found: &[usize]) -> Result<Option<usize>, OpenError> {
        for &index in found {
            let path = self.dirs[index].health.path().join(name);
            if metadata::read_topic_id(&path).await? == Some(id.topic_id) {
                return Ok(Some(index));
            }
            tracing::warn!(path = %path.display(), "a directory of an earlier topic of this name stays where it is");
        }
        Ok(None)
    }

    /// Whether the partition may be in a log directory that was offline from the start: then it must not be begun anew elsewhere.
    pub fn may_be_in_a_missing_dir(&self, topic: &str, partition: PartitionIndex) -> bool {
        let name = PartitionDirectory::live(topic, partition).to_string();
        self.dirs.iter().any(|dir| dir.journal.is_none()) && self.places.of(&name).is_empty()
    }

    /// Log directories that are offline.
    pub fn failures(&self) -> Vec<DirFailure> {
        let failure = |(index, dir): (usize, &Rc<LogDir>)| Some(DirFailure { index, reason: dir.health.reason()? });
        self.dirs.iter().enumerate().filter_map(failure).collect()
    }

    /// Completes when another log directory went offline.
    pub fn listen_failures(&self) -> EventListener {
        self.failed.listen()
    }

    /// Another shard found that a log directory fails.
    pub fn take_offline(&self, failure: &DirFailure) {
        let health = &self.dirs[failure.index].health;
        if !health.is_offline() {
            health.fail("another shard", &failure.reason);
        }
    }

    pub(super) fn note_failure(&self) {
        self.failed.notify();
    }

    /// An open partition.
    pub fn partition(&self, id: TopicPartitionId) -> Option<Rc<PartitionLog>> {
        self.partitions.borrow().get(&id).cloned()
    }

    /// Every open partition, by id.
    pub fn partitions(&self) -> Vec<Rc<PartitionLog>> {
        self.partitions.borrow().values().cloned().collect()
    }

    /// Ends the partition's log: appends and reads fail from now on; when it returns the deletion is durable, files go in the background.
    /// Also removes the directory of a partition that was never opened. Without effect if there is none.
    pub async fn delete_partition(self: &Rc<Self>, topic_id: TopicId, topic: &str, partition: PartitionIndex) -> Result<(), OpenError> {
        let id = TopicPartitionId { topic_id, partition };
        let (done, result) = oneshot();
        let (store, topic) = (Rc::clone(self), topic.to_owned());
        // A task of its own, so that a caller who goes away leaves no half of it.
        rt::spawn(Queue::Background, async move {
            store.deleting.set(store.deleting.get() + 1);
            let result = store.delete(id, &topic).await;
            store.deleting.set(store.deleting.get() - 1);
            store.deleted.notify();
            done.send(result);
        });
        result.await.unwrap_or(Ok(()))
    }

    async fn delete(&self, id: TopicPartitionId, topic: &str) -> Result<(), OpenError> {
        if self.stopping.get() {
            // The stop is about to write what would go: the deletion is asked for again after the next start.
            return Err(OpenError::Offline(self.dirs[0].health.path().to_path_buf()));
        }
        let name = PartitionDirectory::live(topic, id.partition).to_string();
        let open = self.partitions.borrow_mut().remove(&id);
        let places = self.places.of(&name);
        let Some(index) = open.as_ref().map(|log| self.index_of(log)).or(places.first().copied()) else { return Ok(()) };
        let dir = &self.dirs[index];
        dir.health.check()?;
        let mut hold = None;
        if let Some(log) = open {
            log.close();
            // Else the ring might have no room for the entry until the batches it holds for this very partition are in a segment.
            let _ = log.flush(true).await;
            log.lock_for_deletion().await;
            let journal = dir.journal.as_ref().expect("a store has journals");
            let durable = journal.append_control(log.delete_entry()).await.ok();
            log.drop_tail();
            dir.files.forget_partition(id);
            let Some(frame) = durable else { return Err(OpenError::Offline(dir.health.path().to_path_buf())) };
            hold = Some(frame);
        }
        let found = metadata::read_topic_id(&dir.path_of(topic, id.partition)).await?;
        if found.is_some_and(|found| found != id.topic_id) {
            // The directory is a later topic's of the same name.
            return Ok(());
        }
        let renamed = metadata::rename_deleted(dir.health.path(), topic, id.partition).await;
        self.places.forget(&name);
        self.holders.borrow_mut().remove(&name);
        self.checkpoints[index].borrow_mut().remove(&id);
        self.compaction.forget(id);
        let renamed = renamed.inspect_err(|error| dir.health.fail("deleting a partition", error))?;
        if let (Some(journal), Some(hold)) = (&dir.journal, hold) {
            journal.release(hold);
        }
        if let Some(path) = renamed {
            rt::spawn(Queue::Background, async move {
                if let Err(error) = fs::remove_dir_all(&path).await {
                    tracing::warn!(path = %path.display(), "removing a deleted partition: {error}");
                }
            });
        }
        Ok(())
    }

    pub(super) fn put_partition(&self, log: Rc<PartitionLog>) {
        self.partitions.borrow_mut().insert(log.id(), log);
    }

    /// A partition came from another shard; `name` is its directory's, in the log directory with this index.
    pub(super) fn note_adopted(&self, name: String, index: usize, id: TopicPartitionId) {
        self.places.set(&name, index);
        self.departed.borrow_mut()[index].remove(&id);
    }

    /// A partition has gone to another shard.
    pub(super) fn forget_released(&self, log: &Rc<PartitionLog>) {
        self.partitions.borrow_mut().remove(&log.id());
        let index = self.index_of(log);
        self.departed.borrow_mut()[index].insert(log.id(), handover::departed(log));
    }

    /// What the checkpoint of a log directory must go on saying of partitions that are other shards' now.
    pub(super) fn departed(&self, dir: &LogDir) -> Checkpoints {
        let index = self.dirs.iter().position(|found| std::ptr::eq(Rc::as_ptr(found), dir));
        index.map(|index| self.departed.borrow()[index].clone()).unwrap_or_default()
    }

    /// Waits until the memory for tails has room for `bytes` more. Call before [`PartitionLog::append`]; not reserved.
    pub async fn room(&self, bytes: usize) {
        self.memory.room(bytes as u64).await;
    }

    /// The shard's budget of memory, which requests and background work take theirs from.
    pub fn memory(&self) -> &Rc<MemoryBudget> {
        &self.memory
    }

    /// Partition directories found at start or made since, in any log directory: for finding strays.
    pub async fn directories(&self) -> Vec<(PartitionDirectory, Option<TopicId>)> {
        let names = self.places.names();
        let mut found = Vec::with_capacity(names.len());
        for (name, index) in names {
            let Some(directory) = PartitionDirectory::parse(&name) else { continue };
            let path = self.dirs[index].health.path().join(&name);
            found.push((directory, metadata::read_topic_id(&path).await.ok().flatten()));
        }
        found
    }

    pub fn dirs(&self) -> Vec<DirStatus> {
        let partitions = self.partitions.borrow();
        let status = |dir: &Rc<LogDir>| DirStatus {
            path: dir.health.path().to_path_buf(),
            error: if dir.health.is_offline() { ErrorCode::KafkaStorageError } else { ErrorCode::None },
            partitions: partitions.iter().filter(|(_, log)| Rc::ptr_eq(log.dir(), dir)).map(|(id, log)| (*id, log.size_bytes())).collect(),
        };
        self.dirs.iter().map(status).collect()
    }

    fn index_of(&self, log: &PartitionLog) -> usize {
        self.dirs.iter().position(|dir| Rc::ptr_eq(dir, log.dir())).expect("a partition's directory is one of ours")
    }

    pub fn stats(&self) -> LogStats {
        let mut stats = LogStats {
            tail_unwritten_bytes: self.memory.unwritten(),
            tail_cached_bytes: self.memory.cached(),
            compaction: self.compaction.stats(),
            ..LogStats::default()
        };
        for journal in self.dirs.iter().filter_map(|dir| dir.journal.as_ref()) {
            stats.journal_frames += journal.frames_written.get();
            stats.journal_bytes += journal.bytes_written.get();
            stats.journal_writing += journal.writing();
            stats.journal_used_bytes += journal.used_bytes();
            stats.journal_size_bytes += journal.size_bytes();
        }
        // All directories share their open files.
        if let Some(dir) = self.dirs.first() {
            stats.segment_writes = dir.files.writes.get();
            stats.segment_bytes = dir.files.written_bytes.get();
            stats.bypass_runs = dir.files.runs.get();
        }
        stats
    }

    /// Once: whom to tell how long each journal write took until it was durable.
    pub fn observe_journal_writes(&self, observer: WriteObserver) {
        self.dirs.iter().filter_map(|dir| dir.journal.as_ref()).for_each(|journal| journal.observe_writes(Rc::clone(&observer)));
    }

    pub fn shard(&self) -> ShardId {
        self.shard
    }

    pub(super) fn log_dirs(&self) -> &[Rc<LogDir>] {
        &self.dirs
    }

    /// `log.cleaner.*` changed at run time.
    pub fn reconfigure_cleaner(&self, config: CleanerConfig) {
        self.compaction.reconfigure(config);
    }

    pub(super) fn compaction(&self) -> &Compaction {
        &self.compaction
    }

    pub(super) fn is_closing(&self) -> bool {
        self.closing.get()
    }

    /// Clean stop: tails into segments, padding cut, indexes and snapshots written, all synced. Appends fail from now on.
    pub async fn close(&self) -> ShardClosed {
        self.stopping.set(true);
        self.compaction.stop().await;
        self.wait_for_changes().await;
        self.closing.set(true);
        self.memory.stop_waiting();
        self.flushes.take();
        let mut closed = ShardClosed::default();
        for dir in &self.dirs {
            closed.dirs.push(self.close_dir(dir).await);
            dir.health.wake();
        }
        self.partitions.borrow().values().for_each(|log| log.close());
        closed
    }

    /// Until no partition is being opened or deleted. A deletion whose entry finds no room in the journal, because the disk is full, is
    /// given up: it is asked for again after the next start, which replays that journal.
    async fn wait_for_changes(&self) {
        loop {
            let (opened, deleted) = (self.opened.listen(), self.deleted.listen());
            if self.deleting.get() > 0 {
                if rt::timeout(limits::STOP_GRACE, deleted).await.is_none() {
                    let full = self.dirs.iter().filter(|dir| dir.health.is_full());
                    full.filter_map(|dir| dir.journal.as_ref()).for_each(|journal| journal.abort());
                }
            } else if !self.opening.borrow().is_empty() {
                opened.await;
            } else {
                return;
            }
        }
    }

    async fn close_dir(&self, dir: &Rc<LogDir>) -> Option<Vec<ClosedPartition>> {
        let Some(journal) = &dir.journal else { return None };
        let logs: Vec<_> = self.partitions().into_iter().filter(|log| Rc::ptr_eq(log.dir(), dir)).collect();
        let touched: Vec<_> = logs.iter().filter(|log| log.has_news()).cloned().collect();
        logs.iter().for_each(|log| log.close());
        let whole = maintenance::finish(dir, &touched).await;
        // Log start offsets may be nowhere but in the journal, and so may what a deletion that was given up would have taken.
        if !whole || journal.is_aborted() || !maintenance::write_checkpoints(self, dir).await {
            journal.abort();
            journal.stopped().await;
            return None;
        }
        if let Err(error) = journal.close().await {
            tracing::error!("closing the journal: {error}");
            return None;
        }
        let end = |log: &Rc<PartitionLog>| ClosedPartition {
            id: log.id(),
            topic: log.topic().to_string(),
            log_start: log.log_start(),
            log_end: log.log_end(),
            cleaned_to: self.compaction.cleaned_to(log.id()),
        };
        Some(logs.iter().map(end).collect())
    }
}

impl Drop for LogStore {
    /// Who dies without a stop (in the simulator) leaves batches in the journal's queue, whose owners know the journal: a circle.
    fn drop(&mut self) {
        for dir in &self.dirs {
            dir.dirty.take();
            if let Some(journal) = &dir.journal {
                journal.abort();
                journal.abandon();
            }
        }
    }
}

/// What is found in a log directory.
struct Found {
    names: Vec<String>,
    checkpoints: Checkpoints,
}

async fn open_dir(dir: &DirInfo, shard: ShardId, config: &LogConfig) -> Result<(Rc<DirHealth>, FileSystem, Rc<Journal>, Found), OpenError> {
    let io = |error| OpenError::Io(dir.path.clone(), error);
    let health = Rc::new(DirHealth::new(dir.path.clone()));
    let file_system = FileSystem::open(&dir.path).await.map_err(io)?;
    let checkpoints = checkpoint::read_all(&dir.path).await?.0;
    let listing = fs::list_dir(&dir.path).await.map_err(io)?;
    let names = listing.into_iter().filter(|entry| entry.is_dir && is_live(&entry.name)).map(|entry| entry.name).collect();
    let journal = Journal::open(Rc::clone(&health), shard, config).await?;
    Ok((health, file_system, journal, Found { names, checkpoints }))
}

fn is_live(name: &str) -> bool {
    PartitionDirectory::parse(name).is_some_and(|directory| directory.stage == DirectoryStage::Live)
}
