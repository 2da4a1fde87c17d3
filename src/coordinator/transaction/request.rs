//! What the transaction coordinator is asked and what it answers: plain values that cross cores.
//!
//! Errors of a whole request are the driver's `Err`; what a partition gets is in the response.

use super::{AddAsk, EndAnswer, EndAsk, InitAnswer, InitAsk, Markers, Transactions};
use crate::types::{ErrorCode, PartitionIndex, ProducerId};
use crate::wire::Str;
use crate::wire::api::{describe_transactions, list_transactions};

/// Of one partition's transactional ids.
#[derive(Clone, Debug)]
pub enum TransactionRequest {
    Init(InitAsk),
    Add(AddAsk),
    /// Whether the partitions are in.
    Verify(AddAsk),
    End(EndAsk),
    Describe(Str),
    /// In these states, of these producers (none: all), open for longer than this (negative: all).
    List {
        states: Vec<Str>,
        producers: Vec<ProducerId>,
        duration_ms: i64,
    },
    /// Answered when there are markers to send. One asks at a time: the last.
    NextMarkers,
    /// All of these are written.
    Marked(Markers),
}

/// The answer to the request of the same name.
#[derive(Clone, Debug, PartialEq)]
pub enum TransactionResponse {
    Init(InitAnswer),
    Added,
    Verified(Vec<(Str, PartitionIndex, ErrorCode)>),
    Ended(EndAnswer),
    Described(describe_transactions::TransactionState),
    Listed(Vec<list_transactions::TransactionState>),
    Markers(Vec<Markers>),
    /// Another has asked for the next markers.
    Superseded,
    Marked,
}

/// The coordinator's answer to a request.
pub type TransactionAnswer = crate::coordinator::machine::Answer<Transactions>;
