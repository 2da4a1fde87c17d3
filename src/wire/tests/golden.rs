//! Bytes that Apache Kafka 4.3.1's own classes wrote, for the versions that the oracle crate does not know.

use crate::types::{ErrorCode, LeaderEpoch, NodeId, Offset, PartitionIndex, Timestamp};
use crate::wire::api::{describe_log_dirs::*, list_offsets::*};
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

fn is_written_as<M: Field + PartialEq + std::fmt::Debug>(message: M, codec: Codec, hex: &str) {
    let bytes = super::encode(&message, codec).unwrap();
    let written: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    assert_eq!(written, hex);
    assert_eq!(M::read(&mut Reader::new(bytes), codec), Ok(message));
}
