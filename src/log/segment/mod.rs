//! One segment of a partition: what is known of it in memory. Pure; files are `files.rs`'s and `scan.rs`'s.
//!
//! Batches are assigned to a segment, a position and perhaps an index entry when they are appended; their bytes get to the file later. The
//! index has a part on disk (mapped when needed) and a part in memory (entries since the disk part was written).

pub mod files;
pub mod lru;
pub mod neighbours;
pub mod scan;

use super::TopicLogConfig;
use super::format::{AbortedTransaction, OffsetIndexBuilder, SegmentFile, SegmentFileKind, TimeIndexBuilder};
use crate::types::{Offset, Timestamp};
use crate::wire::records::BatchHeader;
use bytes::Bytes;
use std::path::{Path, PathBuf};

const OFFSET_ENTRY_BYTES: u64 = 8;
const TIME_ENTRY_BYTES: u64 = 12;

/// The largest timestamp of a segment and the last offset of the first batch that has it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct MaxTimestamp {
    pub timestamp: Timestamp,
    pub offset: Offset,
}

/// Names one segment for as long as it is in its log's list; another one, also with the same base offset, has another version.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct SegmentId {
    pub base: Offset,
    pub version: u32,
}

/// Index entries: those on disk by their length, those since in memory.
#[derive(Clone, Debug)]
pub struct SegmentIndex {
    pub offsets_on_disk: u64,
    pub times_on_disk: u64,
    pub offsets: OffsetIndexBuilder,
    pub times: TimeIndexBuilder,
    /// Timestamp of the last time index entry on disk or in memory.
    last_time: Timestamp,
    bytes_since_entry: u64,
    /// The files were looked at as a whole, or written, by this process.
    pub checked: bool,
    /// How often they were made anew.
    pub rebuilt: u32,
}

/// See the module.
#[derive(Clone, Debug)]
pub struct Segment {
    pub base: Offset,
    /// Changes when other files take the same names (compaction), so that what is open of the old ones is not taken for the new ones.
    pub version: u32,
    /// Logical size in bytes: what was appended, written or not.
    pub size: u64,
    /// How much of it is in the file. Less than the file's size while that is padded.
    pub written: u64,
    pub index: SegmentIndex,
    /// Of the batches that this process has seen; see `max_known`.
    pub max_timestamp: Option<MaxTimestamp>,
    /// It is the largest of all; else the time index on disk knows of a larger one, perhaps.
    pub max_known: bool,
    /// The first batch's largest timestamp, which `segment.ms` counts from; `None`: not known.
    pub first_timestamp: Option<Timestamp>,
    /// When this process made or opened it.
    pub opened: Timestamp,
    /// A random number: by how much of `segment.jitter.ms` it is rolled early.
    pub jitter: u64,
    /// Not the last: complete, without padding, its indexes written.
    pub sealed: bool,
    /// Rolled but not sealed: the producers' snapshot to write beside the next segment.
    pub snapshot_at_end: Option<Bytes>,
    /// Not sealed: the aborted transactions whose markers it has, from `aborted_from` on. Of a sealed one they are in its index file.
    pub aborted: Vec<AbortedTransaction>,
    /// What lies below is not known yet, and found by a scan when somebody asks.
    pub aborted_from: Offset,
}

impl Segment {
    /// An empty one.
    pub fn new(base: Offset, now: Timestamp) -> Segment {
        Segment {
            base,
            version: 0,
            size: 0,
            written: 0,
            index: SegmentIndex::new(base),
            max_timestamp: None,
            max_known: true,
            first_timestamp: None,
            opened: now,
            jitter: 0,
            sealed: false,
            snapshot_at_end: None,
            aborted: Vec::new(),
            aborted_from: base,
        }
    }

    /// One whose file holds `size` bytes.
    pub fn on_disk(base: Offset, size: u64, sealed: bool, now: Timestamp) -> Segment {
        Segment { size, written: size, sealed, max_known: size == 0, ..Segment::new(base, now) }
    }

    pub fn id(&self) -> SegmentId {
        SegmentId { base: self.base, version: self.version }
    }

