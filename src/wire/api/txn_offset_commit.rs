//! TxnOffsetCommit: key 28, versions 0-5. The group's member from version 3 on; from 5 on the coordinator adds the group's partition
//! to the transaction by itself (KIP-890).

use crate::types::{ErrorCode, LeaderEpoch, Offset, PartitionIndex, ProducerEpoch, ProducerId};
use crate::wire::Str;
use crate::wire::message::messages;

messages! {
    /// Sets a group's offsets if the transaction commits.
    pub struct TxnOffsetCommitRequest {
        pub transactional_id: Str [0+],
        pub group_id: Str [0+],
        pub producer_id: ProducerId [0+],
        pub producer_epoch: ProducerEpoch [0+],
        pub generation_id: i32 [3+] = -1,
        pub member_id: Str [3+],
        pub group_instance_id: Option<Str> [3+, null 3+],
        pub topics: Vec<TxnOffsetCommitRequestTopic> [0+],
    }

    /// One topic's offsets.
    pub struct TxnOffsetCommitRequestTopic {
        pub name: Str [0+],
        pub partitions: Vec<TxnOffsetCommitRequestPartition> [0+],
    }

    /// One partition's offset.
    pub struct TxnOffsetCommitRequestPartition {
        pub partition_index: PartitionIndex [0+],
        pub committed_offset: Offset [0+],
        pub committed_leader_epoch: LeaderEpoch [2+, ignorable] = LeaderEpoch::NONE,
        pub committed_metadata: Option<Str> [0+, null 0+] = Some(Str::default()),
    }

    /// What became of each partition.
    pub struct TxnOffsetCommitResponse {
        pub throttle_time_ms: i32 [0+],
        pub topics: Vec<TxnOffsetCommitResponseTopic> [0+],
    }

    /// One topic's partitions.
    pub struct TxnOffsetCommitResponseTopic {
        pub name: Str [0+],
        pub partitions: Vec<TxnOffsetCommitResponsePartition> [0+],
    }

    /// What became of one partition.
    pub struct TxnOffsetCommitResponsePartition {
        pub partition_index: PartitionIndex [0+],
        pub error_code: ErrorCode [0+],
    }
}
