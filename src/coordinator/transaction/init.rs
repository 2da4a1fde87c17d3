//! InitProducerId with a transactional id: a producer begins, and fences whoever had its id before.
//!
//! | state | answer |
//! |---|---|
//! | unknown | a new producer id, epoch 0 |
//! | Empty, CompleteCommit, CompleteAbort | the next epoch; a new producer id if the epochs are used up |
//! | Ongoing | CONCURRENT_TRANSACTIONS; it is aborted, with an epoch of its own |
//! | PrepareCommit, PrepareAbort | CONCURRENT_TRANSACTIONS |
//!
//! A producer that says who it is (KIP-360) gets the next epoch only if it is the last one known, or asks again for what it was given.

use super::metadata::{EPOCH_EXHAUSTED, NO_EPOCH, TransactionMetadata};
use super::state::TransactionState;
use super::{Outcome, Transactions};
use crate::config::limits;
use crate::types::{ErrorCode, ProducerEpoch, ProducerId, Timestamp};
use crate::wire::Str;

/// What is asked.
#[derive(Clone, PartialEq, Debug)]
pub struct InitAsk {
    pub transactional_id: Str,
    pub timeout_ms: i32,
    /// Who the producer says it is.
    pub expected: Option<(ProducerId, ProducerEpoch)>,
    /// A producer id that nobody has, if [`InitAnswer::NeedsProducerId`] was answered before.
    pub fresh: Option<ProducerId>,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum InitAnswer {
    Producer {
        producer_id: ProducerId,
        epoch: ProducerEpoch,
    },
    /// To be asked again with a producer id that nobody has.
    NeedsProducerId,
}

impl Transactions {
    pub fn init(&self, now: Timestamp, ask: &InitAsk) -> Outcome<InitAnswer> {
        if ask.transactional_id.is_empty() {
            return Outcome::refuse(ErrorCode::InvalidRequest);
        }
        if ask.timeout_ms <= 0 || ask.timeout_ms > self.config.timeout_max_ms {
            return Outcome::refuse(ErrorCode::InvalidTransactionTimeout);
        }
        let Some(known) = self.ids.get(&ask.transactional_id) else { return self.init_unknown(now, ask) };
        if !ask.expected.is_none_or(|expected| is_of(known, expected)) {
            return Outcome::refuse(ErrorCode::ProducerFenced);
        }
        match known.state {
            TransactionState::Ongoing => {
                let aborted = known.fenced(now);
                Outcome::change(&ask.transactional_id, aborted, Err(ErrorCode::ConcurrentTransactions))
            }
            state if state.is_prepared() => Outcome::refuse(ErrorCode::ConcurrentTransactions),
            _ => init_known(now, ask, known),
        }
    }

    fn init_unknown(&self, now: Timestamp, ask: &InitAsk) -> Outcome<InitAnswer> {
        if self.ids.len() >= limits::TRANSACTIONAL_IDS_PER_PARTITION_MAX {
            return Outcome::refuse(ErrorCode::CoordinatorNotAvailable);
        }
        let Some(producer_id) = ask.fresh else { return Outcome::reply(InitAnswer::NeedsProducerId) };
        let metadata = TransactionMetadata {
            producer_id,
            previous_producer_id: producer_id,
            next_producer_id: ProducerId::NONE,
            epoch: ProducerEpoch(0),
            last_epoch: NO_EPOCH,
            timeout_ms: ask.timeout_ms,
            state: TransactionState::Empty,
            partitions: Default::default(),
            started_at: Timestamp::NONE,
            updated_at: now,
            client_version: 0,
        };
        begin(ask, metadata)
    }
}

/// Whether the one who asks is, or was before its epochs were used up, this producer.
fn is_of(known: &TransactionMetadata, (producer_id, epoch): (ProducerId, ProducerEpoch)) -> bool {
    producer_id == known.producer_id || (producer_id == known.previous_producer_id && epoch >= EPOCH_EXHAUSTED)
}

fn init_known(now: Timestamp, ask: &InitAsk, known: &TransactionMetadata) -> Outcome<InitAnswer> {
    let expected = ask.expected.map(|(_, epoch)| epoch);
    let mut next = known.next(TransactionState::Empty, now);
    next.next_producer_id = ProducerId::NONE;
    next.timeout_ms = ask.timeout_ms;
    next.started_at = Timestamp::NONE;
    next.partitions.clear();
    if known.is_epoch_exhausted() && expected.is_none_or(|epoch| epoch == known.epoch) {
        let Some(fresh) = ask.fresh else { return Outcome::reply(InitAnswer::NeedsProducerId) };
        (next.producer_id, next.epoch) = (fresh, ProducerEpoch(0));
        next.last_epoch = expected.map_or(NO_EPOCH, |_| known.epoch);
        return begin(ask, next);
    }
    match expected {
        None => (next.epoch, next.last_epoch) = (ProducerEpoch(known.epoch.0 + 1), NO_EPOCH),
        Some(epoch) if epoch == known.epoch => (next.epoch, next.last_epoch) = (ProducerEpoch(known.epoch.0 + 1), known.epoch),
        // It asks again: its first answer was lost.
        Some(epoch) if epoch == known.last_epoch && epoch != NO_EPOCH => {}
        Some(_) => return Outcome::refuse(ErrorCode::ProducerFenced),
    }
    begin(ask, next)
}

fn begin(ask: &InitAsk, metadata: TransactionMetadata) -> Outcome<InitAnswer> {
    let answer = InitAnswer::Producer { producer_id: metadata.producer_id, epoch: metadata.epoch };
    Outcome::change(&ask.transactional_id, metadata, Ok(answer))
}
