//! ListTransactions: key 66, versions 0-2. By age from version 1 on, by pattern from 2.

use crate::types::{ErrorCode, ProducerId};
use crate::wire::Str;
use crate::wire::message::messages;

messages! {
    /// Asks for the transactional ids that the broker coordinates.
    pub struct ListTransactionsRequest {
        pub state_filters: Vec<Str> [0+],
        pub producer_id_filters: Vec<ProducerId> [0+],
        /// In milliseconds: only transactions that are open for longer; -1: all.
        pub duration_filter: i64 [1+] = -1,
        pub transactional_id_pattern: Option<Str> [2+, null 2+],
    }

    /// The ids.
    pub struct ListTransactionsResponse {
        pub throttle_time_ms: i32 [0+],
        pub error_code: ErrorCode [0+],
        pub unknown_state_filters: Vec<Str> [0+],
        pub transaction_states: Vec<TransactionState> [0+],
    }

    /// One transactional id and its state.
    pub struct TransactionState {
        pub transactional_id: Str [0+],
        pub producer_id: ProducerId [0+],
        pub transaction_state: Str [0+],
    }
}
