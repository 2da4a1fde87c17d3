//! Producer state of one partition: sequences of idempotent producers, and which transactions are open.
//!
//! A pure state machine on the partition's shard. [`ProducerStates::check`] judges a client's batch and changes nothing;
//! [`ProducerStates::record`] takes what was appended, or is replayed, and judges nothing. Rules of KIP-98 and KIP-360 as Kafka 4.3 has them:
//!
//! | state of the producer id | batch | verdict |
//! |---|---|---|
//! | unknown | any sequence | accept |
//! | epoch e | epoch e, sequences of one of the last five batches | duplicate |
//! | epoch e | epoch e, follows the last sequence (2^31-1 wraps to 0) | accept |
//! | epoch e | epoch e, else | OUT_OF_ORDER_SEQUENCE_NUMBER |
//! | epoch e | above e, sequence 0 / else | accept / OUT_OF_ORDER_SEQUENCE_NUMBER |
//! | epoch e | below e | INVALID_PRODUCER_EPOCH |
//! | open transaction | not transactional | INVALID_TXN_STATE |

mod entry;
mod transactions;

#[cfg(test)]
mod tests;

pub use entry::{BATCHES_REMEMBERED, BatchMetadata, ProducerEntry};
pub use transactions::CompletedTransaction;

use crate::config::limits::PRODUCERS_PER_PARTITION_MAX;
use crate::log::format::ProducerSnapshotEntry;
use crate::types::{ErrorCode, Offset, ProducerId, Timestamp};
use crate::wire::records::{BatchHeader, RecordBatch, TransactionMarker};
use std::collections::BTreeMap;
use transactions::Transactions;

/// What becomes of a client's batch.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Verdict {
    /// Append it.
    Accept,
    /// It was appended before: answer with these offsets and this timestamp, append nothing.
    Duplicate { first_offset: Offset, last_offset: Offset, timestamp: Timestamp },
    /// Refuse it with this code.
    Refuse(ErrorCode),
}

/// All producers of one partition.
#[derive(Clone, Debug, Default)]
pub struct ProducerStates {
    producers: BTreeMap<ProducerId, ProducerEntry>,
    /// The producers without an open transaction by the offset they last wrote: who goes when there are too many.
    idle: BTreeMap<Offset, ProducerId>,
    last_written: BTreeMap<ProducerId, Offset>,
    transactions: Transactions,
}

impl ProducerStates {
    /// From a snapshot's entries, without those that have expired by `now`.
    pub fn from_snapshot(entries: &[ProducerSnapshotEntry], now: Timestamp, expiration_ms: i64) -> ProducerStates {
        let mut producers: BTreeMap<ProducerId, ProducerEntry> = BTreeMap::new();
        for entry in entries {
            producers.entry(entry.producer_id).or_insert_with(|| ProducerEntry::new(entry.epoch)).add_snapshot(entry);
        }
        let mut states = ProducerStates::default();
        for (id, producer) in producers.into_iter().filter(|(_, producer)| !is_expired(producer, now, expiration_ms)) {
            if let Some(first_offset) = producer.transaction_first_offset {
                states.transactions.begin(id, first_offset);
            }
            let last_written = producer.batches().next_back().map_or(Offset::NONE, |batch| batch.last_offset);
            states.put(id, producer, last_written);
        }
        states
    }

