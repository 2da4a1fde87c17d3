//! `<base offset>.txnindex`: the aborted transactions whose markers are in the segment. Absent where there are none.
//!
//! ```text
//! 2  version 0
//! 8  producer id
//! 8  first offset of the transaction (perhaps in an earlier segment)
//! 8  last offset: its marker's; ascending from entry to entry
//! 8  last stable offset when the marker was appended
//! ```

use super::IndexError;
use crate::types::{Offset, ProducerId};

const VERSION: i16 = 0;
/// Bytes of an entry.
pub const ABORTED_TRANSACTION_SIZE: usize = 34;

/// One aborted transaction.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct AbortedTransaction {
    pub producer_id: ProducerId,
    pub first_offset: Offset,
    pub last_offset: Offset,
    pub last_stable_offset: Offset,
}

impl AbortedTransaction {
    /// The entry's bytes.
    pub fn to_bytes(&self) -> [u8; ABORTED_TRANSACTION_SIZE] {
        let mut bytes = [0; ABORTED_TRANSACTION_SIZE];
        bytes[..2].copy_from_slice(&VERSION.to_be_bytes());
        let numbers = [self.producer_id.0, self.first_offset.0, self.last_offset.0, self.last_stable_offset.0];
        for (place, number) in bytes[2..].chunks_exact_mut(8).zip(numbers) {
            place.copy_from_slice(&number.to_be_bytes());
        }
        bytes
    }
}

/// A view over a transaction index file's bytes. A partial entry at the end is not looked at.
#[derive(Clone, Copy, Debug)]
pub struct TxnIndex<'a> {
    bytes: &'a [u8],
}

impl<'a> TxnIndex<'a> {
    pub fn new(bytes: &'a [u8]) -> TxnIndex<'a> {
        TxnIndex { bytes }
    }

    /// All entries, in file order.
    pub fn entries(self) -> impl Iterator<Item = AbortedTransaction> + 'a {
        self.bytes.chunks_exact(ABORTED_TRANSACTION_SIZE).map(|entry| {
            let number = |place: usize| {
                let mut number = [0; 8];
                number.copy_from_slice(&entry[2 + 8 * place..10 + 8 * place]);
                i64::from_be_bytes(number)
            };
            AbortedTransaction {
                producer_id: ProducerId(number(0)),
                first_offset: Offset(number(1)),
                last_offset: Offset(number(2)),
                last_stable_offset: Offset(number(3)),
            }
        })
    }

    /// Adds to `found` what a reader of [`fetch_offset`, `upper_bound`) must skip. True if no later segment's index can hold more.
    pub fn collect(self, fetch_offset: Offset, upper_bound: Offset, found: &mut Vec<AbortedTransaction>) -> bool {
        for entry in self.entries() {
            if entry.last_offset >= fetch_offset && entry.first_offset < upper_bound {
                found.push(entry);
            }
            if entry.last_stable_offset >= upper_bound {
                return true;
            }
        }
        false
    }

    /// Whole entries of version 0, ascending, none wholly below the segment's base offset.
    pub fn check(self, base_offset: Offset) -> Result<(), IndexError> {
        if !self.bytes.len().is_multiple_of(ABORTED_TRANSACTION_SIZE) {
            return Err(IndexError::PartialEntry { length: self.bytes.len(), entry_size: ABORTED_TRANSACTION_SIZE });
        }
        for (entry, bytes) in self.bytes.chunks_exact(ABORTED_TRANSACTION_SIZE).enumerate() {
            let version = i16::from_be_bytes([bytes[0], bytes[1]]);
            if version != VERSION {
                return Err(IndexError::UnknownVersion { entry, version });
            }
        }
        let mut least = base_offset;
        for (entry, transaction) in self.entries().enumerate() {
            if transaction.last_offset < least || transaction.first_offset > transaction.last_offset {
                return Err(IndexError::BadEntry { entry });
            }
            least = transaction.last_offset.plus(1);
        }
        Ok(())
    }

