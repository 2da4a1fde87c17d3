//! What a producer may send, and what it is told when it may not.

use super::{Plain, batch_of, codec, push_all, read_back, records};
use crate::types::{ErrorCode, PartitionIndex, ProducerEpoch, ProducerId, Timestamp};
use crate::wire::records::{
    Attributes, BatchBuilder, BatchHeader, Codec, Compression, ProduceCheck, ProduceRefusal, ProduceRules, RecordBatch, TimestampType,
    ValidatedBatch, validate_produce,
};
use bytes::Bytes;
use proptest::prelude::*;

const NOW: i64 = 1_700_000_000_500;

fn rules() -> ProduceRules<'static> {
    ProduceRules {
        topic: "orders",
        partition: PartitionIndex(3),
        api_version: 11,
        now: Timestamp(NOW),
        max_message_bytes: 1_048_588,
        compacted: false,
        timestamp_type: TimestampType::CreateTime,
        timestamp_before_max_ms: i64::MAX,
        timestamp_after_max_ms: 3_600_000,
        compression: None,
    }
}

fn produce(batch: &RecordBatch, rules: &ProduceRules<'_>) -> Result<ValidatedBatch, ProduceRefusal> {
    validate_produce(batch.bytes().clone(), rules)
}

fn refused(batch: &RecordBatch, rules: &ProduceRules<'_>) -> ErrorCode {
    produce(batch, rules).expect_err("must be refused").code
}

fn two() -> [Plain; 2] {
    [Plain::new(NOW, "a"), Plain::new(NOW - 1, "b")]
}

/// The batch with its header changed and its CRC made right again.
fn with_header(batch: &RecordBatch, change: impl FnOnce(&mut BatchHeader)) -> RecordBatch {
    let mut header = *batch.header();
    change(&mut header);
    let mut bytes = batch.bytes().to_vec();
    bytes[..61].copy_from_slice(&header.to_bytes());
    let crc = crc32c::crc32c(&bytes[21..]);
    bytes[17..21].copy_from_slice(&crc.to_be_bytes());
    RecordBatch::split_from(&mut bytes.into()).unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn good_batches_pass_as_they_are(records in records(), codec in codec()) {
        let batch = batch_of(codec, &records);
        let validated = produce(&batch, &rules()).unwrap();
        prop_assert_eq!(validated.batch.bytes().as_ptr(), batch.bytes().as_ptr(), "not copied");
        prop_assert_eq!(validated.log_append_time, None);
    }

    #[test]
    fn every_truncation_is_refused(records in prop::collection::vec(super::record(), 1..3), codec in codec()) {
        let whole = batch_of(codec, &records).into_bytes();
        for cut in 0..whole.len() {
            let refusal = validate_produce(whole.slice(..cut), &rules()).unwrap_err();
            prop_assert_eq!(refusal.code, ErrorCode::InvalidRecord);
        }
    }

    #[test]
    fn every_flipped_bit_is_refused_or_outside_the_crc(records in prop::collection::vec(super::record(), 1..3), codec in codec()) {
        let whole = batch_of(codec, &records).into_bytes();
        for bit in 0..whole.len() * 8 {
            let mut damaged = whole.to_vec();
            damaged[bit / 8] ^= 0x80 >> (bit % 8);
            let leader_epoch = (12..16).contains(&(bit / 8));
            let result = validate_produce(damaged.into(), &rules());
            prop_assert_eq!(result.is_ok(), leader_epoch, "bit {}", bit);
        }
    }

    #[test]
    fn damage_under_a_right_crc_is_safe(records in prop::collection::vec(super::record(), 1..4), codec in codec(), at: prop::sample::Index, byte: u8) {
        let mut bytes = batch_of(codec, &records).bytes().to_vec();
        let at = 61 + at.index(bytes.len() - 61);
        bytes[at] = byte;
        let crc = crc32c::crc32c(&bytes[21..]);
        bytes[17..21].copy_from_slice(&crc.to_be_bytes());
        if let Ok(validated) = validate_produce(bytes.into(), &rules()) {
            // What passes can be read, every record of it.
            prop_assert_eq!(read_back(&validated.batch).len(), records.len());
        }
    }

    #[test]
    fn a_check_in_steps_ends_as_at_once(records in records(), codec in codec(), to in codec()) {
        let rules = ProduceRules { compression: Some(Compression::of(to)), ..rules() };
        let batch = batch_of(codec, &records);
        let mut check = ProduceCheck::begin(batch.bytes().clone(), &rules).unwrap();
        while !check.advance(&rules, 1).unwrap() {}
        let stepped = check.finish(&rules).unwrap();
        prop_assert_eq!(&stepped.batch, &produce(&batch, &rules).unwrap().batch);
        prop_assert_eq!(stepped.batch.attributes.codec(), Some(to));
        prop_assert_eq!(read_back(&stepped.batch), records);
    }
}

