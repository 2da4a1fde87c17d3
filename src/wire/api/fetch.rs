//! Fetch: key 1, versions 4-18.
//! Topics are named up to version 12 and given by id from 13 on; sessions (KIP-227) from 7, closest replica (KIP-392) from 11,
//! replica state (KIP-903) from 15.

use crate::types::{ErrorCode, LeaderEpoch, NodeId, Offset, PartitionIndex, ProducerId, TopicId};
use crate::wire::message::messages;
use crate::wire::{RecordsOut, Str};

messages! {
    /// From where to read, by topic and partition.
    pub struct FetchRequest {
        pub cluster_id: Option<Str> [12+, null 12+, tag 0, ignorable],
        /// -1: a consumer.
        pub replica_id: NodeId [0-14] = NodeId(-1),
        pub replica_state: ReplicaState [15+, tag 1],
        pub max_wait_ms: i32 [0+],
        pub min_bytes: i32 [0+],
        pub max_bytes: i32 [3+, ignorable] = i32::MAX,
        /// 0 read uncommitted, 1 read committed.
        pub isolation_level: i8 [4+, ignorable],
        pub session_id: i32 [7+, ignorable],
        pub session_epoch: i32 [7+, ignorable] = -1,
        pub topics: Vec<FetchTopic> [0+],
        pub forgotten_topics_data: Vec<ForgottenTopic> [7+],
        pub rack_id: Str [11+, ignorable],
    }

    /// The follower that fetches (KIP-903).
    pub struct ReplicaState {
        pub replica_id: NodeId [15+] = NodeId(-1),
        pub replica_epoch: i64 [15+] = -1,
    }

    /// One topic's partitions.
    pub struct FetchTopic {
        pub topic: Str [0-12, ignorable],
        pub topic_id: TopicId [13+, ignorable],
        pub partitions: Vec<FetchPartition> [0+],
    }

    /// From where to read one partition.
    pub struct FetchPartition {
        pub partition: PartitionIndex [0+],
        pub current_leader_epoch: LeaderEpoch [9+, ignorable] = LeaderEpoch::NONE,
        pub fetch_offset: Offset [0+],
        pub last_fetched_epoch: LeaderEpoch [12+] = LeaderEpoch::NONE,
        pub log_start_offset: Offset [5+, ignorable] = Offset::NONE,
        pub partition_max_bytes: i32 [0+],
        pub replica_directory_id: [u8; 16] [17+, tag 0, ignorable],
        pub high_watermark: Offset [18+, tag 1, ignorable] = Offset(i64::MAX),
    }

    /// Partitions that leave the session (KIP-227).
    pub struct ForgottenTopic {
        pub topic: Str [7-12, ignorable],
        pub topic_id: TopicId [13+, ignorable],
        pub partitions: Vec<PartitionIndex> [7+],
    }

    /// Records, by topic and partition.
    pub struct FetchResponse {
        pub throttle_time_ms: i32 [1+, ignorable],
        pub error_code: ErrorCode [7+, ignorable],
        pub session_id: i32 [7+],
        pub responses: Vec<FetchableTopicResponse> [0+],
        pub node_endpoints: Vec<NodeEndpoint> [16+, tag 0],
    }

    /// One topic's partitions.
    pub struct FetchableTopicResponse {
        pub topic: Str [0-12, ignorable],
        pub topic_id: TopicId [13+, ignorable],
        pub partitions: Vec<PartitionData> [0+],
    }

    /// One partition's offsets and records.
    pub struct PartitionData {
        pub partition_index: PartitionIndex [0+],
        pub error_code: ErrorCode [0+],
        pub high_watermark: Offset [0+],
        /// Below it every transaction is decided.
        pub last_stable_offset: Offset [4+, ignorable] = Offset::NONE,
        pub log_start_offset: Offset [5+, ignorable] = Offset::NONE,
        pub diverging_epoch: EpochEndOffset [12+, tag 0],
        pub current_leader: LeaderIdAndEpoch [12+, tag 1],
        pub snapshot_id: SnapshotId [12+, tag 2],
        pub aborted_transactions: Option<Vec<AbortedTransaction>> [4+, null 4+, ignorable],
        pub preferred_read_replica: NodeId [11+] = NodeId(-1),
        pub records: Option<RecordsOut> [0+, null 0+],
    }

    /// The largest epoch, and its end, that the fetcher's log and ours have in common (KIP-595).
    pub struct EpochEndOffset {
        pub epoch: LeaderEpoch [12+] = LeaderEpoch::NONE,
        pub end_offset: Offset [12+] = Offset::NONE,
    }

    /// Who leads instead of us.
    pub struct LeaderIdAndEpoch {
        pub leader_id: NodeId [12+] = NodeId(-1),
        pub leader_epoch: LeaderEpoch [12+] = LeaderEpoch::NONE,
    }

    /// The snapshot that a fetcher below the log's start reads instead; of the metadata log only.
    pub struct SnapshotId {
        pub end_offset: Offset [0+] = Offset::NONE,
        pub epoch: LeaderEpoch [0+] = LeaderEpoch::NONE,
    }

    /// A transaction whose records a read-committed reader drops from this offset on, up to its abort marker.
    pub struct AbortedTransaction {
        pub producer_id: ProducerId [4+],
        pub first_offset: Offset [4+],
    }

    /// Where a leader named in the response is reached (KIP-951).
    pub struct NodeEndpoint {
        pub node_id: NodeId [16+],
        pub host: Str [16+],
        pub port: i32 [16+],
        pub rack: Option<Str> [16+, null 16+],
    }
}
