//! The transaction coordinator's state machine: the transactional ids of one partition of `__transaction_state`.
//!
//! Handlers judge a request by the state and give an [`Outcome`]: the change to be logged, and the reply, which waits until the change is
//! durable. [`Transactions::replay`] is the only mutator of what is replicated. A decided transaction owes its partitions markers
//! ([`Transactions::owed`]); when all are written, [`Transactions::marked`] gives the change that completes it. What becomes due by itself comes
//! from [`Transactions::timed_out`] and [`Transactions::expired`]. KIP-98, KIP-360 and, for version 2 (an epoch for each transaction), KIP-890.
//!
//! Kafka changes its state when a record is replicated, and so has pending transitions in between; here a change counts as it is accepted, so
//! CONCURRENT_TRANSACTIONS is answered only while markers are owed. Start at [`state`]. Pure.

mod admin;
mod end;
mod expiry;
mod init;
mod machine;
mod markers;
mod metadata;
mod partitions;
mod request;
mod state;
#[cfg(test)]
mod tests;

pub use end::{EndAnswer, EndAsk};
pub use init::{InitAnswer, InitAsk};
pub use markers::Markers;
pub use metadata::{Change, TopicPartitions, TransactionMetadata};
pub use partitions::AddAsk;
pub use request::{TransactionAnswer, TransactionRequest, TransactionResponse};
pub use state::TransactionState;

use super::machine::Token;
use super::timers::Timers;
use crate::config::TransactionCoordinatorConfig;
use crate::types::{ErrorCode, Timestamp};
use crate::wire::Str;
use machine::Timer;
use markers::Owed;
use std::collections::{BTreeMap, BTreeSet};

/// From this version on a transaction's end is the end of its epoch.
pub const EPOCH_FOR_EACH: i16 = 2;

/// What the broker's configuration says.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct TransactionConfig {
    /// `transaction.max.timeout.ms`
    pub timeout_max_ms: i32,
    /// `transactional.id.expiration.ms`
    pub expiration_ms: i64,
    /// `transaction.abort.timed.out.transaction.cleanup.interval.ms`
    pub abort_interval_ms: u64,
    /// `transaction.remove.expired.transaction.cleanup.interval.ms`
    pub expiry_interval_ms: u64,
}

impl TransactionConfig {
    pub fn of(config: &TransactionCoordinatorConfig) -> TransactionConfig {
        TransactionConfig {
            timeout_max_ms: config.max_timeout_ms,
            expiration_ms: i64::from(config.id_expiration_ms),
            abort_interval_ms: config.abort_timed_out_interval_ms.max(1) as u64,
            expiry_interval_ms: config.remove_expired_interval_ms.max(1) as u64,
        }
    }
}

/// What a handler decided: nothing has happened yet.
#[derive(Clone, PartialEq, Debug)]
pub struct Outcome<R> {
    pub change: Option<Change>,
    pub reply: Result<R, ErrorCode>,
}

impl<R> Outcome<R> {
    fn refuse(error: ErrorCode) -> Outcome<R> {
        Outcome { change: None, reply: Err(error) }
    }

    fn reply(reply: R) -> Outcome<R> {
        Outcome { change: None, reply: Ok(reply) }
    }

    fn change(id: &Str, metadata: TransactionMetadata, reply: Result<R, ErrorCode>) -> Outcome<R> {
        Outcome { change: Some(Change { transactional_id: id.detached(), metadata: Some(metadata) }), reply }
    }
}

/// See the module.
#[derive(Debug)]
pub struct Transactions {
    config: TransactionConfig,
    ids: BTreeMap<Str, TransactionMetadata>,
    /// When open transactions have taken too long.
    deadlines: BTreeSet<(Timestamp, Str)>,
    /// Partitions that wait for the markers of decided transactions. Not replicated: who loads the log owes them all again.
    owed: BTreeMap<Str, Owed>,
    /// Of them, those that nobody was told to send.
    unsent: BTreeSet<Str>,
    /// The number of the next transaction that owes markers, so that late news of another with the same id is known as such.
    next_number: u64,
    /// Who waits for markers to send.
    sender: Option<Token>,
    timers: Timers<Timer>,
    bytes: u64,
}

impl Transactions {
    pub fn new(config: TransactionConfig) -> Transactions {
        Transactions {
            config,
            ids: BTreeMap::new(),
            deadlines: BTreeSet::new(),
            owed: BTreeMap::new(),
            unsent: BTreeSet::new(),
            next_number: 0,
            sender: None,
            timers: Timers::default(),
            bytes: 0,
        }
    }

    /// Applies a change that is accepted into the log, or is read from it.
    pub fn replay(&mut self, change: Change) {
        let Change { transactional_id: id, metadata } = change;
        if let Some(deadline) = self.ids.get(&id).and_then(TransactionMetadata::deadline) {
            self.deadlines.remove(&(deadline, id.clone()));
        }
        self.owed.remove(&id);
        self.unsent.remove(&id);
        if let Some(before) = self.ids.remove(&id) {
            self.bytes -= before.bytes(&id);
        }
        let Some(metadata) = metadata else { return };
        self.bytes += metadata.bytes(&id);
        if let Some(deadline) = metadata.deadline() {
            self.deadlines.insert((deadline, id.clone()));
        }
        if metadata.state.is_prepared() {
            self.owed.insert(id.clone(), Owed { number: self.next_number, partitions: metadata.partitions.clone() });
            self.next_number = self.next_number.wrapping_add(1);
            self.unsent.insert(id.clone());
        }
        self.ids.insert(id, metadata);
    }

    pub fn get(&self, id: &str) -> Option<&TransactionMetadata> {
        self.ids.get(id)
    }

    /// Transactional ids that are known.
    pub fn len(&self) -> usize {
        self.ids.len()
    }

    pub fn is_empty(&self) -> bool {
        self.ids.is_empty()
    }
}
