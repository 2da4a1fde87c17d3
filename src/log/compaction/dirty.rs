//! How far a log may be compacted, how dirty it is, and which log comes first. Pure; the rules are Apache Kafka's.
//!
//! ```text
//! log start .. first dirty .. first uncleanable .. log end
//!      clean bytes    dirty bytes     active segment, above the last stable offset, younger than min.compaction.lag.ms
//! ```

use crate::types::{Offset, Timestamp};

/// What this needs to know of a segment.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct SegmentSummary {
    pub base: Offset,
    pub size: u64,
    /// Of its records.
    pub largest_timestamp: Timestamp,
    /// Of its first batch.
    pub first_timestamp: Timestamp,
}

/// What this needs to know of a log.
#[derive(Clone, Copy, Debug)]
pub struct LogFacts {
    pub log_start: Offset,
    pub log_end: Offset,
    pub last_stable: Offset,
    /// Everything below was compacted by an earlier pass.
    pub checkpoint: Option<Offset>,
    pub now: Timestamp,
    /// `min.compaction.lag.ms`
    pub min_lag_ms: i64,
    /// `max.compaction.lag.ms`
    pub max_lag_ms: i64,
}

/// What a pass would do.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Cleanable {
    pub first_dirty: Offset,
    /// The base offset of the first segment that stays as it is.
    pub first_uncleanable: Offset,
    pub clean_bytes: u64,
    pub dirty_bytes: u64,
    /// Something dirty is older than `max.compaction.lag.ms`.
    pub overdue: bool,
}

impl Cleanable {
    /// `segments` are all of the log, the active one last.
    pub fn of(log: &LogFacts, segments: &[SegmentSummary]) -> Cleanable {
        let active = segments.last().expect("a log has a segment");
        let first_dirty = log.checkpoint.filter(|at| (log.log_start..=log.log_end).contains(at)).unwrap_or(log.log_start);
        let dirty = between(segments, first_dirty, active.base);
        let too_young = |segment: &&SegmentSummary| segment.largest_timestamp.0 > log.now.0.saturating_sub(log.min_lag_ms);
        let young = dirty.iter().find(too_young).filter(|_| log.min_lag_ms > 0).map_or(active.base, |segment| segment.base);
        let limit = log.last_stable.min(active.base).min(young).max(first_dirty);
        // A segment is compacted as a whole.
        let first_uncleanable = between(segments, limit, active.base).first().unwrap_or(active).base;
        let size_of = |segments: &[SegmentSummary]| segments.iter().map(|segment| segment.size).sum();
        let clean = &segments[..segments.partition_point(|segment| segment.base < first_dirty)];
        let oldest = dirty.iter().map(|segment| segment.first_timestamp.0).filter(|timestamp| *timestamp > 0).min();
        Cleanable {
            first_dirty,
            first_uncleanable,
            clean_bytes: size_of(clean),
            dirty_bytes: size_of(between(segments, first_dirty, first_uncleanable)),
            overdue: oldest.is_some_and(|oldest| oldest < log.now.0.saturating_sub(log.max_lag_ms.max(0))),
        }
    }

    /// The dirty part, from 0 to 1. A segment that is dirty from its middle on counts as clean and as dirty.
    pub fn ratio(&self) -> f64 {
        match self.clean_bytes + self.dirty_bytes {
            0 => 0.0,
            all => self.dirty_bytes as f64 / all as f64,
        }
    }

    /// Whether it is dirty enough for `min.cleanable.dirty.ratio`, or overdue.
    pub fn is_due(&self, min_ratio: f64) -> bool {
        self.dirty_bytes > 0 && (self.overdue || self.ratio() > min_ratio)
    }
}

/// The segments from the one that holds `from` up to those that begin below `to`.
pub fn between(segments: &[SegmentSummary], from: Offset, to: Offset) -> &[SegmentSummary] {
    if from >= to {
        return &[];
    }
    let first = segments.partition_point(|segment| segment.base <= from).saturating_sub(1);
    let end = segments.partition_point(|segment| segment.base < to);
    &segments[first.min(end)..end]
}

/// Puts neighbours together as long as log and indexes stay below the sizes of one segment: how many of `segments` each group has.
pub fn group(segments: &[GroupedSegment], end: Offset, segment_bytes: u64, index_bytes: u64) -> Vec<usize> {
    let mut groups: Vec<usize> = Vec::new();
    let mut sum = GroupedSegment::default();
    for (index, segment) in segments.iter().enumerate() {
        let last_offset = segments.get(index + 1).map_or(end, |next| next.base).0 - 1;
        let fits = sum.log_bytes + segment.log_bytes <= segment_bytes
            && sum.offset_index_bytes + segment.offset_index_bytes <= index_bytes
            && sum.time_index_bytes + segment.time_index_bytes <= index_bytes
            && (segment.log_bytes == 0 || last_offset - sum.base.0 <= i64::from(i32::MAX));
        match groups.last_mut().filter(|_| fits) {
            Some(count) => {
                *count += 1;
                sum.log_bytes += segment.log_bytes;
                sum.offset_index_bytes += segment.offset_index_bytes;
                sum.time_index_bytes += segment.time_index_bytes;
            }
            None => {
                groups.push(1);
                sum = *segment;
            }
        }
    }
    groups
}

