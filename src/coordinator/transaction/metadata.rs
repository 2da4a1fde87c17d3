//! What is known of one transactional id, and the record that says it.
//!
//! Pure.

use super::state::TransactionState;
use crate::types::{PartitionIndex, ProducerEpoch, ProducerId, Timestamp};
use crate::wire::Str;
use crate::wire::coordinator::{PartitionsSchema, TransactionLogKey, TransactionLogValue, TransactionRecord};
use std::collections::{BTreeMap, BTreeSet};

/// Partitions by topic.
pub type TopicPartitions = BTreeMap<Str, BTreeSet<PartitionIndex>>;

pub const NO_EPOCH: ProducerEpoch = ProducerEpoch(-1);

/// From here on an epoch is given to no producer: the largest is left to fence with.
pub const EPOCH_EXHAUSTED: ProducerEpoch = ProducerEpoch(i16::MAX - 1);

/// See the module.
#[derive(Clone, PartialEq, Debug)]
pub struct TransactionMetadata {
    pub producer_id: ProducerId,
    /// The producer id before the last change.
    pub previous_producer_id: ProducerId,
    /// Takes over when the markers are written, since the epochs are used up.
    pub next_producer_id: ProducerId,
    pub epoch: ProducerEpoch,
    /// The one before, if the producer itself asked for the next: by it a retry is known. Not in the log, as in Kafka.
    pub last_epoch: ProducerEpoch,
    pub timeout_ms: i32,
    pub state: TransactionState,
    /// Of the transaction that is open or being ended.
    pub partitions: TopicPartitions,
    pub started_at: Timestamp,
    pub updated_at: Timestamp,
    /// The version of transactions that the producer spoke in this one.
    pub client_version: i16,
}

impl TransactionMetadata {
    pub fn is_epoch_exhausted(&self) -> bool {
        self.epoch >= EPOCH_EXHAUSTED
    }

    /// Memory it takes, about.
    pub fn bytes(&self, id: &str) -> u64 {
        let topics: usize = self.partitions.iter().map(|(topic, ids)| 2 * topic.len() + 128 + 16 * ids.len()).sum();
        (512 + 2 * id.len() + topics) as u64
    }

    /// What comes after this.
    pub fn next(&self, state: TransactionState, now: Timestamp) -> TransactionMetadata {
        TransactionMetadata { state, previous_producer_id: self.producer_id, updated_at: now, ..self.clone() }
    }

    fn value(&self) -> TransactionLogValue {
        let topics = self.partitions.iter();
        let topics = topics.map(|(topic, ids)| PartitionsSchema { topic: topic.clone(), partition_ids: ids.iter().copied().collect() });
        TransactionLogValue {
            producer_id: self.producer_id,
            producer_epoch: self.epoch,
            transaction_timeout_ms: self.timeout_ms,
            transaction_status: self.state.code(),
            // Kafka writes no list, instead of an empty one, in this state alone.
            transaction_partitions: (self.state != TransactionState::Empty).then(|| topics.collect()),
            transaction_last_update_timestamp_ms: self.updated_at,
            transaction_start_timestamp_ms: self.started_at,
            previous_producer_id: self.previous_producer_id,
            next_producer_id: self.next_producer_id,
            client_transaction_version: self.client_version,
            ..Default::default()
        }
    }

    fn of_value(value: TransactionLogValue) -> Option<TransactionMetadata> {
        let topics = value.transaction_partitions.unwrap_or_default().into_iter();
        Some(TransactionMetadata {
            producer_id: value.producer_id,
            previous_producer_id: value.previous_producer_id,
            next_producer_id: value.next_producer_id,
            epoch: value.producer_epoch,
            last_epoch: NO_EPOCH,
            timeout_ms: value.transaction_timeout_ms,
            state: TransactionState::from_code(value.transaction_status)?,
            partitions: topics.map(|topic| (topic.topic.detached(), topic.partition_ids.into_iter().collect())).collect(),
            started_at: value.transaction_start_timestamp_ms,
            updated_at: value.transaction_last_update_timestamp_ms,
            client_version: value.client_transaction_version,
        })
    }
}

/// A transactional id's new state; `None`: it is forgotten.
#[derive(Clone, PartialEq, Debug)]
pub struct Change {
    pub transactional_id: Str,
    pub metadata: Option<TransactionMetadata>,
}

impl Change {
    pub fn to_record(&self) -> TransactionRecord {
        let key = TransactionLogKey { transactional_id: self.transactional_id.clone() };
        TransactionRecord::TransactionLog(key, self.metadata.as_ref().map(TransactionMetadata::value))
    }

    /// `None`: of another kind, or in a state that no record should have.
    pub fn of_record(record: TransactionRecord) -> Option<Change> {
        let TransactionRecord::TransactionLog(key, value) = record else { return None };
        let metadata = match value {
            Some(value) => match TransactionMetadata::of_value(value)? {
                dead if dead.state == TransactionState::Dead => None,
                metadata => Some(metadata),
            },
            None => None,
        };
        Some(Change { transactional_id: key.transactional_id.detached(), metadata })
    }
}
