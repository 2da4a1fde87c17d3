//! Records of `__transaction_state`. The key has one version, the value 0 and, with tagged fields, 1 (from `transaction.version` 1 on).

use crate::types::{PartitionIndex, ProducerEpoch, ProducerId, Timestamp};
use crate::wire::Str;
use crate::wire::message::messages;

messages! {
    /// Type 0.
    pub struct TransactionLogKey {
        pub transactional_id: Str [0-0],
    }

    /// A transactional id's state. Without a value it is gone.
    pub struct TransactionLogValue {
        pub producer_id: ProducerId [0+],
        pub producer_epoch: ProducerEpoch [0+],
        pub transaction_timeout_ms: i32 [0+],
        /// 0 empty, 1 ongoing, 2 prepare commit, 3 prepare abort, 4 complete commit, 5 complete abort, 6 dead, 7 prepare epoch fence.
        pub transaction_status: i8 [0+],
        /// Null: none.
        pub transaction_partitions: Option<Vec<PartitionsSchema>> [0+, null 0+] = Some(Vec::new()),
        pub transaction_last_update_timestamp_ms: Timestamp [0+],
        /// -1: none is open.
        pub transaction_start_timestamp_ms: Timestamp [0+],
        pub previous_producer_id: ProducerId [1+, tag 0] = ProducerId::NONE,
        pub next_producer_id: ProducerId [1+, tag 1] = ProducerId::NONE,
        /// What the producer spoke in this transaction.
        pub client_transaction_version: i16 [1+, tag 2],
        pub next_producer_epoch: ProducerEpoch [1+, tag 3] = ProducerEpoch(-1),
    }

    /// One topic's partitions.
    pub struct PartitionsSchema {
        pub topic: Str [0+],
        pub partition_ids: Vec<PartitionIndex> [0+],
    }
}
