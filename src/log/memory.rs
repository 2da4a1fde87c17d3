//! The shard's one budget of memory: tails not yet in a segment, a cache of recent batches that gives way, requests and answers under way, and
//! background work.
//!
//! ```text
//! unwritten <= bytes_max - what requests and answers may have at most - background work     appends wait for it (`room`)
//! unwritten + reserved + cached <= bytes_max      what was written longest ago is dropped from the cache whenever something else grows
//! ```
//! When tails are short of room, the partitions that have had unwritten batches for longest are asked to write theirs. Runs on its shard.

use super::PartitionLog;
use crate::rt::sync::{Event, Permit, Semaphore};
use crate::rt::timeout;
use crate::types::Offset;
use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::rc::{Rc, Weak};
use std::time::Duration;

/// How long background work waits for tails to make room for it: a disk that takes nothing must not hold up a stop.
const BACKGROUND_PATIENCE: Duration = Duration::from_secs(1);

/// See the module.
pub struct MemoryBudget {
    bytes_max: u64,
    unwritten: Cell<u64>,
    cached: Cell<u64>,
    reserved: Cell<u64>,
    /// What may be reserved at any time without waiting for tails.
    reserved_max: Cell<u64>,
    /// Whose batches went to a segment up to which end, in the order in which they did.
    written: RefCell<VecDeque<(Weak<PartitionLog>, Offset)>>,
    /// Partitions with unwritten batches that were not yet asked to write them; each is here once.
    unasked: RefCell<VecDeque<Weak<PartitionLog>>>,
    /// Bytes that partitions were asked to write and have not written.
    asked: Cell<u64>,
    background: Semaphore,
    freed: Event,
    /// Nobody will make room any more: nobody shall wait for it.
    unbounded: Cell<bool>,
}

impl MemoryBudget {
    pub fn new(bytes_max: u64) -> MemoryBudget {
        MemoryBudget {
            bytes_max,
            unwritten: Cell::new(0),
            cached: Cell::new(0),
            reserved: Cell::new(0),
            reserved_max: Cell::new(0),
            written: RefCell::default(),
            unasked: RefCell::default(),
            asked: Cell::new(0),
            background: Semaphore::new(bytes_max / 4),
            freed: Event::default(),
            unbounded: Cell::new(false),
        }
    }

    /// Bytes not yet in a segment.
    pub fn unwritten(&self) -> u64 {
        self.unwritten.get()
    }

    /// Bytes kept although they are in a segment.
    pub fn cached(&self) -> u64 {
        self.cached.get()
    }

    /// Bytes held by requests, answers and background work.
    pub fn reserved(&self) -> u64 {
        self.reserved.get()
    }

    /// Somebody will [`MemoryBudget::reserve`] up to `bytes`: tails leave them alone.
    pub fn expect_reservations(&self, bytes: u64) {
        self.reserved_max.set(self.reserved_max.get() + bytes);
    }

    /// Takes `bytes` out of the budget at once, for holders that are bounded elsewhere (requests, answers): the cache gives way.
    pub fn reserve(self: &Rc<Self>, bytes: u64) -> Reserved {
        self.reserve_with(bytes, None)
    }

    fn reserve_with(self: &Rc<Self>, bytes: u64, background: Option<Permit>) -> Reserved {
        self.reserved.set(self.reserved.get() + bytes);
        self.evict();
        Reserved { memory: Rc::clone(self), bytes, _background: background }
    }

    /// For background work: waits until `bytes` are to be had, or a quarter of the budget if that is less, which is all that background work has.
    /// Ask how many it was by [`Reserved::bytes`].
    pub async fn acquire(self: &Rc<Self>, bytes: u64) -> Reserved {
        let granted = bytes.min(self.bytes_max / 4);
        let permit = self.background.acquire(granted).await;
        let reserved = self.reserve_with(granted, Some(permit));
        // Tails have so much less from now on, and soon are down to it.
        timeout(BACKGROUND_PATIENCE, self.room(0)).await;
        reserved
    }

    /// A batch was appended to a tail.
    pub fn add(&self, owner: &PartitionLog, bytes: usize) {
        self.unwritten.set(self.unwritten.get() + bytes as u64);
        self.list(owner);
        self.evict();
        self.relieve(self.for_tails() / 2);
    }

