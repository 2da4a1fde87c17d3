//! Makes batches: for coordinators, compaction, recompression, tests and load tools.

use super::compression::Compression;
use super::header::{ATTRIBUTES_AT, CRC_AT, put};
use super::{Attributes, BatchHeader, HEADER_SIZE, LENGTH_PREFIX_SIZE, MAGIC, RecordBatch, TimestampType, varint};
use crate::types::{LeaderEpoch, Offset, ProducerEpoch, ProducerId, Timestamp};
use bytes::Bytes;

/// A batch under construction. Records get ascending offsets; the first gives the base timestamp.
#[derive(Clone, Debug)]
pub struct BatchBuilder {
    header: BatchHeader,
    compression: Compression,
    records: Vec<u8>,
    body: Vec<u8>,
}

impl Default for BatchBuilder {
    fn default() -> BatchBuilder {
        BatchBuilder::new(Compression::NONE)
    }
}

impl BatchBuilder {
    pub fn new(compression: Compression) -> BatchBuilder {
        let header = BatchHeader {
            base_offset: Offset(0),
            length: 0,
            leader_epoch: LeaderEpoch::NONE,
            magic: MAGIC,
            crc: 0,
            attributes: Attributes::default().with_codec(compression.codec),
            last_offset_delta: -1,
            base_timestamp: Timestamp::NONE,
            max_timestamp: Timestamp::NONE,
            producer_id: ProducerId::NONE,
            producer_epoch: ProducerEpoch(-1),
            base_sequence: -1,
            count: 0,
        };
        BatchBuilder { header, compression, records: Vec::new(), body: Vec::new() }
    }

    #[must_use]
    pub fn base_offset(mut self, offset: Offset) -> BatchBuilder {
        self.header.base_offset = offset;
        self
    }

    #[must_use]
    pub fn leader_epoch(mut self, epoch: LeaderEpoch) -> BatchBuilder {
        self.header.leader_epoch = epoch;
        self
    }

    #[must_use]
    pub fn producer(mut self, id: ProducerId, epoch: ProducerEpoch, base_sequence: i32) -> BatchBuilder {
        self.header.producer_id = id;
        self.header.producer_epoch = epoch;
        self.header.base_sequence = base_sequence;
        self
    }

    #[must_use]
    pub fn transactional(mut self) -> BatchBuilder {
        self.header.attributes = self.header.attributes.with_transactional(true);
        self
    }

    #[must_use]
    pub fn control(mut self) -> BatchBuilder {
        self.header.attributes = self.header.attributes.with_control(true);
        self
    }

    /// Every record then has `timestamp`, whatever it was pushed with.
    #[must_use]
    pub fn log_append_time(mut self, timestamp: Timestamp) -> BatchBuilder {
        self.header.attributes = self.header.attributes.with_timestamp_type(TimestampType::LogAppendTime);
        self.header.max_timestamp = timestamp;
        self
    }

    /// Its tombstones and markers may go from `horizon` on, which takes the place of the base timestamp (KIP-534).
    #[must_use]
    pub fn delete_horizon(mut self, horizon: Timestamp) -> BatchBuilder {
        self.header.attributes = self.header.attributes.with_delete_horizon(true);
        self.header.base_timestamp = horizon;
        self
    }

    /// What a batch without records had before compaction took them.
    #[must_use]
    pub fn max_timestamp(mut self, timestamp: Timestamp) -> BatchBuilder {
        self.header.max_timestamp = timestamp;
        self
    }

    /// Appends a record at the next offset.
    pub fn push(&mut self, timestamp: Timestamp, key: Option<&[u8]>, value: Option<&[u8]>, headers: &[(&[u8], Option<&[u8]>)]) {
        let delta = self.header.last_offset_delta + 1;
        self.push_at(delta, timestamp, key, value, headers);
    }

    /// Appends a record at base offset + `offset_delta`, which must lie above the last one's: compaction leaves gaps.
    pub fn push_at(
        &mut self,
        offset_delta: i32,
        timestamp: Timestamp,
        key: Option<&[u8]>,
        value: Option<&[u8]>,
        headers: &[(&[u8], Option<&[u8]>)],
    ) {
        assert!(offset_delta > self.header.last_offset_delta, "offsets ascend within a batch");
        if self.header.count == 0 && !self.header.attributes.has_delete_horizon() {
            self.header.base_timestamp = timestamp;
        }
        self.encode_body(offset_delta, timestamp.0.wrapping_sub(self.header.base_timestamp.0), key, value, headers);
        varint::write32(&mut self.records, size32(self.body.len()));
        self.records.extend_from_slice(&self.body);
        self.header.count += 1;
        self.header.last_offset_delta = offset_delta;
        if self.header.attributes.timestamp_type() == TimestampType::CreateTime {
            self.header.max_timestamp = self.header.max_timestamp.max(timestamp);
        }
    }

