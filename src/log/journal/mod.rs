//! The journal of one shard and one log directory: what makes an append durable, for any number of partitions, in one device write per turn.
//!
//! Entries queue up; the writer task makes one frame of what is there, writes it with O_DIRECT and O_DSYNC, up to
//! [`IN_FLIGHT_MAX`] at a time, and reports frames durable strictly in order. A failed write takes the directory offline. Space comes back when
//! nobody holds a sequence below; the journal grows when holds are released too slowly.
//!
//! Runs on its shard. Never reads its files (replay does). Start at [`Journal::append`], then `writer.rs`; layout on disk: `frame.rs`, `entry.rs`.

pub mod chain;
mod entry;
pub mod files;
pub mod frame;
mod holds;
mod ring;
#[cfg(test)]
mod tests;
mod writer;

pub use entry::{Change, Entry};

use super::health::DirHealth;
use super::{LogConfig, OpenError};
use crate::config::limits;
use crate::rt::sync::{Event, EventListener, OneshotReceiver, OneshotSender, oneshot};
use crate::rt::{self, AlignedBuffer, File, fs};
use crate::types::{Offset, ShardId, TopicPartitionId};
use bytes::Bytes;
use files::JournalState;
use holds::Holds;
use ring::Ring;
use std::cell::{Cell, OnceCell, RefCell};
use std::collections::VecDeque;
use std::rc::Rc;
use std::time::Duration;

/// Writes under way at once.
pub const IN_FLIGHT_MAX: usize = 4;

/// A partition, as the journal sees it.
pub trait Owner {
    fn id(&self) -> TopicPartitionId;
    fn topic(&self) -> Rc<str>;
    /// The end (exclusive) up to which appends have been acknowledged.
    fn acknowledged(&self) -> Offset;
    /// A queued data entry is put into a frame, unless the owner has taken the matter into its own hands (false).
    fn frame(&self, base: Offset, end: Offset, len: usize) -> bool;
    /// All data entries with an end up to `end` are on stable storage.
    fn journal_durable(&self, end: Offset);
}

/// Told how long a journal's write took.
pub type WriteObserver = Rc<dyn Fn(Duration)>;

/// What one entry waits for.
enum Queued {
    Data { owner: Rc<dyn Owner>, base: Offset, end: Offset, records: Bytes },
    Control { entry: Entry, done: OneshotSender<u64> },
}

/// Whom to tell when a frame is durable.
enum Notice {
    Data {
        owner: Rc<dyn Owner>,
        end: Offset,
    },
    /// Gets the frame's sequence, which is held for whoever waits.
    Control(OneshotSender<u64>),
}

struct InFlight {
    sequence: u64,
    written: bool,
    notices: Vec<Notice>,
}

struct State {
    queue: VecDeque<Queued>,
    next_sequence: u64,
    /// Frames written or being written that are not yet reported durable, by sequence.
    in_flight: VecDeque<InFlight>,
    writing: usize,
    ring: Ring,
    files: Vec<Rc<File>>,
    holds: Holds,
    spare: Vec<AlignedBuffer>,
    growing: bool,
    /// The last growth failed: there is no more room than there is.
    growth_failed: bool,
}

/// See the module.
pub struct Journal {
    health: Rc<DirHealth>,
    shard: ShardId,
    epoch: u64,
    file_bytes: u64,
    files_max: usize,
    /// It grows only while there is more free space than this.
    growth_free_min: u64,
    state: RefCell<State>,
    stopping: Cell<bool>,
    /// Something for the writer to look at: an entry, a finished write, space, a stop.
    wake: Event,
    /// The ring is more than half full.
    pressure: Event,
    /// Told how long each write took until it was durable.
    observer: OnceCell<WriteObserver>,
    pub(crate) frames_written: Cell<u64>,
    pub(crate) bytes_written: Cell<u64>,
    /// A frame waits for room.
    stalled: Cell<bool>,
    /// `bytes_written` when the ring grew last.
    bytes_at_growth: Cell<u64>,
}

