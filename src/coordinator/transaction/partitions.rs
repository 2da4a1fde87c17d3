//! AddPartitionsToTxn, and AddOffsetsToTxn with the group's partition of `__consumer_offsets`: what the transaction's markers go to.
//! A partition's leader asks the same before it takes a transaction's first records (KIP-890), or asks whether it is in already.

use super::metadata::{TopicPartitions, TransactionMetadata};
use super::state::TransactionState;
use super::{Outcome, Transactions};
use crate::config::limits;
use crate::types::{ErrorCode, PartitionIndex, ProducerEpoch, ProducerId, Timestamp};
use crate::wire::Str;

/// What is asked.
#[derive(Clone, PartialEq, Debug)]
pub struct AddAsk {
    pub transactional_id: Str,
    pub producer_id: ProducerId,
    pub producer_epoch: ProducerEpoch,
    pub partitions: TopicPartitions,
    /// The version of transactions that the producer speaks.
    pub client_version: i16,
}

impl Transactions {
    /// All or none of them.
    pub fn add_partitions(&self, now: Timestamp, ask: &AddAsk) -> Outcome<()> {
        let known = match self.of_producer(ask) {
            Ok(known) => known,
            Err(error) => return Outcome::refuse(error),
        };
        let is_in = |(topic, ids): (&Str, &_)| known.partitions.get(topic).is_some_and(|known| known.is_superset(ids));
        if known.state == TransactionState::Ongoing && ask.partitions.iter().all(is_in) {
            return Outcome::reply(());
        }
        let mut next = known.next(TransactionState::Ongoing, now);
        if known.state.is_idle() {
            next.started_at = now;
        }
        next.client_version = ask.client_version;
        for (topic, ids) in &ask.partitions {
            next.partitions.entry(topic.detached()).or_default().extend(ids);
        }
        if next.partitions.values().map(|ids| ids.len()).sum::<usize>() > limits::PARTITIONS_PER_TRANSACTION_MAX {
            return Outcome::refuse(ErrorCode::PolicyViolation);
        }
        Outcome::change(&ask.transactional_id, next, Ok(()))
    }

    /// Of each partition, whether it is in the open transaction: no error, or TRANSACTION_ABORTABLE.
    pub fn verify_partitions(&self, ask: &AddAsk) -> Result<Vec<(Str, PartitionIndex, ErrorCode)>, ErrorCode> {
        let known = self.of_producer(ask)?;
        let is_in = |topic: &Str, id| {
            known.state == TransactionState::Ongoing && known.partitions.get(topic).is_some_and(|known| known.contains(id))
        };
        let verdict = |topic, id| if is_in(topic, id) { ErrorCode::None } else { ErrorCode::TransactionAbortable };
        let all = ask.partitions.iter().flat_map(|(topic, ids)| ids.iter().map(move |id| (topic, id)));
        Ok(all.map(|(topic, id)| (topic.clone(), *id, verdict(topic, id))).collect())
    }

    /// The transactional id, if it is this producer's and not being ended.
    fn of_producer(&self, ask: &AddAsk) -> Result<&TransactionMetadata, ErrorCode> {
        if ask.transactional_id.is_empty() {
            return Err(ErrorCode::InvalidRequest);
        }
        let known = self.ids.get(&ask.transactional_id).filter(|known| known.producer_id == ask.producer_id);
        let known = known.ok_or(ErrorCode::InvalidProducerIdMapping)?;
        if known.epoch != ask.producer_epoch {
            return Err(ErrorCode::ProducerFenced);
        }
        if known.state.is_prepared() {
            return Err(ErrorCode::ConcurrentTransactions);
        }
        Ok(known)
    }
}
