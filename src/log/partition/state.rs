//! What a partition's log knows of itself: segments, tail, and how far each step has come. Pure.
//!
//! ```text
//! log start <= synced end <= written end <= log end       offsets (exclusive ends) of what is durable, written, appended
//! durable end = what survives a crash: in the journal or synced, without a gap
//! ```

use super::bypass::Bypass;
use crate::log::LeaderEpochs;
use crate::log::format::encode_producer_snapshot;
use crate::log::producer::ProducerStates;
use crate::log::segment::{Segment, SegmentId};
use crate::types::{Offset, Timestamp};
use bytes::Bytes;
use std::collections::VecDeque;

/// A batch in memory.
#[derive(Clone, Debug)]
pub struct TailBatch {
    pub base: Offset,
    pub end: Offset,
    /// Base offset of its segment.
    pub segment: Offset,
    pub bytes: Bytes,
}

#[derive(Debug)]
pub struct State {
    /// By base offset; never empty; the last one is active.
    pub segments: Vec<Segment>,
    /// Consecutive; ends at the log end; everything from `written_end` on is here.
    pub tail: VecDeque<TailBatch>,
    pub log_start: Offset,
    /// The log start offset that survives a crash: what lies between it and `log_start` must not go yet.
    pub log_start_durable: Offset,
    pub log_end: Offset,
    pub written_end: Offset,
    pub synced_end: Offset,
    pub journal_end: Offset,
    pub durable_end: Offset,
    pub bypass: Bypass,
    /// The journal frame that the first batch up to this end needs.
    pub frames: VecDeque<(Offset, u64)>,
    /// The frame held in the journal.
    pub hold: Option<u64>,
    pub unwritten_bytes: u64,
    pub epochs: LeaderEpochs,
    pub producers: ProducerStates,
}

impl State {
    pub fn new(segments: Vec<Segment>, log_start: Offset, log_end: Offset) -> State {
        assert!(!segments.is_empty(), "a log has a segment");
        State {
            segments,
            tail: VecDeque::new(),
            log_start,
            log_start_durable: log_start,
            log_end,
            written_end: log_end,
            synced_end: log_end,
            journal_end: log_end,
            durable_end: log_end,
            bypass: Bypass::default(),
            frames: VecDeque::new(),
            hold: None,
            unwritten_bytes: 0,
            epochs: LeaderEpochs::default(),
            producers: ProducerStates::default(),
        }
    }

    pub fn active(&mut self) -> &mut Segment {
        self.segments.last_mut().expect("a log has a segment")
    }

    /// The segment that was written last and is not sealed. Not always the active one: an append may have begun another behind it, and this one
    /// waits to be sealed.
    pub fn unsealed_base(&self) -> Option<Offset> {
        self.segments.iter().rev().find(|segment| segment.written > 0 && !segment.sealed).map(|segment| segment.base)
    }

    /// Begins a new segment at `base`, the log's end or above, behind the active one. `jitter`: drawn at random.
    pub fn roll(&mut self, base: Offset, now: Timestamp, jitter: u64) {
        let snapshot = encode_producer_snapshot(self.producers.to_snapshot());
        let rolled = self.active();
        assert!(rolled.size > 0, "an empty segment is not rolled");
        rolled.index_max_timestamp();
        rolled.snapshot_at_end = Some(snapshot.into());
        self.segments.push(Segment { jitter, ..Segment::new(base, now) });
    }

    /// The segment that holds `offset`, or would.
    pub fn segment_index(&self, offset: Offset) -> usize {
        self.segments.partition_point(|segment| segment.base <= offset).saturating_sub(1)
    }

    /// The segment that begins at `base`, unless it has left the list.
    pub fn segment(&self, base: Offset) -> Option<&Segment> {
        Some(&self.segments[self.segment_index(base)]).filter(|segment| segment.base == base)
    }

    /// That very segment, unless it has left the list: for whoever waited since it was looked up.
    pub fn find(&self, id: SegmentId) -> Option<&Segment> {
        self.segment(id.base).filter(|segment| segment.version == id.version)
    }

    pub fn find_mut(&mut self, id: SegmentId) -> Option<&mut Segment> {
        let index = self.segment_index(id.base);
        Some(&mut self.segments[index]).filter(|segment| segment.id() == id)
    }

    /// Takes sealed segments out of the list. Panics if one is not there or not sealed, or if none would be left.
    pub fn take_out(&mut self, removed: &[SegmentId]) {
        for id in removed {
            assert!(self.find(*id).is_some_and(|segment| segment.sealed), "only sealed segments of the list are taken out");
        }
        self.segments.retain(|segment| !removed.contains(&segment.id()));
        assert!(!self.segments.is_empty(), "a log has a segment");
    }

