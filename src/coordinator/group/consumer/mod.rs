//! The state of one consumer group (KIP-848): its members, what they are to own, what they own.
//!
//! The group's epoch grows with what its members subscribe to and with those topics; for each epoch there is a target assignment ([`target`]), and
//! every member goes there by itself, heartbeat by heartbeat ([`reconcile`]). All of it is in the log: [`ConsumerGroup::apply`] is the only mutator
//! of what is replicated; handlers work on a copy and give its records. Pure.

mod assignor;
mod classic_member;
mod commit;
mod describe;
mod downgrade;
mod embedded;
mod heartbeat;
mod leave;
mod pattern;
mod reconcile;
mod regexes;
mod target;
mod upgrade;

pub use assignor::Assignor;
pub use heartbeat::{ConsumerAsk, TopicDirectory, Topics};
pub use regexes::Resolution;

use super::record::GroupRecord;
use crate::types::{PartitionIndex, Timestamp, TopicId};
use crate::wire::Str;
use crate::wire::coordinator::{
    self, ConsumerGroupCurrentMemberAssignmentValue, ConsumerGroupMemberMetadataValue, ConsumerGroupMetadataValue,
    ConsumerGroupTargetAssignmentMetadataValue,
};
use regexes::Regexes;
use std::collections::{BTreeMap, BTreeSet};

/// Kafka's name for groups of this kind.
pub const CONSUMER: &str = "consumer";

/// The epoch of a static member that will be back.
pub const LEFT_FOR_A_WHILE: i32 = -2;
/// The epoch of who leaves for good.
pub const LEFT: i32 = -1;

/// What a group begins at, as in Kafka; its first member's subscription takes it to the next.
const FIRST_EPOCH: i32 = 1;

/// Memory of one partition in a member's assignment, about.
const PARTITION_BYTES: usize = 48;

/// Partitions by topic; no topic without partitions.
pub type Assignment = BTreeMap<TopicId, BTreeSet<PartitionIndex>>;

/// Where a member is on its way to the target assignment.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum MemberState {
    #[default]
    Stable,
    /// It must give partitions up first.
    Unrevoked,
    /// Others have yet to give up what it is to own.
    Unreleased,
    /// Of a newer Kafka.
    Unknown,
}

impl MemberState {
    fn code(self) -> i8 {
        match self {
            MemberState::Stable => 0,
            MemberState::Unrevoked => 1,
            MemberState::Unreleased => 2,
            MemberState::Unknown => 127,
        }
    }

    fn of(code: i8) -> MemberState {
        match code {
            0 => MemberState::Stable,
            1 => MemberState::Unrevoked,
            2 => MemberState::Unreleased,
            _ => MemberState::Unknown,
        }
    }
}

/// One member.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct ConsumerMember {
    /// How it described itself.
    pub about: ConsumerGroupMemberMetadataValue,
    pub epoch: i32,
    pub previous_epoch: i32,
    pub state: MemberState,
    pub assigned: Assignment,
    pub revoking: Assignment,
}

impl ConsumerMember {
    fn is_reconciled_to(&self, target_epoch: i32) -> bool {
        self.state == MemberState::Stable && self.epoch == target_epoch
    }
}

/// See the module.
#[derive(Clone, Debug)]
pub struct ConsumerGroup {
    pub id: Str,
    pub epoch: i32,
    metadata_hash: i64,
    pub members: BTreeMap<Str, ConsumerMember>,
    target_epoch: i32,
    target: BTreeMap<Str, Assignment>,
    /// Who has a partition, or has not given it up yet.
    owners: BTreeMap<(TopicId, PartitionIndex), Str>,
    regexes: Regexes,
    /// The version of the topics' metadata at which the hash was seen to be right; not replicated.
    checked_version: u64,
    /// The names of topics that classic members are told of; not replicated.
    names: BTreeMap<TopicId, Str>,
    members_bytes: u64,
}

fn partitions(assignment: &Assignment) -> usize {
    assignment.values().map(BTreeSet::len).sum()
}

impl ConsumerGroup {
    pub fn new(id: Str) -> ConsumerGroup {
        ConsumerGroup {
            id,
            epoch: FIRST_EPOCH,
            metadata_hash: 0,
            members: BTreeMap::new(),
            target_epoch: 0,
            target: BTreeMap::new(),
            owners: BTreeMap::new(),
            regexes: Regexes::default(),
            checked_version: 0,
            names: BTreeMap::new(),
            members_bytes: 0,
        }
    }

