//! One partition's log, owned by one shard: append, read, offsets by time and by leader epoch.
//!
//! Everything that decides is synchronous on [`State`]; what touches files is in `flush.rs` (tail into segments, seal) and `read.rs`. At most one
//! flush is under way per partition. An idle partition holds no descriptor and little memory.

mod aborted;
mod append;
mod bypass;
mod epochs;
mod flush;
mod handover;
mod index;
mod read;
mod rebuild;
mod removal;
mod replacement;
mod state;
mod timestamps;

pub use append::Appended;
pub use read::{FetchedRecords, Slice};
pub use timestamps::TimestampOffset;

pub(super) use flush::FlushError;
pub(super) use handover::{Handed, KeepReason};
pub(super) use removal::{SegmentFacts, remove_leftovers};
pub(super) use state::State;

use self::bypass::RunSync;
use super::TopicLogConfig;
use super::dir::LogDir;
use super::journal::{Change, Entry, Owner};
use super::producer::ProducerEntry;
use super::segment::SegmentId;
use super::segment::files::SegmentKey;
use crate::rt::SharedFile;
use crate::rt::sync::{Event, EventListener, Semaphore};
use crate::types::{ErrorCode, LeaderEpoch, Offset, ProducerEpoch, ProducerId, Timestamp, TopicPartitionId};
use std::cell::{Cell, RefCell};
use std::collections::BTreeSet;
use std::path::PathBuf;
use std::rc::{Rc, Weak};

/// The answer of [`PartitionLog::end_offset_for_epoch`]: the largest epoch not above the one asked for, and where it ends (exclusive).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct EpochEnd {
    pub leader_epoch: LeaderEpoch,
    pub end_offset: Offset,
}

/// See the module.
pub struct PartitionLog {
    id: TopicPartitionId,
    topic: Rc<str>,
    this: Weak<PartitionLog>,
    dir: Rc<LogDir>,
    config: RefCell<Rc<TopicLogConfig>>,
    state: RefCell<State>,
    advanced: Event,
    /// Held by who writes or changes the segments: see `SegmentsLock`.
    flush_lock: Semaphore,
    flush_wanted: Cell<bool>,
    /// The memory's budget has it among those that may be asked for a flush.
    is_listed: Cell<bool>,
    /// Held while a segment is synced.
    sync_lock: Semaphore,
    runs: RunSync,
    closed: Cell<bool>,
    /// Compaction is giving this segment its names: until then reads get this handle.
    swapping: RefCell<Option<(SegmentId, SharedFile)>>,
    /// Its directory is about to go, or is another shard's: segments are left as they are.
    deleted: Cell<bool>,
    /// Written since it was opened: a clean stop has something to do.
    touched: Cell<bool>,
    /// Counts directory entries made, and those known to be durable.
    entries_made: Cell<u32>,
    entries_durable: Cell<u32>,
    /// Bytes in and out since they were last asked for.
    traffic: Cell<u64>,
    snapshot_offset: Cell<Option<Offset>>,
    /// Some leader epoch may not be in the checkpoint: an appended one, or one that only the scan at the start found.
    epochs_changed: Cell<bool>,
    epochs_on_disk: Cell<bool>,
    /// The active segment's file may be longer than what was written.
    padded: Cell<bool>,
    /// They were compared with the batches.
    epochs_checked: Cell<bool>,
    /// Some segment may have an index of aborted transactions.
    has_aborted: Cell<bool>,
    /// Segments that have no index of aborted transactions and need none.
    without_aborted: RefCell<BTreeSet<SegmentId>>,
}

impl PartitionLog {
    /// `entries_durable`: whether its directory is known to survive a crash.
    pub(super) fn new(
        dir: Rc<LogDir>,
        id: TopicPartitionId,
        topic: &str,
        config: Rc<TopicLogConfig>,
        state: State,
        entries_durable: bool,
    ) -> Rc<PartitionLog> {
        Rc::new_cyclic(|this| PartitionLog {
            id,
            topic: topic.into(),
            this: Weak::clone(this),
            dir,
            config: RefCell::new(config),
            state: RefCell::new(state),
            advanced: Event::default(),
            flush_lock: Semaphore::new(1),
            flush_wanted: Cell::new(false),
            is_listed: Cell::new(false),
            sync_lock: Semaphore::new(1),
            runs: RunSync::default(),
            closed: Cell::new(false),
            swapping: RefCell::default(),
            deleted: Cell::new(false),
            touched: Cell::new(false),
            entries_made: Cell::new(1),
            entries_durable: Cell::new(entries_durable as u32),
            traffic: Cell::new(0),
            snapshot_offset: Cell::new(None),
            epochs_changed: Cell::new(false),
            epochs_on_disk: Cell::new(false),
            padded: Cell::new(false),
            epochs_checked: Cell::new(false),
            has_aborted: Cell::new(false),
            without_aborted: RefCell::default(),
        })
    }

