//! Metadata: key 3, versions 0-13. In version 0 no topics means all of them; from 1 on null means all and no topics means none.

use crate::types::{ErrorCode, LeaderEpoch, NodeId, PartitionIndex, TopicId};
use crate::wire::Str;
use crate::wire::message::messages;

messages! {
    /// Asks for the brokers, the controller and topics.
    pub struct MetadataRequest {
        pub topics: Option<Vec<MetadataRequestTopic>> [0+, null 1+],
        pub allow_auto_topic_creation: bool [4+] = true,
        pub include_cluster_authorized_operations: bool [8-10],
        pub include_topic_authorized_operations: bool [8+],
    }

    /// A topic by name or, from version 12 on, by id.
    pub struct MetadataRequestTopic {
        pub topic_id: TopicId [10+, ignorable],
        pub name: Option<Str> [0+, null 10+],
    }

    /// Brokers, controller and topics.
    pub struct MetadataResponse {
        pub throttle_time_ms: i32 [3+, ignorable],
        pub brokers: Vec<MetadataResponseBroker> [0+],
        pub cluster_id: Option<Str> [2+, null 2+, ignorable],
        pub controller_id: NodeId [1+, ignorable] = NodeId(-1),
        pub topics: Vec<MetadataResponseTopic> [0+],
        /// Bits by operation; `i32::MIN`: not asked for.
        pub cluster_authorized_operations: i32 [8-10] = i32::MIN,
        pub error_code: ErrorCode [13+, ignorable],
    }

    /// A broker and where it is reached.
    pub struct MetadataResponseBroker {
        pub node_id: NodeId [0+],
        pub host: Str [0+],
        pub port: i32 [0+],
        pub rack: Option<Str> [1+, null 1+, ignorable],
    }

    /// A topic, or why there is none.
    pub struct MetadataResponseTopic {
        pub error_code: ErrorCode [0+],
        pub name: Option<Str> [0+, null 12+],
        pub topic_id: TopicId [10+, ignorable],
        pub is_internal: bool [1+, ignorable],
        pub partitions: Vec<MetadataResponsePartition> [0+],
        /// Bits by operation; `i32::MIN`: not asked for.
        pub topic_authorized_operations: i32 [8+] = i32::MIN,
    }

    /// A partition's leader and replicas.
    pub struct MetadataResponsePartition {
        pub error_code: ErrorCode [0+],
        pub partition_index: PartitionIndex [0+],
        pub leader_id: NodeId [0+],
        pub leader_epoch: LeaderEpoch [7+, ignorable] = LeaderEpoch::NONE,
        pub replica_nodes: Vec<NodeId> [0+],
        pub isr_nodes: Vec<NodeId> [0+],
        pub offline_replicas: Vec<NodeId> [5+, ignorable],
    }
}
