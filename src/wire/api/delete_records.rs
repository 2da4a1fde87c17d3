//! DeleteRecords: key 21, versions 0-2. Offset -1 stands for the high watermark.

use crate::types::{ErrorCode, Offset, PartitionIndex};
use crate::wire::Str;
use crate::wire::message::messages;

messages! {
    /// Offsets below which to delete.
    pub struct DeleteRecordsRequest {
        pub topics: Vec<DeleteRecordsTopic> [0+],
        pub timeout_ms: i32 [0+],
    }

    /// One topic's partitions.
    pub struct DeleteRecordsTopic {
        pub name: Str [0+],
        pub partitions: Vec<DeleteRecordsPartition> [0+],
    }

    /// The first offset to keep in one partition.
    pub struct DeleteRecordsPartition {
        pub partition_index: PartitionIndex [0+],
        pub offset: Offset [0+],
    }

    /// Where the logs start now.
    pub struct DeleteRecordsResponse {
        pub throttle_time_ms: i32 [0+],
        pub topics: Vec<DeleteRecordsTopicResult> [0+],
    }

    /// One topic's partitions.
    pub struct DeleteRecordsTopicResult {
        pub name: Str [0+],
        pub partitions: Vec<DeleteRecordsPartitionResult> [0+],
    }

    /// Where one partition's log starts now.
    pub struct DeleteRecordsPartitionResult {
        pub partition_index: PartitionIndex [0+],
        pub low_watermark: Offset [0+],
        pub error_code: ErrorCode [0+],
    }
}
