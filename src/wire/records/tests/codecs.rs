//! Every codec against `kafka-protocol`, whose lz4 is the C library and whose other framings are its own.

use super::{Plain, batch_of, codec, push_all, read_back, records};
use crate::config::limits::BATCH_EXPANDED_SIZE_MAX;
use crate::types::{Offset, ProducerEpoch, ProducerId, Timestamp};
use crate::wire::records::{BatchBuilder, Codec, Compression, CompressionError, RecordBatch, TimestampType, decompress};
use bytes::Bytes;
use kafka_protocol::indexmap::IndexMap;
use kafka_protocol::protocol::StrBytes;
use kafka_protocol::records as oracle;
use proptest::prelude::*;

fn oracle_codec(codec: Codec) -> oracle::Compression {
    match codec {
        Codec::None => oracle::Compression::None,
        Codec::Gzip => oracle::Compression::Gzip,
        Codec::Snappy => oracle::Compression::Snappy,
        Codec::Lz4 => oracle::Compression::Lz4,
        Codec::Zstd => oracle::Compression::Zstd,
    }
}

/// The oracle's header map keeps one value for a key.
fn with_distinct_headers(mut records: Vec<Plain>) -> Vec<Plain> {
    for record in &mut records {
        record.headers.sort_by(|one, other| one.0.cmp(&other.0));
        record.headers.dedup_by(|one, other| one.0 == other.0);
    }
    records
}

fn to_oracle(index: usize, record: &Plain) -> oracle::Record {
    let headers: IndexMap<_, _> = record
        .headers
        .iter()
        .map(|(key, value)| (StrBytes::from_string(String::from_utf8(key.clone()).unwrap()), value.clone().map(Bytes::from)))
        .collect();
    oracle::Record {
        transactional: false,
        control: false,
        delete_horizon: false,
        partition_leader_epoch: 5,
        producer_id: 9,
        producer_epoch: 2,
        timestamp_type: oracle::TimestampType::Creation,
        offset: index as i64,
        sequence: 100 + index as i32,
        timestamp: record.timestamp,
        key: record.key.clone().map(Bytes::from),
        value: record.value.clone().map(Bytes::from),
        headers,
    }
}

