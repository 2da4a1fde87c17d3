//! Bytes that Apache Kafka 4.3.1's own classes wrote, for the versions that the oracle crate does not know.

use crate::types::{ErrorCode, LeaderEpoch, NodeId, Offset, PartitionIndex, ProducerEpoch, ProducerId, Timestamp, TopicId};
use crate::wire::api::{describe_log_dirs::*, list_offsets::*, offset_commit::*, offset_fetch::*, write_txn_markers::*};
use crate::wire::versions::ApiKey;
use crate::wire::{Reader, message::Codec, primitives::Field};

#[test]
fn list_offsets_request_v11() {
    let partition =
        ListOffsetsPartition { partition_index: PartitionIndex(2), current_leader_epoch: LeaderEpoch(3), timestamp: Timestamp(-6) };
    let topics = vec![ListOffsetsTopic { name: "t".into(), partitions: vec![partition] }];
    let request = ListOffsetsRequest { replica_id: NodeId(-1), isolation_level: 1, topics, timeout_ms: 30_000 };
    is_written_as(request, ApiKey::ListOffsets.codec(11), "ffffffff01020274020000000200000003fffffffffffffffa00000000753000");
}

#[test]
fn list_offsets_response_v11() {
    let partition = ListOffsetsPartitionResponse {
        partition_index: PartitionIndex(2),
        error_code: ErrorCode::UnknownTopicOrPartition,
        timestamp: Timestamp(4),
        offset: Offset(5),
        leader_epoch: LeaderEpoch(6),
    };
    let topics = vec![ListOffsetsTopicResponse { name: "t".into(), partitions: vec![partition] }];
    let response = ListOffsetsResponse { throttle_time_ms: 1, topics };
    let bytes = "00000001020274020000000200030000000000000004000000000000000500000006000000";
    is_written_as(response, ApiKey::ListOffsets.codec(11), bytes);
}

#[test]
fn describe_log_dirs_request_v5() {
    let topic = DescribableLogDirTopic { topic: "t".into(), partitions: vec![PartitionIndex(1), PartitionIndex(2)] };
    let request = DescribeLogDirsRequest { topics: Some(vec![topic]) };
    is_written_as(request, ApiKey::DescribeLogDirs.codec(5), "0202740300000001000000020000");
}

#[test]
fn describe_log_dirs_response_v5() {
    let partition = DescribeLogDirsPartition { partition_index: PartitionIndex(6), partition_size: 7, offset_lag: 8, is_future_key: true };
    let result = DescribeLogDirsResult {
        error_code: ErrorCode::UnknownTopicOrPartition,
        log_dir: "/d".into(),
        topics: vec![DescribeLogDirsTopic { name: "t".into(), partitions: vec![partition] }],
        total_bytes: 4,
        usable_bytes: 5,
        is_cordoned: true,
    };
    let response = DescribeLogDirsResponse { throttle_time_ms: 1, error_code: ErrorCode::CorruptMessage, results: vec![result] };
    let bytes = "000000010002020003032f6402027402000000060000000000000007000000000000000801\
                 000000000000000000040000000000000005010000";
    is_written_as(response, ApiKey::DescribeLogDirs.codec(5), bytes);
}

#[test]
fn offset_commit_request_v10() {
    let partition = OffsetCommitRequestPartition {
        partition_index: PartitionIndex(2),
        committed_offset: Offset(4),
        committed_leader_epoch: LeaderEpoch(5),
        committed_metadata: Some("md".into()),
    };
    let topic = OffsetCommitRequestTopic { topic_id: TopicId([1; 16]), partitions: vec![partition], ..Default::default() };
    let request = OffsetCommitRequest {
        group_id: "g".into(),
        generation_id_or_member_epoch: 3,
        member_id: "m".into(),
        group_instance_id: Some("i".into()),
        topics: vec![topic],
        ..Default::default()
    };
    let bytes = "026700000003026d02690201010101010101010101010101010101020000\
                 0002000000000000000400000005036d64000000";
    is_written_as(request, ApiKey::OffsetCommit.codec(10), bytes);
}

