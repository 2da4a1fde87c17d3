//! Memory budgets of one shard: request bytes being read or worked on, response bytes being sent.
//!
//! A socket is not read while its request does not fit. Produce has a budget of its own; metadata, admin, fetch and (later)
//! replication share a reserve, so that a full produce budget cannot keep them out. Who holds budget and does not move (a client
//! that sends one byte a second, one that never reads) is cut off, but only while others wait: alone, slow is allowed. What is held is
//! taken out of the shard's memory, so that cached batches give way to it and appends wait for it.

use crate::config::limits;
use crate::log::{MemoryBudget, Reserved};
use crate::rt::sync::{Permit, Semaphore};
use crate::rt::{Connection, Instant, now, timeout};
use std::cell::{Cell, OnceCell, RefCell};
use std::collections::BTreeMap;
use std::rc::Rc;
use std::time::Duration;

struct Holder {
    since: Instant,
    units: u64,
    connection: Connection,
}

struct State {
    semaphore: Semaphore,
    capacity: u64,
    next_holder: Cell<u64>,
    holders: RefCell<BTreeMap<u64, Holder>>,
    evictions: Cell<u64>,
    /// The shard's memory, once its log is open.
    memory: OnceCell<Rc<MemoryBudget>>,
}

/// A bounded number of bytes that connections of this shard may hold.
#[derive(Clone)]
pub struct Budget(Rc<State>);

impl Budget {
    pub fn new(capacity_bytes: u64) -> Budget {
        Budget(Rc::new(State {
            semaphore: Semaphore::new(capacity_bytes),
            capacity: capacity_bytes,
            next_holder: Cell::new(0),
            holders: RefCell::default(),
            evictions: Cell::new(0),
            memory: OnceCell::new(),
        }))
    }

    /// Once: what is held from now on is part of `memory`.
    pub fn take_from(&self, memory: &Rc<MemoryBudget>) {
        assert!(self.0.memory.set(Rc::clone(memory)).is_ok(), "a budget is part of one memory");
        memory.expect_reservations(self.0.capacity);
    }

    /// Waits until `bytes` fit (more than the whole budget counts as the whole). While waiting, holders that
    /// move too slowly are cut off.
    pub async fn acquire(&self, bytes: u64, connection: &Connection) -> Hold {
        match self.try_acquire(bytes, connection) {
            Some(hold) => hold,
            None => {
                let permit = self.acquire_slowly(bytes.min(self.0.capacity)).await;
                self.held_by(connection, permit)
            }
        }
    }

    /// The same, now or not at all.
    pub fn try_acquire(&self, bytes: u64, connection: &Connection) -> Option<Hold> {
        let permit = self.0.semaphore.try_acquire(bytes.min(self.0.capacity))?;
        Some(self.held_by(connection, permit))
    }

    fn held_by(&self, connection: &Connection, permit: Permit) -> Hold {
        let id = self.0.next_holder.get();
        self.0.next_holder.set(id + 1);
        let holder = Holder { since: now(), units: permit.units(), connection: connection.clone() };
        self.0.holders.borrow_mut().insert(id, holder);
        let reserved = self.0.memory.get().map(|memory| memory.reserve(permit.units()));
        Hold { budget: self.clone(), id, _permit: permit, _reserved: reserved }
    }

    async fn acquire_slowly(&self, units: u64) -> Permit {
        let mut acquire = Box::pin(self.0.semaphore.acquire(units));
        loop {
            if let Some(permit) = timeout(Duration::from_secs(1), &mut acquire).await {
                return permit;
            }
            self.evict_stalled();
        }
    }

    fn evict_stalled(&self) {
        let now = now();
        for holder in self.0.holders.borrow().values() {
            if now - holder.since > patience(holder.units) {
                tracing::warn!(
                    peer = %holder.connection.peer_address(),
                    bytes = holder.units,
                    "closing a connection that holds memory without moving while others wait for it"
                );
                self.0.evictions.set(self.0.evictions.get() + 1);
                holder.connection.shutdown();
            }
        }
    }

    /// Bytes held now.
    pub fn used(&self) -> u64 {
        self.0.capacity - self.0.semaphore.available()
    }

    /// Connections cut off so far.
    pub fn evictions(&self) -> u64 {
        self.0.evictions.get()
    }
}

/// How long `units` bytes may be held while others wait.
fn patience(units: u64) -> Duration {
    limits::STALL_GRACE + Duration::from_secs(units / limits::STALL_RATE_BYTES_PER_SECOND)
}

/// Bytes of a [`Budget`], given back when dropped.
pub struct Hold {
    budget: Budget,
    id: u64,
    _permit: Permit,
    _reserved: Option<Reserved>,
}

impl Drop for Hold {
    fn drop(&mut self) {
        self.budget.0.holders.borrow_mut().remove(&self.id);
    }
}
