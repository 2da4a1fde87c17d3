//! `<base offset>.index`: where in its segment a batch stands, for one batch in every `index.interval.bytes`.
//!
//! ```text
//! 4  offset of a batch's last record, less the base offset; ascending
//! 4  position of that batch in the .log file; ascending
//! ```
//! Apache Kafka preallocates the active segment's index and cuts it at roll, so after its crash zeros may follow the entries.

use super::{IndexError, partition_point, relative_offset};
use crate::types::Offset;

const ENTRY_SIZE: usize = 8;

/// Start of a batch in a segment file, in bytes, and the offset that led there.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct OffsetPosition {
    pub offset: Offset,
    pub position: u32,
}

/// A view over an index file's bytes, mapped or in memory. A partial entry at the end is not looked at.
#[derive(Clone, Copy, Debug)]
pub struct OffsetIndex<'a> {
    base_offset: Offset,
    bytes: &'a [u8],
}

impl<'a> OffsetIndex<'a> {
    pub fn new(base_offset: Offset, bytes: &'a [u8]) -> OffsetIndex<'a> {
        OffsetIndex { base_offset, bytes }
    }

    pub fn base_offset(&self) -> Offset {
        self.base_offset
    }

    /// Whole entries.
    pub fn count(&self) -> usize {
        self.bytes.len() / ENTRY_SIZE
    }

    /// Panics if there is no such entry.
    pub fn entry(&self, index: usize) -> OffsetPosition {
        let entry: &[u8; ENTRY_SIZE] = self.bytes[index * ENTRY_SIZE..].first_chunk().expect("index is below count");
        let [o0, o1, o2, o3, p0, p1, p2, p3] = *entry;
        let relative = i32::from_be_bytes([o0, o1, o2, o3]);
        OffsetPosition { offset: self.base_offset.plus(i64::from(relative)), position: u32::from_be_bytes([p0, p1, p2, p3]) }
    }

    pub fn last(&self) -> Option<OffsetPosition> {
        self.count().checked_sub(1).map(|last| self.entry(last))
    }

    /// The last entry at or below `target`: reading from its position finds the batch that holds `target`. The segment's start if
    /// there is none.
    pub fn lookup(&self, target: Offset) -> OffsetPosition {
        let after = partition_point(self.count(), |index| self.entry(index).offset <= target);
        after.checked_sub(1).map_or(OffsetPosition { offset: self.base_offset, position: 0 }, |index| self.entry(index))
    }

    /// The first entry whose position is `position` or more: a batch boundary where a read that begins below may end.
    pub fn lookup_position(&self, position: u32) -> Option<OffsetPosition> {
        let first = partition_point(self.count(), |index| self.entry(index).position < position);
        (first < self.count()).then(|| self.entry(first))
    }

    /// Cheap: whole entries, and the last one lies above the first and inside a segment of `log_size` bytes.
    pub fn check_ends(&self, log_size: u64) -> Result<(), IndexError> {
        if !self.bytes.len().is_multiple_of(ENTRY_SIZE) {
            return Err(IndexError::PartialEntry { length: self.bytes.len(), entry_size: ENTRY_SIZE });
        }
        let Some(last) = self.count().checked_sub(1) else { return Ok(()) };
        self.check_entry(0, None)?;
        self.check_entry(last, (last > 0).then_some(0))?;
        if u64::from(self.entry(last).position) >= log_size {
            return Err(IndexError::BadEntry { entry: last });
        }
        Ok(())
    }

    /// [`OffsetIndex::check_ends`], and every entry lies above the one before it.
    pub fn check_all(&self, log_size: u64) -> Result<(), IndexError> {
        self.check_ends(log_size)?;
        (1..self.count()).try_for_each(|index| self.check_entry(index, Some(index - 1)))
    }

    fn check_entry(&self, index: usize, below: Option<usize>) -> Result<(), IndexError> {
        let entry = self.entry(index);
        let above = below.is_none_or(|below| {
            let below = self.entry(below);
            below.offset < entry.offset && below.position < entry.position
        });
        if above && entry.offset >= self.base_offset { Ok(()) } else { Err(IndexError::BadEntry { entry: index }) }
    }
}

/// An index that grows, in memory; its bytes are the file's.
#[derive(Clone, Debug)]
pub struct OffsetIndexBuilder {
    base_offset: Offset,
    bytes: Vec<u8>,
}

impl OffsetIndexBuilder {
    pub fn new(base_offset: Offset) -> OffsetIndexBuilder {
        OffsetIndexBuilder { base_offset, bytes: Vec::new() }
    }

    /// Goes on from an index that [`OffsetIndex::check_all`] found good.
    pub fn resume(base_offset: Offset, mut bytes: Vec<u8>) -> OffsetIndexBuilder {
        bytes.truncate(bytes.len() - bytes.len() % ENTRY_SIZE);
        OffsetIndexBuilder { base_offset, bytes }
    }

