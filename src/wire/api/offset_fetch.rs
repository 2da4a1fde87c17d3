//! OffsetFetch: key 9, versions 1-10. One group up to version 7, several from 8 on; all topics, by null, from 2; member epochs from 9.
//! Topics are named up to version 9 and given by id in 10.

use crate::types::{ErrorCode, LeaderEpoch, Offset, PartitionIndex, TopicId};
use crate::wire::Str;
use crate::wire::message::messages;

messages! {
    /// Asks for groups' committed offsets.
    pub struct OffsetFetchRequest {
        pub group_id: Str [0-7],
        /// Null: all topics.
        pub topics: Option<Vec<OffsetFetchRequestTopic>> [0-7, null 2-7] = Some(Vec::new()),
        pub groups: Vec<OffsetFetchRequestGroup> [8+],
        /// Offsets of open transactions are an error instead of the offsets before them.
        pub require_stable: bool [7+],
    }

    /// One topic's partitions.
    pub struct OffsetFetchRequestTopic {
        pub name: Str [0-7],
        pub partition_indexes: Vec<PartitionIndex> [0-7],
    }

    /// One group and, if a member asks, who it is.
    pub struct OffsetFetchRequestGroup {
        pub group_id: Str [8+],
        pub member_id: Option<Str> [9+, null 9+, ignorable],
        pub member_epoch: i32 [9+, ignorable] = -1,
        /// Null: all topics.
        pub topics: Option<Vec<OffsetFetchRequestTopics>> [8+, null 8+] = Some(Vec::new()),
    }

    /// One topic's partitions.
    pub struct OffsetFetchRequestTopics {
        pub name: Str [8-9, ignorable],
        pub topic_id: TopicId [10+, ignorable],
        pub partition_indexes: Vec<PartitionIndex> [8+],
    }

    /// The offsets.
    pub struct OffsetFetchResponse {
        pub throttle_time_ms: i32 [3+, ignorable],
        pub topics: Vec<OffsetFetchResponseTopic> [0-7],
        pub error_code: ErrorCode [2-7, ignorable],
        pub groups: Vec<OffsetFetchResponseGroup> [8+],
    }

    /// One topic's offsets.
    pub struct OffsetFetchResponseTopic {
        pub name: Str [0-7],
        pub partitions: Vec<OffsetFetchResponsePartition> [0-7],
    }

    /// One partition's offset; -1: none is committed.
    pub struct OffsetFetchResponsePartition {
        pub partition_index: PartitionIndex [0-7],
        pub committed_offset: Offset [0-7],
        pub committed_leader_epoch: LeaderEpoch [5-7, ignorable] = LeaderEpoch::NONE,
        pub metadata: Option<Str> [0-7, null 0-7] = Some(Str::default()),
        pub error_code: ErrorCode [0-7],
    }

    /// One group's offsets.
    pub struct OffsetFetchResponseGroup {
        pub group_id: Str [8+],
        pub topics: Vec<OffsetFetchResponseTopics> [8+],
        pub error_code: ErrorCode [8+],
    }

    /// One topic's offsets.
    pub struct OffsetFetchResponseTopics {
        pub name: Str [8-9, ignorable],
        pub topic_id: TopicId [10+, ignorable],
        pub partitions: Vec<OffsetFetchResponsePartitions> [8+],
    }

    /// One partition's offset; -1: none is committed.
    pub struct OffsetFetchResponsePartitions {
        pub partition_index: PartitionIndex [8+],
        pub committed_offset: Offset [8+],
        pub committed_leader_epoch: LeaderEpoch [8+, ignorable] = LeaderEpoch::NONE,
        pub metadata: Option<Str> [8+, null 8+] = Some(Str::default()),
        pub error_code: ErrorCode [8+],
    }
}
