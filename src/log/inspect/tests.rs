//! Every truncation of a small partition's last batch and every flipped bit of its segment: found, or on the list of what cannot be.

use super::*;
use crate::log::format::{EpochEntry, SegmentIndexes, encode_leader_epoch_checkpoint, encode_producer_snapshot};
use crate::log::producer::ProducerStates;
use crate::types::{LeaderEpoch, ProducerEpoch, ProducerId, Timestamp};
use crate::wire::records::{BatchBuilder, RecordBatch};
use bytes::Bytes;

/// One segment of dense batches with everything beside it.
struct Fixture {
    log: Bytes,
    files: SegmentFiles,
    snapshot: Bytes,
    epochs: Bytes,
    /// Where each batch begins.
    positions: Vec<usize>,
}

const BATCHES: i64 = 6;

fn batch(number: i64) -> RecordBatch {
    let mut builder = BatchBuilder::default().producer(ProducerId(7), ProducerEpoch(0), 2 * number as i32);
    for n in 0..2 {
        builder.push(Timestamp(1000 * number + n), Some(b"key"), Some(b"a value"), &[]);
    }
    builder.finish().stamped(Offset(2 * number), LeaderEpoch(if number < 3 { 4 } else { 5 }))
}

fn fixture() -> Fixture {
    let mut log = Vec::new();
    let mut indexes = SegmentIndexes::new(Offset(0), 100);
    let mut producers = ProducerStates::default();
    let mut positions = Vec::new();
    for number in 0..BATCHES {
        let batch = batch(number);
        positions.push(log.len());
        indexes.add(batch.header(), log.len() as u32);
        producers.record(&batch);
        log.extend_from_slice(batch.bytes());
    }
    indexes.seal();
    let epochs = [(4, 0), (5, 6)].map(|(epoch, start)| EpochEntry { epoch: LeaderEpoch(epoch), start_offset: Offset(start) });
    let files = SegmentFiles {
        base: Offset(0),
        offsets: Bytes::copy_from_slice(indexes.offsets().bytes()),
        times: Bytes::copy_from_slice(indexes.times().bytes()),
        transactions: Bytes::new(),
    };
    Fixture {
        log: log.into(),
        files,
        snapshot: encode_producer_snapshot(producers.to_snapshot()).into(),
        epochs: encode_leader_epoch_checkpoint(&epochs).into(),
        positions,
    }
}

/// Shows a segment as the command does: a header first, then what is asked for.
fn show(inspection: &mut PartitionInspection, log: &Bytes) {
    let (mut position, mut len) = (0, FIRST_BYTES);
    loop {
        let end = (position + len).min(log.len());
        match inspection.take(&log.slice(position..end)) {
            Step::Go(next) => (position, len) = (next as usize, FIRST_BYTES),
            Step::More(needed) => len = needed,
            Step::Stop => return,
        }
    }
}

fn inspect(fixture: &Fixture, clean: bool) -> (Ended, Vec<Finding>) {
    let mut inspection = PartitionInspection::new(Offset(0), vec![(Offset(2 * BATCHES), fixture.snapshot.clone())]);
    inspection.begin(fixture.files.clone(), fixture.log.len() as u64, true, clean);
    show(&mut inspection, &fixture.log);
    inspection.end();
    let (ended, findings, _) = inspection.finish(Some(&fixture.epochs), Offset(0), clean);
    (ended, findings)
}

fn damages(findings: &[Finding]) -> Vec<&Finding> {
    findings.iter().filter(|finding| finding.severity == Severity::Damage).collect()
}

#[test]
fn a_whole_partition_has_nothing_to_tell() {
    for clean in [true, false] {
        let (ended, findings) = inspect(&fixture(), clean);
        assert_eq!((ended.log_end, ended.rest, findings), (Offset(2 * BATCHES), None, vec![]));
    }
}

#[test]
fn every_flipped_bit_is_found_or_is_one_of_those_that_cannot_be() {
    let whole = fixture();
    let mut missed = Vec::new();
    for bit in 0..whole.log.len() * 8 {
        let mut log = whole.log.to_vec();
        log[bit / 8] ^= 1 << (bit % 8);
        let damaged = Fixture {
            log: log.into(),
            files: whole.files.clone(),
            snapshot: whole.snapshot.clone(),
            epochs: whole.epochs.clone(),
            positions: vec![],
        };
        let (_, findings) = inspect(&damaged, true);
        if findings.is_empty() {
            missed.push(bit);
        }
    }
    assert_eq!(missed, Vec::<usize>::new(), "with index, snapshot and epoch checkpoint beside it, all is seen");
}

#[test]
fn after_a_stop_that_was_not_clean_a_flip_moves_the_end_down_or_raises_the_last_batch() {
    let whole = fixture();
    let last = *whole.positions.last().unwrap();
    let mut missed = Vec::new();
    for bit in 0..whole.log.len() * 8 {
        let mut log = whole.log.to_vec();
        log[bit / 8] ^= 1 << (bit % 8);
        let files = SegmentFiles { base: Offset(0), ..SegmentFiles::default() };
        let mut inspection = PartitionInspection::new(Offset(0), vec![]);
        inspection.begin(files, log.len() as u64, true, false);
        show(&mut inspection, &Bytes::from(log));
        inspection.end();
        let (ended, findings, _) = inspection.finish(None, Offset(0), false);
        if ended.log_end == Offset(2 * BATCHES) && findings.is_empty() {
            missed.push(bit / 8);
        }
    }
    missed.dedup();
    // Without index, snapshot and epoch checkpoint beside it: a leader epoch at the log's ends and beside the begin of an epoch.
    let epoch_of = |number: usize| whole.positions[number] + 12..whole.positions[number] + 16;
    assert!(missed.iter().all(|byte| [0, 2, 3, 5].iter().any(|number| epoch_of(*number).contains(byte))), "{missed:?}, last at {last}");
}

