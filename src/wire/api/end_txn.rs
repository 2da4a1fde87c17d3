//! EndTxn: key 26, versions 0-5. From version 5 on the epoch goes up with every transaction (KIP-890), and the answer has the next one.

use crate::types::{ErrorCode, ProducerEpoch, ProducerId};
use crate::wire::Str;
use crate::wire::message::messages;

messages! {
    /// Commits or aborts a transaction.
    pub struct EndTxnRequest {
        pub transactional_id: Str [0+],
        pub producer_id: ProducerId [0+],
        pub producer_epoch: ProducerEpoch [0+],
        pub committed: bool [0+],
    }

    /// Whether it is decided, and who the producer is from now on.
    pub struct EndTxnResponse {
        pub throttle_time_ms: i32 [0+],
        pub error_code: ErrorCode [0+],
        pub producer_id: ProducerId [5+, ignorable] = ProducerId::NONE,
        pub producer_epoch: ProducerEpoch [5+, ignorable] = ProducerEpoch(-1),
    }
}
