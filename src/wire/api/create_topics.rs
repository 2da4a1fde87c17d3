//! CreateTopics: key 19, versions 2-7. Versions 2 to 4 have no partition count or factor of -1; 5 answers with configs, 7 with topic ids.

use crate::types::{ErrorCode, NodeId, PartitionIndex, TopicId};
use crate::wire::Str;
use crate::wire::message::messages;

messages! {
    /// Topics to create.
    pub struct CreateTopicsRequest {
        pub topics: Vec<CreatableTopic> [0+],
        pub timeout_ms: i32 [0+] = 60000,
        pub validate_only: bool [1+],
    }

    /// One topic to create; -1 partitions or replicas stand for the broker's default.
    pub struct CreatableTopic {
        pub name: Str [0+],
        pub num_partitions: i32 [0+],
        pub replication_factor: i16 [0+],
        pub assignments: Vec<CreatableReplicaAssignment> [0+],
        pub configs: Vec<CreatableTopicConfig> [0+],
    }

    /// Where one partition shall live.
    pub struct CreatableReplicaAssignment {
        pub partition_index: PartitionIndex [0+],
        pub broker_ids: Vec<NodeId> [0+],
    }

    /// A config of the new topic.
    pub struct CreatableTopicConfig {
        pub name: Str [0+],
        pub value: Option<Str> [0+, null 0+],
    }

    /// What became of each topic.
    pub struct CreateTopicsResponse {
        pub throttle_time_ms: i32 [2+, ignorable],
        pub topics: Vec<CreatableTopicResult> [0+],
    }

    /// What became of one topic.
    pub struct CreatableTopicResult {
        pub name: Str [0+],
        pub topic_id: TopicId [7+, ignorable],
        pub error_code: ErrorCode [0+],
        pub error_message: Option<Str> [1+, null 0+, ignorable],
        pub topic_config_error_code: ErrorCode [5+, tag 0, ignorable],
        pub num_partitions: i32 [5+, ignorable] = -1,
        pub replication_factor: i16 [5+, ignorable] = -1,
        pub configs: Option<Vec<CreatableTopicConfigs>> [5+, null 5+, ignorable],
    }

    /// A config that the new topic has.
    pub struct CreatableTopicConfigs {
        pub name: Str [5+],
        pub value: Option<Str> [5+, null 5+],
        pub read_only: bool [5+],
        pub config_source: i8 [5+, ignorable] = -1,
        pub is_sensitive: bool [5+],
    }
}