impl Journal {
    /// Opens a journal for writing, in a new epoch. Replay must have been through (`files::JournalState::replayed`).
    pub async fn open(health: Rc<DirHealth>, shard: ShardId, config: &LogConfig) -> Result<Rc<Journal>, OpenError> {
        let dir = health.path().to_path_buf();
        let state = files::read_state(&dir, shard).await?;
        if state.is_some_and(|state| !state.replayed) {
            return Err(OpenError::Damaged(files::state_path(&dir, shard), "the journal is opened before it was replayed".into()));
        }
        let ring_files = open_ring(&health, shard, config).await?;
        let epoch = files::next_epoch(state.map(|state| state.epoch));
        files::write_state(&dir, shard, JournalState { epoch, replayed: false }).await?;
        let journal = Rc::new(Journal {
            health,
            shard,
            epoch,
            file_bytes: config.journal_file_bytes,
            files_max: (config.journal_bytes_max / config.journal_file_bytes) as usize,
            growth_free_min: 2 * config.disk_reserve_bytes + config.journal_file_bytes,
            state: RefCell::new(State {
                queue: VecDeque::new(),
                next_sequence: 0,
                in_flight: VecDeque::new(),
                writing: 0,
                ring: Ring::new(ring_files.len(), config.journal_file_bytes),
                files: ring_files,
                holds: Holds::default(),
                spare: Vec::new(),
                growing: false,
                growth_failed: false,
            }),
            stopping: Cell::new(false),
            wake: Event::default(),
            pressure: Event::default(),
            observer: OnceCell::new(),
            frames_written: Cell::new(0),
            bytes_written: Cell::new(0),
            bytes_at_growth: Cell::new(0),
            stalled: Cell::new(false),
        });
        writer::start(Rc::clone(&journal));
        Ok(journal)
    }

    /// The largest records one data entry may hold.
    pub fn records_len_max(&self) -> usize {
        self.file_bytes as usize / 2
    }

    /// Queues whole batches of `owner`. Returns a sequence that is at most that of their frame, to be held while they are in no segment.
    pub fn append(&self, owner: Rc<dyn Owner>, base: Offset, end: Offset, records: Bytes) -> u64 {
        let mut state = self.state.borrow_mut();
        state.queue.push_back(Queued::Data { owner, base, end, records });
        let sequence = state.next_sequence;
        drop(state);
        self.wake.notify();
        sequence
    }

    /// Lets go of the queued batches of a partition that has taken them into its own hands: they are in its tail only as long as it wants.
    pub fn forget_queued(&self, id: TopicPartitionId) {
        self.state.borrow_mut().queue.retain(|queued| !matches!(queued, Queued::Data { owner, .. } if owner.id() == id));
    }

    /// Queues any other entry. Completes, when it is durable, with the sequence of its frame, which is held until the caller releases it.
    /// Nothing is held before: the frames in front of it might fill the ring, and it would wait for itself.
    pub fn append_control(&self, entry: Entry) -> OneshotReceiver<u64> {
        let (done, durable) = oneshot();
        self.state.borrow_mut().queue.push_back(Queued::Control { entry, done });
        self.wake.notify();
        durable
    }

    pub fn hold(&self, sequence: u64) {
        self.state.borrow_mut().holds.take(sequence);
    }

    pub fn release(&self, sequence: u64) {
        let mut state = self.state.borrow_mut();
        state.holds.release(sequence);
        let low = state.low();
        if state.ring.free_below(low) {
            drop(state);
            self.wake.notify();
        }
    }

    /// Holds below this should be released soon; `None` while there is room enough.
    pub fn wanted_low(&self) -> Option<u64> {
        let state = self.state.borrow();
        let scarce = state.ring.free_count() * 2 < state.ring.count();
        scarce.then(|| state.ring.half_filled()).flatten()
    }

    /// As [`Self::wanted_low`], of the ring as long as it may become.
    pub fn wanted_low_when_grown(&self) -> Option<u64> {
        let state = self.state.borrow();
        let scarce = self.spare_files(&state) * 2 < self.count_max(&state);
        scarce.then(|| state.ring.half_filled()).flatten()
    }

    /// Bytes of whole files that can still be filled, with those by which the ring may grow.
    pub fn spare_bytes(&self) -> u64 {
        self.spare_files(&self.state.borrow()) as u64 * self.file_bytes
    }

    /// Less than an eighth of the ring is free, or a frame waits for room.
    pub fn is_short(&self) -> bool {
        let state = self.state.borrow();
        self.stalled.get() || self.spare_files(&state) * 8 < state.ring.count()
    }

    fn spare_files(&self, state: &State) -> usize {
        state.ring.free_count() + self.count_max(state) - state.ring.count()
    }

    /// What the ring may grow to, if the disk lets it.
    fn count_max(&self, state: &State) -> usize {
        if state.growth_failed { state.ring.count() } else { self.files_max.max(state.ring.count()) }
    }

    /// Completes when the ring next becomes more than half full.
    pub fn listen_pressure(&self) -> EventListener {
        self.pressure.listen()
    }