    /// `offset` (a batch's last) must lie above the last entry's, `position` too.
    pub fn append(&mut self, offset: Offset, position: u32) -> Result<(), IndexError> {
        let relative = relative_offset(self.base_offset, offset)?;
        if self.index().last().is_some_and(|last| offset <= last.offset || position <= last.position) {
            return Err(IndexError::OutOfOrder);
        }
        self.bytes.extend_from_slice(&relative.to_be_bytes());
        self.bytes.extend_from_slice(&position.to_be_bytes());
        Ok(())
    }

    /// Keeps the entries below `offset`.
    pub fn truncate_to(&mut self, offset: Offset) {
        let index = self.index();
        let keep = partition_point(index.count(), |entry| index.entry(entry).offset < offset);
        self.bytes.truncate(keep * ENTRY_SIZE);
    }

    pub fn index(&self) -> OffsetIndex<'_> {
        OffsetIndex::new(self.base_offset, &self.bytes)
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

    fn built(base: i64, entries: &[(i64, u32)]) -> OffsetIndexBuilder {
        let mut builder = OffsetIndexBuilder::new(Offset(base));
        for &(offset, position) in entries {
            builder.append(Offset(offset), position).unwrap();
        }
        builder
    }

    #[test]
    fn the_bytes_are_kafkas() {
        let builder = built(1_000, &[(1_007, 4_100), (1_300, 0x0102_0304)]);
        assert_eq!(builder.bytes(), [0, 0, 0, 7, 0, 0, 0x10, 0x04, 0, 0, 0x01, 0x2c, 1, 2, 3, 4]);
    }

    #[test]
    fn a_lookup_finds_the_entry_at_or_below() {
        let builder = built(100, &[(110, 10), (120, 20), (130, 30)]);
        let position = |target| builder.index().lookup(Offset(target)).position;
        assert_eq!([100, 109, 110, 119, 120, 131, 5_000].map(position), [0, 0, 10, 10, 20, 30, 30]);
        assert_eq!(builder.index().lookup_position(11).map(|found| found.position), Some(20));
        assert_eq!(builder.index().lookup_position(31), None);
    }

    #[test]
    fn entries_ascend_and_stay_in_range() {
        let mut builder = built(100, &[(110, 10)]);
        assert_eq!(builder.append(Offset(110), 20), Err(IndexError::OutOfOrder));
        assert_eq!(builder.append(Offset(111), 10), Err(IndexError::OutOfOrder));
        assert_eq!(builder.append(Offset(99), 20), Err(IndexError::OffsetOverflow));
        assert_eq!(builder.append(Offset(101 + i64::from(i32::MAX)), 20), Err(IndexError::OffsetOverflow));
        assert_eq!(builder.append(Offset(100 + i64::from(i32::MAX)), 20), Ok(()));
    }

    #[test]
    fn damage_is_seen() {
        let good = built(100, &[(110, 10), (120, 20), (130, 30)]);
        assert_eq!(good.index().check_all(31), Ok(()));
        assert_eq!(good.index().check_ends(30), Err(IndexError::BadEntry { entry: 2 }));

        let padded = [good.bytes(), &[0; 16]].concat();
        assert_eq!(OffsetIndex::new(Offset(100), &padded).check_ends(1_000), Err(IndexError::BadEntry { entry: 4 }));
        let partial = &good.bytes()[..23];
        assert_eq!(OffsetIndex::new(Offset(100), partial).check_ends(1_000), Err(IndexError::PartialEntry { length: 23, entry_size: 8 }));
        let mut swapped = good.bytes().to_vec();
        swapped.copy_within(0..8, 8);
        assert_eq!(OffsetIndex::new(Offset(100), &swapped).check_all(1_000), Err(IndexError::BadEntry { entry: 1 }));
        let mut negative = good.bytes().to_vec();
        negative[0] = 0xff;
        assert_eq!(OffsetIndex::new(Offset(100), &negative).check_ends(1_000), Err(IndexError::BadEntry { entry: 0 }));
    }

    proptest! {
        #[test]
        fn a_lookup_agrees_with_a_scan(steps in prop::collection::vec((1i64..50, 1u32..9_000), 0..60), target in 0i64..4_000, cut in 0i64..4_000) {
            let mut builder = OffsetIndexBuilder::new(Offset(500));
            let (mut offset, mut position) = (499, 0);
            let mut model = Vec::new();
            for (offset_step, position_step) in steps {
                offset += offset_step;
                position += position_step;
                builder.append(Offset(offset), position).unwrap();
                model.push((offset, position));
            }
            let expected = model.iter().rev().find(|entry| entry.0 <= target).map_or(0, |entry| entry.1);
            prop_assert_eq!(builder.index().lookup(Offset(target)).position, expected);
            prop_assert_eq!(builder.index().check_all(u64::from(position) + 1), Ok(()));

            builder.truncate_to(Offset(cut));
            prop_assert_eq!(builder.index().count(), model.iter().filter(|entry| entry.0 < cut).count());
        }

        #[test]
        fn any_bytes_are_safe_to_look_at(bytes in prop::collection::vec(any::<u8>(), 0..200), target: i64) {
            let index = OffsetIndex::new(Offset(i64::MAX - 5), &bytes);
            let _ = (index.lookup(Offset(target)), index.check_all(u64::MAX), index.last());
        }
    }
}