#[test]
fn offset_commit_response_v10() {
    let error_code = ErrorCode::UnknownTopicOrPartition;
    let partition = OffsetCommitResponsePartition { partition_index: PartitionIndex(2), error_code };
    let topic = OffsetCommitResponseTopic { topic_id: TopicId([1; 16]), partitions: vec![partition], ..Default::default() };
    let response = OffsetCommitResponse { throttle_time_ms: 1, topics: vec![topic] };
    let bytes = "00000001020101010101010101010101010101010102000000020003000000";
    is_written_as(response, ApiKey::OffsetCommit.codec(10), bytes);
}

#[test]
fn offset_fetch_request_v10() {
    let partition_indexes = vec![PartitionIndex(1), PartitionIndex(2)];
    let topic = OffsetFetchRequestTopics { topic_id: TopicId([1; 16]), partition_indexes, ..Default::default() };
    let group = OffsetFetchRequestGroup { group_id: "g".into(), member_id: Some("m".into()), member_epoch: 3, topics: Some(vec![topic]) };
    let request = OffsetFetchRequest { groups: vec![group], require_stable: true, ..Default::default() };
    let bytes = "020267026d00000003020101010101010101010101010101010103000000010000000200000100";
    is_written_as(request, ApiKey::OffsetFetch.codec(10), bytes);
}

#[test]
fn offset_fetch_response_v10() {
    let partition = OffsetFetchResponsePartitions {
        partition_index: PartitionIndex(2),
        committed_offset: Offset(4),
        committed_leader_epoch: LeaderEpoch(5),
        metadata: Some("md".into()),
        error_code: ErrorCode::UnknownTopicOrPartition,
    };
    let topic = OffsetFetchResponseTopics { topic_id: TopicId([1; 16]), partitions: vec![partition], ..Default::default() };
    let group = OffsetFetchResponseGroup { group_id: "g".into(), topics: vec![topic], error_code: ErrorCode::None };
    let response = OffsetFetchResponse { throttle_time_ms: 1, groups: vec![group], ..Default::default() };
    let bytes = "000000010202670201010101010101010101010101010101020000000200\
                 0000000000000400000005036d640003000000000000";
    is_written_as(response, ApiKey::OffsetFetch.codec(10), bytes);
}

#[test]
fn write_txn_markers_request_v2() {
    let partition_indexes = vec![PartitionIndex(1), PartitionIndex(2)];
    let marker = WritableTxnMarker {
        producer_id: ProducerId(7),
        producer_epoch: ProducerEpoch(3),
        transaction_result: true,
        topics: vec![WritableTxnMarkerTopic { name: "t".into(), partition_indexes }],
        coordinator_epoch: 5,
        transaction_version: 2,
    };
    let bytes = "0200000000000000070003010202740300000001000000020000000005020000";
    is_written_as(WriteTxnMarkersRequest { markers: vec![marker] }, ApiKey::WriteTxnMarkers.codec(2), bytes);
}

#[test]
fn write_txn_markers_response_v2() {
    let error_code = ErrorCode::UnknownTopicOrPartition;
    let partition = WritableTxnMarkerPartitionResult { partition_index: PartitionIndex(2), error_code };
    let topic = WritableTxnMarkerTopicResult { name: "t".into(), partitions: vec![partition] };
    let marker = WritableTxnMarkerResult { producer_id: ProducerId(7), topics: vec![topic] };
    let bytes = "0200000000000000070202740200000002000300000000";
    is_written_as(WriteTxnMarkersResponse { markers: vec![marker] }, ApiKey::WriteTxnMarkers.codec(2), bytes);
}

fn is_written_as<M: Field + PartialEq + std::fmt::Debug>(message: M, codec: Codec, hex: &str) {
    let bytes = super::encode(&message, codec).unwrap();
    let written: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    assert_eq!(written, hex);
    assert_eq!(M::read(&mut Reader::new(bytes), codec), Ok(message));
}