    /// Kafka's name for where the group is.
    pub fn state_name(&self) -> &'static str {
        if self.members.is_empty() {
            "Empty"
        } else if self.epoch > self.target_epoch {
            "Assigning"
        } else if self.members.values().all(|member| member.is_reconciled_to(self.target_epoch)) {
            "Stable"
        } else {
            "Reconciling"
        }
    }

    pub fn is_subscribed_to(&self, topic: &str) -> bool {
        let names = |member: &ConsumerMember| member.about.subscribed_topic_names.iter().any(|name| **name == *topic);
        self.members.values().any(names) || self.regexes.contain(topic)
    }

    fn static_member(&self, instance: &str) -> Option<(&Str, &ConsumerMember)> {
        self.members.iter().find(|(_, member)| member.about.instance_id.as_deref() == Some(instance))
    }

    /// Memory it takes, about.
    pub fn bytes(&self) -> u64 {
        (size_of::<ConsumerGroup>() + self.id.len()) as u64 + self.members_bytes
    }

    fn weight(&self, id: &str) -> u64 {
        let target = self.target.get(id).map_or(0, partitions) * PARTITION_BYTES;
        let member = self.members.get(id).map_or(0, |member| {
            let names: usize = member.about.subscribed_topic_names.iter().map(|name| name.len() + 32).sum();
            size_of::<ConsumerMember>()
                + 512
                + names
                + member.classic_bytes()
                + (partitions(&member.assigned) + partitions(&member.revoking)) * 2 * PARTITION_BYTES
        });
        (target + member) as u64
    }

    fn with_weight(&mut self, id: &Str, change: impl FnOnce(&mut ConsumerGroup)) {
        let before = self.weight(id);
        change(self);
        self.members_bytes = self.members_bytes + self.weight(id) - before;
    }

    /// The only mutator of what is replicated. Not for the record that takes the group away.
    pub fn apply(&mut self, record: coordinator::GroupRecord) {
        use coordinator::GroupRecord::*;
        match record {
            ConsumerGroupMetadata(_, Some(value)) => (self.epoch, self.metadata_hash) = (value.epoch, value.metadata_hash),
            ConsumerGroupMemberMetadata(key, about) => self.with_weight(&key.member_id, |group| match about {
                Some(about) => {
                    let member = group.members.entry(key.member_id.clone()).or_default();
                    group.regexes.subscribe(Some(&member.about), Some(&about));
                    member.about = about;
                }
                None => {
                    group.disown(&key.member_id);
                    let member = group.members.remove(&key.member_id);
                    group.regexes.subscribe(member.as_ref().map(|member| &member.about), None);
                }
            }),
            ConsumerGroupRegularExpression(key, value) => {
                let (more, less) = self.regexes.apply(key.regular_expression, value);
                self.members_bytes = self.members_bytes + more - less;
            }
            ConsumerGroupTargetAssignmentMetadata(_, value) => self.target_epoch = value.map_or(0, |value| value.assignment_epoch),
            ConsumerGroupTargetAssignmentMember(key, value) => self.with_weight(&key.member_id, |group| {
                match value {
                    Some(value) => {
                        let topics = value.topic_partitions.into_iter().filter(|topic| !topic.partitions.is_empty());
                        let target = topics.map(|topic| (topic.topic_id, topic.partitions.into_iter().collect())).collect();
                        group.target.insert(key.member_id.clone(), target);
                    }
                    None => drop(group.target.remove(&key.member_id)),
                };
            }),
            ConsumerGroupCurrentMemberAssignment(key, value) => {
                self.with_weight(&key.member_id, |group| group.apply_current(&key.member_id, value));
            }
            _ => {}
        }
    }

    fn apply_current(&mut self, id: &Str, value: Option<ConsumerGroupCurrentMemberAssignmentValue>) {
        self.disown(id);
        // Of a member that is gone there is nothing to take away.
        if value.is_none() && !self.members.contains_key(id) {
            return;
        }
        let member = self.members.entry(id.clone()).or_default();
        let Some(value) = value else {
            *member = ConsumerMember { about: std::mem::take(&mut member.about), epoch: LEFT, previous_epoch: LEFT, ..Default::default() };
            return;
        };
        let assignment = |topics: Vec<coordinator::TopicPartitions>| -> Assignment {
            let topics = topics.into_iter().filter(|topic| !topic.partitions.is_empty());
            topics.map(|topic| (topic.topic_id, topic.partitions.into_iter().collect())).collect()
        };
        member.epoch = value.member_epoch;
        member.previous_epoch = value.previous_member_epoch;
        member.state = MemberState::of(value.state);
        member.assigned = assignment(value.assigned_partitions);
        member.revoking = assignment(value.partitions_pending_revocation);
        for (topic, partitions) in member.assigned.iter().chain(&member.revoking) {
            self.owners.extend(partitions.iter().map(|partition| ((*topic, *partition), id.clone())));
        }
    }

    fn disown(&mut self, id: &Str) {
        let Some(member) = self.members.get(id) else { return };
        for (topic, partitions) in member.assigned.iter().chain(&member.revoking) {
            for partition in partitions {
                if self.owners.get(&(*topic, *partition)) == Some(id) {
                    self.owners.remove(&(*topic, *partition));
                }
            }
        }
    }

    /// The records that take the group away, in Kafka's order.
    pub fn deletion(&self) -> Vec<GroupRecord> {
        let mut records: Vec<GroupRecord> = self.members.keys().flat_map(|member| tombstones(&self.id, member)).collect();
        records.extend(self.regexes.resolved().map(|regex| GroupRecord::consumer(regexes::tombstone(&self.id, regex))));
        records.push(GroupRecord::consumer(coordinator::GroupRecord::ConsumerGroupTargetAssignmentMetadata(
            coordinator::ConsumerGroupTargetAssignmentMetadataKey { group_id: self.id.clone() },
            None,
        )));
        records.push(GroupRecord::consumer(coordinator::GroupRecord::ConsumerGroupMetadata(
            coordinator::ConsumerGroupMetadataKey { group_id: self.id.clone() },
            None,
        )));
        records
    }
}