fn from_oracle(record: &oracle::Record) -> Plain {
    Plain {
        timestamp: record.timestamp,
        key: record.key.as_ref().map(|key| key.to_vec()),
        value: record.value.as_ref().map(|value| value.to_vec()),
        headers: record.headers.iter().map(|(key, value)| (key.as_bytes().to_vec(), value.as_ref().map(|value| value.to_vec()))).collect(),
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn we_read_what_the_oracle_writes(records in records(), codec in codec()) {
        let records = with_distinct_headers(records);
        let theirs: Vec<_> = records.iter().enumerate().map(|(index, record)| to_oracle(index, record)).collect();
        let mut bytes = bytes::BytesMut::new();
        let options = oracle::RecordEncodeOptions { version: 2, compression: oracle_codec(codec) };
        oracle::RecordBatchEncoder::encode(&mut bytes, &theirs, &options).unwrap();

        let batch = RecordBatch::split_from(&mut bytes.freeze()).unwrap();
        prop_assert_eq!(batch.check_crc(), Ok(()));
        prop_assert_eq!((batch.producer_id, batch.producer_epoch, batch.base_sequence), (ProducerId(9), ProducerEpoch(2), 100));
        prop_assert_eq!(batch.count as usize, records.len());
        prop_assert_eq!(batch.attributes.codec(), Some(codec));
        prop_assert_eq!(read_back(&batch), records);
    }

    #[test]
    fn the_oracle_reads_what_we_write(records in records(), codec in codec()) {
        let records = with_distinct_headers(records);
        let mut builder = BatchBuilder::new(Compression::of(codec)).base_offset(Offset(70)).producer(ProducerId(9), ProducerEpoch(2), 100);
        push_all(&mut builder, &records);
        let batch = builder.finish();

        let read = oracle::RecordBatchDecoder::decode(&mut batch.bytes().clone()).unwrap().records;
        prop_assert_eq!(read.iter().map(from_oracle).collect::<Vec<_>>(), records);
        prop_assert_eq!(read[0].offset, 70);
        prop_assert_eq!(read.last().unwrap().sequence, 100 + read.len() as i32 - 1);
    }

    #[test]
    fn records_survive_recompression(records in records(), from in codec(), to in codec()) {
        let batch = batch_of(from, &records);
        let recompressed = batch.clone().recompressed(Compression::of(to)).unwrap();
        prop_assert_eq!(recompressed.attributes.codec(), Some(to));
        prop_assert_eq!(recompressed.check_crc(), Ok(()));
        prop_assert_eq!(read_back(&recompressed), records);
        prop_assert_eq!(recompressed.max_timestamp, batch.max_timestamp);
    }

    #[test]
    fn compressed_bytes_that_are_cut_are_errors_or_short(data in prop::collection::vec(0u8..4, 1..2_000), codec in codec()) {
        let mut compressed = Vec::new();
        Compression::of(codec).compress(&data, &mut compressed);
        prop_assert_eq!(decompress(codec, &compressed.clone().into()).unwrap(), &data[..]);
        for cut in 0..compressed.len() {
            if let Ok(short) = decompress(codec, &Bytes::copy_from_slice(&compressed[..cut])) {
                prop_assert!(data.starts_with(&short), "never other bytes than were compressed");
            }
        }
    }

    #[test]
    fn any_bytes_are_safe_to_decompress(bytes in prop::collection::vec(any::<u8>(), 0..300), codec in codec()) {
        let _ = decompress(codec, &Bytes::from(bytes));
    }
}

#[test]
fn bare_snappy_is_read_as_librdkafka_sends_it() {
    let data = b"one two one two one two".repeat(5_000);
    let bare = snap::raw::Encoder::new().compress_vec(&data).unwrap();
    assert_eq!(decompress(Codec::Snappy, &bare.into()).unwrap(), &data[..]);
}

#[test]
fn snappy_streams_may_follow_each_other() {
    let mut stream = Vec::new();
    Compression::of(Codec::Snappy).compress(b"first ", &mut stream);
    Compression::of(Codec::Snappy).compress(b"second", &mut stream);
    assert_eq!(decompress(Codec::Snappy, &stream.into()).unwrap(), &b"first second"[..]);
}

#[test]
fn a_snappy_block_that_claims_gigabytes_takes_no_memory() {
    // The length preamble says 90 MiB; the block holds four bytes.
    let mut bare = vec![0x80, 0x80, 0x80, 0x2d, 0, 0, 0, 0];
    let claimed = snap::raw::decompress_len(&bare).unwrap();
    assert_eq!(claimed, 90 << 20);
    assert!(matches!(decompress(Codec::Snappy, &bare.clone().into()), Err(CompressionError::Damaged { .. })));
    bare[4] = 0x7f;
    assert!(decompress(Codec::Snappy, &bare.into()).is_err());
}

#[test]
fn bombs_stop_at_the_limit() {
    for codec in [Codec::Gzip, Codec::Lz4, Codec::Zstd, Codec::Snappy] {
        let mut bomb = Vec::new();
        Compression::of(codec).compress(&vec![0; BATCH_EXPANDED_SIZE_MAX + 1], &mut bomb);
        assert!(bomb.len() < 6 << 20, "{codec:?} packs it into {}", bomb.len());
        let result = decompress(codec, &bomb.into());
        assert_eq!(result, Err(CompressionError::TooLarge { limit: BATCH_EXPANDED_SIZE_MAX }), "{codec:?}");
    }
}

#[test]
fn a_batch_can_be_given_append_time() {
    let batch = batch_of(Codec::Zstd, &[Plain::new(5, "a"), Plain::new(3, "b")]);
    let stamped = batch.clone().with_timestamps(TimestampType::LogAppendTime, Timestamp(99));
    assert_eq!(stamped.check_crc(), Ok(()));
    assert_eq!(read_back(&stamped).iter().map(|record| record.timestamp).collect::<Vec<_>>(), [99, 99]);
    let theirs = oracle::RecordBatchDecoder::decode(&mut stamped.bytes().clone()).unwrap().records;
    assert_eq!(theirs[0].timestamp_type, oracle::TimestampType::LogAppend);
    assert_eq!(batch.max_timestamp, Timestamp(5), "the original is as it was");
}
