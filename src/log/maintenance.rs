//! A shard's background tasks: the flusher, the checkpointer of each journal, the watch over health and space.

use super::checkpoint::{self, BASE_NAME, Checkpoint};
use super::dir::LogDir;
use super::partition::FlushError;
use super::tasks::for_each;
use super::write_out::{Pace, write_out};
use super::{LogStore, PartitionLog, compaction, idle, new_dirs, retention, unlinks};
use crate::rt::sync::{QueueReceiver, Semaphore};
use crate::rt::{self, Queue, fs};
use std::cell::Cell;
use std::rc::{Rc, Weak};
use std::time::Duration;

const FLUSHES_AT_ONCE: u64 = 4;
/// What it takes to write a small tail out, in bytes of a journal: its block, its inode's and its directory's, and a share of a sync.
const SMALL_TAIL_COST: u64 = 16 << 10;
/// How often they would be written out, at least, for a longer journal to be worth its zeros: from 128 tails on, with files of 8 MiB.
const TIMES_WRITTEN_OUT: u64 = 4;
/// How often it is looked whether the journal should grow further.
const GROWTH_LOOK_INTERVAL: Duration = Duration::from_millis(20);
const SPACE_CHECK_INTERVAL: Duration = Duration::from_secs(1);
/// Kafka's `producer.id.expiration.check.interval.ms`.
const PRODUCER_EXPIRY_INTERVAL: Duration = Duration::from_secs(600);
const FINISHES_AT_ONCE: u64 = 16;
/// A file is closed when nobody used it for one to two of these.
const IDLE_FILES_INTERVAL: Duration = Duration::from_secs(10);
const RETRY_INTERVAL: Duration = Duration::from_millis(5);

/// Starts all of them; they end when the store closes.
pub fn start(store: &Rc<LogStore>, flushes: QueueReceiver<Rc<PartitionLog>>) {
    rt::spawn(Queue::Flush, flush_tails(flushes));
    rt::spawn(Queue::Background, close_idle_files(Rc::downgrade(store)));
    compaction::start(store);
    for dir in store.log_dirs().iter().filter(|dir| dir.journal.is_some()) {
        rt::spawn(Queue::Flush, checkpoint_journal(Rc::downgrade(store), Rc::clone(dir)));
        rt::spawn(Queue::Background, watch_health(Rc::downgrade(store), Rc::clone(dir)));
        rt::spawn(Queue::Background, watch_space(Rc::downgrade(store), Rc::clone(dir)));
        rt::spawn(Queue::Background, retention::run(Rc::downgrade(store), Rc::clone(dir)));
        rt::spawn(Queue::Flush, idle::run(Rc::downgrade(store), Rc::clone(dir)));
        rt::spawn(Queue::Background, new_dirs::run(Rc::downgrade(store), Rc::clone(dir)));
        rt::spawn(Queue::Background, unlinks::run(Rc::downgrade(store), Rc::clone(dir)));
    }
}

/// An idle partition keeps no file open.
async fn close_idle_files(store: Weak<LogStore>) {
    loop {
        rt::sleep(IDLE_FILES_INTERVAL).await;
        let Some(store) = store.upgrade().filter(|store| !store.is_closing()) else { return };
        // All log directories of a shard share them.
        store.log_dirs().iter().take(1).for_each(|dir| dir.files.close_idle());
    }
}

/// Writes the tails of partitions that ask for it.
async fn flush_tails(mut flushes: QueueReceiver<Rc<PartitionLog>>) {
    let slots = Semaphore::new(FLUSHES_AT_ONCE);
    while let Some(log) = flushes.receive().await {
        let slot = slots.acquire(1).await;
        rt::spawn(Queue::Flush, async move {
            // What fails here took the directory offline, or is tried again when there is space.
            let _ = log.flush(false).await;
            drop(slot);
        });
    }
}

