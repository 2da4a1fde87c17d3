//! How a partition's batches become durable: through the journal, or, when many bytes wait at once, straight in their segment, so that they
//! are written once.
//!
//! ```text
//! batch: queued to the journal -> in a frame                      few bytes
//!        queued, with all others queued -> run -> segment, sync   as soon as the queued bytes reach the threshold
//!        waiting -> next run, or queued                           while a run is being written; decided at its end
//! ```
//! Runs are flushes: they write all of the tail, contiguously, so what lies below a run is in the segment before it. The next is written while
//! the last is synced. Nothing behind a run is acknowledged before it. A crash leaves of an unacknowledged run whatever whole batches the segment has; entries of the journal behind a
//! run that is not whole do not go on from the log's end and are passed over. The next entry carries the acknowledged end, so that an
//! acknowledged run that is not there is damage.

use super::{FlushError, PartitionLog, State};
use crate::rt::{self, File, Queue};
use crate::types::Offset;
use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::rc::Rc;
use std::time::Duration;

/// A run that found no space is tried again.
const FULL_RETRY: Duration = Duration::from_millis(50);

/// Which batches are queued, which are in runs, which wait. Pure.
#[derive(Debug, Default)]
pub struct Bypass {
    /// Batches queued to the journal that are in no frame: where they begin, and their bytes.
    queued_from: Option<Offset>,
    queued_bytes: u64,
    /// Ranges that are in no journal: durable only once they are synced in their segment. Ascending.
    runs: VecDeque<(Offset, Offset)>,
    /// Where the batches begin that came while a run is being written.
    waiting_from: Option<Offset>,
    running: bool,
}

/// What is done with a batch.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Way {
    /// It is queued to the journal.
    Journal,
    /// It is in a run that begins now.
    Run,
    /// It waits for the end of the run that is being written.
    Wait,
}

/// What the end of a run leads to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum AfterRun {
    /// Another run was begun.
    Run,
    /// The batches from here on are queued to the journal.
    Journal(Offset),
    Nothing,
}

impl Bypass {
    /// Takes the next batch, of `len` bytes.
    pub fn take(&mut self, base: Offset, end: Offset, len: u64, threshold: u64) -> Way {
        if self.running {
            self.waiting_from.get_or_insert(base);
            return Way::Wait;
        }
        self.queued_bytes += len;
        let from = *self.queued_from.get_or_insert(base);
        if self.queued_bytes < threshold {
            return Way::Journal;
        }
        self.dequeue();
        self.begin(from, end);
        Way::Run
    }

    /// Whether the journal shall have a batch that is queued to it; it is no longer queued then.
    pub fn frame(&mut self, base: Offset, end: Offset, len: u64) -> bool {
        if self.queued_from.is_none_or(|from| base < from) {
            return false;
        }
        self.queued_bytes -= len;
        self.queued_from = (self.queued_bytes > 0).then_some(end);
        true
    }

    /// A run was written, and with it all below `written_end`; `waiting` counts the bytes of a partition's batches from an offset on.
    pub fn finish(&mut self, written_end: Offset, log_end: Offset, threshold: u64, waiting: impl FnOnce(Offset) -> u64) -> AfterRun {
        let Some(mut from) = self.waiting_from.take() else {
            self.running = false;
            return AfterRun::Nothing;
        };
        if from < written_end {
            // They came before the flush began.
            self.begin(from, written_end);
            from = written_end;
        }
        let bytes = waiting(from);
        if bytes >= threshold {
            self.begin(from, log_end);
            return AfterRun::Run;
        }
        self.running = false;
        if bytes == 0 {
            return AfterRun::Nothing;
        }
        (self.queued_from, self.queued_bytes) = (Some(from), bytes);
        AfterRun::Journal(from)
    }

    /// Where the lowest range begins that is neither in a journal nor synced.
    pub fn unjournaled_from(&mut self, synced_end: Offset) -> Option<Offset> {
        while self.runs.front().is_some_and(|(_, end)| *end <= synced_end) {
            self.runs.pop_front();
        }
        self.runs.front().map(|(start, _)| *start)
    }

    /// Whether something is durable only once the segment is synced.
    pub fn needs_sync(&self) -> bool {
        !self.runs.is_empty()
    }