    /// Whether a batch of `size` bytes with these offsets belongs into a new segment instead.
    pub fn is_full_for(&self, config: &TopicLogConfig, header: &BatchHeader, size: usize, now: Timestamp) -> bool {
        if self.size == 0 {
            return false;
        }
        let waited = match self.first_timestamp {
            Some(first) if first.0 >= 0 => header.max_timestamp.0.saturating_sub(first.0),
            _ => now.0.saturating_sub(self.opened.0),
        };
        self.size + size as u64 > config.segment_bytes.min(i32::MAX as u64)
            || waited > self.roll_ms(config)
            || self.index.is_full(config.segment_index_bytes)
            || header.last_offset().0 - self.base.0 > i32::MAX as i64
    }

    /// [`TopicLogConfig::roll_ms`], less a random part of `segment.jitter.ms` (Kafka's way: below both).
    fn roll_ms(&self, config: &TopicLogConfig) -> i64 {
        let jitter_max = config.segment_jitter_ms.clamp(0, config.roll_ms().max(0));
        let jitter = if jitter_max == 0 { 0 } else { self.jitter % jitter_max as u64 };
        config.roll_ms() - jitter as i64
    }

    /// Takes a batch of `size` bytes at its end; where it begins. Kafka indexes a batch when more than the interval lies behind the last entry.
    pub fn append(&mut self, header: &BatchHeader, size: usize, index_interval_bytes: u64) -> u32 {
        let position = u32::try_from(self.size).expect("a segment is smaller than 2 GiB");
        let last = header.last_offset();
        if self.first_timestamp.is_none() && self.size == 0 {
            self.first_timestamp = Some(header.max_timestamp);
        }
        if self.max_timestamp.is_none_or(|max| header.max_timestamp > max.timestamp) {
            self.max_timestamp = Some(MaxTimestamp { timestamp: header.max_timestamp, offset: last });
        }
        if self.index.bytes_since_entry > index_interval_bytes {
            self.index.bytes_since_entry = 0;
            // An entry that does not fit the order is left out: look-ups scan a little further.
            let _ = self.index.offsets.append(last, position);
            self.index_max_timestamp();
        }
        self.index.bytes_since_entry += size as u64;
        self.size += size as u64;
        position
    }

    /// Puts the largest timestamp into the time index, if the last entry has a smaller one.
    pub fn index_max_timestamp(&mut self) {
        let Some(max) = self.max_timestamp.filter(|max| max.timestamp > self.index.last_time) else { return };
        if self.index.times.append(max.timestamp, max.offset).is_ok() {
            self.index.last_time = max.timestamp;
        }
    }

    /// The index has what lies on disk: its lengths in bytes and the time index's last timestamp.
    pub fn resume_index(&mut self, offsets_on_disk: u64, times_on_disk: u64, last_time: Timestamp) {
        self.index.offsets_on_disk = offsets_on_disk;
        self.index.times_on_disk = times_on_disk;
        self.index.last_time = last_time;
        self.max_known = false;
    }
}

impl SegmentIndex {
    fn new(base: Offset) -> SegmentIndex {
        SegmentIndex {
            offsets_on_disk: 0,
            times_on_disk: 0,
            offsets: OffsetIndexBuilder::new(base),
            times: TimeIndexBuilder::new(base),
            last_time: Timestamp::NONE,
            bytes_since_entry: 0,
            checked: false,
            rebuilt: 0,
        }
    }

    /// Kafka's rule: no room for one more entry of either index (the time index keeps one for the roll).
    fn is_full(&self, bytes_max: u64) -> bool {
        let offsets = self.offsets_on_disk + self.offsets.bytes().len() as u64;
        let times = self.times_on_disk + self.times.bytes().len() as u64;
        offsets + OFFSET_ENTRY_BYTES > bytes_max || times + 2 * TIME_ENTRY_BYTES > bytes_max
    }

    /// The first so many bytes of the parts in memory were written behind the parts on disk.
    pub fn persisted(&mut self, base: Offset, offsets_len: usize, times_len: usize) {
        self.offsets_on_disk += offsets_len as u64;
        self.times_on_disk += times_len as u64;
        self.offsets = OffsetIndexBuilder::resume(base, self.offsets.bytes()[offsets_len..].to_vec());
        self.times = TimeIndexBuilder::resume(base, self.times.bytes()[times_len..].to_vec());
    }
}

/// A segment's file.
pub fn path(partition_dir: &Path, base: Offset, kind: SegmentFileKind) -> PathBuf {
    partition_dir.join(SegmentFile::live(base, kind).to_string())
}
