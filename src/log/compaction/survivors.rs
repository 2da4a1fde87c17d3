//! Which batches and records survive a pass: Apache Kafka's rules, so that both keep the same keys at the same offsets. Pure.
//!
//! | a record | survives |
//! |---|---|
//! | above what the offset map holds | yes |
//! | without a key | no |
//! | whose key comes again further on | no |
//! | of an aborted transaction | no |
//! | a tombstone, its batch's delete horizon passed | no |
//! | a marker whose transaction has nothing left, the horizon passed | no |
//! | else | yes |
//!
//! A batch without records goes, unless it says what nobody else does: the last sequence of a producer, or where the round ended.

use super::offset_map::OffsetMap;
use super::transactions::{Marker, PassedTransactions};
use crate::log::format::AbortedTransaction;
use crate::types::{Offset, ProducerEpoch, ProducerId, Timestamp};
use crate::wire::records::{BatchHeader, Record, RecordBatch};
use std::collections::BTreeMap;

/// What a producer's state rests on: the batch that holds it is kept.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum LastOfProducer {
    /// The last offset of its last batch.
    Data(Offset),
    /// No batch is known, only a marker of this epoch.
    Marker(ProducerEpoch),
}

/// What one round over a log goes by.
pub struct Round {
    pub map: OffsetMap,
    pub now: Timestamp,
    /// `delete.retention.ms`
    pub delete_retention_ms: i64,
    /// The end (exclusive) of what may be compacted: the last batch below stays, so that the log does not shrink.
    pub upper_bound: Offset,
    pub producers: BTreeMap<ProducerId, LastOfProducer>,
}

/// What becomes of a batch whose records do not survive.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum IfEmpty {
    Remove,
    Keep,
}

/// The judgement of a batch.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct BatchFate {
    pub if_empty: IfEmpty,
    /// None of its records survives.
    pub discard: bool,
    /// It is a marker that nobody needs: like a tombstone it gets a delete horizon.
    pub obsolete_marker: bool,
    /// For the transaction index of the cleaned segment.
    pub aborted: Option<AbortedTransaction>,
}

impl BatchFate {
    /// It goes without its records being looked at.
    pub fn is_removed(&self) -> bool {
        self.discard && self.if_empty == IfEmpty::Remove
    }
}

/// When the tombstones of a batch may go; `None`: no pass has seen it yet.
pub fn delete_horizon(batch: &BatchHeader) -> Option<Timestamp> {
    batch.attributes.has_delete_horizon().then_some(batch.base_timestamp)
}

impl Round {
    pub fn judge(&self, batch: &RecordBatch, transactions: &mut PassedTransactions) -> BatchFate {
        let mut aborted = None;
        let (discard, obsolete_marker) = if batch.attributes.is_control() {
            let marker = transactions.on_control(batch);
            if let Marker::NeededAborted(transaction) = marker {
                aborted = Some(transaction);
            }
            let obsolete = marker == Marker::Obsolete;
            (obsolete && delete_horizon(batch).is_some_and(|horizon| horizon <= self.now), obsolete)
        } else {
            (transactions.on_batch(batch), false)
        };
        let keep = self.is_last_of_producer(batch) || batch.next_offset() == self.upper_bound;
        BatchFate { if_empty: if keep { IfEmpty::Keep } else { IfEmpty::Remove }, discard, obsolete_marker, aborted }
    }

    fn is_last_of_producer(&self, batch: &BatchHeader) -> bool {
        if !batch.has_producer_id() {
            return false;
        }
        match self.producers.get(&batch.producer_id) {
            Some(LastOfProducer::Data(offset)) => batch.last_offset() == *offset,
            Some(LastOfProducer::Marker(epoch)) => batch.attributes.is_control() && batch.producer_epoch == *epoch,
            None => false,
        }
    }

