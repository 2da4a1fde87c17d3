//! Both indexes of a segment as its batches come, at append and when they are rebuilt: entry for entry what Kafka writes.

use super::{OffsetIndexBuilder, TimeIndexBuilder, TimestampOffset};
use crate::types::{Offset, Timestamp};
use crate::wire::records::BatchHeader;

/// Grows with its segment. Whoever writes the files appends what `offsets().bytes()` and `times().bytes()` have gained.
#[derive(Clone, Debug)]
pub struct SegmentIndexes {
    offsets: OffsetIndexBuilder,
    times: TimeIndexBuilder,
    interval_bytes: u64,
    bytes_since_entry: u64,
    largest: Option<TimestampOffset>,
}

impl SegmentIndexes {
    /// For an empty segment; `interval_bytes` is `index.interval.bytes`.
    pub fn new(base_offset: Offset, interval_bytes: u64) -> SegmentIndexes {
        SegmentIndexes {
            offsets: OffsetIndexBuilder::new(base_offset),
            times: TimeIndexBuilder::new(base_offset),
            interval_bytes,
            bytes_since_entry: 0,
            largest: None,
        }
    }

    /// Takes the next batch, whose first byte is at `position` in the segment. A batch gets an entry when more than the interval has
    /// come since the last one. Its last offset must fit the segment: see [`SegmentIndexes::fits`].
    pub fn add(&mut self, batch: &BatchHeader, position: u32) {
        let last_offset = batch.last_offset();
        if batch.max_timestamp > self.largest.map_or(Timestamp::NONE, |largest| largest.timestamp) {
            self.largest = Some(TimestampOffset { timestamp: batch.max_timestamp, offset: last_offset });
        }
        if self.bytes_since_entry > self.interval_bytes {
            self.offsets.append(last_offset, position).expect("batches ascend and fit their segment");
            self.add_time_entry();
            self.bytes_since_entry = 0;
        }
        self.bytes_since_entry += batch.size().unwrap_or(0) as u64;
    }

    /// True if an entry can name `offset`; where not, the segment must be rolled before the batch that ends there.
    pub fn fits(&self, offset: Offset) -> bool {
        super::relative_offset(self.offsets.index().base_offset(), offset).is_ok()
    }

    /// At roll and at clean stop: the segment's largest timestamp gets its entry.
    pub fn seal(&mut self) {
        self.add_time_entry();
    }

    fn add_time_entry(&mut self) {
        if let Some(largest) = self.largest {
            self.times.append(largest.timestamp, largest.offset).expect("the largest timestamp ascends with its offset");
        }
    }

    /// The segment's largest timestamp, and the last offset of the first batch that has it.
    pub fn largest_timestamp(&self) -> Option<TimestampOffset> {
        self.largest
    }

    pub fn offsets(&self) -> &OffsetIndexBuilder {
        &self.offsets
    }

    pub fn times(&self) -> &TimeIndexBuilder {
        &self.times
    }

    /// True when either file has no room left under `segment.index.bytes`: the segment is rolled. One time entry is kept for the roll.
    pub fn are_full(&self, index_bytes_max: usize) -> bool {
        let entries = |size: usize| index_bytes_max / size;
        self.offsets.index().count() >= entries(8) || self.times.index().count() + 1 >= entries(12)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::records::BatchBuilder;

    fn batch(base_offset: i64, count: i32, timestamp: i64) -> BatchHeader {
        let mut builder = BatchBuilder::default().base_offset(Offset(base_offset));
        for _ in 0..count {
            builder.push(Timestamp(timestamp), None, Some(&[0; 100]), &[]);
        }
        *builder.finish().header()
    }

    #[test]
    fn entries_come_once_an_interval() {
        let mut indexes = SegmentIndexes::new(Offset(100), 500);
        let mut position = 0;
        for (number, timestamp) in [50, 70, 60, 80].into_iter().enumerate() {
            let batch = batch(100 + 3 * number as i64, 3, timestamp);
            indexes.add(&batch, position);
            position += batch.size().unwrap() as u32;
        }
        let size = position / 4;
        assert!((300..500).contains(&size), "two batches exceed the interval");
        let offsets = indexes.offsets().index();
        assert_eq!((offsets.count(), offsets.entry(0).offset, offsets.entry(0).position), (1, Offset(108), 2 * size));
        let times = indexes.times().index();
        assert_eq!((times.count(), times.entry(0).timestamp, times.entry(0).offset), (1, Timestamp(70), Offset(105)));

        indexes.seal();
        indexes.seal();
        assert_eq!(indexes.times().index().last(), indexes.largest_timestamp());
        assert_eq!(indexes.times().index().count(), 2);
    }

    #[test]
    fn batches_without_timestamps_leave_the_time_index_empty() {
        let mut indexes = SegmentIndexes::new(Offset(0), 0);
        indexes.add(&batch(0, 1, -1), 0);
        indexes.add(&batch(1, 1, -1), 200);
        indexes.seal();
        assert_eq!((indexes.offsets().index().count(), indexes.times().index().count()), (1, 0));
    }

    #[test]
    fn full_and_unfitting_are_told() {
        let mut indexes = SegmentIndexes::new(Offset(10), 0);
        assert!(indexes.fits(Offset(10 + i64::from(i32::MAX))) && !indexes.fits(Offset(11 + i64::from(i32::MAX))));
        assert!(!indexes.are_full(24));
        indexes.add(&batch(10, 1, 5), 0);
        indexes.add(&batch(11, 1, 6), 200);
        assert!(indexes.are_full(24), "one of two time entries is kept for the roll");
    }
}
