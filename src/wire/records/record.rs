//! Single records, decoded: for compaction, look-ups, coordinators and tests. Produce and fetch never decode one.

use super::compression::{CompressionError, Decompressor, decompress};
use super::walk::{RecordsError, split_record};
use super::{Codec, RecordBatch, TimestampType, varint};
use crate::types::{Offset, Timestamp};
use bytes::Bytes;
use std::fmt;

/// A record whose parts share the batch's (decompressed) bytes.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Record {
    pub offset: Offset,
    pub timestamp: Timestamp,
    pub key: Option<Bytes>,
    pub value: Option<Bytes>,
    /// In their order; keys may repeat.
    pub headers: Vec<RecordHeader>,
}

/// One header of a record. Keys are UTF-8 by convention; nobody checks.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct RecordHeader {
    pub key: Bytes,
    pub value: Option<Bytes>,
}

/// Why a batch's records cannot be read.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum ReadError {
    /// Codec ids 5 to 7.
    UnknownCodec,
    Compression(CompressionError),
    Records(RecordsError),
}

impl From<CompressionError> for ReadError {
    fn from(error: CompressionError) -> ReadError {
        ReadError::Compression(error)
    }
}

impl From<RecordsError> for ReadError {
    fn from(error: RecordsError) -> ReadError {
        ReadError::Records(error)
    }
}

impl fmt::Display for ReadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ReadError::UnknownCodec => f.write_str("unknown compression codec"),
            ReadError::Compression(error) => error.fmt(f),
            ReadError::Records(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for ReadError {}

impl RecordBatch {
    /// The batch's records, decompressed at once (bounded by `limits::BATCH_EXPANDED_SIZE_MAX`), decoded one by one. Ends after
    /// the first error.
    pub fn records(&self) -> Result<Records, ReadError> {
        let codec = self.attributes.codec().ok_or(ReadError::UnknownCodec)?;
        Ok(Records::over(self, decompress(codec, &self.payload())?))
    }

    /// As [`RecordBatch::records`], but decompressed in steps, so that a large batch does not hold a core.
    pub fn expand(&self) -> Result<Expansion, ReadError> {
        let codec = self.attributes.codec().ok_or(ReadError::UnknownCodec)?;
        let decompressor = match codec {
            Codec::None => None,
            _ => Some(Decompressor::new(codec, self.payload())?),
        };
        Ok(Expansion { batch: self.clone(), decompressor, bytes: Vec::new() })
    }
}

/// A batch's records being decompressed.
pub struct Expansion {
    batch: RecordBatch,
    /// `None`: they are not compressed.
    decompressor: Option<Decompressor>,
    bytes: Vec<u8>,
}

impl Expansion {
    /// Decompresses some more (64 KiB); false at the end.
    pub fn advance(&mut self) -> Result<bool, ReadError> {
        let Some(decompressor) = &mut self.decompressor else { return Ok(false) };
        let Some(chunk) = decompressor.next_chunk()? else { return Ok(false) };
        self.bytes.extend_from_slice(chunk);
        Ok(true)
    }

    /// The records, once all are decompressed.
    pub fn into_records(self) -> Records {
        let bytes = if self.decompressor.is_some() { self.bytes.into() } else { self.batch.payload() };
        Records::over(&self.batch, bytes)
    }
}

/// See [`RecordBatch::records`].
#[derive(Clone, Debug)]
pub struct Records {
    bytes: Bytes,
    at: usize,
    index: usize,
    count: usize,
    base_offset: Offset,
    base_timestamp: Timestamp,
    log_append_time: Option<Timestamp>,
}

impl Iterator for Records {
    type Item = Result<Record, RecordsError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.index >= self.count {
            let remaining = self.at < self.bytes.len();
            self.at = self.bytes.len();
            return remaining.then_some(Err(RecordsError::Remaining { count: self.count }));
        }
        let record = self.read();
        match record {
            Ok(_) => self.index += 1,
            Err(_) => (self.index, self.at) = (self.count, self.bytes.len()),
        }
        Some(record)
    }
}

impl Records {
    fn over(batch: &RecordBatch, bytes: Bytes) -> Records {
        let log_append_time = (batch.attributes.timestamp_type() == TimestampType::LogAppendTime).then_some(batch.max_timestamp);
        Records {
            bytes,
            at: 0,
            index: 0,
            count: usize::try_from(batch.count).unwrap_or(0),
            base_offset: batch.base_offset,
            base_timestamp: batch.base_timestamp,
            log_append_time,
        }
    }

    fn read(&mut self) -> Result<Record, RecordsError> {
        let mut rest = &self.bytes[self.at..];
        let body = split_record(&mut rest).ok_or(RecordsError::Truncated { record: self.index })?;
        self.at = self.bytes.len() - rest.len();
        let body = self.bytes.slice_ref(body);
        self.read_body(&body).ok_or(RecordsError::BadStructure { record: self.index })
    }

    fn read_body(&self, body: &Bytes) -> Option<Record> {
        let mut rest = body.get(1..)?;
        let timestamp = self.base_timestamp.0.wrapping_add(varint::read64(&mut rest)?);
        let offset = self.base_offset.plus(i64::from(varint::read32(&mut rest)?));
        let key = read_nullable(body, &mut rest)?;
        let value = read_nullable(body, &mut rest)?;
        let header_count = usize::try_from(varint::read32(&mut rest)?).ok()?;
        // A header takes two bytes at least, so a count that cannot be is refused before memory is taken for it.
        if header_count > rest.len() / 2 {
            return None;
        }
        let mut headers = Vec::with_capacity(header_count);
        for _ in 0..header_count {
            headers.push(RecordHeader { key: read_nullable(body, &mut rest)??, value: read_nullable(body, &mut rest)? });
        }
        let timestamp = self.log_append_time.unwrap_or(Timestamp(timestamp));
        rest.is_empty().then_some(Record { offset, timestamp, key, value, headers })
    }
}

/// Outer `None`: cut. Inner `None`: null.
fn read_nullable(body: &Bytes, rest: &mut &[u8]) -> Option<Option<Bytes>> {
    let size = varint::read32(rest)?;
    let Ok(size) = usize::try_from(size) else { return Some(None) };
    let (value, after) = rest.split_at_checked(size)?;
    *rest = after;
    Some(Some(body.slice_ref(value)))
}
