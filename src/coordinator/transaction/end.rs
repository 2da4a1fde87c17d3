//! EndTxn: commits or aborts.
//!
//! Version 1: the epoch stays, so a request that comes again finds what it asked for done. Version 2: the epoch goes up with each end, so one that
//! comes again has the epoch before, and one with the present epoch is of the next transaction, which may be aborted before it has a partition.
//!
//! | state | commit | abort |
//! |---|---|---|
//! | Ongoing | PrepareCommit | PrepareAbort |
//! | PrepareCommit | CONCURRENT_TRANSACTIONS | INVALID_TXN_STATE |
//! | PrepareAbort | INVALID_TXN_STATE | CONCURRENT_TRANSACTIONS |
//! | CompleteCommit | done, if it comes again; else INVALID_TXN_STATE | INVALID_TXN_STATE, if version 1 or it comes again; else PrepareAbort |
//! | CompleteAbort | INVALID_TXN_STATE | done, if it comes again; else PrepareAbort |
//! | Empty | INVALID_TXN_STATE | version 1: INVALID_TXN_STATE; version 2: PrepareAbort |

use super::metadata::{EPOCH_EXHAUSTED, NO_EPOCH, TransactionMetadata};
use super::state::TransactionState::{self, *};
use super::{EPOCH_FOR_EACH, Outcome, Transactions};
use crate::types::{ErrorCode, ProducerEpoch, ProducerId, Timestamp};
use crate::wire::Str;

/// What is asked.
#[derive(Clone, PartialEq, Debug)]
pub struct EndAsk {
    pub transactional_id: Str,
    pub producer_id: ProducerId,
    pub producer_epoch: ProducerEpoch,
    pub committed: bool,
    /// The version of transactions that the producer speaks.
    pub client_version: i16,
    /// A producer id that nobody has, if [`EndAnswer::NeedsProducerId`] was answered before.
    pub fresh: Option<ProducerId>,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum EndAnswer {
    /// Decided; who the producer is from now on.
    Decided { producer_id: ProducerId, epoch: ProducerEpoch },
    /// To be asked again with a producer id that nobody has.
    NeedsProducerId,
}

/// What is to be done of it.
enum Verdict {
    Prepare,
    /// It comes again, and it is done.
    Done,
    Refuse(ErrorCode),
}

use Verdict::*;

impl Transactions {
    pub fn end(&self, now: Timestamp, ask: &EndAsk) -> Outcome<EndAnswer> {
        if ask.transactional_id.is_empty() {
            return Outcome::refuse(ErrorCode::InvalidRequest);
        }
        let Some(known) = self.ids.get(&ask.transactional_id) else { return Outcome::refuse(ErrorCode::InvalidProducerIdMapping) };
        let verdict = if ask.client_version >= EPOCH_FOR_EACH { judge_with_epoch_for_each(known, ask) } else { judge(known, ask) };
        match verdict {
            Prepare => prepare(now, known, ask),
            Done => Outcome::reply(EndAnswer::Decided { producer_id: known.producer_id, epoch: known.epoch }),
            Refuse(error) => Outcome::refuse(error),
        }
    }
}

fn judge(known: &TransactionMetadata, ask: &EndAsk) -> Verdict {
    if known.producer_id != ask.producer_id {
        return Refuse(ErrorCode::InvalidProducerIdMapping);
    }
    if known.epoch != ask.producer_epoch {
        return Refuse(ErrorCode::ProducerFenced);
    }
    match (known.state, ask.committed) {
        (Ongoing, _) => Prepare,
        (CompleteCommit, true) | (CompleteAbort, false) => Done,
        (PrepareCommit, true) | (PrepareAbort, false) => Refuse(ErrorCode::ConcurrentTransactions),
        _ => Refuse(ErrorCode::InvalidTxnState),
    }
}

fn judge_with_epoch_for_each(known: &TransactionMetadata, ask: &EndAsk) -> Verdict {
    let is_renamed = known.previous_producer_id == ask.producer_id && ask.producer_epoch == EPOCH_EXHAUSTED && known.epoch.0 == 0;
    if known.producer_id != ask.producer_id && !is_renamed {
        return Refuse(ErrorCode::InvalidProducerIdMapping);
    }
    let is_present = ask.producer_epoch == known.epoch;
    let comes_again = ask.producer_epoch.0.checked_add(1) == Some(known.epoch.0);
    let is_valid = match known.state {
        Ongoing | Empty | Dead => is_present,
        PrepareCommit | PrepareAbort => comes_again,
        CompleteCommit | CompleteAbort => comes_again || is_renamed || is_present,
    };
    if !is_valid {
        return Refuse(ErrorCode::ProducerFenced);
    }
    match (known.state, ask.committed) {
        (Ongoing, _) => Prepare,
        (PrepareCommit, true) | (PrepareAbort, false) => Refuse(ErrorCode::ConcurrentTransactions),
        (CompleteCommit, true) | (CompleteAbort, false) if comes_again || is_renamed => Done,
        (CompleteCommit | CompleteAbort, false) if !comes_again && !is_renamed => Prepare,
        (Empty, false) => Prepare,
        _ => Refuse(ErrorCode::InvalidTxnState),
    }
}

fn prepare(now: Timestamp, known: &TransactionMetadata, ask: &EndAsk) -> Outcome<EndAnswer> {
    let mut next = known.next(if ask.committed { PrepareCommit } else { PrepareAbort }, now);
    next.client_version = ask.client_version;
    next.next_producer_id = ProducerId::NONE;
    if known.state.is_idle() {
        next.started_at = now;
    }
    if ask.client_version >= EPOCH_FOR_EACH {
        if known.is_epoch_exhausted() {
            let Some(fresh) = ask.fresh else { return Outcome::reply(EndAnswer::NeedsProducerId) };
            next.next_producer_id = fresh;
        }
        // The largest epoch, which no producer has, is the markers' then.
        (next.epoch, next.last_epoch) = (ProducerEpoch(known.epoch.0.saturating_add(1)), known.epoch);
    }
    let (producer_id, epoch) = next.identity_when_complete();
    Outcome::change(&ask.transactional_id, next, Ok(EndAnswer::Decided { producer_id, epoch }))
}

impl TransactionMetadata {
    /// The open transaction is aborted with an epoch that no producer has.
    pub(super) fn fenced(&self, now: Timestamp) -> TransactionMetadata {
        assert_eq!(self.state, TransactionState::Ongoing, "only an open transaction is fenced");
        let epoch = ProducerEpoch(self.epoch.0.saturating_add(1));
        TransactionMetadata { epoch, last_epoch: NO_EPOCH, next_producer_id: ProducerId::NONE, ..self.next(PrepareAbort, now) }
    }

    /// Who the producer is when the markers are written.
    pub(super) fn identity_when_complete(&self) -> (ProducerId, ProducerEpoch) {
        match self.next_producer_id {
            ProducerId::NONE => (self.producer_id, self.epoch),
            next => (next, ProducerEpoch(0)),
        }
    }
}
