//! The shard's memory for tails: batches not yet in a segment, and a cache of recent ones that gives way.

use super::PartitionLog;
use crate::rt::sync::Event;
use crate::types::Offset;
use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::rc::{Rc, Weak};

pub struct Memory {
    bytes_max: u64,
    unwritten: Cell<u64>,
    cached: Cell<u64>,
    /// Every batch in any tail in the order of appends: who has it and its end.
    order: RefCell<VecDeque<(Weak<PartitionLog>, Offset)>>,
    freed: Event,
    /// Nobody will make room any more: nobody shall wait for it.
    unbounded: Cell<bool>,
}

impl Memory {
    pub fn new(bytes_max: u64) -> Memory {
        Memory {
            bytes_max,
            unwritten: Cell::new(0),
            cached: Cell::new(0),
            order: RefCell::default(),
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

    pub fn is_short(&self) -> bool {
        self.unwritten.get() > self.bytes_max / 2
    }

    pub fn add(&self, owner: Weak<PartitionLog>, end: Offset, bytes: usize) {
        self.unwritten.set(self.unwritten.get() + bytes as u64);
        self.order.borrow_mut().push_back((owner, end));
        self.evict();
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
        self.evict();
        self.freed.notify();
    }

    /// A tail was dropped as a whole.
    pub fn dropped(&self, unwritten: u64, cached: u64) {
        self.unwritten.set(self.unwritten.get() - unwritten);
        self.cached.set(self.cached.get() - cached);
        self.freed.notify();
    }

    /// Waits until `bytes` more fit; a request larger than all the memory waits until nothing is unwritten.
    pub async fn room(&self, bytes: u64) {
        loop {
            let freed = self.freed.listen();
            let unwritten = self.unwritten.get();
            if self.unbounded.get() || unwritten == 0 || unwritten + bytes <= self.bytes_max {
                return;
            }
            freed.await;
        }
    }

    /// The store closes or a directory went offline: appends are refused anyway.
    pub fn stop_waiting(&self) {
        self.unbounded.set(true);
        self.freed.notify();
    }

    /// Drops the oldest cached batches while there is too much. An unwritten one at the front is sent to its segment instead.
    fn evict(&self) {
        while self.unwritten.get() + self.cached.get() > self.bytes_max && self.cached.get() > 0 {
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
    }
}
