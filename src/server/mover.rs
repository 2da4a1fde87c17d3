//! Moves partitions between shards: carries out what `controller::movement` says, for operators and for the balancer.
//!
//! On the controller's core; one move at a time, and no metadata is published meanwhile (a [`Turn`]), so all shards agree on what there is.
//! Never touches a partition's data.

use crate::admin::{MoveAsk, MoveRefusal};
use crate::controller::Controller;
use crate::controller::balancer::{Balancer, Proposal, ShardLoad};
use crate::controller::movement::{Effect, Movement, Report};
use crate::log::HandedOver;
use crate::rt::sync::{Permit, Semaphore, oneshot};
use crate::rt::{self, Queue, spawn};
use crate::shard::calls::Calls;
use crate::shard::message::{Reply, Request};
use crate::types::{PartitionIndex, ShardId, TopicPartitionId};
use std::cell::Cell;
use std::rc::Rc;
use std::time::Duration;

/// Who may change what shards know: a publication or a move, one at a time.
pub struct Turn {
    one: Semaphore,
    /// The broker stops: no more moves.
    closed: Cell<bool>,
}

impl Default for Turn {
    fn default() -> Turn {
        Turn { one: Semaphore::new(1), closed: Cell::new(false) }
    }
}

impl Turn {
    pub async fn take(&self) -> Permit {
        self.one.acquire(1).await
    }

    /// Lets no more moves begin and waits for the one under way.
    pub async fn end_moves(&self) {
        self.closed.set(true);
        drop(self.take().await);
    }
}

/// See the module.
pub struct Mover {
    pub shard_count: usize,
    pub calls: Rc<Calls>,
    pub controller: Rc<Controller>,
    pub turn: Rc<Turn>,
}

impl Mover {
    /// What an operator asks for.
    pub async fn answer(self: &Rc<Self>, ask: MoveAsk) -> Result<String, MoveRefusal> {
        let image = self.controller.image();
        let topic = image.topic_by_name(&ask.topic).ok_or(MoveRefusal::Unknown("there is no such topic"))?;
        let partition = PartitionIndex(ask.partition);
        topic.partition(partition).ok_or(MoveRefusal::Unknown("the topic has no such partition"))?;
        let id = TopicPartitionId { topic_id: topic.id, partition };
        let from = self.move_partition(id, ShardId(ask.shard)).await?;
        Ok(format!("{}-{} moved from shard {from} to shard {}", ask.topic, ask.partition, ask.shard))
    }

    /// Moves the partition; where it was. In a task of its own: a move is never left half-way.
    pub async fn move_partition(self: &Rc<Self>, id: TopicPartitionId, to: ShardId) -> Result<ShardId, MoveRefusal> {
        let (done, moved) = oneshot();
        let mover = Rc::clone(self);
        spawn(Queue::Foreground, async move { done.send(mover.run(id, to).await) });
        moved.await.unwrap_or(Err(MoveRefusal::NotNow("the broker stops")))
    }

    async fn run(&self, id: TopicPartitionId, to: ShardId) -> Result<ShardId, MoveRefusal> {
        if to.0 as usize >= self.shard_count {
            return Err(MoveRefusal::Unknown("there is no such shard"));
        }
        let from = self.owner(id)?;
        if from == to {
            return Ok(from);
        }
        let mut movement = Movement::new(id, from, to);
        let mut hands = Hands { mover: self, id, to, handed: None };
        let prepare = movement.begin();
        let mut report = hands.carry_out(prepare).await;
        let _turn = self.turn.take().await;
        if self.turn.closed.get() {
            return Err(MoveRefusal::NotNow("the broker stops"));
        }
        if self.owner(id)? != from {
            return Err(MoveRefusal::NotNow("it was moved meanwhile"));
        }
        while let Some(effect) = movement.step(report) {
            report = hands.carry_out(effect).await;
        }
        if movement.has_moved() {
            tracing::info!(partition = %id, %from, %to, "moved a partition to another shard");
            Ok(from)
        } else {
            tracing::info!(partition = %id, %from, %to, "a partition could not be moved now");
            Err(MoveRefusal::NotNow("a shard is too busy, or a log directory is offline or full"))
        }
    }

    /// Compares the shards for ever and moves what levels them.
    pub async fn balance(self: Rc<Self>, interval: Duration) {
        let mut balancer = Balancer::default();
        let mut asked = rt::now();
        loop {
            rt::sleep(interval).await;
            let replies = self.calls.call_each(self.shard_count, || Request::Load).await;
            let round = rt::now() - asked;
            asked = rt::now();
            if self.turn.closed.get() {
                return;
            }
            let load = |reply| match reply {
                Reply::Load(load) => load,
                _ => unreachable!("Load is answered with a load"),
            };
            let loads: Vec<ShardLoad> = replies.into_iter().map(load).collect();
            if let Some(Proposal { id, from, to }) = balancer.decide(round, &loads) {
                tracing::info!(partition = %id, %from, %to, "a core is busier than another: moving a partition");
                // What cannot move now is proposed again when it is still too hot.
                let _ = self.move_partition(id, to).await;
            }
        }
    }

    fn owner(&self, id: TopicPartitionId) -> Result<ShardId, MoveRefusal> {
        self.controller.placement().shard_of(id).ok_or(MoveRefusal::Unknown("the partition is not on this broker"))
    }
}

/// Does what one movement asks for, and holds the partition while no shard does.
struct Hands<'a> {
    mover: &'a Mover,
    id: TopicPartitionId,
    to: ShardId,
    handed: Option<Box<HandedOver>>,
}

impl Hands<'_> {
    async fn carry_out(&mut self, effect: Effect) -> Report {
        let calls = &self.mover.calls;
        match effect {
            Effect::Prepare { at } => {
                calls.call(at.0 as usize, Request::PrepareMove(self.id)).await;
                Report::Done
            }
            Effect::Freeze { owner } => {
                let (id, to) = (self.id, self.to);
                let replies = calls.call_each(self.mover.shard_count, || Request::Freeze { id, owner, to }).await;
                let all = replies.iter().all(|reply| matches!(reply, Reply::Frozen(true)));
                if all { Report::Done } else { Report::Refused }
            }
            Effect::Release { at } => match calls.call(at.0 as usize, Request::Release(self.id)).await {
                Reply::Released(Ok(handed)) => {
                    self.handed = Some(handed);
                    Report::Done
                }
                Reply::Released(Err(error)) => {
                    tracing::debug!(partition = %self.id, ?error, "a shard keeps a partition");
                    Report::Refused
                }
                _ => unreachable!("Release is answered with the partition"),
            },
            Effect::Adopt { at } => {
                let handed = self.handed.take().expect("a partition is released before it is adopted");
                calls.call(at.0 as usize, Request::Adopt(handed)).await;
                Report::Done
            }
            Effect::Settle { owner } => {
                let placement = self.mover.controller.relocate(self.id, owner);
                calls.call_each(self.mover.shard_count, || Request::Settle(placement.clone())).await;
                Report::Done
            }
        }
    }
}
