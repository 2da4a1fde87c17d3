//! A partition's log on its way from one shard's store to another's: what it takes along, and what is left behind.
//!
//! Everything is in segments and durable there, and the old journal says so by a release entry, before the state leaves. No
//! data is copied: files are the process's, batches in memory are shared. The log left behind answers reads under way from
//! the files, takes nothing any more and touches no file.

use super::bypass::Bypass;
use super::state::State;
use super::{FlushError, PartitionLog};
use crate::log::TopicLogConfig;
use crate::log::dir::LogDir;
use crate::log::journal::Change;
use crate::types::{Offset, TopicPartitionId};
use std::rc::Rc;

/// Everything a shard knows of a partition. `Send`.
#[derive(Debug)]
pub struct Handed {
    pub id: TopicPartitionId,
    pub topic: String,
    pub state: State,
    snapshot_offset: Option<Offset>,
    epochs_changed: bool,
    epochs_on_disk: bool,
    has_aborted: bool,
    touched: bool,
}

/// Why a partition stays where it is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum KeepReason {
    /// Something was appended meanwhile, or others hold its files.
    Busy,
    Storage,
}

impl From<FlushError> for KeepReason {
    fn from(_: FlushError) -> KeepReason {
        KeepReason::Storage
    }
}

impl PartitionLog {
    /// Ends the log here and gives out its state. Nobody may append meanwhile, and all must have been flushed with a sync before.
    pub(in crate::log) async fn hand_over(&self) -> Result<Handed, KeepReason> {
        let _lock = self.lock_segments().await?;
        if self.is_offline() {
            return Err(KeepReason::Storage);
        }
        let end = self.log_end();
        if self.synced_end() < end || self.entries_durable.get() < self.entries_made.get() {
            return Err(KeepReason::Busy);
        }
        let journal = self.dir.journal.as_ref().expect("a store has journals");
        let frame = journal.append_control(self.entry(Change::Release { end })).await.map_err(|_| KeepReason::Storage)?;
        // Replay needs the entry only as long as it finds entries before it.
        journal.release(frame);
        if self.is_offline() {
            return Err(KeepReason::Storage);
        }
        assert_eq!(self.log_end(), end, "nothing is appended to a log while it is handed over");
        self.deleted.set(true);
        self.close();
        Ok(self.take_out())
    }

    fn take_out(&self) -> Handed {
        let mut guard = self.state.borrow_mut();
        let left = State { epochs: guard.epochs.clone(), ..State::new(guard.segments.clone(), guard.log_start, guard.log_end) };
        let mut state = std::mem::replace(&mut *guard, left);
        drop(guard);
        let bypassed = state.bypass.unjournaled_from(state.synced_end).is_some();
        assert!(!bypassed && state.unwritten_bytes == 0, "a log is in segments before it is handed over");
        state.frames.clear();
        // Whoever wrote a run here finds the log closed.
        state.bypass = Bypass::default();
        self.release(state.hold.take());
        state.journal_end = state.log_end;
        // Its entry lies before the release entry.
        state.log_start_durable = state.log_start;
        self.dir.memory.dropped(0, cached_bytes(&state));
        self.dir.dirty.borrow_mut().remove(&self.id);
        self.dir.files.forget_partition(self.id);
        Handed {
            id: self.id,
            topic: self.topic.to_string(),
            state,
            snapshot_offset: self.snapshot_offset.get(),
            epochs_changed: self.epochs_changed.get(),
            epochs_on_disk: self.epochs_on_disk.get(),
            has_aborted: self.has_aborted.get(),
            touched: self.touched.replace(false),
        }
    }

    /// The log that goes on from what another shard handed over.
    pub(in crate::log) fn take_over(dir: Rc<LogDir>, handed: Handed, config: Rc<TopicLogConfig>) -> Rc<PartitionLog> {
        let Handed { id, topic, state, snapshot_offset, epochs_changed, epochs_on_disk, has_aborted, touched } = handed;
        let (cached, end) = (cached_bytes(&state), state.log_end);
        let log = PartitionLog::new(dir, id, &topic, config, state, true);
        log.note_loaded(snapshot_offset, epochs_changed, epochs_on_disk);
        log.note_aborted(has_aborted);
        log.padded.set(true);
        log.touched.set(touched || epochs_changed);
        log.dir.memory.add_cached(Rc::downgrade(&log), end, cached);
        log
    }
}

fn cached_bytes(state: &State) -> u64 {
    state.tail.iter().map(|batch| batch.bytes.len() as u64).sum()
}
