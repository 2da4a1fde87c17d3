//! Which segments retention takes: Kafka 4.3's rules. Pure.
//!
//! Segments go from the oldest on, whole ones, in three passes: those wholly below the log start offset; then, with `cleanup.policy` `delete`,
//! as many as leave at least `retention.bytes`; then those whose largest timestamp is more than `retention.ms` ago. A segment
//! that reaches beyond the high watermark stays, and so does an empty active one.

use crate::log::TopicLogConfig;
use crate::log::partition::SegmentFacts;
use crate::types::{Offset, Timestamp};

/// What the passes go by, of one partition.
pub struct Rules {
    pub cleanup_delete: bool,
    /// Negative: unbounded.
    pub retention_bytes: i64,
    /// Negative: unbounded.
    pub retention_ms: i64,
    pub log_start: Offset,
    pub high_watermark: Offset,
}

impl Rules {
    pub fn new(config: &TopicLogConfig, log_start: Offset, high_watermark: Offset) -> Rules {
        Rules {
            cleanup_delete: config.cleanup_delete,
            retention_bytes: config.retention_bytes,
            retention_ms: config.retention_ms,
            log_start,
            high_watermark,
        }
    }

    fn may_go(&self, list: &[SegmentFacts], index: usize) -> bool {
        let is_active = index + 1 == list.len();
        list[index].end <= self.high_watermark && !(is_active && list[index].size == 0)
    }

    /// How many of the first segments go by log start offset and size.
    pub fn count_by_size(&self, list: &[SegmentFacts]) -> usize {
        let is_below = |index: usize| index + 1 < list.len() && list[index].end <= self.log_start;
        let below = (0..list.len()).take_while(|&index| self.may_go(list, index) && is_below(index)).count();
        if !self.cleanup_delete || self.retention_bytes < 0 {
            return below;
        }
        let total: u64 = list[below..].iter().map(|segment| segment.size).sum();
        let mut surplus = total.saturating_sub(self.retention_bytes as u64);
        if total < self.retention_bytes as u64 {
            return below;
        }
        let mut count = below;
        while count < list.len() && self.may_go(list, count) && list[count].size <= surplus {
            surplus -= list[count].size;
            count += 1;
        }
        count
    }

    /// Whether time is a reason to delete at all.
    pub fn goes_by_time(&self) -> bool {
        self.cleanup_delete && self.retention_ms >= 0
    }

    /// Whether the segment at `index`, all before which go, goes for its age. `newest`: its largest timestamp, or when it was last
    /// written if its records have none.
    pub fn is_expired(&self, list: &[SegmentFacts], index: usize, newest: Timestamp, now: Timestamp) -> bool {
        self.may_go(list, index) && now.0.saturating_sub(newest.0) > self.retention_ms
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::log::segment::SegmentId;

    /// Segments of these sizes, ten offsets each.
    fn list(sizes: &[u64]) -> Vec<SegmentFacts> {
        let segment = |(index, &size): (usize, &u64)| {
            let base = Offset(10 * index as i64);
            let end = if size == 0 { base } else { base.plus(10) };
            SegmentFacts { id: SegmentId { base, version: 0 }, base, end, size, sealed: index + 1 < sizes.len() }
        };
        sizes.iter().enumerate().map(segment).collect()
    }

    fn rules(retention_bytes: i64, retention_ms: i64) -> Rules {
        Rules { cleanup_delete: true, retention_bytes, retention_ms, log_start: Offset(0), high_watermark: Offset(1000) }
    }

    #[test]
    fn by_size_at_least_the_limit_stays() {
        let count = |bytes| rules(bytes, -1).count_by_size(&list(&[100, 100, 100, 50]));
        assert_eq!([count(-1), count(351), count(350), count(251), count(250)], [0, 0, 0, 0, 1]);
        assert_eq!([count(151), count(150), count(50), count(49)], [1, 2, 3, 3]);
        assert_eq!(count(0), 4, "the active one too");
    }

    #[test]
    fn nothing_at_or_beyond_the_high_watermark_goes() {
        let rules = Rules { high_watermark: Offset(19), ..rules(0, 0) };
        let segments = list(&[100, 100, 100]);
        assert_eq!(rules.count_by_size(&segments), 1);
        assert!(!rules.is_expired(&segments, 1, Timestamp(0), Timestamp(1_000)));
    }

    #[test]
    fn what_lies_below_the_log_start_goes_whatever_the_policy() {
        let compacted = Rules { cleanup_delete: false, log_start: Offset(25), ..rules(0, 0) };
        assert_eq!(compacted.count_by_size(&list(&[100, 100, 100, 100])), 2, "offset 20 to 29 holds the log start");
        assert!(!compacted.goes_by_time());
        let all = Rules { log_start: Offset(20), ..rules(-1, -1) };
        assert_eq!(all.count_by_size(&list(&[100, 100])), 1, "the active segment is not below: the log start is in it");
    }

    #[test]
    fn an_empty_active_segment_stays() {
        let segments = list(&[100, 0]);
        assert_eq!(rules(0, 0).count_by_size(&segments), 1);
        assert!(!rules(0, 0).is_expired(&segments, 1, Timestamp(0), Timestamp(1_000)));
    }

    #[test]
    fn by_time_a_segment_goes_when_its_newest_record_is_older_than_the_limit() {
        let segments = list(&[100, 100]);
        let expired = |newest, now| rules(-1, 1_000).is_expired(&segments, 0, Timestamp(newest), Timestamp(now));
        assert_eq!([expired(5_000, 6_000), expired(5_000, 6_001)], [false, true]);
        assert_eq!([expired(9_000, 6_000), expired(i64::MAX, 6_000)], [false, false], "timestamps in the future");
        assert_eq!([expired(i64::MIN, i64::MAX), expired(i64::MAX, i64::MIN)], [true, false]);
    }
}