#[test]
fn every_truncation_of_the_last_batch_is_damage_after_a_clean_stop_and_a_torn_tail_else() {
    let whole = fixture();
    let last = *whole.positions.last().unwrap();
    for len in last..whole.log.len() {
        let cut = Fixture {
            log: whole.log.slice(..len),
            files: whole.files.clone(),
            snapshot: whole.snapshot.clone(),
            epochs: whole.epochs.clone(),
            positions: vec![],
        };
        let (ended, findings) = inspect(&cut, true);
        assert!(!findings.is_empty(), "{len}");
        assert_eq!(damages(&findings).len(), usize::from(len > last), "{len}: {findings:?}");
        assert_eq!(ended.log_end, Offset(2 * (BATCHES - 1)));
        let (ended, findings) = inspect(&cut, false);
        assert_eq!(damages(&findings), Vec::<&Finding>::new(), "{len}");
        assert_eq!(ended.log_end, Offset(2 * (BATCHES - 1)));
        assert_eq!(ended.rest.map(|(position, bytes, _)| (position, bytes)), (len > last).then_some((last as u64, (len - last) as u64)));
    }
}

#[test]
fn damage_in_the_middle_is_named_and_what_is_behind_it_is_read() {
    let whole = fixture();
    let mut log = whole.log.to_vec();
    log[whole.positions[2] + 70] ^= 1;
    let damaged = Fixture { log: log.into(), ..fixture() };
    let (ended, findings) = inspect(&damaged, true);
    let [found] = &damages(&findings)[..] else { panic!("{findings:?}") };
    assert!(found.to_string().starts_with(&format!("at position {} (offset 4): record batch with CRC", whole.positions[2])), "{found}");
    assert_eq!(ended.log_end, Offset(2 * BATCHES));
    // A length that leads nowhere: the index leads on.
    let mut log = whole.log.to_vec();
    log[whole.positions[2] + 8] = 0x7f;
    let damaged = Fixture { log: log.into(), ..fixture() };
    let (ended, findings) = inspect(&damaged, true);
    assert_eq!(ended.log_end, Offset(2 * BATCHES));
    assert!(damages(&findings)[0].what.contains("the index leads on"), "{findings:?}");
    assert!(damages(&findings)[1].what.contains("are missing"), "{findings:?}");
}

#[test]
fn wrong_files_beside_a_segment_are_named() {
    let whole = fixture();
    let find = |change: &dyn Fn(&mut Fixture)| {
        let mut changed = fixture();
        change(&mut changed);
        let (_, findings) = inspect(&changed, true);
        assert!(findings.iter().all(|finding| finding.severity == Severity::Rebuildable), "{findings:?}");
        findings.into_iter().map(|finding| finding.to_string()).collect::<Vec<_>>()
    };
    assert!(find(&|f| f.files.times = Bytes::new())[0].contains("missing or short"));
    assert!(find(&|f| f.files.times = whole.files.times.slice(..whole.files.times.len() - 12))[0].contains("missing or short"));
    assert!(find(&|f| f.files.offsets = whole.files.offsets.slice(..7))[0].contains("no whole number"));
    let mut shifted = whole.files.offsets.to_vec();
    shifted[7] ^= 1;
    assert!(find(&|f| f.files.offsets = shifted.clone().into())[0].contains("where no batch begins"));
    assert!(find(&|f| f.epochs = Bytes::from_static(b"0\n1\n4 0\n"))[0].contains("epochs 4 from 0; the batches have 4 from 0, 5 from 6"));
    assert!(find(&|f| f.epochs = Bytes::from_static(b"nonsense"))[0].contains("unknown version"));
    assert!(find(&|f| f.snapshot = f.snapshot.slice(..20))[0].contains("snapshot"));
    let mut other = ProducerStates::default();
    (0..3).for_each(|number| assert!(other.record(&batch(number)).is_none()));
    let stale: Bytes = encode_producer_snapshot(other.to_snapshot()).into();
    assert!(find(&|f| f.snapshot = stale.clone())[0].contains("has sequence 5 in it, 11 in the log"));
}

#[test]
fn the_indexes_of_a_segment_that_kafka_was_writing_end_with_zeros() {
    let zeros = |bytes: &Bytes, count: usize| Bytes::from([&bytes[..], &vec![0; count]].concat());
    let mut active = fixture();
    active.files.offsets = zeros(&active.files.offsets, 8 * 1000);
    active.files.times = zeros(&active.files.times, 12 * 1000);
    assert_eq!(inspect(&active, false).1, [], "it was killed");
    assert_eq!(inspect(&active, true).1.len(), 2, "after a clean stop zeros are garbage");
    active.files.offsets = Bytes::from([&active.files.offsets[..], &[9; 8]].concat());
    assert_eq!(inspect(&active, false).1.len(), 1, "an entry behind them");
}
