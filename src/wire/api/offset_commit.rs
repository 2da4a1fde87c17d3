//! OffsetCommit: key 8, versions 2-10. Retention time up to version 4, static members from 7 on, member epochs (KIP-848) from 9.
//! Topics are named up to version 9 and given by id in 10.

use crate::types::{ErrorCode, LeaderEpoch, Offset, PartitionIndex, TopicId};
use crate::wire::Str;
use crate::wire::message::messages;

messages! {
    /// Sets a group's offsets.
    pub struct OffsetCommitRequest {
        pub group_id: Str [0+],
        /// -1 with no member id: a commit from outside the group.
        pub generation_id_or_member_epoch: i32 [1+, ignorable] = -1,
        pub member_id: Str [1+, ignorable],
        pub group_instance_id: Option<Str> [7+, null 7+],
        pub retention_time_ms: i64 [2-4, ignorable] = -1,
        pub topics: Vec<OffsetCommitRequestTopic> [0+],
    }

    /// One topic's offsets.
    pub struct OffsetCommitRequestTopic {
        pub name: Str [0-9, ignorable],
        pub topic_id: TopicId [10+, ignorable],
        pub partitions: Vec<OffsetCommitRequestPartition> [0+],
    }

    /// One partition's offset.
    pub struct OffsetCommitRequestPartition {
        pub partition_index: PartitionIndex [0+],
        pub committed_offset: Offset [0+],
        pub committed_leader_epoch: LeaderEpoch [6+, ignorable] = LeaderEpoch::NONE,
        pub committed_metadata: Option<Str> [0+, null 0+] = Some(Str::default()),
    }

    /// What became of each partition.
    pub struct OffsetCommitResponse {
        pub throttle_time_ms: i32 [3+, ignorable],
        pub topics: Vec<OffsetCommitResponseTopic> [0+],
    }

    /// One topic's partitions.
    pub struct OffsetCommitResponseTopic {
        pub name: Str [0-9, ignorable],
        pub topic_id: TopicId [10+, ignorable],
        pub partitions: Vec<OffsetCommitResponsePartition> [0+],
    }

    /// What became of one partition.
    pub struct OffsetCommitResponsePartition {
        pub partition_index: PartitionIndex [0+],
        pub error_code: ErrorCode [0+],
    }
}
