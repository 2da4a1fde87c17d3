//! Hosts the state machines of the partitions that this core owns.
//!
//! A partition that is taken is [`load`]ed from its log's start, COORDINATOR_LOAD_IN_PROGRESS meanwhile, and is then live: requests and timers run
//! on it, one at a time, without waiting ([`hosted`]). Records gather in an [`outbox`] for a moment and go to the log as few batches; replies
//! that tell of them wait until they are durable. What cannot be written is refused before it changes anything; if an accepted batch fails after
//! all, the machine is dropped and loaded anew. A partition that moves away is given up: who waits is told NOT_COORDINATOR.

mod hosted;
mod load;
mod outbox;
#[cfg(test)]
mod tests;

use super::machine::{Answer, StateMachine};
use crate::log::{LogStore, PartitionLog};
use crate::rt::sync::Semaphore;
use crate::rt::{Queue, spawn};
use crate::types::{ErrorCode, LeaderEpoch, TopicPartitionId};
use crate::wire::records::Compression;
use hosted::Hosted;
use std::cell::{Cell, OnceCell, RefCell};
use std::collections::BTreeMap;
use std::rc::Rc;

/// Partitions loaded at once on one core: the disk is kept busy, memory is not.
const LOADS_AT_ONCE: u64 = 2;

/// How a host writes and reads.
#[derive(Clone, Copy, Debug)]
pub struct HostSettings {
    /// Size of the reads that load a partition.
    pub load_bytes: usize,
    pub compression: Compression,
    /// Memory that the state of all its machines may take.
    pub bytes_max: u64,
}

/// See the module. One per core and kind of coordinator.
pub struct Host<M: StateMachine> {
    config: M::Config,
    shared: Rc<Shared>,
    hosted: RefCell<BTreeMap<TopicPartitionId, Rc<Hosted<M>>>>,
}

/// What all partitions of a host share.
struct Shared {
    settings: HostSettings,
    logs: OnceCell<Rc<LogStore>>,
    /// Memory that their states take.
    bytes: Cell<u64>,
    loads: Semaphore,
}

/// What a host does, for a scrape.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct HostReadings {
    pub partitions: u64,
    pub partitions_loading: u64,
    pub bytes: u64,
}

impl<M: StateMachine> Host<M> {
    pub fn new(config: M::Config, settings: HostSettings) -> Rc<Host<M>> {
        let shared = Shared { settings, logs: OnceCell::new(), bytes: Cell::new(0), loads: Semaphore::new(LOADS_AT_ONCE) };
        Rc::new(Host { config, shared: Rc::new(shared), hosted: RefCell::default() })
    }

    /// The store whose partitions it will be given; before the first.
    pub fn use_store(&self, logs: &Rc<LogStore>) {
        assert!(self.shared.logs.set(Rc::clone(logs)).is_ok(), "the store is opened once");
    }

    /// Begins to coordinate a partition, whose log nobody else writes.
    pub fn take(self: &Rc<Self>, log: &Rc<PartitionLog>, leader_epoch: LeaderEpoch) {
        let hosted = Hosted::new(Rc::clone(log), leader_epoch, self.config.clone(), Rc::clone(&self.shared));
        if let Some(before) = self.hosted.borrow_mut().insert(log.id(), Rc::clone(&hosted)) {
            before.end(ErrorCode::NotCoordinator);
        }
        let host = Rc::clone(self);
        spawn(Queue::Background, async move {
            hosted.run().await;
            host.take_again(&hosted);
        });
    }

    /// A machine ended by itself, since a write failed: it begins anew with what is in the log.
    fn take_again(self: &Rc<Self>, ended: &Rc<Hosted<M>>) {
        let is_ours = self.hosted.borrow().get(&ended.log.id()).is_some_and(|hosted| Rc::ptr_eq(hosted, ended));
        if is_ours && !ended.log.is_offline() && !ended.is_beyond_repair() {
            self.take(&ended.log, ended.leader_epoch.get());
        }
    }

    /// The partition's leader epoch has changed, its leader has not.
    pub fn set_leader_epoch(&self, id: TopicPartitionId, leader_epoch: LeaderEpoch) {
        if let Some(hosted) = self.hosted.borrow().get(&id) {
            hosted.leader_epoch.set(leader_epoch);
        }
    }

    /// Coordinates the partition no longer; nothing is written to its log from now on.
    pub fn give_up(&self, id: TopicPartitionId) {
        let removed = self.hosted.borrow_mut().remove(&id);
        if let Some(hosted) = removed {
            hosted.end(ErrorCode::NotCoordinator);
        }
    }

    /// Gives everything up.
    pub fn stop(&self) {
        for hosted in std::mem::take(&mut *self.hosted.borrow_mut()).into_values() {
            hosted.end(ErrorCode::NotCoordinator);
        }
    }

    /// Asks the machine of a partition. Every request is answered, if only by NOT_COORDINATOR when the partition leaves.
    pub async fn ask(&self, id: TopicPartitionId, request: M::Request) -> Answer<M> {
        let hosted = self.hosted.borrow().get(&id).map(Rc::clone);
        match hosted {
            Some(hosted) => hosted.ask(request).await,
            None => Err(ErrorCode::NotCoordinator),
        }
    }

    /// Whether it coordinates this partition, or is about to.
    pub fn coordinates(&self, id: TopicPartitionId) -> bool {
        self.hosted.borrow().contains_key(&id)
    }

    /// The partitions that it coordinates.
    pub fn partitions(&self) -> Vec<TopicPartitionId> {
        self.hosted.borrow().keys().copied().collect()
    }

    /// Looks at every live machine.
    pub fn visit(&self, mut look: impl FnMut(&M)) {
        self.hosted.borrow().values().for_each(|hosted| hosted.visit(&mut look));
    }

    pub fn readings(&self) -> HostReadings {
        let hosted = self.hosted.borrow();
        HostReadings {
            partitions: hosted.len() as u64,
            partitions_loading: hosted.values().filter(|hosted| hosted.is_loading()).count() as u64,
            bytes: self.shared.bytes.get(),
        }
    }
}
