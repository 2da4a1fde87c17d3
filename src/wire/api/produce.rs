//! Produce: key 0, versions 3-13. Topics are named up to version 12 and given by id from 13 on.

use crate::types::{ErrorCode, LeaderEpoch, NodeId, Offset, PartitionIndex, Timestamp, TopicId};
use crate::wire::Str;
use crate::wire::message::messages;
use bytes::Bytes;

messages! {
    /// Batches to append, by topic and partition.
    pub struct ProduceRequest {
        pub transactional_id: Option<Str> [3+, null 3+],
        /// 0 none, 1 the leader, -1 all in-sync replicas.
        pub acks: i16 [0+],
        pub timeout_ms: i32 [0+],
        pub topic_data: Vec<TopicProduceData> [0+],
    }

    /// One topic's batches.
    pub struct TopicProduceData {
        pub name: Str [0-12, ignorable],
        pub topic_id: TopicId [13+, ignorable],
        pub partition_data: Vec<PartitionProduceData> [0+],
    }

    /// The batches for one partition; exactly one from version 3 on.
    pub struct PartitionProduceData {
        pub index: PartitionIndex [0+],
        pub records: Option<Bytes> [0+, null 0+],
    }

    /// Where the batches ended up. Not sent at all for `acks` 0.
    pub struct ProduceResponse {
        pub responses: Vec<TopicProduceResponse> [0+],
        pub throttle_time_ms: i32 [1+, ignorable],
        pub node_endpoints: Vec<NodeEndpoint> [10+, tag 0],
    }

    /// One topic's results.
    pub struct TopicProduceResponse {
        pub name: Str [0-12, ignorable],
        pub topic_id: TopicId [13+, ignorable],
        pub partition_responses: Vec<PartitionProduceResponse> [0+],
    }

    /// What became of one partition's batches.
    pub struct PartitionProduceResponse {
        pub index: PartitionIndex [0+],
        pub error_code: ErrorCode [0+],
        pub base_offset: Offset [0+],
        /// Set for LogAppendTime topics only.
        pub log_append_time_ms: Timestamp [2+, ignorable] = Timestamp::NONE,
        pub log_start_offset: Offset [5+, ignorable] = Offset::NONE,
        pub record_errors: Vec<BatchIndexAndErrorMessage> [8+, ignorable],
        pub error_message: Option<Str> [8+, null 8+, ignorable],
        pub current_leader: LeaderIdAndEpoch [10+, tag 0],
    }

    /// A record that made its whole batch fail (KIP-467).
    pub struct BatchIndexAndErrorMessage {
        pub batch_index: i32 [8+],
        pub batch_index_error_message: Option<Str> [8+, null 8+],
    }

    /// Who leads instead of us (KIP-951).
    pub struct LeaderIdAndEpoch {
        pub leader_id: NodeId [10+] = NodeId(-1),
        pub leader_epoch: LeaderEpoch [10+] = LeaderEpoch::NONE,
    }

    /// Where a leader named in the response is reached (KIP-951).
    pub struct NodeEndpoint {
        pub node_id: NodeId [10+],
        pub host: Str [10+],
        pub port: i32 [10+],
        pub rack: Option<Str> [10+, null 10+],
    }
}