/// What grouping looks at.
#[derive(Clone, Copy, Default, Debug)]
pub struct GroupedSegment {
    pub base: Offset,
    pub log_bytes: u64,
    pub offset_index_bytes: u64,
    pub time_index_bytes: u64,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn log() -> LogFacts {
        LogFacts {
            log_start: Offset(0),
            log_end: Offset(40),
            last_stable: Offset(40),
            checkpoint: None,
            now: Timestamp(1_000),
            min_lag_ms: 0,
            max_lag_ms: i64::MAX,
        }
    }

    /// Four segments of ten records and a hundred bytes; timestamps are their offsets times ten.
    fn segments() -> Vec<SegmentSummary> {
        let facts = |base: i64| SegmentSummary {
            base: Offset(base),
            size: 100,
            largest_timestamp: Timestamp(10 * base + 90),
            first_timestamp: Timestamp(10 * base),
        };
        [0, 10, 20, 30].map(facts).to_vec()
    }

    fn range(log: LogFacts) -> (i64, i64, u64, u64) {
        let found = Cleanable::of(&log, &segments());
        (found.first_dirty.0, found.first_uncleanable.0, found.clean_bytes, found.dirty_bytes)
    }

    #[test]
    fn everything_below_the_active_segment_is_cleanable() {
        assert_eq!(range(log()), (0, 30, 0, 300));
        assert_eq!(range(LogFacts { checkpoint: Some(Offset(20)), ..log() }), (20, 30, 200, 100));
        assert_eq!(range(LogFacts { checkpoint: Some(Offset(30)), ..log() }), (30, 30, 300, 0));
        assert_eq!(range(LogFacts { checkpoint: Some(Offset(15)), ..log() }), (15, 30, 200, 200), "the second segment is both");
    }

    #[test]
    fn a_checkpoint_outside_the_log_counts_as_none() {
        assert_eq!(range(LogFacts { checkpoint: Some(Offset(41)), ..log() }).0, 0);
        assert_eq!(range(LogFacts { checkpoint: Some(Offset(3)), log_start: Offset(12), ..log() }), (12, 30, 200, 200));
    }

    #[test]
    fn undecided_and_young_records_are_not_cleaned() {
        assert_eq!(range(LogFacts { last_stable: Offset(25), ..log() }), (0, 20, 0, 200));
        assert_eq!(range(LogFacts { last_stable: Offset(5), ..log() }), (0, 0, 0, 0));
        assert_eq!(range(LogFacts { min_lag_ms: 810, ..log() }), (0, 20, 0, 200), "the third segment has a record from 290");
        assert_eq!(range(LogFacts { min_lag_ms: 710, ..log() }), (0, 30, 0, 300));
    }

    #[test]
    fn it_is_due_when_dirty_enough_or_overdue() {
        let clean_to = |offset, max_lag_ms| Cleanable::of(&LogFacts { checkpoint: Some(Offset(offset)), max_lag_ms, ..log() }, &segments());
        assert!(clean_to(10, i64::MAX).is_due(0.5));
        assert!(!clean_to(20, i64::MAX).is_due(0.5));
        assert!(clean_to(20, 799).is_due(0.5), "a record of 200 is older than 799");
        assert!(!clean_to(20, 800).is_due(0.5));
        assert!(!clean_to(30, 1).is_due(0.0), "nothing is dirty");
    }

    #[test]
    fn groups_stay_below_one_segment() {
        let segment = |base, log_bytes| GroupedSegment { base: Offset(base), log_bytes, offset_index_bytes: 8, time_index_bytes: 12 };
        let segments = [segment(0, 40), segment(10, 50), segment(20, 20), segment(30, 0), segment(40, 200)];
        assert_eq!(group(&segments, Offset(50), 100, 1_000), [2, 2, 1]);
        assert_eq!(group(&segments, Offset(50), 1_000, 1_000), [5]);
        assert_eq!(group(&segments, Offset(50), 1_000, 24), [2, 2, 1], "two time index entries and no more");
        assert_eq!(group(&[], Offset(50), 100, 100), []);
        let far = [segment(0, 1), segment(5, 1), segment(i64::from(i32::MAX) + 2, 1)];
        assert_eq!(group(&far, Offset(i64::from(i32::MAX) + 3), 100, 1_000), [1, 2], "offsets must fit an index");
    }
}
