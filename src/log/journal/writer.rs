//! The journal's writer: frames out of the queue, writes under way, durable in order; and growth in the background.

use super::frame::{FRAME_ALIGNMENT, FrameBuilder, FrameHeader, HEADER_SIZE};
use super::{Change, Entry, IN_FLIGHT_MAX, InFlight, Journal, Notice, Queued, State, files};
use crate::rt::{self, AlignedBuffer, File, Queue, fs};
use std::io;
use std::path::Path;
use std::rc::Rc;
use std::time::Duration;

/// A frame takes no further entry once it has this many bytes.
const FRAME_BYTES_WANTED: usize = 1 << 20;
/// The least a frame's buffer holds.
const FRAME_BYTES_MIN: usize = 64 << 10;
/// Between the writes that fill a new file, so that acks do not wait behind them, unless they wait for the file.
const GROWTH_PAUSE: Duration = Duration::from_millis(1);
const SPARE_BUFFERS_MAX: usize = IN_FLIGHT_MAX + 1;

/// Starts the task that writes until the journal is closed or its directory offline.
pub fn start(journal: Rc<Journal>) {
    rt::spawn(Queue::Foreground, async move {
        while write_next(&journal).await {}
        journal.abandon();
    });
}

/// Waits for entries, a free slot and room, then starts one write. False when it is time to stop.
async fn write_next(journal: &Rc<Journal>) -> bool {
    if !journal.ready_to_write().await {
        return false;
    }
    // Whatever else runs in this turn may add its entries to the same frame.
    rt::yield_now().await;
    let (frame, notices) = journal.build_frame();
    if frame.is_empty() {
        journal.state.borrow_mut().keep_buffer(frame.into_buffer());
        return true;
    }
    loop {
        let wake = journal.wake.listen();
        if journal.health.is_offline() || journal.stopping.get() {
            return false;
        }
        let sequence = journal.state.borrow().next_sequence;
        let len = frame.len().next_multiple_of(FRAME_ALIGNMENT) as u64;
        let place = journal.state.borrow_mut().ring.reserve(len, sequence);
        journal.check_pressure();
        if let Some(place) = place {
            journal.start_write(frame, notices, place.file, place.offset);
            return true;
        }
        journal.stalled.set(true);
        journal.grow();
        wake.await;
        journal.stalled.set(false);
    }
}

impl Journal {
    async fn ready_to_write(&self) -> bool {
        loop {
            let wake = self.wake.listen();
            if self.health.is_offline() || self.stopping.get() {
                return false;
            }
            if self.state.borrow().can_write() {
                return true;
            }
            wake.await;
        }
    }

    /// As many queued entries as one frame should hold.
    fn build_frame(&self) -> (FrameBuilder, Vec<Notice>) {
        let mut state = self.state.borrow_mut();
        let buffer = state.take_buffer();
        let mut frame = FrameBuilder::new(buffer);
        let mut notices: Vec<Notice> = Vec::new();
        let mut queue = std::mem::take(&mut state.queue);
        drop(state);
        while let Some(next) = queue.front() {
            let len = next.encoded_len();
            let full = frame.len() + len > FRAME_BYTES_WANTED || (frame.len() + len) as u64 > self.file_bytes;
            if full && !frame.is_empty() {
                break;
            }
            let next = queue.pop_front().expect("there is a front");
            notices.extend(push(&mut frame, next));
        }
        // Nothing was queued meanwhile: nothing here awaits.
        self.state.borrow_mut().queue = queue;
        (frame, notices)
    }

    fn start_write(self: &Rc<Self>, frame: FrameBuilder, notices: Vec<Notice>, file: usize, offset: u64) {
        let mut state = self.state.borrow_mut();
        let sequence = state.next_sequence;
        let header = FrameHeader { epoch: self.epoch, sequence, low: state.low(), durable: state.durable() };
        state.next_sequence += 1;
        let controls = notices.iter().filter(|notice| matches!(notice, Notice::Control(_))).count();
        (0..controls).for_each(|_| state.holds.take(sequence));
        state.in_flight.push_back(InFlight { sequence, written: false, notices });
        state.writing += 1;
        let buffer = frame.finish(header);
        let file = Rc::clone(&state.files[file]);
        drop(state);
        self.frames_written.set(self.frames_written.get() + 1);
        self.bytes_written.set(self.bytes_written.get() + buffer.len() as u64);
        let journal = Rc::clone(self);
        rt::spawn(Queue::Foreground, async move {
            let began = rt::now();
            let result = file.write_at(offset, buffer).await;
            if let Some(observer) = journal.observer.get() {
                observer(rt::now() - began);
            }
            journal.finish_write(sequence, result);
        });
    }

    /// Marks a frame as written and reports all frames durable that have no unwritten one before them.
    fn finish_write(&self, sequence: u64, result: io::Result<AlignedBuffer>) {
        let mut state = self.state.borrow_mut();
        state.writing -= 1;
        match result {
            Ok(buffer) => state.keep_buffer(buffer),
            Err(error) => {
                drop(state);
                self.health.fail("journal write", error);
                self.wake.notify();
                return;
            }
        }
        if self.health.is_offline() {
            drop(state);
            return self.wake.notify();
        }
        if let Some(frame) = state.in_flight.iter_mut().find(|frame| frame.sequence == sequence) {
            frame.written = true;
        }
        let notices = state.take_durable();
        let low = state.low();
        state.ring.free_below(low);
        drop(state);
        for (sequence, notice) in notices {
            match notice {
                Notice::Data { owner, end } => owner.journal_durable(end),
                Notice::Control(done) => done.send(sequence),
            }
        }
        self.wake.notify();
    }