    pub fn id(&self) -> TopicPartitionId {
        self.id
    }

    pub fn topic(&self) -> &Rc<str> {
        &self.topic
    }

    /// Its directory.
    pub fn path(&self) -> PathBuf {
        self.dir.path_of(&self.topic, self.id.partition)
    }

    pub(super) fn dir(&self) -> &Rc<LogDir> {
        &self.dir
    }

    pub fn config(&self) -> Rc<TopicLogConfig> {
        Rc::clone(&self.config.borrow())
    }

    /// Takes effect with the next append.
    pub fn set_config(&self, config: Rc<TopicLogConfig>) {
        *self.config.borrow_mut() = config;
        if self.config.borrow().is_durable() {
            self.start_sync();
        }
        self.advanced.notify();
    }

    /// Waits until all below `end` is on stable storage (at once for topics with relaxed `flush.messages`).
    pub async fn wait_durable(&self, end: Offset) -> Result<(), ErrorCode> {
        loop {
            let advanced = self.advanced.listen();
            if self.state.borrow().durable_end >= end {
                return Ok(());
            }
            if self.is_offline() {
                return Err(ErrorCode::KafkaStorageError);
            }
            if !self.config.borrow().is_durable() {
                return Ok(());
            }
            advanced.await;
        }
    }

    /// Exclusive; what a fetch may see: what survives a crash, or all for topics with relaxed `flush.messages`.
    pub fn high_watermark(&self) -> Offset {
        let state = self.state.borrow();
        if self.config.borrow().is_durable() { state.durable_end } else { state.log_end }
    }

    /// Exclusive; what a read_committed fetch may see: nothing of a transaction that is still open.
    pub fn last_stable_offset(&self) -> Offset {
        let high_watermark = self.high_watermark();
        self.state.borrow().last_stable_offset(high_watermark)
    }

    /// Exclusive.
    pub fn log_end(&self) -> Offset {
        self.state.borrow().log_end
    }

    /// The first offset that can be read.
    pub fn log_start(&self) -> Offset {
        self.state.borrow().log_start
    }

    /// Moves the log start offset up, durably (DeleteRecords); lower values change nothing. OFFSET_OUT_OF_RANGE above the high watermark.
    pub async fn set_log_start(&self, offset: Offset) -> Result<(), ErrorCode> {
        if self.is_offline() {
            return Err(ErrorCode::KafkaStorageError);
        }
        if offset > self.high_watermark() {
            return Err(ErrorCode::OffsetOutOfRange);
        }
        if offset <= self.durable_log_start() {
            return Ok(());
        }
        if offset > self.state.borrow().durable_end {
            // Relaxed acks: a log that ends below its start would be taken for damage.
            self.flush(true).await.map_err(|_| ErrorCode::KafkaStorageError)?;
        }
        if self.is_offline() {
            // A stop began meanwhile: its checkpoint would not have the offset.
            return Err(ErrorCode::KafkaStorageError);
        }
        let journal = self.dir.journal.as_ref().ok_or(ErrorCode::KafkaStorageError)?;
        let durable = journal.append_control(self.entry(Change::LogStart { offset }));
        self.move_log_start(offset);
        let hold = durable.await.map_err(|_| ErrorCode::KafkaStorageError)?;
        // The hold stays until a checkpoint has the offset.
        self.dir.log_start_moved(hold);
        self.note_log_start_durable(offset);
        Ok(())
    }

    /// As [`PartitionLog::set_log_start`], for replay.
    pub(super) fn raise_log_start(&self, offset: Offset) {
        self.move_log_start(offset);
        self.note_log_start_durable(offset);
    }

    fn move_log_start(&self, offset: Offset) {
        let mut state = self.state.borrow_mut();
        state.log_start = state.log_start.max(offset).min(state.log_end);
        drop(state);
        self.advanced.notify();
    }

