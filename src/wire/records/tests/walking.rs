//! The walk, the decoder and the look-ups agree with each other and with what was written, however the bytes are cut or bent.

use super::{Plain, batch_of, codec, read_back, records};
use crate::types::{LeaderEpoch, Offset, ProducerEpoch, ProducerId, Timestamp};
use crate::wire::records::walk::{RecordHead, Walk};
use crate::wire::records::{
    BatchBuilder, Codec, ReadError, RecordBatch, RecordsError, TimestampType, TransactionMarker, end_transaction_marker,
};
use proptest::prelude::*;

/// The walk over `bytes`, fed in pieces whose sizes repeat `pieces`.
fn walk(bytes: &[u8], count: usize, pieces: &[usize]) -> Result<Vec<RecordHead>, RecordsError> {
    let mut heads = Vec::new();
    let mut walk = Walk::new(count);
    let mut rest = bytes;
    for size in pieces.iter().cycle() {
        if rest.is_empty() {
            break;
        }
        let (piece, after) = rest.split_at((*size).min(rest.len()));
        walk.feed(piece, |index, head| {
            assert_eq!(index, heads.len());
            heads.push(head);
        })?;
        rest = after;
    }
    walk.finish().map(|()| heads)
}

proptest! {
    #[test]
    fn pieces_do_not_change_a_walk(records in records(), pieces in prop::collection::vec(1usize..50, 1..20)) {
        let batch = batch_of(Codec::None, &records);
        let whole = walk(&batch.payload(), records.len(), &[usize::MAX]).unwrap();
        prop_assert_eq!(whole.len(), records.len());
        for (index, (head, record)) in whole.iter().zip(&records).enumerate() {
            prop_assert_eq!(head.timestamp_delta, record.timestamp - records[0].timestamp);
            prop_assert_eq!((head.offset_delta as usize, head.has_key), (index, record.key.is_some()));
        }
        prop_assert_eq!(walk(&batch.payload(), records.len(), &pieces), Ok(whole.clone()));
        prop_assert_eq!(walk(&batch.payload(), records.len(), &[1]), Ok(whole));
    }

    #[test]
    fn pieces_do_not_change_what_is_refused(
        records in prop::collection::vec(super::record(), 1..4), at: prop::sample::Index, bit in 0u8..8,
        pieces in prop::collection::vec(1usize..50, 1..20),
    ) {
        let mut payload = batch_of(Codec::None, &records).payload().to_vec();
        let at = at.index(payload.len());
        payload[at] ^= 1 << bit;
        let whole = walk(&payload, records.len(), &[usize::MAX]);
        let cut = walk(&payload, records.len(), &pieces);
        // Which of two faults is met first may differ, whether there is one may not.
        prop_assert_eq!(whole.is_ok(), cut.is_ok());
        if whole.is_ok() {
            prop_assert_eq!(whole, cut);
        }
    }

    #[test]
    fn every_truncation_is_refused(records in prop::collection::vec(super::record(), 1..5)) {
        let payload = batch_of(Codec::None, &records).payload();
        for cut in 0..payload.len() {
            prop_assert!(walk(&payload[..cut], records.len(), &[usize::MAX]).is_err());
            prop_assert!(walk(&payload[..cut], records.len(), &[7]).is_err());
        }
        let more = walk(&payload, records.len() + 1, &[usize::MAX]);
        prop_assert_eq!(more, Err(RecordsError::Truncated { record: records.len() }));
        let fewer = walk(&payload, records.len() - 1, &[usize::MAX]);
        prop_assert_eq!(fewer, Err(RecordsError::Remaining { count: records.len() - 1 }));
    }

    #[test]
    fn any_bytes_are_safe_to_walk_and_to_read(bytes in prop::collection::vec(any::<u8>(), 0..200), count in 0usize..20) {
        let _ = walk(&bytes, count, &[usize::MAX]);
        let mut batch = batch_of(Codec::None, &[Plain::new(1, "x")]).bytes()[..61].to_vec();
        batch[8..12].copy_from_slice(&(bytes.len() as i32 + 49).to_be_bytes());
        batch[57..61].copy_from_slice(&(count as i32).to_be_bytes());
        batch.extend_from_slice(&bytes);
        let batch = RecordBatch::split_from(&mut batch.into()).unwrap();
        let _ = batch.first_at_or_after(Timestamp(5));
        prop_assert!(batch.records().unwrap().count() <= count + 1);
    }

    #[test]
    fn batches_round_trip(records in records(), codec in codec()) {
        prop_assert_eq!(read_back(&batch_of(codec, &records)), records);
    }

    #[test]
    fn timestamps_lead_to_their_first_record(records in records(), codec in codec(), target in 0i64..1_100) {
        let target = 1_700_000_000_000 + target;
        let batch = batch_of(codec, &records).stamped(Offset(500), LeaderEpoch(0));
        let offset_of = |found: Option<usize>| found.map(|index| (Timestamp(records[index].timestamp), Offset(500 + index as i64)));

        let first = records.iter().position(|record| record.timestamp >= target);
        prop_assert_eq!(batch.first_at_or_after(Timestamp(target)).unwrap(), offset_of(first));
        let max = records.iter().map(|record| record.timestamp).max().unwrap();
        let youngest = records.iter().position(|record| record.timestamp == max);
        prop_assert_eq!(batch.max_timestamp_record().unwrap(), offset_of(youngest));
    }
}