/// The records that take a member away.
fn tombstones(group: &Str, member: &Str) -> [GroupRecord; 3] {
    let (group_id, member_id) = (group.clone(), member.clone());
    [
        GroupRecord::consumer(coordinator::GroupRecord::ConsumerGroupCurrentMemberAssignment(
            coordinator::ConsumerGroupCurrentMemberAssignmentKey { group_id: group_id.clone(), member_id: member_id.clone() },
            None,
        )),
        GroupRecord::consumer(coordinator::GroupRecord::ConsumerGroupTargetAssignmentMember(
            coordinator::ConsumerGroupTargetAssignmentMemberKey { group_id: group_id.clone(), member_id: member_id.clone() },
            None,
        )),
        GroupRecord::consumer(coordinator::GroupRecord::ConsumerGroupMemberMetadata(
            coordinator::ConsumerGroupMemberMetadataKey { group_id, member_id },
            None,
        )),
    ]
}

/// A copy of a group on which a handler tries what it does; its records do the same to the group itself.
pub struct Draft {
    pub group: ConsumerGroup,
    pub records: Vec<GroupRecord>,
}

impl Draft {
    pub fn of(group: ConsumerGroup) -> Draft {
        Draft { group, records: Vec::new() }
    }

    fn put(&mut self, record: coordinator::GroupRecord) {
        self.group.apply(record.clone());
        self.records.push(GroupRecord::consumer(record));
    }

    fn put_about(&mut self, member: &Str, about: ConsumerGroupMemberMetadataValue) {
        let key = coordinator::ConsumerGroupMemberMetadataKey { group_id: self.group.id.clone(), member_id: member.clone() };
        self.put(coordinator::GroupRecord::ConsumerGroupMemberMetadata(key, Some(about)));
    }

    fn put_epoch(&mut self, epoch: i32, metadata_hash: i64) {
        let key = coordinator::ConsumerGroupMetadataKey { group_id: self.group.id.clone() };
        self.put(coordinator::GroupRecord::ConsumerGroupMetadata(key, Some(ConsumerGroupMetadataValue { epoch, metadata_hash })));
    }

    fn put_target(&mut self, member: &Str, target: &Assignment) {
        let key = coordinator::ConsumerGroupTargetAssignmentMemberKey { group_id: self.group.id.clone(), member_id: member.clone() };
        let topics = target.iter().map(|(topic_id, partitions)| coordinator::TopicPartition {
            topic_id: *topic_id,
            partitions: partitions.iter().copied().collect(),
        });
        let value = coordinator::ConsumerGroupTargetAssignmentMemberValue { topic_partitions: topics.collect() };
        self.put(coordinator::GroupRecord::ConsumerGroupTargetAssignmentMember(key, Some(value)));
    }

    fn put_target_epoch(&mut self, epoch: i32, at: Timestamp) {
        let key = coordinator::ConsumerGroupTargetAssignmentMetadataKey { group_id: self.group.id.clone() };
        let value = ConsumerGroupTargetAssignmentMetadataValue { assignment_epoch: epoch, assignment_timestamp: at };
        self.put(coordinator::GroupRecord::ConsumerGroupTargetAssignmentMetadata(key, Some(value)));
    }

    fn put_current(&mut self, id: &Str, member: &ConsumerMember) {
        let key = coordinator::ConsumerGroupCurrentMemberAssignmentKey { group_id: self.group.id.clone(), member_id: id.clone() };
        let topics = |assignment: &Assignment| {
            let one = |(topic_id, partitions): (&TopicId, &BTreeSet<PartitionIndex>)| coordinator::TopicPartitions {
                topic_id: *topic_id,
                partitions: partitions.iter().copied().collect(),
                ..Default::default()
            };
            assignment.iter().map(one).collect()
        };
        let value = ConsumerGroupCurrentMemberAssignmentValue {
            member_epoch: member.epoch,
            previous_member_epoch: member.previous_epoch,
            state: member.state.code(),
            assigned_partitions: topics(&member.assigned),
            partitions_pending_revocation: topics(&member.revoking),
        };
        self.put(coordinator::GroupRecord::ConsumerGroupCurrentMemberAssignment(key, Some(value)));
    }

    fn remove(&mut self, member: &Str) {
        let regex = self.group.members.get(member).and_then(|member| Regexes::of(&member.about).cloned());
        for record in tombstones(&self.group.id, member) {
            if let GroupRecord::Consumer(record) = &record {
                self.group.apply((**record).clone());
            }
            self.records.push(record);
        }
        if let Some(regex) = regex {
            self.forget_regex(&regex);
        }
    }
}