/// Frees journal space whenever it gets scarce, unless a longer journal is cheaper.
async fn checkpoint_journal(store: Weak<LogStore>, dir: Rc<LogDir>) {
    let Some(journal) = dir.journal.clone() else { return };
    loop {
        let pressure = journal.listen_pressure();
        let Some(store) = store.upgrade().filter(|store| !store.is_closing()) else { return };
        if dir.health.is_offline() {
            return;
        }
        let Some(low) = journal.wanted_low() else {
            drop(store);
            pressure.await;
            continue;
        };
        let logs: Vec<Rc<PartitionLog>> =
            dir.dirty.borrow().values().filter(|log| log.held_frame().is_some_and(|held| held < low)).cloned().collect();
        if are_many_and_small(&dir, &logs) {
            journal.grow_ahead();
            if journal.wanted_low_when_grown().is_none() {
                drop((store, logs));
                rt::sleep(GROWTH_LOOK_INTERVAL).await;
                continue;
            }
        }
        checkpoint(&store, &dir, logs).await;
        drop(store);
        if journal.wanted_low() == Some(low) {
            // Nothing was freed: writes under way hold it, or the disk is full.
            rt::sleep(RETRY_INTERVAL).await;
        }
    }
}

/// Writing these out a few times costs more than another file of the journal once: a block, the file's metadata and its share of a sync each, for little data.
fn are_many_and_small(dir: &LogDir, logs: &[Rc<PartitionLog>]) -> bool {
    let bytes: u64 = logs.iter().map(|log| log.unwritten_bytes()).sum();
    let count = logs.len() as u64;
    count * SMALL_TAIL_COST * TIMES_WRITTEN_OUT > dir.config.journal_file_bytes && bytes < count * SMALL_TAIL_COST
}

/// Brings everything that these have into durable segments.
async fn checkpoint(store: &LogStore, dir: &Rc<LogDir>, logs: Vec<Rc<PartitionLog>>) {
    let (count, bytes) = (logs.len() as u64, logs.iter().map(|log| log.unwritten_bytes()).sum::<u64>());
    write_out(store, dir, logs, Pace::Journal).await;
    // Small writes to many partitions: a longer journal makes them larger.
    if let Some(journal) = dir.journal.as_ref().filter(|_| count > 1 && bytes / count < dir.config.tail_flush_bytes / 2) {
        journal.grow();
    }
}

/// Makes all that is written durable with one sync of the file system.
pub async fn sync_together(dir: &LogDir, logs: &[Rc<PartitionLog>]) {
    let marks: Vec<_> = logs.iter().map(|log| log.sync_mark()).collect();
    if !dir.sync_file_system().await {
        return;
    }
    for (log, (end, entries)) in logs.iter().zip(marks) {
        log.note_synced(end, entries);
        rt::yield_if_needed().await;
    }
}

/// What a clean stop does with partitions: all in segments, padding cut, indexes and snapshots, all durable. False if it did not succeed.
pub async fn finish(dir: &Rc<LogDir>, logs: &[Rc<PartitionLog>]) -> bool {
    finish_with(dir, logs, async |log| log.finish_indexes().await).await
}

/// What a replay does with partitions: as [`finish`], but few have their indexes written, since a scan of the others is short.
pub async fn finish_replayed(dir: &Rc<LogDir>, logs: &[Rc<PartitionLog>]) -> bool {
    finish_with(dir, logs, async |log| log.finish_long_indexes().await).await
}