    /// Only now may anything that is below leave the disk: a crash would have brought the old log start offset back.
    fn note_log_start_durable(&self, offset: Offset) {
        let mut state = self.state.borrow_mut();
        let offset = offset.min(state.log_start);
        if offset > state.log_start_durable {
            state.log_start_durable = offset;
            if state.epochs.truncate_from_start(offset) {
                self.epochs_changed.set(true);
            }
        }
    }

    /// The log start offset that survives a crash; [`PartitionLog::log_start`] may be on its way to the journal.
    pub(super) fn durable_log_start(&self) -> Offset {
        self.state.borrow().log_start_durable
    }

    /// Completes when the high watermark next advances, or the log goes offline or is deleted. Listen, look, then await.
    pub fn listen_high_watermark(&self) -> EventListener {
        self.advanced.listen()
    }

    /// The leader epoch at `offset`, the latest one's at the log end; `NONE` for an empty log.
    pub fn leader_epoch_at(&self, offset: Offset) -> LeaderEpoch {
        self.state.borrow().epochs.epoch_for_offset(offset).unwrap_or(LeaderEpoch::NONE)
    }

    /// The latest leader epoch that wrote to this log; `NONE` for an empty one.
    pub fn latest_leader_epoch(&self) -> LeaderEpoch {
        self.state.borrow().epochs.latest().map_or(LeaderEpoch::NONE, |latest| latest.epoch)
    }

    /// OffsetForLeaderEpoch: `None` if `epoch` is above all that wrote here, or is -1 (answer -1, -1).
    pub fn end_offset_for_epoch(&self, epoch: LeaderEpoch) -> Option<EpochEnd> {
        let state = self.state.borrow();
        let (leader_epoch, end_offset) = state.epochs.end_offset_for(epoch, state.log_end)?;
        Some(EpochEnd { leader_epoch, end_offset })
    }

    /// Bytes of all segments, padding left out.
    pub fn size_bytes(&self) -> u64 {
        self.state.borrow().segments.iter().map(|segment| segment.size).sum()
    }

    /// True once the log directory failed or the partition was deleted or closed.
    pub fn is_offline(&self) -> bool {
        self.closed.get() || self.dir.health.is_offline()
    }

    /// Counts bytes that came in or went out.
    pub fn count_traffic(&self, bytes: usize) {
        self.traffic.set(self.traffic.get() + bytes as u64);
    }

    /// Bytes in and out since the last call.
    pub fn take_traffic(&self) -> u64 {
        self.traffic.take()
    }

    /// Bytes that are in no segment yet.
    pub fn unwritten_bytes(&self) -> u64 {
        self.state.borrow().unwritten_bytes
    }

    /// The end (exclusive) of what is durable in segments.
    pub(super) fn synced_end(&self) -> Offset {
        self.state.borrow().synced_end
    }

    /// Whether this producer has a transaction open here, in this epoch.
    pub fn has_open_transaction(&self, id: ProducerId, epoch: ProducerEpoch) -> bool {
        let state = self.state.borrow();
        state.producers.get(id).is_some_and(|producer| producer.transaction_first_offset.is_some() && producer.epoch == epoch)
    }

    /// The producer's epoch, and its coordinator's, as far as this partition knows them.
    pub fn producer_epochs(&self, id: ProducerId) -> Option<(ProducerEpoch, i32)> {
        self.state.borrow().producers.get(id).map(|producer| (producer.epoch, producer.coordinator_epoch))
    }

    /// Looks at every producer, ascending by id.
    pub fn visit_producers(&self, mut look: impl FnMut(ProducerId, &ProducerEntry)) {
        self.state.borrow().producers.iter().for_each(|(id, producer)| look(id, producer));
    }

    /// Forgets producers that have written nothing for `producer.id.expiration.ms`.
    pub(super) fn expire_producers(&self, now: Timestamp) {
        self.state.borrow_mut().producers.expire(now, self.dir.config.producer_id_expiration_ms);
    }

    /// Whether a checkpoint or a clean stop has something to say about it.
    pub(super) fn has_news(&self) -> bool {
        self.touched.get() || self.log_start() > Offset(0)
    }

    /// What loading found: the newest producers' snapshot on disk, and whether leader epochs are missing in their checkpoint.
    pub(super) fn note_loaded(&self, snapshot: Option<Offset>, epochs_changed: bool, epochs_on_disk: bool) {
        self.snapshot_offset.set(snapshot);
        self.epochs_changed.set(epochs_changed);
        self.epochs_on_disk.set(epochs_on_disk);
        // Without a snapshot at its end the next start would scan it again.
        let ends_at_snapshot = self.size_bytes() == 0 || snapshot == Some(self.log_end());
        self.touched.set(epochs_changed || !ends_at_snapshot);
    }