    pub fn is_running(&self) -> bool {
        self.running
    }

    fn begin(&mut self, from: Offset, end: Offset) {
        self.running = true;
        match self.runs.back_mut() {
            Some((_, last)) if *last == from => *last = end,
            _ => self.runs.push_back((from, end)),
        }
    }

    fn dequeue(&mut self) {
        (self.queued_from, self.queued_bytes) = (None, 0);
    }
}

/// The sync of runs, which goes on while the next ones are written.
#[derive(Default)]
pub struct RunSync {
    under_way: Cell<bool>,
    /// The segment that was written last while runs were under way.
    file: RefCell<Option<(Offset, Rc<File>)>>,
}

impl State {
    /// Whether something that bypassed the journal is written and not synced.
    fn is_sync_due(&self) -> bool {
        self.bypass.needs_sync() && self.written_end > self.synced_end
    }

    /// The first of the tail's batches that begin at `from` or later. Few do, and they are at its end.
    fn tail_index_from(&self, from: Offset) -> usize {
        self.tail.len() - self.tail.iter().rev().take_while(|batch| batch.base >= from).count()
    }

    /// Bytes of the tail's batches from `from` on.
    fn tail_bytes_from(&self, from: Offset) -> u64 {
        self.tail.range(self.tail_index_from(from)..).map(|batch| batch.bytes.len() as u64).sum()
    }
}

impl PartitionLog {
    /// Puts an appended batch on its way to the disk. In replay there is no journal: everything goes to segments.
    pub(super) fn make_durable(&self, base: Offset, end: Offset, len: usize) {
        let Some(threshold) = self.bypass_threshold() else { return };
        let way = self.state.borrow_mut().bypass.take(base, end, len as u64, threshold);
        match way {
            Way::Journal => self.queue_from(base),
            Way::Run => self.start_run(),
            Way::Wait => {}
        }
    }

    /// Bytes from which on a run bypasses the journal: at most what fits one of its entries.
    fn bypass_threshold(&self) -> Option<u64> {
        let journal = self.dir.journal.as_ref()?;
        Some(self.dir.config.bypass_bytes.min(journal.records_len_max() as u64 + 1))
    }

    /// Queues the batches from `from` on to the journal.
    fn queue_from(&self, from: Offset) {
        let (Some(journal), Some(this)) = (&self.dir.journal, self.this.upgrade()) else { return };
        let mut guard = self.state.borrow_mut();
        let state = &mut *guard;
        for index in state.tail_index_from(from)..state.tail.len() {
            let batch = state.tail[index].clone();
            let sequence = journal.append(this.clone(), batch.base, batch.end, batch.bytes);
            state.needs_frame(batch.end, sequence);
            if state.hold.is_none() {
                state.hold = Some(sequence);
                journal.hold(sequence);
            }
        }
    }

    /// A segment was written: the sync of runs needs its file.
    pub(super) fn note_run_file(&self, base: Offset, file: &Rc<File>) {
        if self.runs.under_way.get() || self.state.borrow().bypass.is_running() {
            *self.runs.file.borrow_mut() = Some((base, Rc::clone(file)));
        }
    }

    /// Has what runs have written synced if acks wait for it: one sync at a time, each for all that was written before it.
    pub(super) fn start_sync(&self) {
        let Some(this) = self.this.upgrade().filter(|_| self.config.borrow().is_durable()) else { return };
        if !self.runs.under_way.replace(true) {
            rt::spawn(Queue::Foreground, async move {
                while this.state.borrow().is_sync_due() && this.sync_runs().await.is_ok() {}
                this.runs.under_way.set(false);
                this.runs.file.take();
            });
        }
    }

    async fn sync_runs(&self) -> Result<(), FlushError> {
        let (base, (end, entries)) = (self.state.borrow().unsealed_base(), self.sync_mark());
        let file = self.runs.file.borrow().clone().filter(|(written, _)| Some(*written) == base);
        let Some((_, file)) = file else {
            let _lock = self.lock_segments().await?;
            return self.sync_written().await;
        };
        self.sync_segment(&file).await?;
        self.sync_entries().await?;
        self.note_synced(end, entries);
        Ok(())
    }

