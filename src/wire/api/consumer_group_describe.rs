//! ConsumerGroupDescribe (KIP-848): key 69, versions 0-1. Types of members from version 1 on.

use crate::types::{ErrorCode, PartitionIndex, TopicId};
use crate::wire::Str;
use crate::wire::message::messages;

messages! {
    /// Asks what consumer groups are.
    pub struct ConsumerGroupDescribeRequest {
        pub group_ids: Vec<Str> [0+],
        pub include_authorized_operations: bool [0+],
    }

    /// The groups.
    pub struct ConsumerGroupDescribeResponse {
        pub throttle_time_ms: i32 [0+],
        pub groups: Vec<DescribedGroup> [0+],
    }

    /// One group.
    pub struct DescribedGroup {
        pub error_code: ErrorCode [0+],
        pub error_message: Option<Str> [0+, null 0+],
        pub group_id: Str [0+],
        pub group_state: Str [0+],
        pub group_epoch: i32 [0+],
        pub assignment_epoch: i32 [0+],
        pub assignor_name: Str [0+],
        pub members: Vec<Member> [0+],
        /// Bits by operation; `i32::MIN`: not asked for.
        pub authorized_operations: i32 [0+] = i32::MIN,
    }

    /// One of its members.
    pub struct Member {
        pub member_id: Str [0+],
        pub instance_id: Option<Str> [0+, null 0+],
        pub rack_id: Option<Str> [0+, null 0+],
        pub member_epoch: i32 [0+],
        pub client_id: Str [0+],
        pub client_host: Str [0+],
        pub subscribed_topic_names: Vec<Str> [0+],
        pub subscribed_topic_regex: Option<Str> [0+, null 0+],
        pub assignment: Assignment [0+],
        pub target_assignment: Assignment [0+],
        /// -1 unknown, 0 classic, 1 consumer.
        pub member_type: i8 [1+, ignorable] = -1,
    }

    /// One topic's partitions.
    pub struct TopicPartitions {
        pub topic_id: TopicId [0+],
        pub topic_name: Str [0+],
        pub partitions: Vec<PartitionIndex> [0+],
    }

    /// What a member owns, or is to own.
    pub struct Assignment {
        pub topic_partitions: Vec<TopicPartitions> [0+],
    }
}