    /// The entries of a snapshot, ascending by producer id, one for each remembered batch.
    pub fn to_snapshot(&self) -> impl Iterator<Item = ProducerSnapshotEntry> + '_ {
        self.producers.iter().flat_map(|(id, producer)| producer.to_snapshot(*id))
    }

    /// What to do with a client's batch. Its base offset is not looked at.
    pub fn check(&self, batch: &BatchHeader) -> Verdict {
        let Some(producer) = self.producers.get(&batch.producer_id) else {
            let epoch_is_one = !batch.has_producer_id() || batch.producer_epoch.0 >= -1;
            return if epoch_is_one { Verdict::Accept } else { Verdict::Refuse(ErrorCode::InvalidProducerEpoch) };
        };
        if let Some(known) = producer.find_duplicate(batch) {
            let (first_offset, last_offset) = (known.first_offset(), known.last_offset);
            return Verdict::Duplicate { first_offset, last_offset, timestamp: known.timestamp };
        }
        if batch.producer_epoch < producer.epoch {
            return Verdict::Refuse(ErrorCode::InvalidProducerEpoch);
        }
        if !follows(producer, batch) {
            return Verdict::Refuse(ErrorCode::OutOfOrderSequenceNumber);
        }
        if producer.transaction_first_offset.is_some() && !batch.attributes.is_transactional() {
            return Verdict::Refuse(ErrorCode::InvalidTxnState);
        }
        Verdict::Accept
    }

    /// Whether a transaction's end may be written: not by an old producer epoch, nor by an old coordinator.
    pub fn check_marker(&self, batch: &BatchHeader, coordinator_epoch: i32) -> Verdict {
        let Some(producer) = self.producers.get(&batch.producer_id) else { return Verdict::Accept };
        if batch.producer_epoch < producer.epoch {
            return Verdict::Refuse(ErrorCode::InvalidProducerEpoch);
        }
        if coordinator_epoch < producer.coordinator_epoch {
            return Verdict::Refuse(ErrorCode::TransactionCoordinatorFenced);
        }
        Verdict::Accept
    }

    /// Takes a batch that is in the log, with its offsets. A control batch may end a transaction, which is returned.
    pub fn record(&mut self, batch: &RecordBatch) -> Option<CompletedTransaction> {
        if !batch.has_producer_id() {
            return None;
        }
        if batch.attributes.is_control() { self.record_marker(batch) } else { self.record_batch(batch) }
    }

    fn record_batch(&mut self, batch: &BatchHeader) -> Option<CompletedTransaction> {
        let id = batch.producer_id;
        let mut producer = self.take(id, batch);
        producer.add(batch);
        if batch.attributes.is_transactional() && producer.transaction_first_offset.is_none() {
            producer.transaction_first_offset = Some(batch.base_offset);
            self.transactions.begin(id, batch.base_offset);
        }
        self.put(id, producer, batch.last_offset());
        None
    }

    fn record_marker(&mut self, batch: &RecordBatch) -> Option<CompletedTransaction> {
        // A control batch without records is what compaction left of a transaction that is gone.
        let (marker, coordinator_epoch, timestamp) = batch.end_transaction()?;
        let id = batch.producer_id;
        let mut producer = self.take(id, batch);
        producer.set_epoch(batch.producer_epoch);
        producer.coordinator_epoch = coordinator_epoch;
        producer.last_timestamp = timestamp;
        let first_offset = producer.transaction_first_offset.take();
        self.put(id, producer, batch.last_offset());
        let aborted = marker == TransactionMarker::Abort;
        Some(self.transactions.complete(id, first_offset?, batch.base_offset, aborted))
    }

    /// Forgets idle producers that last wrote `expiration_ms` or more before `now` (`producer.id.expiration.ms`).
    pub fn expire(&mut self, now: Timestamp, expiration_ms: i64) {
        let expired = |entry: &(&ProducerId, &ProducerEntry)| is_expired(entry.1, now, expiration_ms);
        let ids: Vec<ProducerId> = self.producers.iter().filter(expired).map(|(id, _)| *id).collect();
        for id in ids {
            self.forget(id);
        }
    }

    /// The high watermark has advanced: transactions whose end lies below are decided for readers too.
    pub fn on_high_watermark(&mut self, high_watermark: Offset) {
        self.transactions.on_high_watermark(high_watermark);
    }

    /// The first offset of a transaction that readers of committed records may not pass: open, or ended at or above the high watermark.
    pub fn first_unstable_offset(&self, high_watermark: Offset) -> Option<Offset> {
        self.transactions.first_unstable_offset(high_watermark)
    }

    pub fn get(&self, id: ProducerId) -> Option<&ProducerEntry> {
        self.producers.get(&id)
    }

    /// Ascending by id.
    pub fn iter(&self) -> impl Iterator<Item = (ProducerId, &ProducerEntry)> {
        self.producers.iter().map(|(id, producer)| (*id, producer))
    }

    /// Whether any of them ever began or ended a transaction.
    pub fn has_transactions(&self) -> bool {
        self.producers.values().any(|producer| producer.transaction_first_offset.is_some() || producer.coordinator_epoch >= 0)
    }

    pub fn len(&self) -> usize {
        self.producers.len()
    }

    pub fn is_empty(&self) -> bool {
        self.producers.is_empty()
    }

    fn take(&mut self, id: ProducerId, batch: &BatchHeader) -> ProducerEntry {
        self.forget(id).unwrap_or_else(|| ProducerEntry::new(batch.producer_epoch))
    }

    fn put(&mut self, id: ProducerId, producer: ProducerEntry, last_written: Offset) {
        if producer.transaction_first_offset.is_none() && last_written.0 >= 0 {
            // Every offset belongs to one batch, so to one producer; a snapshot that says otherwise only shortens this list.
            self.idle.insert(last_written, id);
            self.last_written.insert(id, last_written);
        }
        self.producers.insert(id, producer);
        while self.producers.len() > PRODUCERS_PER_PARTITION_MAX
            && let Some((_, oldest)) = self.idle.pop_first()
        {
            self.forget(oldest);
        }
    }

    fn forget(&mut self, id: ProducerId) -> Option<ProducerEntry> {
        if let Some(offset) = self.last_written.remove(&id)
            && self.idle.get(&offset) == Some(&id)
        {
            self.idle.remove(&offset);
        }
        self.producers.remove(&id)
    }
}

fn follows(producer: &ProducerEntry, batch: &BatchHeader) -> bool {
    if producer.epoch.0 < 0 {
        return true;
    }
    if batch.producer_epoch != producer.epoch {
        return batch.base_sequence == 0;
    }
    let last = producer.last_sequence();
    batch.base_sequence == if last == i32::MAX { 0 } else { last + 1 }
}

fn is_expired(producer: &ProducerEntry, now: Timestamp, expiration_ms: i64) -> bool {
    producer.transaction_first_offset.is_none() && now.0.saturating_sub(producer.last_timestamp.0) >= expiration_ms
}