    /// Adds half as many files as there are, in the background, unless the journal has its full size, or was gone round less than half
    /// since it grew last: filling them costs as much as writing them once.
    pub fn grow(self: &Rc<Self>) {
        let count = self.state.borrow().ring.count();
        self.grow_by((count / 2).max(1), count as u64 * self.file_bytes / 2);
    }

    /// Adds a file in the background once there is at most one free and one was filled since the last was added, unless the journal has its full size.
    pub fn grow_ahead(self: &Rc<Self>) {
        if self.state.borrow().ring.free_count() <= 1 {
            self.grow_by(1, self.file_bytes);
        }
    }

    fn grow_by(self: &Rc<Self>, files: usize, bytes_between: u64) {
        let mut state = self.state.borrow_mut();
        let since = self.bytes_written.get() - self.bytes_at_growth.get();
        let used = self.stalled.get() || since >= bytes_between;
        let target = (state.ring.count() + files).min(self.files_max);
        if used && !state.growing && state.ring.count() < target && !self.stopping.get() {
            state.growing = true;
            self.bytes_at_growth.set(self.bytes_written.get());
            drop(state);
            writer::start_growth(Rc::clone(self), target);
        }
    }

    /// Bytes of ring files in use.
    pub fn used_bytes(&self) -> u64 {
        self.state.borrow().ring.used_bytes()
    }

    /// Bytes of all ring files.
    pub fn size_bytes(&self) -> u64 {
        self.state.borrow().ring.count() as u64 * self.file_bytes
    }

    /// Writes under way.
    pub fn writing(&self) -> u64 {
        self.state.borrow().writing as u64
    }

    /// Once: whom to tell of each write's time.
    pub fn observe_writes(&self, observer: WriteObserver) {
        assert!(self.observer.set(observer).is_ok(), "a journal has one observer");
    }

    /// Stops the writer without saying that the journal holds nothing: the next start replays it.
    pub fn abort(&self) {
        self.stopping.set(true);
        self.wake.notify();
        self.pressure.notify();
    }

    /// Completes when nothing is written any more, frame or growth, or when the disk has kept a stop waiting long enough. After [`Journal::abort`].
    pub async fn stopped(&self) {
        let _ = rt::timeout(limits::STOP_GRACE, self.idle()).await;
    }

    async fn idle(&self) {
        loop {
            let wake = self.wake.listen();
            if self.state.borrow().is_idle() {
                return;
            }
            wake.await;
        }
    }

    pub fn is_aborted(&self) -> bool {
        self.stopping.get()
    }

    /// Marks the journal as holding nothing. Call when everything that was ever queued to it is durable in segments and checkpoints: what
    /// is not written yet never will be.
    pub async fn close(&self) -> Result<(), OpenError> {
        self.abort();
        self.stopped().await;
        self.health.check()?;
        let epoch = files::next_epoch(Some(self.epoch));
        files::write_state(self.health.path(), self.shard, JournalState { epoch, replayed: true }).await
    }
}

impl State {
    /// Neither a frame nor a new file is being written.
    fn is_idle(&self) -> bool {
        self.writing == 0 && !self.growing
    }

    /// Frames below are not needed: in segments, and durable here.
    fn low(&self) -> u64 {
        self.holds.lowest().unwrap_or(u64::MAX).min(self.durable())
    }

    /// Frames below are durable.
    fn durable(&self) -> u64 {
        self.in_flight.front().map_or(self.next_sequence, |frame| frame.sequence)
    }
}

/// Opens the ring's files, making what is missing and removing files of another size.
async fn open_ring(health: &DirHealth, shard: ShardId, config: &LogConfig) -> Result<Vec<Rc<File>>, OpenError> {
    let dir = health.path();
    let found = files::list(dir).await?.remove(&shard).unwrap_or_default();
    let count_max = (config.journal_bytes_max / config.journal_file_bytes).max(2) as usize;
    let count_min = (config.journal_bytes_initial / config.journal_file_bytes).clamp(2, count_max as u64) as usize;
    let mut ring = Vec::new();
    let io = |error| OpenError::Io(dir.to_path_buf(), error);
    for (&number, &len) in &found {
        let path = files::ring_path(dir, shard, number);
        if number == ring.len() && len == config.journal_file_bytes && number < count_max {
            ring.push(Rc::new(files::reopen(&path).await.map_err(io)?));
        } else {
            fs::remove_file(&path).await.map_err(io)?;
        }
    }
    while ring.len() < count_min {
        let path = files::ring_path(dir, shard, ring.len());
        ring.push(Rc::new(files::make(&path, config.journal_file_bytes, || Some(Duration::ZERO)).await.map_err(io)?));
    }
    fs::sync_dir(dir).await.map_err(io)?;
    Ok(ring)
}
