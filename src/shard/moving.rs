//! A partition's move to another core, as one shard sees it; the mover on the controller's core leads (`controller::movement`).
//!
//! Appends stop where requests come in: a shard that has frozen a partition lets its produce requests for it wait, and says so
//! when all that began before are in the owner's log. So appends keep their order, and none ever finds the partition gone. Reads go
//! on at the old owner until it gives the partition up; then it says NOT_LEADER_OR_FOLLOWER, which [`Moving::is_elsewhere`] tells from a real
//! one, and they are asked again of the new owner. One partition moves at a time.

use super::message::{Reply, Request};
use super::publication::{Owner, log_config};
use super::{Led, Shard};
use crate::config::limits;
use crate::controller::Placement;
use crate::log::{HandedOver, PartitionLog, ReleaseError};
use crate::rt::sync::Event;
use crate::rt::timeout;
use crate::types::{ShardId, TopicPartitionId};
use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::sync::Arc;

/// What a shard knows of moves under way.
#[derive(Default)]
pub struct Moving {
    frozen: Cell<Option<TopicPartitionId>>,
    settled: Event,
    /// Shared by all produce requests that began since the last freeze.
    begun: RefCell<Rc<Begun>>,
    /// Moves that this shard has seen settled.
    count: Cell<u64>,
}

#[derive(Default)]
struct Begun {
    ended: Event,
}

impl Drop for Begun {
    fn drop(&mut self) {
        self.ended.notify();
    }
}

/// Held by a produce request while it begins its appends.
pub struct Beginning(#[allow(dead_code)] Rc<Begun>);

impl Moving {
    /// Waits until none of these partitions is about to move; appends to them may begin while the answer is kept.
    pub async fn begin(&self, ids: impl Iterator<Item = TopicPartitionId> + Clone) -> Beginning {
        loop {
            let settled = self.settled.listen();
            let frozen = self.frozen.get();
            if frozen.is_none_or(|frozen| ids.clone().all(|id| id != frozen)) {
                return Beginning(Rc::clone(&self.begun.borrow()));
            }
            settled.await;
        }
    }

    /// Waits while this partition is about to move.
    pub async fn settled(&self, id: TopicPartitionId) {
        loop {
            let settled = self.settled.listen();
            if self.frozen.get() != Some(id) {
                return;
            }
            settled.await;
        }
    }

    /// How many moves have ended; a list of all shards' partitions is whole if none did meanwhile and none [`Moving::is_under_way`].
    pub fn count(&self) -> u64 {
        self.count.get()
    }

    pub fn is_under_way(&self) -> bool {
        self.frozen.get().is_some()
    }

    /// Waits until no partition moves.
    pub async fn quiet(&self) {
        if let Some(id) = self.frozen.get() {
            self.settled(id).await;
        }
    }
}

impl Shard {
    /// Whether a partition that `asked` does not lead is, or soon will be, at another core: ask again once it has settled.
    pub fn is_elsewhere(&self, id: TopicPartitionId, asked: Owner) -> bool {
        self.moving.frozen.get() == Some(id) || self.owner_of(id) != asked
    }

    /// Whether `log` is still the one that answers for its partition here.
    pub fn leads(&self, log: &Rc<PartitionLog>) -> bool {
        self.led.borrow().get(&log.id()).is_some_and(|led| led.log.as_ref().is_some_and(|found| Rc::ptr_eq(found, log)))
    }
}

/// Lets no append to the partition begin here, and waits until those that have begun are in the owner's log. False if that takes too
/// long, or if this shard is to get the partition and cannot: then the move is called off.
pub async fn freeze(shard: &Rc<Shard>, id: TopicPartitionId, owner: ShardId, to: ShardId) -> bool {
    shard.moving.frozen.set(Some(id));
    if to == shard.id && !shard.logs().can_adopt() {
        return false;
    }
    let begun = shard.moving.begun.replace(Rc::default());
    let ended = begun.ended.listen();
    drop(begun);
    if timeout(limits::MOVE_FREEZE_MAX, ended).await.is_none() {
        return false;
    }
    if owner == shard.id {
        return true;
    }
    let fence = shard.calls.begin(owner.0 as usize, Request::Fence).await;
    timeout(limits::MOVE_FREEZE_MAX, fence).await.is_some()
}

/// Gives the partition up.
pub async fn release(shard: &Rc<Shard>, id: TopicPartitionId) -> Result<Box<HandedOver>, ReleaseError> {
    let (log, leader_epoch) = shard.led_partition(id).map_err(|_| ReleaseError::NotHere)?;
    shard.give_up_coordinating(id);
    let released = shard.logs().release_partition(id).await;
    if released.is_err() && !log.is_offline() {
        shard.begin_coordinating(log.topic(), &log, leader_epoch);
    }
    let handed = released?;
    // In the same breath as the log closed: nobody has seen it closed and led.
    shard.led.borrow_mut().remove(&id);
    Ok(Box::new(handed))
}

/// Goes on with a partition that another shard gave up. Images do not change during a move, so the topic is there.
pub fn adopt(shard: &Rc<Shard>, handed: HandedOver) {
    let id = handed.id();
    let config = shard.topic_config(id.topic_id).expect("a partition moves while its topic is published");
    let leader_epoch = shard.image().topic(id.topic_id).and_then(|topic| Some(topic.partition(id.partition)?.leader_epoch));
    let leader_epoch = leader_epoch.expect("a partition moves while its topic is published");
    let log = shard.logs().adopt_partition(handed, Rc::new(log_config(&config)));
    shard.begin_coordinating(log.topic(), &log, leader_epoch);
    shard.led.borrow_mut().insert(id, Led { log: Some(log), leader_epoch });
}

/// The move is over, done or called off: this is where partitions are.
pub fn settle(shard: &Shard, placement: Arc<Placement>) -> Reply {
    shard.publication.borrow_mut().placement = placement;
    shard.moving.frozen.set(None);
    shard.moving.count.set(shard.moving.count.get() + 1);
    shard.moving.settled.notify();
    Reply::Done
}