#[test]
fn nothing_and_garbage_are_refused() {
    let code = |bytes: &[u8]| validate_produce(Bytes::copy_from_slice(bytes), &rules()).unwrap_err().code;
    assert_eq!(code(&[]), ErrorCode::InvalidRecord);
    assert_eq!(code(&[0; 100]), ErrorCode::CorruptMessage);
    assert_eq!(code(&[0xff; 100]), ErrorCode::CorruptMessage);
    let mut magic_3 = batch_of(Codec::None, &two()).bytes().to_vec();
    magic_3[16] = 3;
    assert_eq!(code(&magic_3), ErrorCode::CorruptMessage);
    magic_3[16] = 1;
    assert_eq!(code(&magic_3), ErrorCode::InvalidRecord, "old formats are known, but not allowed");
    let message = |bytes: &[u8]| validate_produce(Bytes::copy_from_slice(bytes), &rules()).unwrap_err().message;
    assert_eq!(message(&[0xff; 100]).unwrap(), "Record size -1 is less than the minimum record overhead (14)");
}

#[test]
fn a_partition_gets_exactly_one_batch() {
    let batch = batch_of(Codec::None, &two());
    let twice: Bytes = [&batch.bytes()[..], batch.bytes()].concat().into();
    assert_eq!(validate_produce(twice.clone(), &rules()).unwrap_err().code, ErrorCode::InvalidRecord);
    let and_a_bit = validate_produce(twice.slice(..batch.size() + 40), &rules()).unwrap();
    assert_eq!(and_a_bit.batch, batch, "bytes too few for a batch are cut, as Kafka does");
}

#[test]
fn zstd_needs_version_7() {
    let batch = batch_of(Codec::Zstd, &two());
    assert_eq!(refused(&batch, &ProduceRules { api_version: 6, ..rules() }), ErrorCode::UnsupportedCompressionType);
    assert!(produce(&batch, &ProduceRules { api_version: 7, ..rules() }).is_ok());
}

#[test]
fn headers_that_contradict_themselves_are_refused() {
    let batch = batch_of(Codec::None, &two());
    type Change = fn(&mut BatchHeader);
    let changes: [(&str, Change); 8] = [
        ("base offset", |header| header.base_offset.0 = 1),
        ("count above", |header| header.count = 3),
        ("count below", |header| (header.count, header.last_offset_delta) = (1, 0)),
        ("count above, delta too", |header| (header.count, header.last_offset_delta) = (3, 2)),
        ("no records", |header| (header.count, header.last_offset_delta) = (0, -1)),
        ("delta", |header| header.last_offset_delta = 7),
        ("control", |header| header.attributes = Attributes::default().with_control(true)),
        ("no sequence", |header| header.producer_id.0 = 5),
    ];
    for (what, change) in changes {
        assert_eq!(refused(&with_header(&batch, change), &rules()), ErrorCode::InvalidRecord, "{what}");
    }
    let unknown_codec = with_header(&batch, |header| header.attributes = Attributes(6));
    assert_eq!(refused(&unknown_codec, &rules()), ErrorCode::UnsupportedCompressionType);
}

