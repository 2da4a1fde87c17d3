//! Index files beside the batches of their segment, entry by entry as the batches come. Pure.

use super::{Finding, Severity, Subject};
use crate::log::format::{AbortedTransaction, OffsetIndex, SegmentFileKind, TimeIndex, TxnIndex};
use crate::types::{Offset, Timestamp};
use crate::wire::records::BatchHeader;
use bytes::Bytes;

/// A stretch without an entry that is longer than this, beside the batches in it, was made by no `index.interval.bytes` in use.
const STRETCH_BYTES_MAX: u64 = 1 << 20;

/// One segment's `.index` and `.timeindex`.
pub struct Indexes {
    base: Offset,
    offsets: Bytes,
    times: Bytes,
    next_offset_entry: usize,
    next_time_entry: usize,
    /// Position of the last batch that has an entry.
    indexed: u64,
    largest_batch: u64,
    largest_timestamp: Timestamp,
    findings: Vec<Finding>,
    offsets_bad: bool,
    times_bad: bool,
}

impl Indexes {
    pub fn new(base: Offset, offsets: Bytes, times: Bytes) -> Indexes {
        let mut indexes = Indexes {
            base,
            offsets,
            times,
            next_offset_entry: 0,
            next_time_entry: 0,
            indexed: 0,
            largest_batch: 0,
            largest_timestamp: Timestamp::NONE,
            findings: Vec::new(),
            offsets_bad: false,
            times_bad: false,
        };
        indexes.check_structure();
        indexes
    }

    /// Apache Kafka gives the indexes of an active segment their full size, in zeros, and cuts them when it seals it or stops cleanly: zeros
    /// at their ends are no entries. (No entry of its own is all zeros: the first batch has none.)
    pub fn active(base: Offset, offsets: Bytes, times: Bytes) -> Indexes {
        Indexes::new(base, without_preallocation(offsets, 8), without_preallocation(times, 12))
    }

    fn check_structure(&mut self) {
        if let Err(error) = OffsetIndex::new(self.base, &self.offsets).check_all(u64::MAX) {
            self.bad_offsets(None, error.to_string());
        }
        if let Err(error) = TimeIndex::new(self.base, &self.times).check_all(Offset(i64::MAX)) {
            self.bad_times(None, error.to_string());
        }
    }

    /// Only the first fault of each file is told: what is behind it is no better.
    fn bad_offsets(&mut self, entry: Option<usize>, what: String) {
        if !std::mem::replace(&mut self.offsets_bad, true) {
            self.findings.push(finding(self.base, SegmentFileKind::OffsetIndex, entry.map(|entry| entry as u64 * 8), what));
        }
    }

    fn bad_times(&mut self, entry: Option<usize>, what: String) {
        if !std::mem::replace(&mut self.times_bad, true) {
            self.findings.push(finding(self.base, SegmentFileKind::TimeIndex, entry.map(|entry| entry as u64 * 12), what));
        }
    }

    /// Where the next entry behind `position` says that a batch begins.
    pub fn next_position(&self, position: u64) -> Option<u64> {
        let position = u32::try_from(position + 1).ok()?;
        OffsetIndex::new(self.base, &self.offsets).lookup_position(position).map(|entry| u64::from(entry.position))
    }

    /// The next batch of the segment.
    pub fn add(&mut self, header: &BatchHeader, position: u64, size: u64) {
        self.largest_batch = self.largest_batch.max(size);
        self.largest_timestamp = self.largest_timestamp.max(header.max_timestamp);
        while !self.offsets_bad && self.add_offset_entry(header, position, size) {}
        while !self.times_bad && self.add_time_entry(header) {}
    }

    /// Looks at the next entry of the offset index if it belongs to this batch; whether there may be another one.
    fn add_offset_entry(&mut self, header: &BatchHeader, position: u64, size: u64) -> bool {
        let number = self.next_offset_entry;
        let index = OffsetIndex::new(self.base, &self.offsets);
        if number >= index.count() || u64::from(index.entry(number).position) >= position + size {
            return false;
        }
        let entry = index.entry(number);
        if u64::from(entry.position) != position {
            self.bad_offsets(Some(number), format!("entry {number} points to {}, where no batch begins", entry.position));
        } else if entry.offset < header.base_offset {
            let what = format!("entry {number} has offset {} for the batch at {}", entry.offset, header.base_offset);
            self.bad_offsets(Some(number), what);
        }
        self.indexed = position;
        self.next_offset_entry += 1;
        true
    }