    /// Puts one segment in the place of neighbours that begin where it does. Panics if they are not all there.
    pub fn replace(&mut self, sources: &[SegmentId], by: Segment) {
        let first = self.segment_index(by.base);
        let range = first..first + sources.len();
        assert!(self.segments[range.clone()].iter().map(Segment::id).eq(sources.iter().copied()), "neighbours of the list are replaced");
        self.segments.splice(range, [by]);
    }

    /// The segment that begins at `base`. Panics if it has left the list: whoever holds the partition's segments lock knows that it has not.
    pub fn segment_mut(&mut self, base: Offset) -> &mut Segment {
        let index = self.segment_index(base);
        let segment = &mut self.segments[index];
        assert_eq!(segment.base, base, "a segment that left the list");
        segment
    }

    /// The tail's batch that holds `offset`, or the next one; `None` if memory does not reach down to `offset`.
    pub fn tail_index(&self, offset: Offset) -> Option<usize> {
        let first = self.tail.front()?;
        (first.base <= offset).then(|| self.tail.partition_point(|batch| batch.end <= offset))
    }

    /// The end (exclusive) of a segment's offsets.
    pub fn segment_end(&self, index: usize) -> Offset {
        self.segments.get(index + 1).map_or(self.log_end, |next| next.base)
    }

    /// Moves the durable end up as far as journal and segments allow; whether it moved.
    pub fn advance_durable(&mut self) -> bool {
        let journal = self.bypass.unjournaled_from(self.synced_end).map_or(self.journal_end, |start| self.journal_end.min(start));
        let durable = journal.max(self.synced_end).min(self.log_end);
        let moved = durable > self.durable_end;
        self.durable_end = self.durable_end.max(durable);
        if moved {
            self.producers.on_high_watermark(self.durable_end);
        }
        moved
    }

    /// Up to where transactions are decided, given the high watermark.
    pub fn last_stable_offset(&self, high_watermark: Offset) -> Offset {
        let unstable = self.producers.first_unstable_offset(high_watermark);
        unstable.map_or(high_watermark, |offset| offset.max(self.log_start).min(high_watermark))
    }

    /// The frame that must stay in the journal now: the one of the first batch that is not synced.
    pub fn wanted_hold(&mut self) -> Option<u64> {
        while self.frames.front().is_some_and(|(end, _)| *end <= self.synced_end) {
            self.frames.pop_front();
        }
        self.frames.front().map(|(_, sequence)| *sequence)
    }

    /// A batch up to `end` needs the frame `sequence` or a later one.
    pub fn needs_frame(&mut self, end: Offset, sequence: u64) {
        match self.frames.back_mut() {
            Some((last_end, last)) if *last == sequence => *last_end = end,
            _ => self.frames.push_back((end, sequence)),
        }
    }
}

/// What the segment writer does next.
#[derive(Debug)]
pub enum FlushStep {
    /// Write these batches to the segment at `position`; they end at `end`.
    Write {
        segment: Offset,
        position: u64,
        batches: Vec<Bytes>,
        bytes: u64,
        end: Offset,
    },
    /// All of this segment is written and a later one exists.
    Seal {
        segment: Offset,
    },
    Done,
}

impl State {
    /// The next step towards having everything below `target` in segments.
    pub fn next_flush(&self, target: Offset, bytes_max: u64) -> FlushStep {
        let open = self.segments.partition_point(|segment| segment.sealed);
        let segment = &self.segments[open];
        if segment.written == segment.size {
            return if open + 1 < self.segments.len() { FlushStep::Seal { segment: segment.base } } else { FlushStep::Done };
        }
        if self.written_end >= target {
            return FlushStep::Done;
        }
        let first = self.tail.partition_point(|batch| batch.end <= self.written_end);
        let mut batches = Vec::new();
        let (mut bytes, mut end) = (0, self.written_end);
        for batch in self.tail.range(first..).take_while(|batch| batch.segment == segment.base) {
            if bytes > 0 && bytes + batch.bytes.len() as u64 > bytes_max {
                break;
            }
            bytes += batch.bytes.len() as u64;
            end = batch.end;
            batches.push(batch.bytes.clone());
        }
        assert!(bytes > 0, "what is not written is in the tail");
        FlushStep::Write { segment: segment.base, position: segment.written, batches, bytes, end }
    }
}
