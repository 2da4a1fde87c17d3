//! Stories of producers, and the state machine against a plain list of what each producer wrote.

use super::*;
use crate::log::format::{decode_producer_snapshot, encode_producer_snapshot};
use crate::types::ProducerEpoch;
use crate::wire::records::{BatchBuilder, end_transaction_marker};
use proptest::prelude::*;

const WEEK_MS: i64 = 7 * 24 * 3_600_000;

/// A log that appends what is accepted.
#[derive(Default)]
struct Log {
    states: ProducerStates,
    end: i64,
}

fn batch(id: i64, epoch: i16, base_sequence: i32, count: i32) -> BatchBuilder {
    let mut builder = BatchBuilder::default().producer(ProducerId(id), ProducerEpoch(epoch), base_sequence);
    for _ in 0..count {
        builder.push(Timestamp(1_000), None, None, &[]);
    }
    builder
}

impl Log {
    fn append(&mut self, batch: BatchBuilder) -> Verdict {
        let batch = batch.base_offset(Offset(self.end)).finish();
        let verdict = self.states.check(&batch);
        if verdict == Verdict::Accept {
            self.states.record(&batch);
            self.end = batch.next_offset().0;
        }
        verdict
    }

    fn end_transaction(&mut self, id: i64, epoch: i16, coordinator_epoch: i32, marker: TransactionMarker) -> Option<CompletedTransaction> {
        let batch = end_transaction_marker(marker, ProducerId(id), ProducerEpoch(epoch), coordinator_epoch, Timestamp(2_000));
        let batch = batch.stamped(Offset(self.end), crate::types::LeaderEpoch(0));
        self.end += 1;
        self.states.record(&batch)
    }

    /// As at a restart with a snapshot at the log's end.
    fn restart(&mut self, now: i64) {
        let file = encode_producer_snapshot(self.states.to_snapshot());
        self.states = ProducerStates::from_snapshot(&decode_producer_snapshot(&file).unwrap(), Timestamp(now), WEEK_MS);
    }
}

const OUT_OF_ORDER: Verdict = Verdict::Refuse(ErrorCode::OutOfOrderSequenceNumber);
const OLD_EPOCH: Verdict = Verdict::Refuse(ErrorCode::InvalidProducerEpoch);

fn duplicate(first: i64, last: i64) -> Verdict {
    Verdict::Duplicate { first_offset: Offset(first), last_offset: Offset(last), timestamp: Timestamp(1_000) }
}

#[test]
fn a_producer_retries_any_of_its_last_five_batches() {
    let mut log = Log::default();
    for number in 0..6 {
        assert_eq!(log.append(batch(7, 0, number * 3, 3)), Verdict::Accept);
    }
    for number in 1..6 {
        let first = i64::from(number * 3);
        assert_eq!(log.append(batch(7, 0, number * 3, 3)), duplicate(first, first + 2));
    }
    assert_eq!(log.append(batch(7, 0, 0, 3)), OUT_OF_ORDER, "the sixth last is forgotten");
    assert_eq!(log.append(batch(7, 0, 15, 2)), OUT_OF_ORDER, "a part of a batch is no duplicate");
    assert_eq!(log.append(batch(7, 0, 19, 1)), OUT_OF_ORDER, "a gap");
    assert_eq!(log.append(batch(7, 0, 18, 1)), Verdict::Accept);
    assert_eq!(log.end, 19);
}

#[test]
fn an_unknown_producer_may_begin_anywhere() {
    let mut log = Log::default();
    assert_eq!(log.append(batch(7, 3, 1_000, 5)), Verdict::Accept);
    assert_eq!(log.append(batch(7, 3, 1_005, 1)), Verdict::Accept);
    assert_eq!(log.append(batch(8, 0, 0, 1)), Verdict::Accept, "producers do not disturb each other");
    assert_eq!(log.append(batch(7, 3, 1_007, 1)), OUT_OF_ORDER);
}

#[test]
fn sequences_wrap() {
    let mut log = Log::default();
    assert_eq!(log.append(batch(7, 0, i32::MAX - 2, 2)), Verdict::Accept);
    assert_eq!(log.append(batch(7, 0, i32::MAX, 3)), Verdict::Accept, "the wrap lies within this batch");
    assert_eq!(log.append(batch(7, 0, i32::MAX, 3)), duplicate(2, 4));
    assert_eq!(log.append(batch(7, 0, 2, 1)), Verdict::Accept);

    let mut log = Log::default();
    assert_eq!(log.append(batch(7, 0, i32::MAX, 1)), Verdict::Accept);
    assert_eq!(log.append(batch(7, 0, 0, 1)), Verdict::Accept, "the wrap lies between two batches");
}