    /// The batches up to `end`, `bytes` of them, of a log that came from another shard. They are in a segment.
    pub fn add_cached(&self, owner: Weak<PartitionLog>, end: Offset, bytes: u64) {
        self.cached.set(self.cached.get() + bytes);
        self.written.borrow_mut().push_back((owner, end));
        self.evict();
    }

    /// `bytes` of unwritten batches up to `end` are in a segment now, and only cached.
    pub fn written(&self, owner: Weak<PartitionLog>, end: Offset, bytes: u64) {
        self.unwritten.set(self.unwritten.get() - bytes);
        self.asked.set(self.asked.get().saturating_sub(bytes));
        self.add_cached(owner, end, bytes);
        self.freed.notify();
    }

    /// A tail was dropped as a whole.
    pub fn dropped(&self, unwritten: u64, cached: u64) {
        self.unwritten.set(self.unwritten.get() - unwritten);
        self.cached.set(self.cached.get() - cached);
        self.asked.set(self.asked.get().saturating_sub(unwritten));
        self.freed.notify();
    }

    /// Waits until `bytes` more fit; a request larger than all the memory waits until nothing is unwritten.
    pub async fn room(&self, bytes: u64) {
        loop {
            let freed = self.freed.listen();
            let unwritten = self.unwritten.get();
            if self.unbounded.get() || unwritten == 0 || unwritten + bytes <= self.for_tails() {
                return;
            }
            self.relieve(self.for_tails().saturating_sub(bytes).min(self.for_tails() / 2));
            freed.await;
        }
    }

    /// The store closes or a directory went offline: appends are refused anyway.
    pub fn stop_waiting(&self) {
        self.unbounded.set(true);
        self.freed.notify();
    }

    /// What was asked for could not be written (the disk was full): these, which may have unwritten batches, are asked anew.
    pub fn ask_again<'a>(&self, logs: impl Iterator<Item = &'a Rc<PartitionLog>>) {
        logs.filter(|log| log.unwritten_bytes() > 0).for_each(|log| self.list(log));
        self.asked.set(0);
        self.freed.notify();
    }

    /// What tails may have.
    fn for_tails(&self) -> u64 {
        let background = self.bytes_max / 4 - self.background.available();
        self.bytes_max.saturating_sub(self.reserved_max.get() + background)
    }

    fn list(&self, owner: &PartitionLog) {
        if owner.list_unasked() {
            self.unasked.borrow_mut().push_back(owner.weak());
        }
    }

    /// Asks partitions to write their tails, one after the other, until no more than `target` would be unwritten.
    fn relieve(&self, target: u64) {
        while self.unwritten.get().saturating_sub(self.asked.get()) > target {
            let Some(owner) = self.unasked.borrow_mut().pop_front() else { return };
            let Some(log) = Weak::upgrade(&owner) else { continue };
            log.unlist_unasked();
            if log.unwritten_bytes() == 0 {
                continue;
            }
            if let Some(bytes) = log.ask_for_flush() {
                self.asked.set(self.asked.get() + bytes);
            }
        }
    }

    /// Drops cached batches while there is too much, whatever waits for the disk meanwhile.
    fn evict(&self) {
        let mut written = self.written.borrow_mut();
        while let Some((owner, end)) = written.front() {
            let room = self.bytes_max.saturating_sub(self.reserved.get() + self.unwritten.get());
            let excess = self.cached.get().saturating_sub(room);
            let all_dropped = match Weak::upgrade(owner) {
                Some(_) if excess == 0 => return,
                Some(log) => {
                    let (bytes, more) = log.evict(*end, excess);
                    self.cached.set(self.cached.get() - bytes);
                    !more
                }
                None => true,
            };
            if all_dropped {
                written.pop_front();
            }
        }
    }
}

/// Bytes out of a shard's [`MemoryBudget`], given back when dropped.
pub struct Reserved {
    memory: Rc<MemoryBudget>,
    bytes: u64,
    _background: Option<Permit>,
}

impl Reserved {
    pub fn bytes(&self) -> u64 {
        self.bytes
    }
}

impl Drop for Reserved {
    fn drop(&mut self) {
        self.memory.reserved.set(self.memory.reserved.get() - self.bytes);
        self.memory.freed.notify();
    }
}
