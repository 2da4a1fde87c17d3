//! OffsetDelete: key 47, version 0.

use crate::types::{ErrorCode, PartitionIndex};
use crate::wire::Str;
use crate::wire::message::messages;

messages! {
    /// Takes a group's offsets of some partitions away.
    pub struct OffsetDeleteRequest {
        pub group_id: Str [0+],
        pub topics: Vec<OffsetDeleteRequestTopic> [0+],
    }

    /// One topic's partitions.
    pub struct OffsetDeleteRequestTopic {
        pub name: Str [0+],
        pub partitions: Vec<OffsetDeleteRequestPartition> [0+],
    }

    /// One partition.
    pub struct OffsetDeleteRequestPartition {
        pub partition_index: PartitionIndex [0+],
    }

    /// What became of each.
    pub struct OffsetDeleteResponse {
        pub error_code: ErrorCode [0+],
        pub throttle_time_ms: i32 [0+, ignorable],
        pub topics: Vec<OffsetDeleteResponseTopic> [0+],
    }

    /// One topic's partitions.
    pub struct OffsetDeleteResponseTopic {
        pub name: Str [0+],
        pub partitions: Vec<OffsetDeleteResponsePartition> [0+],
    }

    /// What became of one partition.
    pub struct OffsetDeleteResponsePartition {
        pub partition_index: PartitionIndex [0+],
        pub error_code: ErrorCode [0+],
    }
}