#[test]
fn repeated_header_keys_keep_their_order() {
    let mut record = Plain::new(1, "v");
    record.headers = vec![(b"k".to_vec(), Some(b"1".to_vec())), (b"k".to_vec(), None), (b"k".to_vec(), Some(b"3".to_vec()))];
    assert_eq!(read_back(&batch_of(Codec::Lz4, &[record.clone()])), [record]);
}

#[test]
fn a_header_count_beyond_the_record_takes_no_memory() {
    // Body: attributes, timestamp 0, offset 0, no key, no value, 2^30 headers.
    let body = [0, 0, 0, 1, 1, 0x80, 0x80, 0x80, 0x80, 0x08];
    let payload = [&[20][..], &body].concat();
    assert_eq!(walk(&payload, 1, &[usize::MAX]), Err(RecordsError::BadStructure { record: 0 }));
    assert_eq!(walk(&payload, 1, &[1]), Err(RecordsError::BadStructure { record: 0 }));
}

#[test]
fn append_time_is_every_records_timestamp() {
    let batch = batch_of(Codec::Gzip, &[Plain::new(1, "a"), Plain::new(2, "b")]);
    let batch = batch.with_timestamps(TimestampType::LogAppendTime, Timestamp(50));
    assert_eq!(batch.first_at_or_after(Timestamp(50)), Ok(Some((Timestamp(50), Offset(0)))));
    assert_eq!(batch.first_at_or_after(Timestamp(51)), Ok(None));
}

#[test]
fn compaction_leaves_gaps_and_empty_batches() {
    let mut builder = BatchBuilder::default().base_offset(Offset(10));
    builder.push_at(2, Timestamp(7), Some(b"k"), None, &[]);
    let batch = builder.last_offset_delta(9).finish();
    assert_eq!(batch.next_offset(), Offset(20));
    assert_eq!(batch.max_timestamp_record(), Ok(Some((Timestamp(7), Offset(12)))));

    let empty = BatchBuilder::default().base_offset(Offset(10)).last_offset_delta(9).finish();
    assert_eq!(empty.records().unwrap().count(), 0);
    assert_eq!(empty.first_at_or_after(Timestamp(0)), Ok(None));
}

#[test]
fn an_unknown_codec_is_named() {
    let mut bytes = batch_of(Codec::None, &[Plain::new(1, "a")]).bytes().to_vec();
    bytes[22] |= 7;
    let batch = RecordBatch::split_from(&mut bytes.into()).unwrap();
    assert_eq!(batch.records().err(), Some(ReadError::UnknownCodec));
    assert_eq!(batch.max_timestamp_record(), Err(ReadError::UnknownCodec));
}

#[test]
fn transaction_markers_are_kafkas() {
    for marker in [TransactionMarker::Abort, TransactionMarker::Commit] {
        let batch = end_transaction_marker(marker, ProducerId(4), ProducerEpoch(1), 0x0102_0304, Timestamp(9));
        assert!(batch.attributes.is_control() && batch.attributes.is_transactional());
        assert_eq!(batch.end_transaction(), Some((marker, 0x0102_0304, Timestamp(9))));
        let record = batch.records().unwrap().next().unwrap().unwrap();
        assert_eq!(record.key.unwrap(), &[0, 0, 0, marker as u8][..]);
        assert_eq!(record.value.unwrap(), &[0, 0, 1, 2, 3, 4][..]);
    }
    assert_eq!(batch_of(Codec::None, &[Plain::new(1, "a")]).end_transaction(), None);
}