    /// Whether a record of a batch that is not discarded survives.
    pub fn survives(&self, batch: &BatchHeader, record: &Record) -> bool {
        if batch.attributes.is_control() || self.map.end().is_some_and(|end| record.offset >= end) {
            return true;
        }
        let Some(key) = &record.key else { return false };
        let is_last = self.map.get(key).is_none_or(|last| record.offset >= last);
        is_last && (record.value.is_some() || delete_horizon(batch).is_none_or(|horizon| self.now < horizon))
    }
}

#[cfg(test)]
mod tests {
    use super::super::key_hash::KeyHasher;
    use super::*;
    use crate::wire::records::BatchBuilder;

    fn round(keys: &[(&str, i64)]) -> Round {
        let mut map = OffsetMap::new(KeyHasher::new([1, 2]), 1 << 10, 0.9);
        keys.iter().for_each(|(key, offset)| map.put(key.as_bytes(), Offset(*offset)));
        Round { map, now: Timestamp(1_000), delete_retention_ms: 100, upper_bound: Offset(50), producers: BTreeMap::new() }
    }

    fn batch(base: i64, horizon: Option<i64>, records: &[(Option<&str>, Option<&str>)]) -> RecordBatch {
        let mut builder = BatchBuilder::default().base_offset(Offset(base));
        if let Some(horizon) = horizon {
            builder = builder.delete_horizon(Timestamp(horizon));
        }
        for (key, value) in records {
            builder.push(Timestamp(5), key.map(str::as_bytes), value.map(str::as_bytes), &[]);
        }
        builder.finish()
    }

    fn surviving(round: &Round, batch: &RecordBatch) -> Vec<i64> {
        let records = batch.records().unwrap().map(|record| record.unwrap());
        records.filter(|record| round.survives(batch, record)).map(|record| record.offset.0).collect()
    }

    #[test]
    fn the_last_of_every_key_survives() {
        let round = round(&[("a", 4), ("b", 1), ("a", 9)]);
        let records = [(Some("a"), Some("1")), (Some("b"), Some("2")), (None, Some("3")), (Some("other"), Some("4"))];
        assert_eq!(surviving(&round, &batch(0, None, &records)), [1, 3]);
        assert_eq!(surviving(&round, &batch(9, None, &records)), [9, 10, 11, 12], "from 10 on nothing was mapped");
    }

    #[test]
    fn a_tombstone_goes_once_its_horizon_has_passed() {
        let round = round(&[("a", 0), ("z", 9)]);
        let tombstone = [(Some("a"), None), (Some("b"), Some("1"))];
        assert_eq!(surviving(&round, &batch(0, None, &tombstone)), [0, 1], "no pass has seen it");
        assert_eq!(surviving(&round, &batch(0, Some(1_001), &tombstone)), [0, 1]);
        assert_eq!(surviving(&round, &batch(0, Some(1_000), &tombstone)), [1]);
    }

    #[test]
    fn what_only_an_empty_batch_says_is_kept() {
        let mut round = round(&[("a", 9)]);
        round.producers.insert(ProducerId(7), LastOfProducer::Data(Offset(3)));
        round.producers.insert(ProducerId(8), LastOfProducer::Marker(ProducerEpoch(2)));
        let of_producer = |id, epoch, base| {
            let mut builder = BatchBuilder::default().base_offset(Offset(base)).producer(ProducerId(id), ProducerEpoch(epoch), 0);
            builder.push(Timestamp(1), Some(b"a"), None, &[]);
            builder.finish()
        };
        let judge = |batch: &RecordBatch| round.judge(batch, &mut PassedTransactions::default()).if_empty;
        assert_eq!(judge(&of_producer(7, 0, 2)), IfEmpty::Remove);
        assert_eq!(judge(&of_producer(7, 0, 3)), IfEmpty::Keep, "its last sequence is there");
        assert_eq!(judge(&of_producer(8, 2, 4)), IfEmpty::Remove, "no marker");
        assert_eq!(judge(&of_producer(9, 0, 49)), IfEmpty::Keep, "the round ends with it");
    }
}
