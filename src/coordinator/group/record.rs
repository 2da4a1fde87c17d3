//! The records of `__consumer_offsets` that the group coordinator writes and reads; their bytes are Kafka's (`wire::coordinator`).
//!
//! Pure.

use super::classic::{ClassicGroup, Phase};
use super::member::{Member, Protocol};
use super::offsets::{CommittedOffset, OffsetKey};
use crate::types::Offset;
use crate::wire::coordinator::{
    self, GroupMetadataKey, GroupMetadataValue, KeyAndValue, MemberMetadata, OffsetCommitKey, OffsetCommitValue, RecordError,
};
use crate::wire::{EncodeError, Str};
use bytes::Bytes;

/// See the module.
#[derive(Clone, PartialEq, Debug)]
pub enum GroupRecord {
    Offset {
        group: Str,
        key: OffsetKey,
        offset: Option<CommittedOffset>,
    },
    Group {
        group: Str,
        value: Option<GroupMetadataValue>,
    },
    /// Of a consumer group.
    Consumer(Box<coordinator::GroupRecord>),
}

/// The record of a group as it is now, with these assignments.
pub fn group_metadata(group: &ClassicGroup, assignment: impl Fn(&Member) -> Bytes) -> GroupRecord {
    group_metadata_with(group, |_, member| assignment(member))
}

/// As [`group_metadata`], for assignments that are known by member id.
pub fn group_metadata_with(group: &ClassicGroup, assignment: impl Fn(&Str, &Member) -> Bytes) -> GroupRecord {
    let protocol = group.protocol.clone().unwrap_or_default();
    let members = group.members.iter().map(|(id, member)| MemberMetadata {
        member_id: id.clone(),
        group_instance_id: member.instance_id.clone(),
        client_id: member.client_id.clone(),
        client_host: member.client_host.clone(),
        rebalance_timeout: member.rebalance_timeout_ms,
        session_timeout: member.session_timeout_ms,
        subscription: member.metadata(&protocol),
        assignment: assignment(id, member),
    });
    let value = GroupMetadataValue {
        protocol_type: group.protocol_type.clone().unwrap_or_default(),
        generation: group.generation,
        protocol: group.protocol.clone(),
        leader: group.leader.clone(),
        current_state_timestamp: group.phase_since,
        members: members.collect(),
    };
    GroupRecord::Group { group: group.id.clone(), value: Some(value) }
}

/// A group as its last record says.
pub fn loaded_group(id: Str, value: GroupMetadataValue) -> ClassicGroup {
    let mut group = ClassicGroup::new(id, value.current_state_timestamp);
    group.generation = value.generation;
    group.protocol_type = Some(value.protocol_type).filter(|kind| !kind.is_empty());
    group.phase = match &value.leader {
        _ if value.members.is_empty() => Phase::Empty,
        // It was a consumer group: its members have yet to agree.
        None => Phase::PreparingRebalance { initial: false },
        Some(_) => Phase::Stable,
    };
    group.protocol = value.protocol;
    group.leader = value.leader;
    let protocol = group.protocol.clone().unwrap_or_default();
    for member in value.members {
        let rebalance_timeout_ms = if member.rebalance_timeout == -1 { member.session_timeout } else { member.rebalance_timeout };
        let loaded = Member {
            instance_id: member.group_instance_id,
            client_id: member.client_id,
            client_host: member.client_host,
            rebalance_timeout_ms,
            session_timeout_ms: member.session_timeout,
            protocols: vec![Protocol { name: protocol.clone(), metadata: member.subscription }],
            assignment: member.assignment,
            is_new: false,
            join_waiter: None,
            sync_waiter: None,
        };
        group.add(member.member_id, loaded);
    }
    group.subscribed = group.subscriptions();
    group
}

impl GroupRecord {
    pub fn consumer(record: coordinator::GroupRecord) -> GroupRecord {
        GroupRecord::Consumer(Box::new(record))
    }

    /// Fails on texts that no record can hold.
    pub fn encode(&self) -> Result<KeyAndValue, EncodeError> {
        let record = match self {
            GroupRecord::Consumer(record) => return record.encode(),
            GroupRecord::Offset { group, key, offset } => {
                let record_key = OffsetCommitKey { group: group.clone(), topic: key.topic.clone(), partition: key.partition };
                coordinator::GroupRecord::OffsetCommit(record_key, offset.as_ref().map(offset_value))
            }
            GroupRecord::Group { group, value } => {
                coordinator::GroupRecord::GroupMetadata(GroupMetadataKey { group: group.clone() }, value.clone())
            }
        };
        record.encode()
    }

    /// `None`: a record of another kind.
    pub fn decode(key: &Bytes, value: Option<&Bytes>) -> Result<Option<GroupRecord>, RecordError> {
        Ok(match coordinator::GroupRecord::decode(key, value)? {
            coordinator::GroupRecord::OffsetCommit(key, value) => Some(GroupRecord::Offset {
                group: key.group,
                key: OffsetKey { topic: key.topic, partition: key.partition },
                offset: value.map(committed_offset),
            }),
            coordinator::GroupRecord::GroupMetadata(key, value) => Some(GroupRecord::Group { group: key.group, value }),
            record => record.consumer_group().is_some().then(|| GroupRecord::consumer(record)),
        })
    }
}

fn offset_value(offset: &CommittedOffset) -> OffsetCommitValue {
    OffsetCommitValue {
        offset: offset.offset,
        leader_epoch: offset.leader_epoch,
        metadata: offset.metadata.clone(),
        commit_timestamp: offset.committed_at,
        expire_timestamp: offset.expires_at,
        ..Default::default()
    }
}

fn committed_offset(value: OffsetCommitValue) -> CommittedOffset {
    CommittedOffset {
        offset: value.offset,
        leader_epoch: value.leader_epoch,
        metadata: value.metadata,
        committed_at: value.commit_timestamp,
        expires_at: value.expire_timestamp,
        record: Offset::NONE,
    }
}
