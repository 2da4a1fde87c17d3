//! One record batch as a view over its bytes, and the walk over the batches of a buffer.
//!
//! A [`RecordBatch`] is a cheap clone (shared bytes) whose length field fits its bytes and whose magic is 2. Its CRC is checked only
//! where asked for ([`RecordBatch::check_crc`]), its records only by `validate`.

use super::header::{ATTRIBUTES_AT, BatchHeader, HEADER_SIZE, LEADER_EPOCH_AT, LENGTH_AT, LENGTH_PREFIX_SIZE, MAGIC, MAGIC_AT, put};
use crate::types::{LeaderEpoch, Offset};
use bytes::{Bytes, BytesMut};
use std::fmt;
use std::ops::Deref;

/// Why bytes are not a record batch.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum BatchError {
    /// The bytes end before the batch does: a torn tail, or a slice cut at a limit.
    Truncated { needed: usize, available: usize },
    /// The length field is below that of an empty batch.
    BadLength(i32),
    /// Not format version 2.
    BadMagic(i8),
    /// The CRC-32C over attributes and records does not match.
    BadCrc { stored: u32, computed: u32 },
}

impl fmt::Display for BatchError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            BatchError::Truncated { needed, available } => write!(f, "record batch needs {needed} bytes, {available} are there"),
            BatchError::BadLength(length) => write!(f, "record batch with length {length}"),
            BatchError::BadMagic(magic) => write!(f, "record batch with magic {magic}"),
            BatchError::BadCrc { stored, computed } => write!(f, "record batch with CRC {stored:#010x}, computed {computed:#010x}"),
        }
    }
}

impl std::error::Error for BatchError {}

/// A batch of magic 2 with its records. Derefs to its header.
#[derive(Clone, PartialEq, Eq)]
pub struct RecordBatch {
    header: BatchHeader,
    bytes: Bytes,
}

impl RecordBatch {
    /// The batch at the front of `bytes`, which then holds what follows it. On an error `bytes` is as it was.
    pub fn split_from(bytes: &mut Bytes) -> Result<RecordBatch, BatchError> {
        let (header, size) = frame(bytes)?;
        Ok(RecordBatch { header, bytes: bytes.split_to(size) })
    }

    /// The decoded header.
    pub fn header(&self) -> &BatchHeader {
        &self.header
    }

    /// All bytes, header and records.
    pub fn bytes(&self) -> &Bytes {
        &self.bytes
    }

    pub fn into_bytes(self) -> Bytes {
        self.bytes
    }

    /// Size in bytes with the header.
    pub fn size(&self) -> usize {
        self.bytes.len()
    }

    /// The records' bytes as they are stored: compressed if the batch is.
    pub fn payload(&self) -> Bytes {
        self.bytes.slice(HEADER_SIZE..)
    }

    /// Verifies the CRC-32C.
    pub fn check_crc(&self) -> Result<(), BatchError> {
        check_crc(&self.header, &self.bytes)
    }

    /// A copy with these two fields set. The CRC stays right: it does not cover them.
    pub fn stamped(&self, base_offset: Offset, leader_epoch: LeaderEpoch) -> RecordBatch {
        let mut copy = BytesMut::from(&self.bytes[..]);
        stamp(&mut copy, base_offset, leader_epoch);
        let header = BatchHeader { base_offset, leader_epoch, ..self.header };
        RecordBatch { header, bytes: copy.freeze() }
    }

    /// As [`RecordBatch::stamped`], but without a copy where this is the only owner of its bytes.
    pub fn into_stamped(self, base_offset: Offset, leader_epoch: LeaderEpoch) -> RecordBatch {
        let header = BatchHeader { base_offset, leader_epoch, ..self.header };
        let mut bytes = self.bytes.try_into_mut().unwrap_or_else(|shared| BytesMut::from(&shared[..]));
        stamp(&mut bytes, base_offset, leader_epoch);
        RecordBatch { header, bytes: bytes.freeze() }
    }

    /// A batch from parts that are known to fit: `bytes` starts with `header`.
    pub(super) fn from_parts(header: BatchHeader, bytes: Bytes) -> RecordBatch {
        debug_assert_eq!(header.size(), Some(bytes.len()));
        RecordBatch { header, bytes }
    }
}

impl Deref for RecordBatch {
    type Target = BatchHeader;

    fn deref(&self) -> &BatchHeader {
        &self.header
    }
}

impl fmt::Debug for RecordBatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.header.fmt(f)
    }
}

/// The header at the front of `bytes` and the batch's size, which `bytes` holds.
pub fn frame(bytes: &[u8]) -> Result<(BatchHeader, usize), BatchError> {
    let available = bytes.len();
    // Length and magic are looked at before the rest, so that old or foreign bytes are named as what they are.
    if let Some(length) = bytes.get(LENGTH_AT..LENGTH_PREFIX_SIZE) {
        let length = i32::from_be_bytes([length[0], length[1], length[2], length[3]]);
        let magic = bytes.get(MAGIC_AT).map(|&magic| magic as i8);
        let least = if magic == Some(MAGIC) { HEADER_SIZE } else { MAGIC_AT + 1 };
        if length < (least - LENGTH_PREFIX_SIZE) as i32 {
            return Err(BatchError::BadLength(length));
        }
        if let Some(magic) = magic.filter(|&magic| magic != MAGIC) {
            return Err(BatchError::BadMagic(magic));
        }
    }
    let header = BatchHeader::read(bytes).ok_or(BatchError::Truncated { needed: HEADER_SIZE, available })?;
    let size = header.size().ok_or(BatchError::BadLength(header.length))?;
    if size > available {
        return Err(BatchError::Truncated { needed: size, available });
    }
    Ok((header, size))
}

