//! The shard's one budget of memory: tails not yet in a segment, a cache of recent batches that gives way, requests and answers under way, and
//! background work.
//!
//! ```text
//! unwritten + reserved <= bytes_max    appends wait for it (`room`); tails always have a quarter, since reservations have bounds of their own
//! + cached <= bytes_max                the oldest cached batches are dropped whenever something else grows
//! ```
//! When tails are short of room, the partitions with the oldest unwritten batches are asked to write theirs. Runs on its shard.

use super::PartitionLog;
use crate::rt::sync::{Event, Permit, Semaphore};
use crate::types::Offset;
use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::rc::{Rc, Weak};

/// A batch in a tail: whose it is, and its end.
type Place = (Weak<PartitionLog>, Offset);

/// See the module.
pub struct MemoryBudget {
    bytes_max: u64,
    unwritten: Cell<u64>,
    cached: Cell<u64>,
    reserved: Cell<u64>,
    /// Every batch in any tail in the order of appends.
    order: RefCell<VecDeque<Place>>,
    /// Those that may be unwritten and whose partition was not yet asked to write them.
    unasked: RefCell<VecDeque<Place>>,
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
            order: RefCell::default(),
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
        self.reserve_with(granted, Some(permit))
    }

    pub fn add(&self, owner: Weak<PartitionLog>, end: Offset, bytes: usize) {
        self.unwritten.set(self.unwritten.get() + bytes as u64);
        self.order.borrow_mut().push_back((owner.clone(), end));
        self.unasked.borrow_mut().push_back((owner, end));
        self.evict();
        self.relieve(self.for_tails() / 2);
    }

    /// Batches of a log that came from another shard, in order: each one's end and bytes. They are in a segment.
    pub fn add_cached(&self, owner: &Rc<PartitionLog>, batches: &[(Offset, usize)]) {
        let bytes: usize = batches.iter().map(|(_, bytes)| bytes).sum();
        self.cached.set(self.cached.get() + bytes as u64);
        self.order.borrow_mut().extend(batches.iter().map(|(end, _)| (Rc::downgrade(owner), *end)));
        self.evict();
    }

    /// These bytes are in a segment now, and only cached.
    pub fn written(&self, bytes: u64) {
        self.unwritten.set(self.unwritten.get() - bytes);
        self.cached.set(self.cached.get() + bytes);
        self.asked.set(self.asked.get().saturating_sub(bytes));
        self.evict();
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

    /// What was asked for could not be written (the disk was full): whoever has unwritten batches is asked anew.
    pub fn ask_again(&self) {
        *self.unasked.borrow_mut() = self.order.borrow().clone();
        self.asked.set(0);
        self.freed.notify();
    }

    /// What reservations leave.
    fn for_tails(&self) -> u64 {
        self.bytes_max.saturating_sub(self.reserved.get())
    }

    /// Asks partitions to write their tails, those with the oldest batches first, until no more than `target` would be unwritten.
    fn relieve(&self, target: u64) {
        while self.unwritten.get().saturating_sub(self.asked.get()) > target {
            let Some((owner, end)) = self.unasked.borrow_mut().pop_front() else { return };
            let Some(log) = Weak::upgrade(&owner).filter(|log| log.is_unwritten(end)) else { continue };
            if let Some(bytes) = log.ask_for_flush() {
                self.asked.set(self.asked.get() + bytes);
            }
        }
    }

    /// Drops the oldest cached batches while there is too much. An unwritten one at the front is sent to its segment instead.
    fn evict(&self) {
        while self.unwritten.get() + self.cached.get() > self.for_tails() && self.cached.get() > 0 {
            let front = self.order.borrow().front().cloned();
            let Some((owner, end)) = front else { return };
            if let Some(log) = Weak::upgrade(&owner) {
                match log.evict(end) {
                    Some(bytes) => self.cached.set(self.cached.get() - bytes),
                    None => return log.want_flush(),
                }
            }
            self.order.borrow_mut().pop_front();
        }
        self.forget_written();
    }

    /// Keeps the list of who was not asked short.
    fn forget_written(&self) {
        let mut unasked = self.unasked.borrow_mut();
        while unasked.front().is_some_and(|(owner, end)| Weak::upgrade(owner).is_none_or(|log| !log.is_unwritten(*end))) {
            unasked.pop_front();
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
