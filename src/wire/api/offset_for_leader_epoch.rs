//! OffsetForLeaderEpoch: key 23, versions 2-4. A follower says who it is from version 3 on.

use crate::types::{ErrorCode, LeaderEpoch, NodeId, Offset, PartitionIndex};
use crate::wire::Str;
use crate::wire::message::messages;

messages! {
    /// Asks where leader epochs end.
    pub struct OffsetForLeaderEpochRequest {
        pub replica_id: NodeId [3+, ignorable] = NodeId(-2),
        pub topics: Vec<OffsetForLeaderTopic> [0+],
    }

    /// One topic's partitions.
    pub struct OffsetForLeaderTopic {
        pub topic: Str [0+],
        pub partitions: Vec<OffsetForLeaderPartition> [0+],
    }

    /// The epoch to look for in one partition.
    pub struct OffsetForLeaderPartition {
        pub partition: PartitionIndex [0+],
        pub current_leader_epoch: LeaderEpoch [2+, ignorable] = LeaderEpoch::NONE,
        pub leader_epoch: LeaderEpoch [0+],
    }

    /// Where the epochs end.
    pub struct OffsetForLeaderEpochResponse {
        pub throttle_time_ms: i32 [2+, ignorable],
        pub topics: Vec<OffsetForLeaderTopicResult> [0+],
    }

    /// One topic's partitions.
    pub struct OffsetForLeaderTopicResult {
        pub topic: Str [0+],
        pub partitions: Vec<EpochEndOffset> [0+],
    }

    /// The largest epoch up to the one asked for, and the offset after its last record.
    pub struct EpochEndOffset {
        pub error_code: ErrorCode [0+],
        pub partition: PartitionIndex [0+],
        pub leader_epoch: LeaderEpoch [1+, ignorable] = LeaderEpoch::NONE,
        pub end_offset: Offset [0+] = Offset::NONE,
    }
}