    fn start_run(&self) {
        let Some(this) = self.this.upgrade() else { return };
        if let Some(journal) = &self.dir.journal {
            journal.forget_queued(self.id);
        }
        self.dir.files.count_run();
        rt::spawn(Queue::Foreground, async move { while this.write_run().await {} });
    }

    /// Writes a run; whether there is another one to write.
    async fn write_run(&self) -> bool {
        match self.flush(false).await {
            Ok(()) if self.is_offline() => return false,
            Ok(()) => {}
            Err(FlushError::Full) if !self.is_offline() => {
                rt::sleep(FULL_RETRY).await;
                return true;
            }
            Err(_) => return false,
        }
        let Some(threshold) = self.bypass_threshold() else { return false };
        let mut guard = self.state.borrow_mut();
        let state = &mut *guard;
        let mut bypass = std::mem::take(&mut state.bypass);
        let after = bypass.finish(state.written_end, state.log_end, threshold, |from| state.tail_bytes_from(from));
        state.bypass = bypass;
        let moved = state.advance_durable();
        let again = after == AfterRun::Run;
        drop(guard);
        self.start_sync();
        if moved {
            self.advanced.notify();
        }
        if let AfterRun::Journal(from) = after {
            self.queue_from(from);
        }
        again
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const THRESHOLD: u64 = 100;

    fn take(bypass: &mut Bypass, base: i64, len: u64) -> Way {
        bypass.take(Offset(base), Offset(base + 1), len, THRESHOLD)
    }

    fn frame(bypass: &mut Bypass, base: i64, len: u64) -> bool {
        bypass.frame(Offset(base), Offset(base + 1), len)
    }

    #[test]
    fn few_bytes_go_through_the_journal_whatever_their_number() {
        let mut bypass = Bypass::default();
        for base in 0..10 {
            assert_eq!(take(&mut bypass, base, 60), Way::Journal);
            assert!(frame(&mut bypass, base, 60));
        }
        assert_eq!(bypass.unjournaled_from(Offset(0)), None);
    }

    #[test]
    fn many_bytes_are_a_run_with_all_that_is_queued_before_them() {
        let mut bypass = Bypass::default();
        assert_eq!([take(&mut bypass, 0, 60), take(&mut bypass, 1, 10)], [Way::Journal; 2]);
        assert!(frame(&mut bypass, 0, 60));
        assert_eq!(take(&mut bypass, 2, 95), Way::Run);
        assert!(!frame(&mut bypass, 1, 10), "it went with the run");
        assert_eq!(bypass.unjournaled_from(Offset(0)), Some(Offset(1)));
        assert_eq!(bypass.unjournaled_from(Offset(3)), None, "synced");
    }

    #[test]
    fn what_comes_during_a_run_waits_and_is_journaled_if_it_is_little() {
        let mut bypass = Bypass::default();
        assert_eq!(take(&mut bypass, 0, 100), Way::Run);
        assert_eq!([take(&mut bypass, 1, 200), take(&mut bypass, 2, 50)], [Way::Wait; 2]);
        let after = bypass.finish(Offset(2), Offset(3), THRESHOLD, |from| if from == Offset(2) { 50 } else { 250 });
        assert_eq!(after, AfterRun::Journal(Offset(2)), "the first was written with the run, since it came before its flush");
        assert_eq!(bypass.unjournaled_from(Offset(0)), Some(Offset(0)));
        assert!(frame(&mut bypass, 2, 50));
        assert_eq!(take(&mut bypass, 3, 60), Way::Journal);
    }

    #[test]
    fn a_stream_of_large_batches_goes_from_run_to_run() {
        let mut bypass = Bypass::default();
        assert_eq!(take(&mut bypass, 0, 100), Way::Run);
        assert_eq!(take(&mut bypass, 1, 100), Way::Wait);
        assert_eq!(bypass.finish(Offset(1), Offset(2), THRESHOLD, |_| 100), AfterRun::Run);
        assert_eq!(bypass.unjournaled_from(Offset(1)), Some(Offset(0)), "one range");
        assert_eq!(bypass.finish(Offset(2), Offset(2), THRESHOLD, |_| 0), AfterRun::Nothing);
        assert!(!bypass.is_running());
    }
}