/// Verifies the CRC-32C of the batch that is exactly `bytes`.
pub fn check_crc(header: &BatchHeader, bytes: &[u8]) -> Result<(), BatchError> {
    let computed = crc32c::crc32c(&bytes[ATTRIBUTES_AT..]);
    if computed == header.crc { Ok(()) } else { Err(BatchError::BadCrc { stored: header.crc, computed }) }
}

/// Sets base offset and leader epoch of the batch at the front of `batch`, which has a whole header.
pub fn stamp(batch: &mut [u8], base_offset: Offset, leader_epoch: LeaderEpoch) {
    put(batch, 0, base_offset.0.to_be_bytes());
    put(batch, LEADER_EPOCH_AT, leader_epoch.0.to_be_bytes());
}

/// The batches of `bytes`, one after the other; ends after the first error.
pub fn batches(bytes: Bytes) -> Batches {
    Batches { rest: bytes, failed: false }
}

/// See [`batches`].
#[derive(Clone, Debug)]
pub struct Batches {
    rest: Bytes,
    failed: bool,
}

impl Batches {
    /// What has not been walked yet; after an error, the bytes that are not a batch.
    pub fn rest(&self) -> &Bytes {
        &self.rest
    }
}

impl Iterator for Batches {
    type Item = Result<RecordBatch, BatchError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.failed || self.rest.is_empty() {
            return None;
        }
        let batch = RecordBatch::split_from(&mut self.rest);
        self.failed = batch.is_err();
        Some(batch)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::types::{ProducerEpoch, ProducerId, Timestamp};
    use crate::wire::records::Attributes;

    /// A batch of `size` bytes whose records are arbitrary: views do not look at them.
    fn opaque(base_offset: i64, size: usize) -> Bytes {
        let mut header = BatchHeader {
            base_offset: Offset(base_offset),
            length: (size - LENGTH_PREFIX_SIZE) as i32,
            leader_epoch: LeaderEpoch(3),
            magic: MAGIC,
            crc: 0,
            attributes: Attributes(0),
            last_offset_delta: 4,
            base_timestamp: Timestamp(10),
            max_timestamp: Timestamp(20),
            producer_id: ProducerId(77),
            producer_epoch: ProducerEpoch(1),
            base_sequence: i32::MAX - 1,
            count: 5,
        };
        let mut bytes = header.to_bytes().to_vec();
        bytes.resize(size, 0xab);
        header.crc = crc32c::crc32c(&bytes[ATTRIBUTES_AT..]);
        bytes[..HEADER_SIZE].copy_from_slice(&header.to_bytes());
        bytes.into()
    }

    #[test]
    fn batches_are_walked_one_after_the_other() {
        let bytes: Bytes = [opaque(10, 70), opaque(15, 61), opaque(20, 300)].concat().into();
        let walked: Vec<_> = batches(bytes).map(|batch| batch.unwrap()).collect();
        assert_eq!(walked.iter().map(|batch| batch.base_offset.0).collect::<Vec<_>>(), [10, 15, 20]);
        assert_eq!(walked[2].size(), 300);
        assert_eq!(walked[2].payload().len(), 239);
        assert_eq!(walked[0].next_offset(), Offset(15));
        assert_eq!(walked[0].last_sequence(), 2, "sequences wrap after 2^31-1");
    }

    #[test]
    fn every_truncation_is_named() {
        let whole = opaque(0, 90);
        for length in 0..whole.len() {
            let mut walk = batches(whole.slice(..length));
            match walk.next() {
                None => assert_eq!(length, 0),
                Some(result) => {
                    let needed = if length < HEADER_SIZE { HEADER_SIZE } else { 90 };
                    assert_eq!(result, Err(BatchError::Truncated { needed, available: length }));
                    assert_eq!(walk.rest().len(), length);
                    assert!(walk.next().is_none());
                }
            }
        }
    }

    #[test]
    fn foreign_bytes_are_named() {
        assert_eq!(frame(&[0; 100]), Err(BatchError::BadLength(0)));
        assert_eq!(frame(&[0xff; 100]), Err(BatchError::BadLength(-1)));
        let mut old = opaque(0, 90).to_vec();
        old[MAGIC_AT] = 1;
        assert_eq!(frame(&old), Err(BatchError::BadMagic(1)));
        let mut short = opaque(0, 90).to_vec();
        put(&mut short, LENGTH_AT, 48i32.to_be_bytes());
        assert_eq!(frame(&short), Err(BatchError::BadLength(48)));
    }

    #[test]
    fn every_flipped_bit_below_the_crc_is_detected() {
        let whole = opaque(0, 90);
        for bit in CRC_FROM_BIT..90 * 8 {
            let mut damaged = whole.to_vec();
            damaged[bit / 8] ^= 1 << (bit % 8);
            let batch = RecordBatch::split_from(&mut damaged.into()).unwrap();
            assert!(matches!(batch.check_crc(), Err(BatchError::BadCrc { .. })), "bit {bit}");
        }
    }

    const CRC_FROM_BIT: usize = 17 * 8;

    #[test]
    fn stamping_keeps_the_crc_right() {
        let batch = RecordBatch::split_from(&mut opaque(0, 90)).unwrap();
        let stamped = batch.stamped(Offset(1 << 40), LeaderEpoch(9));
        assert_eq!(BatchHeader::read(stamped.bytes()).as_ref(), Some(stamped.header()));
        assert_eq!((stamped.base_offset, stamped.leader_epoch), (Offset(1 << 40), LeaderEpoch(9)));
        assert_eq!(stamped.check_crc(), Ok(()));
        assert_eq!(batch.base_offset, Offset(0), "the original is as it was");
        assert_eq!(batch.into_stamped(Offset(1 << 40), LeaderEpoch(9)), stamped);
    }
}
