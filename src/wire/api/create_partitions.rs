//! CreatePartitions: key 37, versions 0-3. Counts are totals, not increments.

use crate::types::{ErrorCode, NodeId};
use crate::wire::Str;
use crate::wire::message::messages;

messages! {
    /// Topics to give more partitions.
    pub struct CreatePartitionsRequest {
        pub topics: Vec<CreatePartitionsTopic> [0+],
        pub timeout_ms: i32 [0+],
        pub validate_only: bool [0+],
    }

    /// One topic and how many partitions it shall have; null assignments let the broker choose.
    pub struct CreatePartitionsTopic {
        pub name: Str [0+],
        pub count: i32 [0+],
        pub assignments: Option<Vec<CreatePartitionsAssignment>> [0+, null 0+],
    }

    /// Where one new partition shall live.
    pub struct CreatePartitionsAssignment {
        pub broker_ids: Vec<NodeId> [0+],
    }

    /// What became of each topic.
    pub struct CreatePartitionsResponse {
        pub throttle_time_ms: i32 [0+],
        pub results: Vec<CreatePartitionsTopicResult> [0+],
    }

    /// What became of one topic.
    pub struct CreatePartitionsTopicResult {
        pub name: Str [0+],
        pub error_code: ErrorCode [0+],
        pub error_message: Option<Str> [0+, null 0+],
    }
}
