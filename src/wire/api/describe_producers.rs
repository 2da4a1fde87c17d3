//! DescribeProducers: key 61, version 0.

use crate::types::{ErrorCode, Offset, PartitionIndex, ProducerId, Timestamp};
use crate::wire::Str;
use crate::wire::message::messages;

messages! {
    /// Asks which producers partitions know.
    pub struct DescribeProducersRequest {
        pub topics: Vec<TopicRequest> [0+],
    }

    /// One topic's partitions.
    pub struct TopicRequest {
        pub name: Str [0+],
        pub partition_indexes: Vec<PartitionIndex> [0+],
    }

    /// The producers.
    pub struct DescribeProducersResponse {
        pub throttle_time_ms: i32 [0+],
        pub topics: Vec<TopicResponse> [0+],
    }

    /// One topic's partitions.
    pub struct TopicResponse {
        pub name: Str [0+],
        pub partitions: Vec<PartitionResponse> [0+],
    }

    /// One partition's producers.
    pub struct PartitionResponse {
        pub partition_index: PartitionIndex [0+],
        pub error_code: ErrorCode [0+],
        pub error_message: Option<Str> [0+, null 0+],
        pub active_producers: Vec<ProducerState> [0+],
    }

    /// One producer.
    pub struct ProducerState {
        pub producer_id: ProducerId [0+],
        pub producer_epoch: i32 [0+],
        pub last_sequence: i32 [0+] = -1,
        pub last_timestamp: Timestamp [0+] = Timestamp::NONE,
        pub coordinator_epoch: i32 [0+],
        /// Of its open transaction, if it has one.
        pub current_txn_start_offset: Offset [0+] = Offset::NONE,
    }
}