#[test]
fn idempotent_and_transactional_batches_pass() {
    let mut builder = BatchBuilder::default().producer(ProducerId(7), ProducerEpoch(0), i32::MAX).transactional();
    push_all(&mut builder, &two());
    let validated = produce(&builder.finish(), &rules()).unwrap();
    assert_eq!(validated.batch.last_sequence(), 0);
}

#[test]
fn a_batch_too_large_is_refused_before_its_crc_is_computed() {
    let mut bytes = batch_of(Codec::None, &two()).bytes().to_vec();
    bytes[30] ^= 1;
    let small = ProduceRules { max_message_bytes: bytes.len() - 1, ..rules() };
    assert_eq!(validate_produce(bytes.into(), &small).unwrap_err().code, ErrorCode::MessageTooLarge);
}

#[test]
fn recompression_must_not_make_a_batch_too_large() {
    let value = "x".repeat(5_000);
    let batch = batch_of(Codec::Zstd, &[Plain::new(NOW, &value)]);
    let rules = ProduceRules { max_message_bytes: 1_000, compression: Some(Compression::NONE), ..rules() };
    assert_eq!(refused(&batch, &rules), ErrorCode::MessageTooLarge);
}

#[test]
fn offsets_within_a_batch_are_dense() {
    for codec in Codec::ALL {
        let mut builder = BatchBuilder::new(Compression::of(codec));
        builder.push_at(0, Timestamp(NOW), None, None, &[]);
        builder.push_at(2, Timestamp(NOW), None, None, &[]);
        let gap = with_header(&builder.finish(), |header| header.last_offset_delta = 1);
        assert_eq!(refused(&gap, &rules()), ErrorCode::InvalidRecord, "{codec:?}");
    }
}

#[test]
fn damaged_compression_under_a_right_crc_is_not_asked_for_again() {
    for codec in [Codec::Gzip, Codec::Snappy, Codec::Lz4, Codec::Zstd] {
        let good = batch_of(codec, &two());
        for damage in [&good.bytes()[..good.size() - 9], &good.bytes()[..61], &[&good.bytes()[..61], &[7; 30]].concat()] {
            let mut header = *good.header();
            header.length = damage.len() as i32 - 12;
            let bytes = [&header.to_bytes()[..], &damage[61..]].concat();
            let batch = with_header(&RecordBatch::split_from(&mut bytes.into()).unwrap(), |_| {});
            assert_eq!(refused(&batch, &rules()), ErrorCode::InvalidRecord, "{codec:?}, {} bytes", damage.len());
        }
    }
}

#[test]
fn compacted_topics_name_every_record_without_a_key() {
    let batch = batch_of(Codec::Snappy, &[two()[0].clone(), two()[1].clone().without_key(), Plain::new(NOW, "c").without_key()]);
    assert!(produce(&batch, &rules()).is_ok());
    let refusal = produce(&batch, &ProduceRules { compacted: true, ..rules() }).unwrap_err();
    assert_eq!(refusal.code, ErrorCode::InvalidRecord);
    let indexes: Vec<_> = refusal.record_errors.iter().map(|fault| fault.batch_index).collect();
    assert_eq!(indexes, [1, 2]);
    assert_eq!(refusal.record_errors[0].message, "Compacted topic cannot accept message without key in topic partition orders-3");
    assert!(refusal.message.unwrap().starts_with("One or more records have been rejected due to 2 record errors in total"));
}