    fn add_time_entry(&mut self, header: &BatchHeader) -> bool {
        let number = self.next_time_entry;
        let index = TimeIndex::new(self.base, &self.times);
        if number >= index.count() || index.entry(number).offset >= header.next_offset() {
            return false;
        }
        let entry = index.entry(number);
        let holds = entry.offset >= header.base_offset && entry.timestamp == header.max_timestamp;
        if !holds || entry.timestamp != self.largest_timestamp {
            let what = format!("entry {number} has timestamp {} at offset {}, which no batch there has", entry.timestamp, entry.offset);
            self.bad_times(Some(number), what);
        }
        self.next_time_entry += 1;
        true
    }

    /// The segment ends at `size`. `whole`: its indexes reach to its end, since it was sealed or its broker stopped cleanly.
    pub fn end(mut self, size: u64, whole: bool) -> Vec<Finding> {
        let (offsets, times) = (self.offsets.len() / 8, self.times.len() / 12);
        if !self.offsets_bad && self.next_offset_entry < offsets {
            let what = format!("{} entries point behind the segment's end", offsets - self.next_offset_entry);
            self.bad_offsets(Some(self.next_offset_entry), what);
        }
        if !self.times_bad && self.next_time_entry < times {
            let what = format!("{} entries have offsets behind the segment's end", times - self.next_time_entry);
            self.bad_times(Some(self.next_time_entry), what);
        }
        if whole && !self.offsets_bad && size - self.indexed > STRETCH_BYTES_MAX + 2 * self.largest_batch {
            self.bad_offsets(None, format!("missing or short: no entry for the last {} bytes", size - self.indexed));
        }
        let last = TimeIndex::new(self.base, &self.times).last().map_or(Timestamp::NONE, |last| last.timestamp);
        if whole && !self.times_bad && last < self.largest_timestamp {
            self.bad_times(None, format!("missing or short: it knows timestamps up to {last}, the segment has {}", self.largest_timestamp));
        }
        self.findings
    }
}

fn without_preallocation(mut bytes: Bytes, entry_size: usize) -> Bytes {
    let used = bytes.iter().rposition(|byte| *byte != 0).map_or(0, |last| last + 1).next_multiple_of(entry_size);
    // Kafka's own sizes are whole numbers of entries.
    if bytes.len().is_multiple_of(entry_size) {
        bytes.truncate(used);
    }
    bytes
}

/// The aborted transactions of a segment beside its `.txnindex`. `complete`: transactions are known from the log's first record on.
pub fn check_transactions(base: Offset, bytes: &Bytes, aborted: &[AbortedTransaction], complete: bool) -> Option<Finding> {
    let index = TxnIndex::new(bytes);
    let bad = |what: String| Some(finding(base, SegmentFileKind::TxnIndex, None, what));
    if let Err(error) = index.check(base) {
        return bad(error.to_string());
    }
    let found: Vec<AbortedTransaction> = index.entries().collect();
    if let Some(missing) = aborted.iter().find(|known| !found.iter().any(|entry| same(entry, known))) {
        let (first, last) = (missing.first_offset, missing.last_offset);
        return bad(format!("missing or short: producer {} aborted offsets {first} to {last}", missing.producer_id));
    }
    let extra = found.iter().find(|entry| complete && !aborted.iter().any(|known| same(entry, known)))?;
    bad(format!("it names a transaction of producer {} that ended at {}, which the segment does not", extra.producer_id, extra.last_offset))
}

/// The last stable offset depends on what was open then, which compaction may have taken away.
fn same(a: &AbortedTransaction, b: &AbortedTransaction) -> bool {
    (a.producer_id, a.first_offset, a.last_offset) == (b.producer_id, b.first_offset, b.last_offset)
}

pub fn finding(base: Offset, kind: SegmentFileKind, position: Option<u64>, what: String) -> Finding {
    Finding { subject: Subject::Segment(base, kind), position, offset: None, severity: Severity::Rebuildable, what }
}
