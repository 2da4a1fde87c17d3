//! What members of a group ask, as Java's consumer asks it.

use super::{Arguments, Protocol};
use crate::Result;
use crate::client::frame_of;
use bytes::{BufMut, Bytes, BytesMut};
use ringmill::types::{Offset, PartitionIndex, TopicId};
use ringmill::wire::Str;
use ringmill::wire::api::consumer_group_heartbeat::{ConsumerGroupHeartbeatRequest, TopicPartitions};
use ringmill::wire::api::find_coordinator::FindCoordinatorRequest;
use ringmill::wire::api::heartbeat::HeartbeatRequest;
use ringmill::wire::api::join_group::{JoinGroupRequest, JoinGroupRequestProtocol, JoinGroupResponse};
use ringmill::wire::api::leave_group::{LeaveGroupRequest, MemberIdentity};
use ringmill::wire::api::offset_commit::{OffsetCommitRequest, OffsetCommitRequestPartition, OffsetCommitRequestTopic};
use ringmill::wire::api::sync_group::{SyncGroupRequest, SyncGroupRequestAssignment};

pub const FIND: i16 = 4;
pub const JOIN: i16 = 7;
pub const SYNC: i16 = 5;
pub const HEARTBEAT: i16 = 4;
pub const LEAVE: i16 = 4;
pub const COMMIT: i16 = 9;
pub const CONSUMER_HEARTBEAT: i16 = 1;

const PROTOCOL: &str = "range";
/// The epoch of who leaves.
const LEFT: i32 = -1;

pub fn find(group: &Str) -> Result<Vec<u8>> {
    frame_of(&FindCoordinatorRequest { coordinator_keys: vec![group.clone()], ..Default::default() }, FIND, 0)
}

pub fn join(arguments: &Arguments, group: &Str, member: &Str) -> Result<Vec<u8>> {
    let request = JoinGroupRequest {
        group_id: group.clone(),
        session_timeout_ms: arguments.session_ms,
        rebalance_timeout_ms: arguments.rebalance_ms,
        member_id: member.clone(),
        protocol_type: "consumer".into(),
        protocols: vec![JoinGroupRequestProtocol { name: PROTOCOL.into(), metadata: subscription(&arguments.topic) }],
        ..Default::default()
    };
    frame_of(&request, JOIN, 0)
}

/// The first heartbeat of a member of the consumer protocol.
pub fn consumer_join(arguments: &Arguments, group: &Str, member: &Str) -> Result<Vec<u8>> {
    let request = ConsumerGroupHeartbeatRequest {
        group_id: group.clone(),
        member_id: member.clone(),
        rebalance_timeout_ms: arguments.rebalance_ms,
        subscribed_topic_names: Some(vec![arguments.topic.as_str().into()]),
        topic_partitions: Some(Vec::new()),
        ..Default::default()
    };
    frame_of(&request, CONSUMER_HEARTBEAT, 0)
}

/// A heartbeat; after an assignment it says what the member owns now.
pub fn consumer_heartbeat(group: &Str, member: &Str, epoch: i32, owned: Option<&[(TopicId, PartitionIndex)]>) -> Result<Vec<u8>> {
    let of_topic =
        |(topic_id, partition): &(TopicId, PartitionIndex)| TopicPartitions { topic_id: *topic_id, partitions: vec![*partition] };
    let request = ConsumerGroupHeartbeatRequest {
        group_id: group.clone(),
        member_id: member.clone(),
        member_epoch: epoch,
        topic_partitions: owned.map(|owned| owned.iter().map(of_topic).collect()),
        ..Default::default()
    };
    frame_of(&request, CONSUMER_HEARTBEAT, 0)
}

/// From the leader with an assignment for each member.
pub fn sync(arguments: &Arguments, group: &Str, member: &Str, joined: &JoinGroupResponse) -> Result<Vec<u8>> {
    let count = joined.members.len();
    let given = |(index, other): (usize, &ringmill::wire::api::join_group::JoinGroupResponseMember)| {
        let partitions: Vec<usize> = (0..arguments.partitions).filter(|partition| partition % count == index).collect();
        SyncGroupRequestAssignment { member_id: other.member_id.clone(), assignment: assignment(&arguments.topic, &partitions) }
    };
    let request = SyncGroupRequest {
        group_id: group.clone(),
        generation_id: joined.generation_id,
        member_id: member.clone(),
        protocol_type: Some("consumer".into()),
        protocol_name: Some(PROTOCOL.into()),
        assignments: joined.members.iter().enumerate().map(given).collect(),
        ..Default::default()
    };
    frame_of(&request, SYNC, 0)
}

pub fn heartbeat(group: &Str, member: &Str, generation: i32) -> Result<Vec<u8>> {
    let request =
        HeartbeatRequest { group_id: group.clone(), generation_id: generation, member_id: member.clone(), group_instance_id: None };
    frame_of(&request, HEARTBEAT, 0)
}

pub fn leave(protocol: Protocol, group: &Str, member: &Str) -> Result<Vec<u8>> {
    if protocol == Protocol::Consumer {
        return consumer_heartbeat(group, member, LEFT, None);
    }
    let members = vec![MemberIdentity { member_id: member.clone(), ..Default::default() }];
    frame_of(&LeaveGroupRequest { group_id: group.clone(), members, ..Default::default() }, LEAVE, 0)
}

/// The same offset for so many partitions from `first` on.
pub fn commit(arguments: &Arguments, group: &Str, member: &Str, generation: i32, first: usize, offset: i64) -> Result<Vec<u8>> {
    let one = |partition: usize| OffsetCommitRequestPartition {
        partition_index: PartitionIndex((partition % arguments.partitions) as i32),
        committed_offset: Offset(offset),
        ..Default::default()
    };
    let partitions = (first..first + arguments.offsets).map(one).collect();
    let topic = OffsetCommitRequestTopic { name: arguments.topic.as_str().into(), partitions, ..Default::default() };
    let request = OffsetCommitRequest {
        group_id: group.clone(),
        generation_id_or_member_epoch: generation,
        member_id: member.clone(),
        topics: vec![topic],
        ..Default::default()
    };
    frame_of(&request, COMMIT, 0)
}

/// The consumer protocol's subscription, version 0: topics, no user data.
fn subscription(topic: &str) -> Bytes {
    let mut bytes = BytesMut::new();
    bytes.put_i16(0);
    bytes.put_i32(1);
    put_text(&mut bytes, topic);
    bytes.put_i32(-1);
    bytes.freeze()
}

/// The consumer protocol's assignment, version 0.
fn assignment(topic: &str, partitions: &[usize]) -> Bytes {
    let mut bytes = BytesMut::new();
    bytes.put_i16(0);
    bytes.put_i32(1);
    put_text(&mut bytes, topic);
    bytes.put_i32(partitions.len() as i32);
    partitions.iter().for_each(|partition| bytes.put_i32(*partition as i32));
    bytes.put_i32(-1);
    bytes.freeze()
}

fn put_text(bytes: &mut BytesMut, text: &str) {
    bytes.put_i16(text.len() as i16);
    bytes.put_slice(text.as_bytes());
}
