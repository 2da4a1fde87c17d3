//! `<base offset>.timeindex`: up to which offset no record is younger than a timestamp.
//!
//! ```text
//! 8  timestamp: the largest of the segment so far; ascending
//! 4  offset of the batch's last record that has it, less the base offset; ascending
//! ```
//! An entry (t, o) says: every record above o that the entry before did not cover has come after t was seen, so a search for
//! a record at or after a timestamp may begin at the last entry below it.

use super::{IndexError, partition_point, relative_offset};
use crate::types::{Offset, Timestamp};

const ENTRY_SIZE: usize = 12;

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct TimestampOffset {
    pub timestamp: Timestamp,
    pub offset: Offset,
}

/// A view over a time index file's bytes, mapped or in memory. A partial entry at the end is not looked at.
#[derive(Clone, Copy, Debug)]
pub struct TimeIndex<'a> {
    base_offset: Offset,
    bytes: &'a [u8],
}

impl<'a> TimeIndex<'a> {
    pub fn new(base_offset: Offset, bytes: &'a [u8]) -> TimeIndex<'a> {
        TimeIndex { base_offset, bytes }
    }

    /// Whole entries.
    pub fn count(&self) -> usize {
        self.bytes.len() / ENTRY_SIZE
    }

    /// Panics if there is no such entry.
    pub fn entry(&self, index: usize) -> TimestampOffset {
        let entry: &[u8; ENTRY_SIZE] = self.bytes[index * ENTRY_SIZE..].first_chunk().expect("index is below count");
        let [t0, t1, t2, t3, t4, t5, t6, t7, o0, o1, o2, o3] = *entry;
        let relative = i32::from_be_bytes([o0, o1, o2, o3]);
        TimestampOffset {
            timestamp: Timestamp(i64::from_be_bytes([t0, t1, t2, t3, t4, t5, t6, t7])),
            offset: self.base_offset.plus(i64::from(relative)),
        }
    }

    pub fn last(&self) -> Option<TimestampOffset> {
        self.count().checked_sub(1).map(|last| self.entry(last))
    }

    /// The last entry whose timestamp is at or below `target`; (-1, base offset) if there is none.
    pub fn lookup(&self, target: Timestamp) -> TimestampOffset {
        let after = partition_point(self.count(), |index| self.entry(index).timestamp <= target);
        let start = TimestampOffset { timestamp: Timestamp::NONE, offset: self.base_offset };
        after.checked_sub(1).map_or(start, |index| self.entry(index))
    }

    /// Cheap: whole entries, and the last one lies above the first and inside the segment, whose next offset is `next_offset`.
    pub fn check_ends(&self, next_offset: Offset) -> Result<(), IndexError> {
        if !self.bytes.len().is_multiple_of(ENTRY_SIZE) {
            return Err(IndexError::PartialEntry { length: self.bytes.len(), entry_size: ENTRY_SIZE });
        }
        let Some(last) = self.count().checked_sub(1) else { return Ok(()) };
        self.check_entry(0, None)?;
        self.check_entry(last, (last > 0).then_some(0))?;
        if self.entry(last).offset >= next_offset { Err(IndexError::BadEntry { entry: last }) } else { Ok(()) }
    }

    /// [`TimeIndex::check_ends`], and every entry lies above the one before it.
    pub fn check_all(&self, next_offset: Offset) -> Result<(), IndexError> {
        self.check_ends(next_offset)?;
        (1..self.count()).try_for_each(|index| self.check_entry(index, Some(index - 1)))
    }

    fn check_entry(&self, index: usize, below: Option<usize>) -> Result<(), IndexError> {
        let entry = self.entry(index);
        let above = below.is_none_or(|below| {
            let below = self.entry(below);
            below.timestamp < entry.timestamp && below.offset <= entry.offset
        });
        if above && entry.offset >= self.base_offset { Ok(()) } else { Err(IndexError::BadEntry { entry: index }) }
    }
}

/// A time index that grows, in memory; its bytes are the file's.
#[derive(Clone, Debug)]
pub struct TimeIndexBuilder {
    base_offset: Offset,
    bytes: Vec<u8>,
}

impl TimeIndexBuilder {
    pub fn new(base_offset: Offset) -> TimeIndexBuilder {
        TimeIndexBuilder { base_offset, bytes: Vec::new() }
    }

    /// Goes on from an index that [`TimeIndex::check_all`] found good.
    pub fn resume(base_offset: Offset, mut bytes: Vec<u8>) -> TimeIndexBuilder {
        bytes.truncate(bytes.len() - bytes.len() % ENTRY_SIZE);
        TimeIndexBuilder { base_offset, bytes }
    }

