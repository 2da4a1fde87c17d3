//! DescribeLogDirs: key 35, versions 1-5. A top-level error from version 3 on, volume sizes from 4, cordoned directories from 5.

use crate::types::{ErrorCode, PartitionIndex};
use crate::wire::Str;
use crate::wire::message::messages;

messages! {
    /// Asks what lies in the log directories; null topics stand for all.
    pub struct DescribeLogDirsRequest {
        pub topics: Option<Vec<DescribableLogDirTopic>> [0+, null 0+],
    }

    /// One topic's partitions.
    pub struct DescribableLogDirTopic {
        pub topic: Str [0+],
        pub partitions: Vec<PartitionIndex> [0+],
    }

    /// The log directories.
    pub struct DescribeLogDirsResponse {
        pub throttle_time_ms: i32 [0+],
        pub error_code: ErrorCode [3+, ignorable],
        pub results: Vec<DescribeLogDirsResult> [0+],
    }

    /// One log directory; sizes of its volume in bytes, -1 if not known.
    pub struct DescribeLogDirsResult {
        pub error_code: ErrorCode [0+],
        pub log_dir: Str [0+],
        pub topics: Vec<DescribeLogDirsTopic> [0+],
        pub total_bytes: i64 [4+, ignorable] = -1,
        pub usable_bytes: i64 [4+, ignorable] = -1,
        pub is_cordoned: bool [5+, ignorable],
    }

    /// One topic's partitions.
    pub struct DescribeLogDirsTopic {
        pub name: Str [0+],
        pub partitions: Vec<DescribeLogDirsPartition> [0+],
    }

    /// One partition's size in bytes, and how far it is behind.
    pub struct DescribeLogDirsPartition {
        pub partition_index: PartitionIndex [0+],
        pub partition_size: i64 [0+],
        pub offset_lag: i64 [0+],
        pub is_future_key: bool [0+],
    }
}