#[test]
fn a_new_epoch_begins_at_zero_and_fences_the_old() {
    let mut log = Log::default();
    assert_eq!(log.append(batch(7, 1, 0, 5)), Verdict::Accept);
    assert_eq!(log.append(batch(7, 2, 5, 1)), OUT_OF_ORDER);
    assert_eq!(log.append(batch(7, 2, 0, 1)), Verdict::Accept);
    assert_eq!(log.append(batch(7, 1, 5, 1)), OLD_EPOCH);
    assert_eq!(log.append(batch(7, 1, 0, 5)), OLD_EPOCH, "its batches are no duplicates any more");
    assert_eq!(log.append(batch(7, 2, 0, 1)), duplicate(5, 5));
}

#[test]
fn epochs_below_minus_one_are_none() {
    let mut log = Log::default();
    assert_eq!(log.append(batch(7, -2, 0, 1)), OLD_EPOCH);
    assert_eq!(log.append(batch(7, -1, 9, 1)), Verdict::Accept);
    assert_eq!(log.append(batch(7, -1, 50, 1)), Verdict::Accept, "without an epoch nothing is in order or out of it");
    assert_eq!(log.append(batch(7, 0, 0, 1)), Verdict::Accept);
}

#[test]
fn batches_without_a_producer_leave_no_state() {
    let mut log = Log::default();
    for _ in 0..3 {
        assert_eq!(log.append(batch(-1, -1, -1, 2)), Verdict::Accept);
    }
    assert!(log.states.is_empty());
}

#[test]
fn a_restart_keeps_the_last_five_batches() {
    let mut log = Log::default();
    for sequence in (0..18).step_by(3) {
        log.append(batch(7, 0, sequence, 3));
    }
    log.restart(2_000);
    assert_eq!(log.append(batch(7, 0, 0, 3)), OUT_OF_ORDER, "six batches ago");
    for sequence in (3..18).step_by(3) {
        assert_eq!(log.append(batch(7, 0, sequence, 3)), duplicate(i64::from(sequence), i64::from(sequence) + 2));
    }
    assert_eq!(log.append(batch(7, 0, 19, 3)), OUT_OF_ORDER);
    assert_eq!(log.append(batch(7, 0, 18, 3)), Verdict::Accept);
}

#[test]
fn silent_producers_expire_but_not_within_a_transaction() {
    let mut log = Log::default();
    log.append(batch(7, 0, 0, 1));
    log.append(batch(8, 0, 0, 1).transactional());
    log.states.expire(Timestamp(1_000 + WEEK_MS - 1), WEEK_MS);
    assert_eq!(log.states.len(), 2);
    log.states.expire(Timestamp(1_000 + WEEK_MS), WEEK_MS);
    assert_eq!(log.states.iter().map(|(id, _)| id.0).collect::<Vec<_>>(), [8]);
    log.restart(1_000 + 2 * WEEK_MS);
    assert_eq!(log.states.len(), 1);
    assert_eq!(log.append(batch(7, 0, 99, 1)), Verdict::Accept, "an expired one may begin anywhere");
}

#[test]
fn too_many_producers_push_out_the_one_that_wrote_longest_ago() {
    let mut log = Log::default();
    let first_in_transaction = batch(1, 0, 0, 1).transactional();
    log.append(first_in_transaction);
    for id in 2..PRODUCERS_PER_PARTITION_MAX as i64 + 1 {
        log.append(batch(id, 0, 0, 1));
    }
    log.append(batch(2, 0, 1, 1));
    assert_eq!(log.states.len(), PRODUCERS_PER_PARTITION_MAX);
    log.append(batch(i64::MAX, 0, 0, 1));
    assert_eq!(log.states.len(), PRODUCERS_PER_PARTITION_MAX);
    let known = |id: i64| log.states.get(ProducerId(id)).is_some();
    assert_eq!([1, 2, 3, 4].map(known), [true, true, false, true], "1 is in a transaction, 2 has written again");
}

#[test]
fn transactions_hold_back_the_stable_offset_until_decided_and_replicated() {
    let mut log = Log::default();
    assert_eq!(log.append(batch(7, 0, 0, 2).transactional()), Verdict::Accept);
    assert_eq!(log.append(batch(8, 0, 0, 1).transactional()), Verdict::Accept);
    assert_eq!(log.append(batch(7, 0, 2, 1).transactional()), Verdict::Accept);
    assert_eq!(log.append(batch(7, 0, 3, 1)), Verdict::Refuse(ErrorCode::InvalidTxnState));
    assert_eq!(log.states.first_unstable_offset(Offset(4)), Some(Offset(0)));

    let completed = log.end_transaction(7, 0, 5, TransactionMarker::Abort).unwrap();
    let expected = AbortedTransactionOf { first: 0, last: 4, stable: 2 };
    assert_eq!(completed.aborted_transaction().map(AbortedTransactionOf::from), Some(expected));
    assert_eq!(log.states.first_unstable_offset(Offset(4)), Some(Offset(0)), "its marker is not yet replicated");
    log.states.on_high_watermark(Offset(5));
    assert_eq!(log.states.first_unstable_offset(Offset(5)), Some(Offset(2)));

    let completed = log.end_transaction(8, 0, 5, TransactionMarker::Commit).unwrap();
    assert_eq!((completed.aborted_transaction(), completed.last_stable_offset), (None, Offset(6)));
    log.states.on_high_watermark(Offset(6));
    assert_eq!(log.states.first_unstable_offset(Offset(6)), None);
    assert_eq!(log.end_transaction(8, 0, 5, TransactionMarker::Abort), None, "nothing was open");
}