#[test]
fn timestamps_stay_within_the_topics_window() {
    let window = ProduceRules { timestamp_before_max_ms: 100, timestamp_after_max_ms: 10, ..rules() };
    for (offset, allowed) in [(-100, true), (-101, false), (10, true), (11, false), (-NOW - 1, true)] {
        let batch = batch_of(Codec::Lz4, &[Plain::new(NOW + offset, "a")]);
        assert_eq!(produce(&batch, &window).is_ok(), allowed, "{offset} ms; -1 is no timestamp at all");
    }
    let extreme = batch_of(Codec::None, &[Plain::new(i64::MIN, "a"), Plain::new(i64::MAX, "b"), Plain::new(NOW, "c")]);
    let refusal = produce(&extreme, &rules()).unwrap_err();
    assert_eq!(refusal.code, ErrorCode::InvalidTimestamp);
    assert_eq!(refusal.record_errors.iter().map(|fault| fault.batch_index).collect::<Vec<_>>(), [0, 1]);
}

#[test]
fn a_missing_key_and_a_bad_timestamp_together_are_invalid_timestamp() {
    let rules = ProduceRules { compacted: true, timestamp_after_max_ms: 0, ..rules() };
    let batch = batch_of(Codec::None, &[Plain::new(NOW, "a").without_key(), Plain::new(NOW + 1, "b")]);
    let refusal = produce(&batch, &rules).unwrap_err();
    assert_eq!((refusal.code, refusal.record_errors.len()), (ErrorCode::InvalidTimestamp, 2));
}

#[test]
fn a_million_faulty_records_get_a_short_answer() {
    let mut builder = BatchBuilder::new(Compression::of(Codec::Zstd));
    for _ in 0..100_000 {
        builder.push(Timestamp(NOW), None, None, &[]);
    }
    let refusal = produce(&builder.finish(), &ProduceRules { compacted: true, ..rules() }).unwrap_err();
    assert_eq!(refusal.record_errors.len(), crate::config::limits::RECORD_ERRORS_MAX);
    assert!(refusal.message.unwrap().contains("due to 100000 record errors"));
}

#[test]
fn append_time_replaces_what_the_client_set() {
    let rules = ProduceRules { timestamp_type: TimestampType::LogAppendTime, ..rules() };
    let ancient = batch_of(Codec::Gzip, &[Plain::new(5, "a"), Plain::new(6, "b")]);
    let validated = produce(&ancient, &rules).unwrap();
    assert_eq!(validated.log_append_time, Some(Timestamp(NOW)));
    assert_eq!(validated.batch.check_crc(), Ok(()));
    assert_eq!(read_back(&validated.batch)[0].timestamp, NOW);

    let by_client = with_header(&ancient, |header| header.attributes = header.attributes.with_timestamp_type(TimestampType::LogAppendTime));
    assert_eq!(refused(&by_client, &rules), ErrorCode::InvalidTimestamp, "the broker's to set");
}

#[test]
fn a_wrong_max_timestamp_is_put_right() {
    let lying = with_header(&batch_of(Codec::Lz4, &two()), |header| header.max_timestamp.0 = 12);
    let validated = produce(&lying, &rules()).unwrap();
    assert_eq!(validated.batch.max_timestamp, Timestamp(NOW));
    assert_eq!(validated.batch.check_crc(), Ok(()));
}

#[test]
fn a_bomb_is_refused_in_constant_memory() {
    let mut builder = BatchBuilder::new(Compression::of(Codec::Zstd));
    let value = vec![0; crate::config::limits::BATCH_EXPANDED_SIZE_MAX];
    builder.push(Timestamp(NOW), Some(b"k"), Some(&value), &[]);
    let bomb = builder.finish();
    assert!(bomb.size() < 100_000);
    let mut check = ProduceCheck::begin(bomb.into_bytes(), &rules()).unwrap();
    let mut steps = 0;
    let refusal = loop {
        steps += 1;
        match check.advance(&rules(), 1 << 20) {
            Ok(done) => assert!(!done),
            Err(refusal) => break refusal,
        }
    };
    assert_eq!(refusal.code, ErrorCode::MessageTooLarge);
    assert!(steps > 90, "the core gets its turn back every MiB");
}
