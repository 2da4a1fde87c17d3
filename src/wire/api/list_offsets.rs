//! ListOffsets: key 2, versions 1-11.
//! Timestamps below zero ask for special offsets; which of them a version knows is the handler's business.

use crate::types::{ErrorCode, LeaderEpoch, NodeId, Offset, PartitionIndex, Timestamp};
use crate::wire::Str;
use crate::wire::message::messages;

messages! {
    /// Asks for offsets by timestamp.
    pub struct ListOffsetsRequest {
        /// -1: a consumer.
        pub replica_id: NodeId [0+],
        /// 0 read uncommitted, 1 read committed.
        pub isolation_level: i8 [2+],
        pub topics: Vec<ListOffsetsTopic> [0+],
        pub timeout_ms: i32 [10+, ignorable],
    }

    /// One topic's partitions.
    pub struct ListOffsetsTopic {
        pub name: Str [0+],
        pub partitions: Vec<ListOffsetsPartition> [0+],
    }

    /// The timestamp to look for in one partition.
    pub struct ListOffsetsPartition {
        pub partition_index: PartitionIndex [0+],
        pub current_leader_epoch: LeaderEpoch [4+, ignorable] = LeaderEpoch::NONE,
        pub timestamp: Timestamp [0+],
    }

    /// The offsets found.
    pub struct ListOffsetsResponse {
        pub throttle_time_ms: i32 [2+, ignorable],
        pub topics: Vec<ListOffsetsTopicResponse> [0+],
    }

    /// One topic's partitions.
    pub struct ListOffsetsTopicResponse {
        pub name: Str [0+],
        pub partitions: Vec<ListOffsetsPartitionResponse> [0+],
    }

    /// The offset found in one partition and its record's timestamp.
    pub struct ListOffsetsPartitionResponse {
        pub partition_index: PartitionIndex [0+],
        pub error_code: ErrorCode [0+],
        pub timestamp: Timestamp [1+] = Timestamp::NONE,
        pub offset: Offset [1+] = Offset::NONE,
        pub leader_epoch: LeaderEpoch [4+] = LeaderEpoch::NONE,
    }
}
