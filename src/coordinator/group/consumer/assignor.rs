//! The assignors of the server: `uniform`, which keeps what it can and counts partitions, and `range`, which gives each topic out in runs.
//!
//! Where all members subscribe to the same, the counts are Kafka's. Pure.

use super::Assignment;
use crate::types::{PartitionIndex, TopicId};
use crate::wire::Str;
use std::collections::{BTreeMap, BTreeSet};

type TopicPartition = (TopicId, PartitionIndex);

/// What an assignor knows of a member.
pub struct Subscriber<'a> {
    pub id: &'a Str,
    pub instance_id: Option<&'a Str>,
    pub topics: BTreeSet<TopicId>,
    /// The target assignment so far.
    pub before: Assignment,
}

/// Which assignor.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Assignor {
    Uniform,
    Range,
}

impl Assignor {
    pub const ALL: [Assignor; 2] = [Assignor::Uniform, Assignor::Range];

    pub fn named(name: &str) -> Option<Assignor> {
        Assignor::ALL.into_iter().find(|assignor| assignor.name() == name)
    }

    pub fn name(self) -> &'static str {
        match self {
            Assignor::Uniform => "uniform",
            Assignor::Range => "range",
        }
    }

    /// What each member is to own; `sizes`: the partitions of every topic that somebody subscribes to.
    pub fn assign(self, members: Vec<Subscriber>, sizes: &BTreeMap<TopicId, i32>) -> BTreeMap<Str, Assignment> {
        match self {
            Assignor::Range => range(members, sizes),
            Assignor::Uniform if members.windows(2).all(|two| two[0].topics == two[1].topics) => uniform(members, sizes),
            Assignor::Uniform => balanced(members, sizes),
        }
    }
}

fn give(assignment: &mut Assignment, topic: TopicId, partition: PartitionIndex) {
    assignment.entry(topic).or_default().insert(partition);
}

fn count(assignment: &Assignment) -> usize {
    assignment.values().map(BTreeSet::len).sum()
}

fn range(mut members: Vec<Subscriber>, sizes: &BTreeMap<TopicId, i32>) -> BTreeMap<Str, Assignment> {
    // Members with an instance id first, by it: their runs stay theirs.
    members.sort_by_key(|member| (member.instance_id.is_none(), member.instance_id.cloned(), member.id.clone()));
    let mut assignments: BTreeMap<Str, Assignment> = members.iter().map(|member| (member.id.clone(), Assignment::new())).collect();
    for (topic, size) in sizes {
        let subscribed: Vec<&Subscriber> = members.iter().filter(|member| member.topics.contains(topic)).collect();
        let (each, more) = (*size as usize / subscribed.len().max(1), *size as usize % subscribed.len().max(1));
        let mut next = 0;
        for (position, member) in subscribed.iter().enumerate() {
            let end = next + each + usize::from(position < more);
            let assignment = assignments.entry(member.id.clone()).or_default();
            (next..end).for_each(|partition| give(assignment, *topic, PartitionIndex(partition as i32)));
            next = end;
        }
    }
    assignments
}

/// Partitions that exist, without an owner yet, once everybody keeps what `keep` says of what it had.
fn split(
    members: Vec<Subscriber>,
    sizes: &BTreeMap<TopicId, i32>,
    mut keep: impl FnMut(usize, usize) -> bool,
) -> (Vec<(Str, Assignment)>, Vec<TopicPartition>) {
    let mut taken = BTreeSet::new();
    let mut kept = Vec::with_capacity(members.len());
    for (position, member) in members.into_iter().enumerate() {
        let mut assignment = Assignment::new();
        let mut held = 0;
        for (topic, partitions) in &member.before {
            let Some(size) = sizes.get(topic).filter(|_| member.topics.contains(topic)) else { continue };
            for partition in partitions.iter().filter(|partition| partition.0 < *size) {
                if keep(position, held) && taken.insert((*topic, *partition)) {
                    give(&mut assignment, *topic, *partition);
                    held += 1;
                }
            }
        }
        kept.push((member.id.clone(), assignment));
    }
    let all = sizes.iter().flat_map(|(topic, size)| (0..*size).map(|partition| (*topic, PartitionIndex(partition))));
    let free = all.filter(|partition| !taken.contains(partition)).collect();
    (kept, free)
}

/// All subscribe to the same: each keeps up to its share, and who has less gets of the rest. Who has more than the others' share already is the
/// first to have one more.
fn uniform(members: Vec<Subscriber>, sizes: &BTreeMap<TopicId, i32>) -> BTreeMap<Str, Assignment> {
    let total: usize = sizes.values().map(|size| *size as usize).sum();
    let (each, more) = (total / members.len().max(1), total % members.len().max(1));
    let held = |member: &Subscriber| -> usize {
        let of_topic = |(topic, partitions): (&TopicId, &BTreeSet<PartitionIndex>)| {
            let size = sizes.get(topic).copied().unwrap_or(0);
            partitions.iter().filter(|partition| partition.0 < size).count()
        };
        member.before.iter().map(of_topic).sum()
    };
    let mut order: Vec<usize> = (0..members.len()).collect();
    order.sort_by_key(|position| held(&members[*position]) <= each);
    let mut quotas = vec![each; members.len()];
    order.into_iter().take(more).for_each(|position| quotas[position] += 1);
    let (mut kept, free) = split(members, sizes, |position, held| held < quotas[position]);
    let mut free = free.into_iter();
    for (position, (_, assignment)) in kept.iter_mut().enumerate() {
        let lacks = quotas[position].saturating_sub(count(assignment));
        free.by_ref().take(lacks).for_each(|(topic, partition)| give(assignment, topic, partition));
    }
    kept.into_iter().collect()
}

/// Subscriptions differ: what nobody has goes to the subscriber with the least; then who has two more than another gives one.
fn balanced(members: Vec<Subscriber>, sizes: &BTreeMap<TopicId, i32>) -> BTreeMap<Str, Assignment> {
    let topics: Vec<BTreeSet<TopicId>> = members.iter().map(|member| member.topics.clone()).collect();
    let (mut kept, free) = split(members, sizes, |_, _| true);
    let mut counts: Vec<usize> = kept.iter().map(|(_, assignment)| count(assignment)).collect();
    let mut moves_left = sizes.values().map(|size| *size as usize).sum::<usize>();
    for (topic, partition) in free {
        let least = (0..kept.len()).filter(|position| topics[*position].contains(&topic)).min_by_key(|position| counts[*position]);
        let Some(least) = least else { continue };
        give(&mut kept[least].1, topic, partition);
        counts[least] += 1;
    }
    let mut order: Vec<usize> = (0..kept.len()).collect();
    loop {
        order.sort_by_key(|position| std::cmp::Reverse(counts[*position]));
        let step = order.iter().find_map(|from| {
            let lightest = |topic: &TopicId| {
                let others = (0..kept.len()).filter(|to| topics[*to].contains(topic) && counts[*to] + 1 < counts[*from]);
                others.min_by_key(|to| counts[*to])
            };
            kept[*from].1.iter().find_map(|(topic, partitions)| Some((*from, lightest(topic)?, *topic, *partitions.last()?)))
        });
        let Some((from, to, topic, partition)) = step.filter(|_| moves_left > 0) else { break };
        moves_left -= 1;
        if let Some(partitions) = kept[from].1.get_mut(&topic) {
            partitions.remove(&partition);
            if partitions.is_empty() {
                kept[from].1.remove(&topic);
            }
        }
        give(&mut kept[to].1, topic, partition);
        (counts[from], counts[to]) = (counts[from] - 1, counts[to] + 1);
    }
    kept.into_iter().collect()
}
