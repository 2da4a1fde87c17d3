//! A batch after a pass: as it was, rebuilt from the records that survive, empty, or gone. Pure.
//!
//! What is kept of a batch is what Apache Kafka keeps: its first and last offset, producer, sequence, epochs, codec, timestamp type and
//! flags; so consumers and producers see no difference. A batch with tombstones gets its delete horizon, in the place of the base timestamp.

use super::survivors::{BatchFate, IfEmpty, Round, delete_horizon};
use crate::types::Timestamp;
use crate::wire::records::{BatchBuilder, Compression, Record, RecordBatch, TimestampType};
use bytes::Bytes;

/// The records of a batch that survive.
#[derive(Default)]
pub struct Survivors {
    records: Vec<Record>,
    some_left: bool,
    tombstones: bool,
}

impl Survivors {
    /// Takes the batch's next record.
    pub fn add(&mut self, round: &Round, batch: &RecordBatch, fate: &BatchFate, record: Record) {
        if fate.discard || !round.survives(batch, &record) {
            self.some_left = true;
            return;
        }
        self.tombstones |= record.value.is_none();
        self.records.push(record);
    }

    pub fn count(&self) -> usize {
        self.records.len()
    }

    /// What the cleaned segment gets in the batch's place.
    pub fn conclude(self, round: &Round, batch: &RecordBatch, fate: &BatchFate) -> Rewrite {
        if self.records.is_empty() {
            return if fate.if_empty == IfEmpty::Keep { Rewrite::Done(empty(batch)) } else { Rewrite::Removed };
        }
        let horizon = delete_horizon(batch);
        let new_horizon = horizon.is_none() && (self.tombstones || fate.obsolete_marker);
        if !self.some_left && !new_horizon {
            return Rewrite::Done(batch.clone());
        }
        let fresh = Timestamp(round.now.0.saturating_add(round.delete_retention_ms));
        Rewrite::Rebuild(Rebuild { batch: batch.clone(), horizon: if new_horizon { Some(fresh) } else { horizon }, records: self.records })
    }
}

/// See [`Survivors::conclude`].
pub enum Rewrite {
    Removed,
    Done(RecordBatch),
    Rebuild(Rebuild),
}

/// A batch that is built anew, which may take long: `Send`, for the blocking pool.
pub struct Rebuild {
    batch: RecordBatch,
    horizon: Option<Timestamp>,
    records: Vec<Record>,
}

impl Rebuild {
    /// Bytes of keys and values, about.
    pub fn size(&self) -> usize {
        let len = |bytes: &Option<Bytes>| bytes.as_ref().map_or(0, Bytes::len);
        self.records.iter().map(|record| 16 + len(&record.key) + len(&record.value)).sum()
    }

    pub fn build(self) -> RecordBatch {
        let batch = &self.batch;
        let codec = batch.attributes.codec().expect("its records were read");
        let mut builder = like(batch, Compression::of(codec));
        if let Some(horizon) = self.horizon {
            builder = builder.delete_horizon(horizon);
        }
        let mut headers = Vec::new();
        for record in &self.records {
            headers.clear();
            headers.extend(record.headers.iter().map(|header| (&header.key[..], header.value.as_deref())));
            let delta = (record.offset.0 - batch.base_offset.0) as i32;
            builder.push_at(delta, record.timestamp, record.key.as_deref(), record.value.as_deref(), &headers);
        }
        builder.last_offset_delta(batch.last_offset_delta).finish()
    }
}

/// The batch without its records, as Kafka writes it.
fn empty(batch: &RecordBatch) -> RecordBatch {
    let mut builder = like(batch, Compression::NONE);
    if batch.attributes.timestamp_type() == TimestampType::CreateTime {
        builder = builder.max_timestamp(batch.max_timestamp);
    }
    builder.last_offset_delta(batch.last_offset_delta).finish()
}

fn like(batch: &RecordBatch, compression: Compression) -> BatchBuilder {
    let mut builder = BatchBuilder::new(compression).base_offset(batch.base_offset).leader_epoch(batch.leader_epoch).producer(
        batch.producer_id,
        batch.producer_epoch,
        batch.base_sequence,
    );
    if batch.attributes.is_transactional() {
        builder = builder.transactional();
    }
    if batch.attributes.is_control() {
        builder = builder.control();
    }
    if batch.attributes.timestamp_type() == TimestampType::LogAppendTime {
        builder = builder.log_append_time(batch.max_timestamp);
    }
    builder
}

#[cfg(test)]
mod tests {
    use super::super::key_hash::KeyHasher;
    use super::super::offset_map::OffsetMap;
    use super::super::transactions::PassedTransactions;
    use super::*;
    use crate::types::{LeaderEpoch, Offset, ProducerEpoch, ProducerId};
    use crate::wire::records::{Codec, RecordHeader};
    use proptest::prelude::*;
    use std::collections::BTreeMap;

    const NOW: Timestamp = Timestamp(10_000);

    fn round(last: &BTreeMap<Vec<u8>, i64>) -> Round {
        let mut map = OffsetMap::new(KeyHasher::new([1, 2]), 1 << 16, 0.9);
        last.iter().for_each(|(key, offset)| map.put(key, Offset(*offset)));
        map.reached(Offset(1_000_000));
        Round { map, now: NOW, delete_retention_ms: 500, upper_bound: Offset(-1), producers: BTreeMap::new() }
    }

    fn clean(round: &Round, batch: &RecordBatch) -> Option<RecordBatch> {
        let fate = round.judge(batch, &mut PassedTransactions::default());
        let mut survivors = Survivors::default();
        for record in batch.records().unwrap() {
            survivors.add(round, batch, &fate, record.unwrap());
        }
        match survivors.conclude(round, batch, &fate) {
            Rewrite::Removed => None,
            Rewrite::Done(batch) => Some(batch),
            Rewrite::Rebuild(rebuild) => Some(rebuild.build()),
        }
    }

