//! AddOffsetsToTxn: key 25, versions 0-4.

use crate::types::{ErrorCode, ProducerEpoch, ProducerId};
use crate::wire::Str;
use crate::wire::message::messages;

messages! {
    /// Adds a group's partition of `__consumer_offsets` to a transaction.
    pub struct AddOffsetsToTxnRequest {
        pub transactional_id: Str [0+],
        pub producer_id: ProducerId [0+],
        pub producer_epoch: ProducerEpoch [0+],
        pub group_id: Str [0+],
    }

    /// Whether it is in.
    pub struct AddOffsetsToTxnResponse {
        pub throttle_time_ms: i32 [0+],
        pub error_code: ErrorCode [0+],
    }
}
