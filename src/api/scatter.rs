//! Splits a request by the cores that own its partitions, asks them side by side, and puts the answers back in order.

use crate::shard::Shard;
use crate::shard::message::{Reply, Request};
use crate::shard::publication::Owner;
use crate::types::{ShardId, TopicPartitionId};
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

/// Asks every owner and fills `answers` (one for each place, preset to what stands for "nobody owns it").
pub async fn scatter<I, A>(
    shard: &Rc<Shard>,
    items: impl IntoIterator<Item = (usize, TopicPartitionId, I)>,
    answers: &mut [A],
    here: impl AsyncFnOnce(Vec<I>) -> Vec<A>,
    request: impl Fn(Vec<I>) -> Request,
    answer: impl Fn(Reply) -> Vec<A>,
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