    fn records(batch: &RecordBatch) -> Vec<Record> {
        batch.records().unwrap().map(|record| record.unwrap()).collect()
    }

    proptest! {
        /// The records that survive are as they were, in a batch that is as it was, whatever the codec.
        #[test]
        fn nothing_changes_but_which_records_there_are(
            entries in prop::collection::vec((0u8..6, prop::option::of(prop::collection::vec(any::<u8>(), 0..40)), 0i64..50, any::<bool>()), 1..30),
            codec in 0u8..5, base in 0i64..1000, log_append_time in any::<bool>(),
        ) {
            let mut builder = BatchBuilder::new(Compression::of(Codec::from_id(codec).unwrap())).base_offset(Offset(base))
                .leader_epoch(LeaderEpoch(4)).producer(ProducerId(9), ProducerEpoch(2), 70);
            if log_append_time {
                builder = builder.log_append_time(Timestamp(777));
            }
            for (key, value, timestamp, has_header) in &entries {
                let headers: &[(&[u8], Option<&[u8]>)] = if *has_header { &[(b"h", None), (b"", Some(b"x"))] } else { &[] };
                builder.push(Timestamp(5_000 + timestamp), Some(&[*key]), value.as_deref(), headers);
            }
            let batch = builder.finish();
            let last: BTreeMap<Vec<u8>, i64> = records(&batch).iter().map(|record| (record.key.clone().unwrap().to_vec(), record.offset.0)).collect();
            let expected: Vec<Record> = records(&batch).into_iter().filter(|record| last[&record.key.as_ref().unwrap()[..]] == record.offset.0).collect();
            let cleaned = clean(&round(&last), &batch).expect("the last record survives always");
            prop_assert_eq!(cleaned.check_crc(), Ok(()));
            prop_assert_eq!(records(&cleaned), expected.clone());
            let kept = |batch: &RecordBatch| (batch.base_offset, batch.last_offset_delta, batch.leader_epoch, batch.producer_id,
                batch.producer_epoch, batch.base_sequence, batch.attributes.with_delete_horizon(false));
            prop_assert_eq!(kept(&cleaned), kept(&batch));
            let tombstones = expected.iter().any(|record| record.value.is_none());
            prop_assert_eq!(delete_horizon(&cleaned), tombstones.then_some(Timestamp(10_500)));
            let max = if log_append_time { Timestamp(777) } else { expected.iter().map(|record| record.timestamp).max().unwrap() };
            prop_assert_eq!(cleaned.max_timestamp, max);
            prop_assert_eq!(clean(&round(&last), &cleaned).unwrap(), cleaned, "a second pass finds nothing to do");
        }
    }

    #[test]
    fn a_horizon_stays_when_it_was_set_though_its_tombstones_are_gone() {
        let mut builder = BatchBuilder::default().delete_horizon(Timestamp(9_000));
        builder.push(Timestamp(1), Some(b"gone"), None, &[]);
        builder.push(Timestamp(2), Some(b"stays"), Some(b"1"), &[]);
        let cleaned = clean(&round(&BTreeMap::from([(b"gone".to_vec(), 0), (b"stays".to_vec(), 1)])), &builder.finish()).unwrap();
        assert_eq!(delete_horizon(&cleaned), Some(Timestamp(9_000)));
        assert_eq!((cleaned.count, cleaned.base_offset, cleaned.last_offset()), (1, Offset(0), Offset(1)));
        assert_eq!(records(&cleaned)[0].timestamp, Timestamp(2));
    }

    #[test]
    fn the_last_batch_of_a_producer_stays_without_its_records() {
        let mut builder =
            BatchBuilder::new(Compression::of(Codec::Lz4)).base_offset(Offset(5)).producer(ProducerId(3), ProducerEpoch(1), 40);
        builder.push(Timestamp(8), Some(b"k"), Some(b"v"), &[]);
        builder.push(Timestamp(9), Some(b"k"), Some(b"w"), &[]);
        let batch = builder.finish();
        let mut round = round(&BTreeMap::from([(b"k".to_vec(), 99)]));
        assert_eq!(clean(&round, &batch), None);
        round.producers.insert(ProducerId(3), super::super::survivors::LastOfProducer::Data(Offset(6)));
        let kept = clean(&round, &batch).unwrap();
        assert_eq!(
            (kept.count, kept.size(), kept.base_offset, kept.last_offset(), kept.last_sequence()),
            (0, 61, Offset(5), Offset(6), 41)
        );
        assert_eq!((kept.max_timestamp, kept.base_timestamp), (Timestamp(9), Timestamp::NONE));
        assert_eq!(kept.check_crc(), Ok(()));
        assert_eq!(clean(&round, &kept), Some(kept.clone()), "and stays in the next pass");
    }

    #[test]
    fn headers_are_kept() {
        let mut builder = BatchBuilder::default();
        builder.push(Timestamp(1), Some(b"a"), Some(b"1"), &[]);
        builder.push(Timestamp(2), Some(b"b"), Some(b"2"), &[(b"h", Some(b"x")), (b"h", None)]);
        let cleaned = clean(&round(&BTreeMap::from([(b"a".to_vec(), 7), (b"b".to_vec(), 1)])), &builder.finish()).unwrap();
        let header = |value: Option<&'static [u8]>| RecordHeader { key: Bytes::from_static(b"h"), value: value.map(Bytes::from_static) };
        assert_eq!(records(&cleaned)[0].headers, [header(Some(b"x")), header(None)]);
    }
}