async fn finish_with(
    dir: &Rc<LogDir>,
    logs: &[Rc<PartitionLog>],
    indexes: impl AsyncFn(&PartitionLog) -> Result<(), FlushError> + Copy + 'static,
) -> bool {
    if logs.is_empty() {
        return !dir.health.is_offline();
    }
    let whole = Rc::new(Cell::new(true));
    let check = |result: Result<(), FlushError>, whole: &Cell<bool>| whole.set(whole.get() && result.is_ok());
    for_each(Queue::Flush, logs.to_vec(), FINISHES_AT_ONCE, |log| {
        let whole = Rc::clone(&whole);
        async move { check(log.finish_segments().await, &whole) }
    })
    .await;
    sync_together(dir, logs).await;
    if !whole.get() || dir.health.is_offline() {
        return false;
    }
    for_each(Queue::Flush, logs.to_vec(), FINISHES_AT_ONCE, |log| {
        let whole = Rc::clone(&whole);
        async move { check(indexes(&log).await, &whole) }
    })
    .await;
    sync_together(dir, logs).await;
    whole.get() && !dir.health.is_offline()
}

/// Writes recovery points and log start offsets, and lets go of the journal's log start entries that are in them. Whether it succeeded.
pub async fn write_checkpoints(store: &LogStore, dir: &LogDir) -> bool {
    let _one = dir.checkpointing.acquire(1).await;
    let holds = dir.take_log_start_holds();
    let mut checkpoints = store.departed(dir);
    for log in store.partitions().iter().filter(|log| std::ptr::eq(Rc::as_ptr(log.dir()), dir) && log.has_news()) {
        checkpoints.insert(log.id(), Checkpoint { recovery_point: log.synced_end(), log_start: log.log_start() });
        rt::yield_if_needed().await;
    }
    let path = dir.health.path().join(format!("{BASE_NAME}-{}", store.shard()));
    match fs::write_file(&path, &checkpoint::encode(&checkpoints)).await {
        Ok(()) => {
            dir.release_log_start_holds(holds);
            return true;
        }
        Err(error) if error.kind() == std::io::ErrorKind::StorageFull => {
            dir.health.set_full(true);
            dir.return_log_start_holds(holds);
        }
        Err(error) => dir.health.fail("writing a checkpoint", error),
    }
    false
}

/// Wakes everybody who waits for a directory that went offline.
async fn watch_health(store: Weak<LogStore>, dir: Rc<LogDir>) {
    loop {
        let changed = dir.health.listen();
        let Some(store) = store.upgrade().filter(|store| !store.is_closing()) else { return };
        if dir.health.is_offline() {
            let logs: Vec<_> = store.partitions().into_iter().filter(|log| Rc::ptr_eq(log.dir(), &dir)).collect();
            logs.iter().for_each(|log| log.wake());
            store.note_failure();
            // What its partitions hold in memory is not waited for any more: others need the room.
            for_each(Queue::Flush, logs, FINISHES_AT_ONCE, |log| async move {
                log.give_up().await;
            })
            .await;
            return;
        }
        drop(store);
        changed.await;
    }
}

/// Refuses appends while there is too little space; tries again what did not fit. Now and then forgets producers that are long silent.
async fn watch_space(store: Weak<LogStore>, dir: Rc<LogDir>) {
    let mut next_expiry = rt::now() + PRODUCER_EXPIRY_INTERVAL;
    loop {
        let scarce = dir.space.listen_scarce();
        dir.look_for_space().await;
        // Also while appends are refused: the reserve is for what was taken before.
        let waiting: Vec<_> =
            dir.dirty.borrow().values().filter(|log| log.unwritten_bytes() >= dir.config.tail_flush_bytes).cloned().collect();
        waiting.iter().for_each(|log| log.want_flush());
        if !dir.health.is_full() {
            dir.memory.ask_again(dir.dirty.borrow().values());
        }
        rt::timeout(SPACE_CHECK_INTERVAL, scarce).await;
        let Some(store) = store.upgrade().filter(|store| !store.is_closing() && !dir.health.is_offline()) else { return };
        if rt::now() >= next_expiry {
            next_expiry = rt::now() + PRODUCER_EXPIRY_INTERVAL;
            let now = rt::wall_clock();
            store.partitions().iter().filter(|log| Rc::ptr_eq(log.dir(), &dir)).for_each(|log| log.expire_producers(now));
        }
    }
}
