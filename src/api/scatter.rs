//! Splits a request by the cores that own its partitions, asks them side by side, and puts the answers back in order.

use crate::shard::Shard;
use crate::shard::fetch::PartitionFetched;
use crate::shard::message::{Reply, Request};
use crate::shard::offsets::{EpochEndAnswer, OffsetAnswer};
use crate::shard::publication::Owner;
use crate::types::{ErrorCode, ShardId, TopicPartitionId};
use std::collections::BTreeMap;
use std::rc::Rc;

/// Items by owner, each with its place in the answer.
pub struct Split<I> {
    pub here: Batch<I>,
    pub there: BTreeMap<ShardId, Batch<I>>,
}

/// Items for one core and their places.
pub struct Batch<I> {
    pub places: Vec<usize>,
    pub items: Vec<I>,
}

impl<I> Default for Batch<I> {
    fn default() -> Self {
        Batch { places: Vec::new(), items: Vec::new() }
    }
}

impl<I> Batch<I> {
    fn push(&mut self, place: usize, item: I) {
        self.places.push(place);
        self.items.push(item);
    }
}

/// Splits items by who owns their partition; what nobody owns is left out.
pub fn split<I>(shard: &Shard, items: impl IntoIterator<Item = (usize, TopicPartitionId, I)>) -> Split<I> {
    let mut split = Split { here: Batch::default(), there: BTreeMap::new() };
    for (place, id, item) in items {
        match shard.owner_of(id) {
            Owner::Here => split.here.push(place, item),
            Owner::Shard(owner) => split.there.entry(owner).or_default().push(place, item),
            Owner::Nobody => {}
        }
    }
    split
}

/// An answer of a partition's owner.
pub trait OwnerAnswer {
    fn error(&self) -> ErrorCode;
}

/// Asks every owner and fills `answers` (one for each place, preset to what stands for "nobody owns it"). Partitions that moved to
/// another core before they were looked at are asked for again there.
pub async fn scatter<I: Clone, A: OwnerAnswer>(
    shard: &Rc<Shard>,
    items: impl IntoIterator<Item = (usize, TopicPartitionId, I)>,
    answers: &mut [A],
    here: impl AsyncFn(Vec<I>) -> Vec<A>,
    request: impl Fn(Vec<I>) -> Request,
    answer: impl Fn(Reply) -> Vec<A>,
) {
    let mut items: Vec<(usize, TopicPartitionId, I)> = items.into_iter().collect();
    loop {
        let asked: Vec<Owner> = items.iter().map(|(_, id, _)| shard.owner_of(*id)).collect();
        ask_owners(shard, items.iter().cloned(), answers, &here, &request, &answer).await;
        let moved = |(item, asked): &(&(usize, TopicPartitionId, I), Owner)| {
            answers[item.0].error() == ErrorCode::NotLeaderOrFollower && shard.is_elsewhere(item.1, *asked)
        };
        items = items.iter().zip(asked).filter(moved).map(|(item, _)| item.clone()).collect();
        if items.is_empty() {
            return;
        }
        for (_, id, _) in &items {
            shard.moving.settled(*id).await;
        }
    }
}

async fn ask_owners<I, A>(
    shard: &Rc<Shard>,
    items: impl IntoIterator<Item = (usize, TopicPartitionId, I)>,
    answers: &mut [A],
    here: &impl AsyncFn(Vec<I>) -> Vec<A>,
    request: &impl Fn(Vec<I>) -> Request,
    answer: &impl Fn(Reply) -> Vec<A>,
) {
    let split = split(shard, items);
    let mut calls = Vec::with_capacity(split.there.len());
    for (owner, batch) in split.there {
        let call = shard.calls.begin(owner.0 as usize, request(batch.items)).await;
        calls.push((batch.places, call));
    }
    if !split.here.items.is_empty() {
        put(answers, &split.here.places, here(split.here.items).await);
    }
    for (places, call) in calls {
        put(answers, &places, answer(call.reply().await));
    }
}

fn put<A>(answers: &mut [A], places: &[usize], from: Vec<A>) {
    assert_eq!(places.len(), from.len(), "an owner answers every item");
    for (place, answer) in places.iter().zip(from) {
        answers[*place] = answer;
    }
}

impl OwnerAnswer for PartitionFetched {
    fn error(&self) -> ErrorCode {
        self.error
    }
}

impl OwnerAnswer for OffsetAnswer {
    fn error(&self) -> ErrorCode {
        self.error
    }
}

impl OwnerAnswer for EpochEndAnswer {
    fn error(&self) -> ErrorCode {
        self.error
    }
}
