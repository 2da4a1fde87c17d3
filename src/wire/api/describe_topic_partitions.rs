//! DescribeTopicPartitions: key 75, versions 0.
//! Pages by a cursor: answers that do not fit the limit end with the first topic and partition left out.

use crate::types::{ErrorCode, LeaderEpoch, NodeId, PartitionIndex, TopicId};
use crate::wire::Str;
use crate::wire::message::messages;

messages! {
    /// Asks for topics with their eligible leader replicas.
    pub struct DescribeTopicPartitionsRequest {
        pub topics: Vec<TopicRequest> [0+],
        pub response_partition_limit: i32 [0+] = 2000,
        pub cursor: Option<Cursor> [0+, null 0+],
    }

    /// A topic by name.
    pub struct TopicRequest {
        pub name: Str [0+],
    }

    /// The first partition of a page.
    pub struct Cursor {
        pub topic_name: Str [0+],
        pub partition_index: PartitionIndex [0+],
    }

    /// Topics with their partitions, up to the limit.
    pub struct DescribeTopicPartitionsResponse {
        pub throttle_time_ms: i32 [0+, ignorable],
        pub topics: Vec<DescribeTopicPartitionsResponseTopic> [0+],
        pub next_cursor: Option<Cursor> [0+, null 0+],
    }

    /// A topic, or why there is none.
    pub struct DescribeTopicPartitionsResponseTopic {
        pub error_code: ErrorCode [0+],
        pub name: Option<Str> [0+, null 0+],
        pub topic_id: TopicId [0+, ignorable],
        pub is_internal: bool [0+, ignorable],
        pub partitions: Vec<DescribeTopicPartitionsResponsePartition> [0+],
        /// Bits by operation; `i32::MIN`: not asked for.
        pub topic_authorized_operations: i32 [0+] = i32::MIN,
    }

    /// A partition's leader and replicas.
    pub struct DescribeTopicPartitionsResponsePartition {
        pub error_code: ErrorCode [0+],
        pub partition_index: PartitionIndex [0+],
        pub leader_id: NodeId [0+],
        pub leader_epoch: LeaderEpoch [0+, ignorable] = LeaderEpoch::NONE,
        pub replica_nodes: Vec<NodeId> [0+],
        pub isr_nodes: Vec<NodeId> [0+],
        pub eligible_leader_replicas: Option<Vec<NodeId>> [0+, null 0+],
        pub last_known_elr: Option<Vec<NodeId>> [0+, null 0+],
        pub offline_replicas: Vec<NodeId> [0+, ignorable],
    }
}
