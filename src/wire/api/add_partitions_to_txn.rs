//! AddPartitionsToTxn: key 24, versions 0-5. One transaction, from a producer, up to version 3; several, from brokers too, from 4 on.
//! From version 5 on TRANSACTION_ABORTABLE is among the errors (KIP-890).

use crate::types::{ErrorCode, PartitionIndex, ProducerEpoch, ProducerId};
use crate::wire::Str;
use crate::wire::message::messages;

messages! {
    /// Adds partitions to transactions, or asks whether they are in.
    pub struct AddPartitionsToTxnRequest {
        pub transactions: Vec<AddPartitionsToTxnTransaction> [4+],
        pub v3_and_below_transactional_id: Str [0-3],
        pub v3_and_below_producer_id: ProducerId [0-3],
        pub v3_and_below_producer_epoch: ProducerEpoch [0-3],
        pub v3_and_below_topics: Vec<AddPartitionsToTxnTopic> [0-3],
    }

    /// One transaction.
    pub struct AddPartitionsToTxnTransaction {
        pub transactional_id: Str [4+],
        pub producer_id: ProducerId [4+],
        pub producer_epoch: ProducerEpoch [4+],
        /// Asks only.
        pub verify_only: bool [4+],
        pub topics: Vec<AddPartitionsToTxnTopic> [4+],
    }

    /// One topic's partitions.
    pub struct AddPartitionsToTxnTopic {
        pub name: Str [0+],
        pub partitions: Vec<PartitionIndex> [0+],
    }

    /// What became of each.
    pub struct AddPartitionsToTxnResponse {
        pub throttle_time_ms: i32 [0+],
        pub error_code: ErrorCode [4+, ignorable],
        pub results_by_transaction: Vec<AddPartitionsToTxnResult> [4+],
        pub results_by_topic_v3_and_below: Vec<AddPartitionsToTxnTopicResult> [0-3],
    }

    /// One transaction's partitions.
    pub struct AddPartitionsToTxnResult {
        pub transactional_id: Str [4+],
        pub topic_results: Vec<AddPartitionsToTxnTopicResult> [4+],
    }

    /// One topic's partitions.
    pub struct AddPartitionsToTxnTopicResult {
        pub name: Str [0+],
        pub results_by_partition: Vec<AddPartitionsToTxnPartitionResult> [0+],
    }

    /// What became of one partition.
    pub struct AddPartitionsToTxnPartitionResult {
        pub partition_index: PartitionIndex [0+],
        pub partition_error_code: ErrorCode [0+],
    }
}
