//! `<offset>.snapshot`: what is known of each producer before that offset, so that start-up reads only the log behind it.
//!
//! ```text
//! 2  version 1
//! 4  CRC-32C of everything behind this field
//! 4  entry count; each entry:
//!      8 producer id    2 epoch    4 last sequence    8 last offset    4 last offset - first offset of the last batch
//!      8 last timestamp    4 coordinator epoch    8 first offset of the ongoing transaction, -1 none
//! ```
//! Kafka keeps one entry for a producer, its last batch. Ringmill writes one for each remembered batch, oldest first, so that a retry after a
//! restart is recognised whichever of them it is; Kafka reads such a file and takes the last entry of each producer.

use crate::types::{Offset, ProducerEpoch, ProducerId, Timestamp};
use std::fmt;

const VERSION: i16 = 1;
const CRC_AT: usize = 2;
const COUNT_AT: usize = 6;
const ENTRIES_AT: usize = 10;
const ENTRY_SIZE: usize = 46;

/// One producer as the file holds it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ProducerSnapshotEntry {
    pub producer_id: ProducerId,
    pub epoch: ProducerEpoch,
    /// -1 if no batch is known.
    pub last_sequence: i32,
    /// -1 if no batch is known.
    pub last_offset: Offset,
    pub offset_delta: i32,
    pub timestamp: Timestamp,
    pub coordinator_epoch: i32,
    pub transaction_first_offset: Option<Offset>,
}

/// Why a snapshot is not usable: an older one is taken, or the whole log is read.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum SnapshotError {
    BadLength(usize),
    UnknownVersion(i16),
    BadCrc,
}

impl fmt::Display for SnapshotError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            SnapshotError::BadLength(length) => write!(f, "a producer snapshot cannot have {length} bytes"),
            SnapshotError::UnknownVersion(version) => write!(f, "a producer snapshot of unknown version {version}"),
            SnapshotError::BadCrc => f.write_str("a producer snapshot whose CRC does not match"),
        }
    }
}

impl std::error::Error for SnapshotError {}

/// The file's content.
pub fn encode_producer_snapshot(entries: impl IntoIterator<Item = ProducerSnapshotEntry>) -> Vec<u8> {
    let mut bytes = vec![0; ENTRIES_AT];
    bytes[..CRC_AT].copy_from_slice(&VERSION.to_be_bytes());
    let mut count = 0i32;
    for entry in entries {
        count += 1;
        bytes.extend_from_slice(&entry.producer_id.0.to_be_bytes());
        bytes.extend_from_slice(&entry.epoch.0.to_be_bytes());
        bytes.extend_from_slice(&entry.last_sequence.to_be_bytes());
        bytes.extend_from_slice(&entry.last_offset.0.to_be_bytes());
        bytes.extend_from_slice(&entry.offset_delta.to_be_bytes());
        bytes.extend_from_slice(&entry.timestamp.0.to_be_bytes());
        bytes.extend_from_slice(&entry.coordinator_epoch.to_be_bytes());
        bytes.extend_from_slice(&entry.transaction_first_offset.unwrap_or(Offset::NONE).0.to_be_bytes());
    }
    bytes[COUNT_AT..ENTRIES_AT].copy_from_slice(&count.to_be_bytes());
    let crc = crc32c::crc32c(&bytes[COUNT_AT..]);
    bytes[CRC_AT..COUNT_AT].copy_from_slice(&crc.to_be_bytes());
    bytes
}

/// The entries of a file's content, in its order.
pub fn decode_producer_snapshot(bytes: &[u8]) -> Result<Vec<ProducerSnapshotEntry>, SnapshotError> {
    let bad_length = SnapshotError::BadLength(bytes.len());
    let (header, entries) = bytes.split_first_chunk::<ENTRIES_AT>().ok_or(bad_length)?;
    let [v0, v1, c0, c1, c2, c3, n0, n1, n2, n3] = *header;
    let version = i16::from_be_bytes([v0, v1]);
    if version != VERSION {
        return Err(SnapshotError::UnknownVersion(version));
    }
    if crc32c::crc32c(&bytes[COUNT_AT..]) != u32::from_be_bytes([c0, c1, c2, c3]) {
        return Err(SnapshotError::BadCrc);
    }
    let count = usize::try_from(i32::from_be_bytes([n0, n1, n2, n3])).map_err(|_| bad_length)?;
    if Some(entries.len()) != count.checked_mul(ENTRY_SIZE) {
        return Err(bad_length);
    }
    Ok(entries.chunks_exact(ENTRY_SIZE).map(decode_entry).collect())
}

