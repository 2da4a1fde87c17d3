//! One step of a member from what it owns to what it is to own.
//!
//! It gives up first; only then does it come into the target's epoch, and gets of the rest what nobody else has. Pure.

use super::{Assignment, ConsumerGroup, ConsumerMember, MemberState};
use crate::types::{PartitionIndex, TopicId};
use std::collections::BTreeSet;

/// Whether the member said that it owns something of these; it may if it said nothing.
fn owns_some(owned: Option<&Assignment>, of: &Assignment) -> bool {
    let Some(owned) = owned else { return true };
    of.iter().any(|(topic, partitions)| owned.get(topic).is_some_and(|owned| !owned.is_disjoint(partitions)))
}

impl ConsumerGroup {
    /// The member as it is next. `Err`: only a member that owns nothing can go on.
    pub(super) fn step(&self, member: &ConsumerMember, target: &Assignment, owned: Option<&Assignment>) -> Result<ConsumerMember, ()> {
        match member.state {
            MemberState::Stable if member.epoch == self.target_epoch => Ok(member.clone()),
            MemberState::Stable | MemberState::Unreleased => Ok(self.next(member, member.epoch, target, owned)),
            MemberState::Unrevoked if owns_some(owned, &member.revoking) => Ok(member.clone()),
            // What is given up is free from now on.
            MemberState::Unrevoked => Ok(self.next(member, member.epoch + 1, target, owned)),
            MemberState::Unknown if owned.is_none_or(|owned| !owned.is_empty()) => Err(()),
            MemberState::Unknown => Ok(self.next(member, self.target_epoch, target, owned)),
        }
    }

    fn next(&self, member: &ConsumerMember, epoch: i32, target: &Assignment, owned: Option<&Assignment>) -> ConsumerMember {
        let nothing = BTreeSet::new();
        let mut next = ConsumerMember { previous_epoch: member.epoch, revoking: Assignment::new(), ..member.clone() };
        next.assigned = Assignment::new();
        let mut coming: Vec<(TopicId, PartitionIndex)> = Vec::new();
        let mut is_all_free = true;
        let topics: BTreeSet<TopicId> = target.keys().chain(member.assigned.keys()).copied().collect();
        for topic in topics {
            let wanted = target.get(&topic).unwrap_or(&nothing);
            let held = member.assigned.get(&topic).unwrap_or(&nothing);
            let (kept, lost): (BTreeSet<_>, BTreeSet<_>) = held.iter().partition(|partition| wanted.contains(partition));
            if !kept.is_empty() {
                next.assigned.insert(topic, kept);
            }
            if !lost.is_empty() {
                next.revoking.insert(topic, lost);
            }
            for partition in wanted.difference(held) {
                match self.owners.contains_key(&(topic, *partition)) {
                    true => is_all_free = false,
                    false => coming.push((topic, *partition)),
                }
            }
        }
        if !next.revoking.is_empty() && owns_some(owned, &next.revoking) {
            return ConsumerMember { epoch, state: MemberState::Unrevoked, ..next };
        }
        for (topic, partition) in coming {
            next.assigned.entry(topic).or_default().insert(partition);
        }
        let state = if is_all_free { MemberState::Stable } else { MemberState::Unreleased };
        ConsumerMember { epoch: self.target_epoch, state, revoking: Assignment::new(), ..next }
    }
}