    /// The lowest journal frame it needs.
    pub(super) fn held_frame(&self) -> Option<u64> {
        self.state.borrow().hold
    }

    /// The key of a segment in the list.
    fn key(&self, base: Offset) -> SegmentKey {
        let version = self.state.borrow().segment(base).map_or(0, |segment| segment.version);
        (self.id, SegmentId { base, version })
    }

    fn entry(&self, change: Change) -> Entry {
        Entry { id: self.id, topic: Rc::clone(&self.topic), change }
    }

    pub(super) fn delete_entry(&self) -> Entry {
        self.entry(Change::Delete)
    }

    /// Appends fail from now on, waiters wake up.
    pub(super) fn close(&self) {
        self.closed.set(true);
        self.advanced.notify();
    }

    /// Waiters look again (the directory went offline).
    pub(super) fn wake(&self) {
        self.advanced.notify();
    }

    /// Asks the shard's flusher to write the tail soon.
    pub(super) fn want_flush(&self) {
        let Some(this) = self.this.upgrade() else { return };
        if !self.flush_wanted.replace(true) {
            let _ = self.dir.flushes.send(this);
        }
    }

    /// As [`PartitionLog::want_flush`]; the bytes that will be written, or `None` if somebody had asked before.
    pub(super) fn ask_for_flush(&self) -> Option<u64> {
        let before = self.flush_wanted.get();
        self.want_flush();
        (!before).then(|| self.unwritten_bytes())
    }

    /// Notes that it may be asked for a flush; false if that was noted.
    pub(super) fn list_unasked(&self) -> bool {
        !self.is_listed.replace(true)
    }

    pub(super) fn unlist_unasked(&self) {
        self.is_listed.set(false);
    }

    pub(super) fn weak(&self) -> Weak<PartitionLog> {
        self.this.clone()
    }

    /// Drops cached batches that end at `end` or before it, the oldest first, until `bytes` are dropped; how many were, and whether there are more.
    pub(super) fn evict(&self, end: Offset, bytes: u64) -> (u64, bool) {
        let mut state = self.state.borrow_mut();
        let end = end.min(state.written_end);
        let mut dropped = 0;
        while dropped < bytes && state.tail.front().is_some_and(|batch| batch.end <= end) {
            dropped += state.tail.pop_front().map_or(0, |batch| batch.bytes.len() as u64);
        }
        if state.tail.is_empty() {
            state.tail.shrink_to_fit();
        }
        (dropped, state.tail.front().is_some_and(|batch| batch.end <= end))
    }

    /// Drops the whole tail of a partition whose directory has failed.
    pub(super) async fn give_up(&self) {
        let _one = self.flush_lock.acquire(1).await;
        self.drop_tail();
    }

    /// Drops the whole tail of a deleted partition.
    pub(super) fn drop_tail(&self) {
        let mut state = self.state.borrow_mut();
        let unwritten = std::mem::take(&mut state.unwritten_bytes);
        let all: u64 = state.tail.drain(..).map(|batch| batch.bytes.len() as u64).sum();
        state.written_end = state.log_end;
        state.frames.clear();
        let hold = state.hold.take();
        drop(state);
        self.dir.memory.dropped(unwritten, all - unwritten);
        self.release(hold);
        self.dir.dirty.borrow_mut().remove(&self.id);
    }

    fn release(&self, hold: Option<u64>) {
        if let (Some(journal), Some(sequence)) = (&self.dir.journal, hold) {
            journal.release(sequence);
        }
    }
}

impl Owner for PartitionLog {
    fn id(&self) -> TopicPartitionId {
        self.id
    }

    fn topic(&self) -> Rc<str> {
        Rc::clone(&self.topic)
    }

    fn acknowledged(&self) -> Offset {
        self.state.borrow().durable_end
    }

    fn frame(&self, base: Offset, end: Offset, len: usize) -> bool {
        self.state.borrow_mut().bypass.frame(base, end, len as u64)
    }

    fn journal_durable(&self, end: Offset) {
        let mut state = self.state.borrow_mut();
        state.journal_end = state.journal_end.max(end);
        let moved = state.advance_durable();
        drop(state);
        if moved {
            self.advanced.notify();
        }
    }
}