fn decode_entry(bytes: &[u8]) -> ProducerSnapshotEntry {
    let transaction_first_offset = i64::from_be_bytes(part(bytes, 38));
    ProducerSnapshotEntry {
        producer_id: ProducerId(i64::from_be_bytes(part(bytes, 0))),
        epoch: ProducerEpoch(i16::from_be_bytes(part(bytes, 8))),
        last_sequence: i32::from_be_bytes(part(bytes, 10)),
        last_offset: Offset(i64::from_be_bytes(part(bytes, 14))),
        offset_delta: i32::from_be_bytes(part(bytes, 22)),
        timestamp: Timestamp(i64::from_be_bytes(part(bytes, 26))),
        coordinator_epoch: i32::from_be_bytes(part(bytes, 34)),
        transaction_first_offset: (transaction_first_offset >= 0).then_some(Offset(transaction_first_offset)),
    }
}

fn part<const N: usize>(bytes: &[u8], at: usize) -> [u8; N] {
    let mut out = [0; N];
    out.copy_from_slice(&bytes[at..at + N]);
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Start and second entry of a file that Apache Kafka 4.3.1 wrote after five producers had each written a batch of 50 records. The
    /// CRC in it covers the rest.
    const KAFKAS_START: &str = "000182e98d4800000005";
    const KAFKAS_SECOND: &str = "0000000000000001000000000031000000000000006300000031\
        0000018bcfe56831ffffffffffffffffffffffff";

    fn unhex(text: &str) -> Vec<u8> {
        (0..text.len()).step_by(2).map(|at| u8::from_str_radix(&text[at..at + 2], 16).unwrap()).collect()
    }

    fn entry(producer_id: i64, last_offset: i64) -> ProducerSnapshotEntry {
        ProducerSnapshotEntry {
            producer_id: ProducerId(producer_id),
            epoch: ProducerEpoch(0),
            last_sequence: 49,
            last_offset: Offset(last_offset),
            offset_delta: 49,
            timestamp: Timestamp(1_700_000_000_049),
            coordinator_epoch: -1,
            transaction_first_offset: None,
        }
    }

    #[test]
    fn the_bytes_are_kafkas() {
        let entries = [0, 1, 2, 3, 4].map(|id| entry(id, 49 + 50 * id));
        let bytes = encode_producer_snapshot(entries);
        assert_eq!(bytes[..ENTRIES_AT], unhex(KAFKAS_START));
        assert_eq!(bytes[ENTRIES_AT + ENTRY_SIZE..][..ENTRY_SIZE], unhex(KAFKAS_SECOND));
        assert_eq!(decode_producer_snapshot(&bytes), Ok(entries.to_vec()));
    }

    #[test]
    fn every_truncation_and_every_flipped_bit_is_seen() {
        let bytes = encode_producer_snapshot([entry(0, 49), entry(1, 99)]);
        assert!((0..bytes.len()).all(|cut| decode_producer_snapshot(&bytes[..cut]).is_err()));
        for bit in 0..bytes.len() * 8 {
            let mut damaged = bytes.clone();
            damaged[bit / 8] ^= 1 << (bit % 8);
            assert!(decode_producer_snapshot(&damaged).is_err(), "bit {bit}");
        }
    }

    #[test]
    fn a_count_that_does_not_fit_is_refused_under_a_right_crc() {
        for count in [-1, 0, 3, i32::MAX] {
            let mut bytes = encode_producer_snapshot([entry(0, 49), entry(1, 99)]);
            bytes[COUNT_AT..ENTRIES_AT].copy_from_slice(&count.to_be_bytes());
            let crc = crc32c::crc32c(&bytes[COUNT_AT..]);
            bytes[CRC_AT..COUNT_AT].copy_from_slice(&crc.to_be_bytes());
            assert_eq!(decode_producer_snapshot(&bytes), Err(SnapshotError::BadLength(102)));
        }
    }

    proptest! {
        #[test]
        fn any_entry_round_trips(numbers in any::<(i64, i16, i32, i64, i32, i64, i32)>(), transaction in prop::option::of(0i64..)) {
            let (producer_id, epoch, last_sequence, last_offset, offset_delta, timestamp, coordinator_epoch) = numbers;
            let entry = ProducerSnapshotEntry {
                producer_id: ProducerId(producer_id),
                epoch: ProducerEpoch(epoch),
                last_sequence,
                last_offset: Offset(last_offset),
                offset_delta,
                timestamp: Timestamp(timestamp),
                coordinator_epoch,
                transaction_first_offset: transaction.map(Offset),
            };
            prop_assert_eq!(decode_producer_snapshot(&encode_producer_snapshot([entry])), Ok(vec![entry]));
        }
    }
}