#[derive(Debug, PartialEq)]
struct AbortedTransactionOf {
    first: i64,
    last: i64,
    stable: i64,
}

impl From<crate::log::format::AbortedTransaction> for AbortedTransactionOf {
    fn from(entry: crate::log::format::AbortedTransaction) -> Self {
        AbortedTransactionOf { first: entry.first_offset.0, last: entry.last_offset.0, stable: entry.last_stable_offset.0 }
    }
}

#[test]
fn markers_of_old_epochs_are_refused() {
    let mut log = Log::default();
    log.append(batch(7, 2, 0, 1).transactional());
    log.end_transaction(7, 2, 5, TransactionMarker::Commit);
    let marker = |epoch| end_transaction_marker(TransactionMarker::Abort, ProducerId(7), ProducerEpoch(epoch), 5, Timestamp(0));
    assert_eq!(log.states.check_marker(&marker(1), 5), OLD_EPOCH);
    assert_eq!(log.states.check_marker(&marker(2), 4), Verdict::Refuse(ErrorCode::TransactionCoordinatorFenced));
    assert_eq!(log.states.check_marker(&marker(2), 5), Verdict::Accept);
}

#[test]
fn a_marker_with_a_new_epoch_makes_the_producer_begin_at_zero() {
    let mut log = Log::default();
    log.append(batch(7, 0, 0, 3).transactional());
    log.end_transaction(7, 1, 0, TransactionMarker::Abort);
    assert_eq!(log.append(batch(7, 0, 3, 1).transactional()), OLD_EPOCH);
    assert_eq!(log.append(batch(7, 1, 3, 1).transactional()), OUT_OF_ORDER);
    assert_eq!(log.append(batch(7, 1, 0, 1).transactional()), Verdict::Accept);
}

#[test]
fn an_open_transaction_survives_a_restart() {
    let mut log = Log::default();
    log.append(batch(7, 0, 0, 3).transactional());
    log.restart(2_000);
    assert_eq!(log.states.first_unstable_offset(Offset(3)), Some(Offset(0)));
    let completed = log.end_transaction(7, 0, 0, TransactionMarker::Abort).unwrap();
    assert_eq!((completed.first_offset, completed.last_offset), (Offset(0), Offset(3)));
}

proptest! {
    /// Whatever is sent, the log holds each producer's sequences of an epoch once and in order, and replay gives the same state.
    #[test]
    fn sequences_are_dense_and_replay_agrees(sends in prop::collection::vec((0i64..3, 0i16..3, 0i32..12, 1i32..4), 0..60)) {
        let mut log = Log::default();
        let mut appended: Vec<(i64, i16, i32, i32)> = Vec::new();
        let mut batches = Vec::new();
        for (id, epoch, sequence, count) in sends {
            let base = log.end;
            match log.append(batch(id, epoch, sequence, count)) {
                Verdict::Accept => {
                    let before = appended.iter().rev().find(|known| known.0 == id);
                    if let Some(&(_, last_epoch, last_sequence, last_count)) = before {
                        prop_assert!(epoch >= last_epoch);
                        prop_assert_eq!(sequence, if epoch > last_epoch { 0 } else { last_sequence + last_count });
                    }
                    appended.push((id, epoch, sequence, count));
                    batches.push(batch(id, epoch, sequence, count).base_offset(Offset(base)).finish());
                }
                Verdict::Duplicate { first_offset, last_offset, .. } => {
                    let known = batches.iter().find(|known| known.base_offset == first_offset).unwrap();
                    prop_assert_eq!((known.producer_id.0, known.producer_epoch.0, known.base_sequence), (id, epoch, sequence));
                    prop_assert_eq!(last_offset, known.last_offset());
                }
                Verdict::Refuse(_) => prop_assert_eq!(log.end, base),
            }
        }
        let mut replayed = ProducerStates::default();
        for batch in &batches {
            replayed.record(batch);
        }
        prop_assert!(replayed.iter().eq(log.states.iter()));
    }
}