    fn check_pressure(&self) {
        if self.wanted_low().is_some() {
            self.pressure.notify();
        }
    }

    /// Drops all that waits, once nothing will be written any more: control entries' waiters see that.
    pub(in crate::log) fn abandon(&self) {
        let mut state = self.state.borrow_mut();
        let dropped = (std::mem::take(&mut state.queue), std::mem::take(&mut state.in_flight));
        drop(state);
        drop(dropped);
    }
}

impl State {
    /// A buffer for the next frame, which has to grow for nothing that is queued: grown ones are up to twice as large as they need be.
    fn take_buffer(&mut self) -> AlignedBuffer {
        let mut wanted = HEADER_SIZE;
        for len in self.queue.iter().map(Queued::encoded_len) {
            if wanted + len > FRAME_BYTES_WANTED && wanted > HEADER_SIZE {
                break;
            }
            wanted += len;
        }
        let wanted = wanted.next_multiple_of(FRAME_ALIGNMENT);
        match self.spare.pop() {
            Some(buffer) if buffer.capacity() >= wanted => buffer,
            _ => AlignedBuffer::with_capacity(wanted.next_power_of_two().max(FRAME_BYTES_MIN)),
        }
    }

    fn keep_buffer(&mut self, buffer: AlignedBuffer) {
        if self.spare.len() < SPARE_BUFFERS_MAX && buffer.capacity() <= FRAME_BYTES_WANTED {
            self.spare.push(buffer);
        }
    }

    fn can_write(&self) -> bool {
        !self.queue.is_empty() && self.writing < IN_FLIGHT_MAX
    }

    /// Whom to tell, each with the sequence of its frame.
    fn take_durable(&mut self) -> Vec<(u64, Notice)> {
        let mut notices = Vec::new();
        while self.in_flight.front().is_some_and(|frame| frame.written) {
            let frame = self.in_flight.pop_front().expect("there is a front");
            notices.extend(frame.notices.into_iter().map(|notice| (frame.sequence, notice)));
        }
        notices
    }
}

impl Queued {
    fn encoded_len(&self) -> usize {
        match self {
            Queued::Data { owner, records, .. } => super::entry::ENTRY_OVERHEAD_MAX + owner.topic().len() + records.len(),
            Queued::Control { entry, .. } => entry.encoded_len(),
        }
    }
}

/// `None`: the entry is not wanted any more.
fn push(frame: &mut FrameBuilder, queued: Queued) -> Option<Notice> {
    debug_assert!(frame.len() >= HEADER_SIZE);
    match queued {
        Queued::Data { owner, base, end, records } => {
            if !owner.frame(base, end, records.len()) {
                return None;
            }
            let change = Change::Data { base, end, acknowledged: owner.acknowledged(), records };
            frame.push(&Entry { id: owner.id(), topic: owner.topic(), change });
            Some(Notice::Data { owner, end })
        }
        Queued::Control { entry, done } => {
            frame.push(&entry);
            Some(Notice::Control(done))
        }
    }
}

/// Makes files until there are `target`, each the writer's as soon as it is made.
pub fn start_growth(journal: Rc<Journal>, target: usize) {
    rt::spawn(Queue::Background, async move {
        let count = journal.state.borrow().ring.count();
        let mut failed = false;
        for number in count..target {
            failed = journal.stopping.get() || !add_file(&journal, number).await;
            if failed {
                break;
            }
        }
        {
            let mut state = journal.state.borrow_mut();
            (state.growing, state.growth_failed) = (false, failed);
        }
        journal.wake.notify();
    });
}

async fn add_file(journal: &Journal, number: usize) -> bool {
    let path = files::ring_path(journal.health.path(), journal.shard, number);
    let made = make_file(journal, &path).await;
    match made {
        Ok(file) => {
            let mut state = journal.state.borrow_mut();
            assert_eq!(state.ring.add_file(), state.files.len(), "one file is added at a time");
            state.files.push(Rc::new(file));
            drop(state);
            journal.wake.notify();
            true
        }
        // It goes on with what it has: the checkpoint frees space.
        Err(error) if error.kind() == io::ErrorKind::StorageFull => false,
        Err(_) if journal.stopping.get() => false,
        Err(error) => {
            tracing::warn!(path = %path.display(), "the journal cannot grow: {error}");
            false
        }
    }
}

/// Space that the disk is short of is for segments.
async fn make_file(journal: &Journal, path: &Path) -> io::Result<File> {
    let dir = journal.health.path();
    if fs::free_space(dir).await? < journal.growth_free_min + journal.used_bytes() {
        return Err(io::ErrorKind::StorageFull.into());
    }
    let pause = || {
        let pause = if journal.stalled.get() { Duration::ZERO } else { GROWTH_PAUSE };
        (!journal.stopping.get()).then_some(pause)
    };
    let file = files::make(path, journal.file_bytes, pause).await?;
    fs::sync_dir(dir).await?;
    Ok(file)
}