    fn encode_body(
        &mut self,
        offset_delta: i32,
        timestamp_delta: i64,
        key: Option<&[u8]>,
        value: Option<&[u8]>,
        headers: &[(&[u8], Option<&[u8]>)],
    ) {
        let body = &mut self.body;
        body.clear();
        body.push(0);
        varint::write64(body, timestamp_delta);
        varint::write32(body, offset_delta);
        write_nullable(body, key);
        write_nullable(body, value);
        varint::write32(body, size32(headers.len()));
        for (key, value) in headers {
            write_nullable(body, Some(key));
            write_nullable(body, *value);
        }
    }

    /// Records so far.
    pub fn count(&self) -> usize {
        self.header.count as usize
    }

    /// Size in bytes if nothing were compressed.
    pub fn size_uncompressed(&self) -> usize {
        HEADER_SIZE + self.records.len()
    }

    /// The last offset that the batch covers may lie above its last record's: compaction keeps it.
    #[must_use]
    pub fn last_offset_delta(mut self, delta: i32) -> BatchBuilder {
        assert!(delta >= self.header.last_offset_delta);
        self.header.last_offset_delta = delta;
        self
    }

    /// The batch with its CRC.
    pub fn finish(self) -> RecordBatch {
        assemble(self.header, self.compression, &self.records)
    }
}

/// A batch of `header`, with `records` compressed, length, codec and CRC set.
pub(super) fn assemble(mut header: BatchHeader, compression: Compression, records: &[u8]) -> RecordBatch {
    let mut bytes = vec![0; HEADER_SIZE];
    compression.compress(records, &mut bytes);
    header.length = size32(bytes.len() - LENGTH_PREFIX_SIZE);
    header.attributes = header.attributes.with_codec(compression.codec);
    bytes[..HEADER_SIZE].copy_from_slice(&header.to_bytes());
    header.crc = crc32c::crc32c(&bytes[ATTRIBUTES_AT..]);
    put(&mut bytes, CRC_AT, header.crc.to_be_bytes());
    RecordBatch::from_parts(header, Bytes::from(bytes))
}

fn size32(size: usize) -> i32 {
    i32::try_from(size).expect("a batch is smaller than 2 GiB")
}

fn write_nullable(out: &mut Vec<u8>, value: Option<&[u8]>) {
    match value {
        None => varint::write32(out, -1),
        Some(value) => {
            varint::write32(out, size32(value.len()));
            out.extend_from_slice(value);
        }
    }
}

/// How a transaction ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum TransactionMarker {
    Abort,
    Commit,
}

/// The control batch that ends `producer_id`'s transaction in a partition. Its key is version 0 and type, its value version 0 and the
/// coordinator's epoch.
pub fn end_transaction_marker(
    marker: TransactionMarker,
    producer_id: ProducerId,
    producer_epoch: ProducerEpoch,
    coordinator_epoch: i32,
    timestamp: Timestamp,
) -> RecordBatch {
    let mut builder = BatchBuilder::default().producer(producer_id, producer_epoch, -1).transactional().control();
    let key = [0, 0, 0, marker as u8];
    let mut value = [0; 6];
    put(&mut value, 2, coordinator_epoch.to_be_bytes());
    builder.push(timestamp, Some(&key), Some(&value), &[]);
    builder.finish()
}

impl RecordBatch {
    /// How a control batch ends a transaction, with its coordinator's epoch and its timestamp; `None` if it does not.
    pub fn end_transaction(&self) -> Option<(TransactionMarker, i32, Timestamp)> {
        if !self.attributes.is_control() {
            return None;
        }
        let record = self.records().ok()?.next()?.ok()?;
        let marker = match record.key?.get(..4)? {
            [_, _, 0, 0] => TransactionMarker::Abort,
            [_, _, 0, 1] => TransactionMarker::Commit,
            _ => return None,
        };
        let coordinator_epoch = i32::from_be_bytes(record.value?.get(2..6)?.try_into().ok()?);
        Some((marker, coordinator_epoch, record.timestamp))
    }
}