    /// Length in bytes of the entries whose markers lie below `offset`: where a truncation cuts the file.
    pub fn length_below(self, offset: Offset) -> usize {
        self.entries().take_while(|entry| entry.last_offset < offset).count() * ABORTED_TRANSACTION_SIZE
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(producer_id: i64, first: i64, last: i64, stable: i64) -> AbortedTransaction {
        AbortedTransaction {
            producer_id: ProducerId(producer_id),
            first_offset: Offset(first),
            last_offset: Offset(last),
            last_stable_offset: Offset(stable),
        }
    }

    fn file(entries: &[AbortedTransaction]) -> Vec<u8> {
        entries.iter().flat_map(AbortedTransaction::to_bytes).collect()
    }

    #[test]
    fn the_bytes_are_kafkas() {
        // Written by Apache Kafka 4.3.1: producer 5 aborted its transaction of offsets 250 to 252.
        let kafkas: [u8; 34] =
            [0, 0, 0, 0, 0, 0, 0, 0, 0, 5, 0, 0, 0, 0, 0, 0, 0, 0xfa, 0, 0, 0, 0, 0, 0, 0, 0xfd, 0, 0, 0, 0, 0, 0, 0, 0xfe];
        assert_eq!(entry(5, 250, 253, 254).to_bytes(), kafkas);
    }

    #[test]
    fn entries_round_trip_and_every_truncation_is_seen() {
        let entries = [entry(1, 0, 10, 5), entry(2, 5, 11, 12), entry(1, 12, 20, 21)];
        let bytes = file(&entries);
        assert_eq!(TxnIndex::new(&bytes).entries().collect::<Vec<_>>(), entries);
        assert_eq!(TxnIndex::new(&bytes).check(Offset(0)), Ok(()));
        for cut in 0..bytes.len() {
            let whole = cut % ABORTED_TRANSACTION_SIZE == 0;
            assert_eq!(TxnIndex::new(&bytes[..cut]).check(Offset(0)).is_ok(), whole);
            assert_eq!(TxnIndex::new(&bytes[..cut]).entries().count(), cut / ABORTED_TRANSACTION_SIZE);
        }
    }

    #[test]
    fn a_reader_learns_of_overlapping_transactions_only() {
        let bytes = file(&[entry(1, 0, 10, 5), entry(2, 5, 11, 12), entry(1, 12, 20, 21)]);
        let collect = |from, to| {
            let mut found = Vec::new();
            let complete = TxnIndex::new(&bytes).collect(Offset(from), Offset(to), &mut found);
            (found.iter().map(|entry| entry.first_offset.0).collect::<Vec<_>>(), complete)
        };
        assert_eq!(collect(0, 3), (vec![0], true));
        assert_eq!(collect(11, 12), (vec![5], true));
        assert_eq!(collect(11, 13), (vec![5, 12], true));
        assert_eq!(collect(21, 30), (vec![], false));
    }

    #[test]
    fn damage_is_seen() {
        let mut bytes = file(&[entry(1, 0, 10, 5), entry(2, 5, 11, 12)]);
        assert_eq!(TxnIndex::new(&bytes).check(Offset(11)), Err(IndexError::BadEntry { entry: 0 }));
        bytes[ABORTED_TRANSACTION_SIZE + 1] = 1;
        assert_eq!(TxnIndex::new(&bytes).check(Offset(0)), Err(IndexError::UnknownVersion { entry: 1, version: 1 }));
        let backwards = file(&[entry(1, 0, 10, 5), entry(2, 5, 10, 12)]);
        assert_eq!(TxnIndex::new(&backwards).check(Offset(0)), Err(IndexError::BadEntry { entry: 1 }));
    }

    #[test]
    fn truncation_keeps_what_ended_below() {
        let bytes = file(&[entry(1, 0, 10, 5), entry(2, 5, 11, 12)]);
        assert_eq!([10, 11, 12].map(|offset| TxnIndex::new(&bytes).length_below(Offset(offset))), [0, 34, 68]);
    }
}