    /// Appends if `timestamp` lies above the last entry's (and is one at all: not -1); does nothing if it equals it. Both at the
    /// usual interval and at roll, where Kafka writes the segment's largest timestamp.
    pub fn append(&mut self, timestamp: Timestamp, offset: Offset) -> Result<(), IndexError> {
        let relative = relative_offset(self.base_offset, offset)?;
        let last = self.index().last();
        if last.is_some_and(|last| offset < last.offset || timestamp < last.timestamp) {
            return Err(IndexError::OutOfOrder);
        }
        if timestamp > last.map_or(Timestamp::NONE, |last| last.timestamp) {
            self.bytes.extend_from_slice(&timestamp.0.to_be_bytes());
            self.bytes.extend_from_slice(&relative.to_be_bytes());
        }
        Ok(())
    }

    /// Keeps the entries below `offset`.
    pub fn truncate_to(&mut self, offset: Offset) {
        let index = self.index();
        let keep = partition_point(index.count(), |entry| index.entry(entry).offset < offset);
        self.bytes.truncate(keep * ENTRY_SIZE);
    }

    pub fn index(&self) -> TimeIndex<'_> {
        TimeIndex::new(self.base_offset, &self.bytes)
    }

    /// The file's content.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn built(base: i64, entries: &[(i64, i64)]) -> TimeIndexBuilder {
        let mut builder = TimeIndexBuilder::new(Offset(base));
        for &(timestamp, offset) in entries {
            builder.append(Timestamp(timestamp), Offset(offset)).unwrap();
        }
        builder
    }

    #[test]
    fn the_bytes_are_kafkas() {
        let builder = built(10, &[(0x0102_0304_0506_0708, 19)]);
        assert_eq!(builder.bytes(), [1, 2, 3, 4, 5, 6, 7, 8, 0, 0, 0, 9]);
    }

    #[test]
    fn a_lookup_finds_the_last_entry_at_or_below() {
        let builder = built(10, &[(1_000, 15), (2_000, 25)]);
        let found = |target| builder.index().lookup(Timestamp(target)).offset.0;
        assert_eq!([999, 1_000, 1_999, 2_000, 9_999].map(found), [10, 15, 15, 25, 25]);
        assert_eq!(builder.index().lookup(Timestamp(5)).timestamp, Timestamp::NONE);
    }

    #[test]
    fn only_growing_timestamps_are_written() {
        let mut builder = built(10, &[(1_000, 15), (1_000, 20), (1_001, 20)]);
        assert_eq!(builder.index().count(), 2);
        assert_eq!(builder.append(Timestamp(1_000), Offset(30)), Err(IndexError::OutOfOrder));
        assert_eq!(builder.append(Timestamp(1_002), Offset(19)), Err(IndexError::OutOfOrder));
        assert_eq!(built(10, &[(-1, 12)]).index().count(), 0);
    }

    #[test]
    fn damage_is_seen() {
        let good = built(10, &[(1_000, 15), (2_000, 25), (3_000, 26)]);
        assert_eq!(good.index().check_all(Offset(27)), Ok(()));
        assert_eq!(good.index().check_ends(Offset(26)), Err(IndexError::BadEntry { entry: 2 }));
        let padded = [good.bytes(), &[0; 12]].concat();
        assert_eq!(TimeIndex::new(Offset(10), &padded).check_ends(Offset(99)), Err(IndexError::BadEntry { entry: 3 }));
        assert!(matches!(
            TimeIndex::new(Offset(10), &good.bytes()[..35]).check_ends(Offset(99)),
            Err(IndexError::PartialEntry { length: 35, .. })
        ));
    }

    proptest! {
        #[test]
        fn a_lookup_agrees_with_a_scan(steps in prop::collection::vec((0i64..50, 0i64..90), 0..60), target in 0i64..3_000, cut in 0i64..4_000) {
            let mut builder = TimeIndexBuilder::new(Offset(500));
            let (mut timestamp, mut offset) = (100, 500);
            let mut model: Vec<(i64, i64)> = Vec::new();
            for (timestamp_step, offset_step) in steps {
                timestamp += timestamp_step;
                offset += offset_step;
                builder.append(Timestamp(timestamp), Offset(offset)).unwrap();
                if model.last().is_none_or(|last| last.0 < timestamp) {
                    model.push((timestamp, offset));
                }
            }
            let expected = model.iter().rev().find(|entry| entry.0 <= target).map_or(500, |entry| entry.1);
            prop_assert_eq!(builder.index().lookup(Timestamp(target)).offset, Offset(expected));
            prop_assert_eq!(builder.index().check_all(Offset(offset + 1)), Ok(()));

            builder.truncate_to(Offset(cut));
            prop_assert_eq!(builder.index().count(), model.iter().filter(|entry| entry.1 < cut).count());
        }

        #[test]
        fn any_bytes_are_safe_to_look_at(bytes in prop::collection::vec(any::<u8>(), 0..200), target: i64) {
            let index = TimeIndex::new(Offset(i64::MAX - 5), &bytes);
            let _ = (index.lookup(Timestamp(target)), index.check_all(Offset(target)), index.last());
        }
    }
}
