//! DescribeTransactions: key 65, version 0.

use crate::types::{ErrorCode, PartitionIndex, ProducerEpoch, ProducerId};
use crate::wire::Str;
use crate::wire::message::messages;

messages! {
    /// Asks how transactions are.
    pub struct DescribeTransactionsRequest {
        pub transactional_ids: Vec<Str> [0+],
    }

    /// How they are.
    pub struct DescribeTransactionsResponse {
        pub throttle_time_ms: i32 [0+],
        pub transaction_states: Vec<TransactionState> [0+],
    }

    /// One transactional id's state.
    pub struct TransactionState {
        pub error_code: ErrorCode [0+],
        pub transactional_id: Str [0+],
        pub transaction_state: Str [0+],
        pub transaction_timeout_ms: i32 [0+],
        /// -1: none is open.
        pub transaction_start_time_ms: i64 [0+],
        pub producer_id: ProducerId [0+],
        pub producer_epoch: ProducerEpoch [0+],
        pub topics: Vec<TopicData> [0+],
    }

    /// One topic's partitions.
    pub struct TopicData {
        pub topic: Str [0+],
        pub partitions: Vec<PartitionIndex> [0+],
    }
}
