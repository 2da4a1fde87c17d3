//! InitProducerId: key 22, versions 0-5. From version 3 on a producer may name the id and epoch that it has.

use crate::types::{ErrorCode, ProducerEpoch, ProducerId};
use crate::wire::Str;
use crate::wire::message::messages;

messages! {
    /// Asks for a producer id.
    pub struct InitProducerIdRequest {
        pub transactional_id: Option<Str> [0+, null 0+],
        pub transaction_timeout_ms: i32 [0+],
        pub producer_id: ProducerId [3+] = ProducerId::NONE,
        pub producer_epoch: ProducerEpoch [3+] = ProducerEpoch(-1),
    }

    /// The producer's id and epoch.
    pub struct InitProducerIdResponse {
        pub throttle_time_ms: i32 [0+, ignorable],
        pub error_code: ErrorCode [0+],
        pub producer_id: ProducerId [0+] = ProducerId::NONE,
        pub producer_epoch: ProducerEpoch [0+],
    }
}
