//! ConsumerGroupHeartbeat (KIP-848): key 68, versions 0-1. Regular expressions from version 1 on; from there the member makes its id.

use crate::types::{ErrorCode, PartitionIndex, TopicId};
use crate::wire::Str;
use crate::wire::message::messages;

messages! {
    /// Joins a consumer group, says what a member owns, leaves.
    pub struct ConsumerGroupHeartbeatRequest {
        pub group_id: Str [0+],
        pub member_id: Str [0+],
        /// 0 joins, -1 leaves, -2 a static member leaves for a while.
        pub member_epoch: i32 [0+],
        pub instance_id: Option<Str> [0+, null 0+],
        pub rack_id: Option<Str> [0+, null 0+],
        /// -1: as before.
        pub rebalance_timeout_ms: i32 [0+] = -1,
        /// Null: as before.
        pub subscribed_topic_names: Option<Vec<Str>> [0+, null 0+],
        /// Null: as before.
        pub subscribed_topic_regex: Option<Str> [1+, null 1+],
        /// Null: as before, or any.
        pub server_assignor: Option<Str> [0+, null 0+],
        /// What the member owns; null: as before.
        pub topic_partitions: Option<Vec<TopicPartitions>> [0+, null 0+],
    }

    /// One topic's partitions.
    pub struct TopicPartitions {
        pub topic_id: TopicId [0+],
        pub partitions: Vec<PartitionIndex> [0+],
    }

    /// The member's epoch and, if it changed, its assignment.
    pub struct ConsumerGroupHeartbeatResponse {
        pub throttle_time_ms: i32 [0+],
        pub error_code: ErrorCode [0+],
        pub error_message: Option<Str> [0+, null 0+],
        pub member_id: Option<Str> [0+, null 0+],
        pub member_epoch: i32 [0+],
        pub heartbeat_interval_ms: i32 [0+],
        /// Null: as before.
        pub assignment: Option<Assignment> [0+, null 0+],
    }

    /// What the member is to own.
    pub struct Assignment {
        pub topic_partitions: Vec<TopicPartitions> [0+],
    }
}
