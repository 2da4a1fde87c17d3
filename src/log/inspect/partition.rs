//! One partition, read from its first segment to its last: every batch's CRC and place among its neighbours, and what the files beside the
//! segments say of it. Pure.

use super::indexes::{Indexes, check_transactions, finding};
use super::{Finding, Severity, Subject};
use crate::log::LeaderEpochs;
use crate::log::format::{
    AbortedTransaction, EpochEntry, ProducerSnapshotEntry, SegmentFileKind, decode_leader_epoch_checkpoint, decode_producer_snapshot,
};
use crate::log::producer::ProducerStates;
use crate::log::segment::neighbours::Neighbours;
use crate::types::{Offset, ProducerId};
use crate::wire::records::{BatchError, BatchHeader, HEADER_SIZE, RecordBatch, check_crc, frame};
use bytes::Bytes;
use std::collections::BTreeMap;

/// A segment's files beside its log, as they are; empty where there is none.
#[derive(Clone, Debug, Default)]
pub struct SegmentFiles {
    pub base: Offset,
    pub offsets: Bytes,
    pub times: Bytes,
    pub transactions: Bytes,
}

/// What was read.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Counts {
    pub segments: u64,
    pub batches: u64,
    pub bytes: u64,
}

/// What the reader of a segment does next.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Step {
    /// Show the bytes from this position on.
    Go(u64),
    /// Show at least so many bytes of this batch.
    More(usize),
    /// Nothing behind this can be told apart.
    Stop,
}

/// Where a partition's segments end.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Ended {
    /// The offset after the last whole batch before which nothing is wrong in the last segment.
    pub log_end: Offset,
    /// What stands behind it in the last segment: its position, bytes, and why it is no batch.
    pub rest: Option<(u64, u64, String)>,
}

struct Current {
    base: Offset,
    indexes: Indexes,
    transactions: Bytes,
    aborted: Vec<AbortedTransaction>,
    position: u64,
    size: u64,
    last: bool,
    whole: bool,
    /// Of the last segment, if its end may be torn.
    torn: Option<(u64, String)>,
}

/// See the module. `begin`, then `take` until the segment is read, then `end`; for every segment in order; then `finish`.
pub struct PartitionInspection {
    /// Below, compaction may have left gaps.
    cleaned_below: Offset,
    neighbours: Neighbours,
    producers: ProducerStates,
    /// Transactions are known from the first record on.
    from_the_start: bool,
    epochs: LeaderEpochs,
    snapshots: BTreeMap<Offset, Vec<ProducerSnapshotEntry>>,
    current: Option<Current>,
    log_end: Offset,
    rest: Option<(u64, u64, String)>,
    findings: Vec<Finding>,
    counts: Counts,
}

impl PartitionInspection {
    /// `snapshots`: the producers' snapshots of the directory, as they are. Below `cleaned_below` gaps between batches are no damage.
    pub fn new(cleaned_below: Offset, snapshots: Vec<(Offset, Bytes)>) -> PartitionInspection {
        let mut inspection = PartitionInspection {
            cleaned_below,
            neighbours: Neighbours::from(Offset(0)),
            producers: ProducerStates::default(),
            from_the_start: true,
            epochs: LeaderEpochs::default(),
            snapshots: BTreeMap::new(),
            current: None,
            log_end: Offset(0),
            rest: None,
            findings: Vec::new(),
            counts: Counts::default(),
        };
        for (offset, bytes) in snapshots {
            match decode_producer_snapshot(&bytes) {
                Ok(entries) => drop(inspection.snapshots.insert(offset, entries)),
                Err(error) => inspection.findings.push(finding(offset, SegmentFileKind::ProducerSnapshot, None, error.to_string())),
            }
        }
        inspection
    }

    /// The next segment, of `size` bytes. `whole`: it was sealed, or its broker stopped cleanly, so nothing may be missing at its end.
    pub fn begin(&mut self, files: SegmentFiles, size: u64, last: bool, whole: bool) {
        let base = files.base;
        if self.counts.segments == 0 {
            self.neighbours = Neighbours::from(base);
            self.from_the_start = base == Offset(0);
        } else {
            self.check_gap(base, None);
            if base < self.neighbours.next_offset() {
                let what = format!("the segment before it ends at {}", self.neighbours.next_offset());
                self.damage(base, Some(0), what);
            }
        }
        self.counts.segments += 1;
        self.log_end = self.log_end.max(base);
        let is_active = last && !whole;
        let indexes = if is_active { Indexes::active } else { Indexes::new }(base, files.offsets, files.times);
        let (transactions, aborted) = (files.transactions, Vec::new());
        self.current = Some(Current { base, indexes, transactions, aborted, position: 0, size, last, whole, torn: None });
    }

    /// `bytes` begin at the position that was asked for (0 at first).
    pub fn take(&mut self, bytes: &Bytes) -> Step {
        let Some(current) = &self.current else { return Step::Stop };
        let (position, left) = (current.position, current.size - current.position);
        if left == 0 {
            return Step::Stop;
        }
        let (header, size) = match frame(bytes) {
            Ok(found) => found,
            Err(BatchError::Truncated { needed, .. }) if needed as u64 <= left => return Step::More(needed),
            Err(error) => return self.lost(error.to_string()),
        };
        if let Err(error) = check_crc(&header, &bytes[..size]) {
            return self.bad_crc(&header, size as u64, &error);
        }
        let mut trial = self.neighbours;
        if let Err(misfit) = trial.take(&header) {
            if self.may_be_torn() {
                return self.lost(misfit.to_string());
            }
            let base = self.base();
            self.damage(base, Some(position), misfit.to_string());
            self.neighbours = Neighbours::from(header.base_offset.max(self.neighbours.next_offset()));
        }
        self.check_gap(header.base_offset, Some(position));
        let _ = self.neighbours.take(&header);
        self.note(&header, bytes.slice(..size), position);
        self.step_over(size as u64)
    }

    fn base(&self) -> Offset {
        self.current.as_ref().map_or(Offset(0), |current| current.base)
    }

    /// The end of the last segment after a stop that was not clean: what is wrong there was perhaps never acknowledged.
    fn may_be_torn(&self) -> bool {
        self.current.as_ref().is_some_and(|current| current.last && !current.whole)
    }

    fn damage(&mut self, base: Offset, position: Option<u64>, what: String) {
        let subject = Subject::Segment(base, SegmentFileKind::Log);
        let offset = position.map(|_| self.neighbours.next_offset());
        self.findings.push(Finding { subject, position, offset, severity: Severity::Damage, what });
    }

    fn check_gap(&mut self, found: Offset, position: Option<u64>) {
        let expected = self.neighbours.next_offset();
        if found > expected && expected >= self.cleaned_below && self.counts.batches > 0 {
            let what = format!("offsets {expected} to {} are missing", found.plus(-1));
            let base = if position.is_some() { self.base() } else { found };
            self.damage(base, position.or(Some(0)), what);
        }
    }

    /// There is no batch here: goes on where the index says that one begins.
    fn lost(&mut self, what: String) -> Step {
        if self.may_be_torn() {
            if let Some(current) = &mut self.current {
                current.torn = Some((current.position, what));
            }
            return Step::Stop;
        }
        let Some(current) = &mut self.current else { return Step::Stop };
        let (base, position) = (current.base, current.position);
        let next = current.indexes.next_position(position).filter(|next| *next > position && *next < current.size);
        current.position = next.unwrap_or(current.size);
        let (end, goes_on) = (current.position, next.is_some());
        let how = if goes_on { "the index leads on from" } else { "nothing can be told apart up to the file's end," };
        self.damage(base, Some(position), format!("{what}; {how} position {end}"));
        if goes_on { Step::Go(end) } else { Step::Stop }
    }

    fn bad_crc(&mut self, header: &BatchHeader, size: u64, error: &BatchError) -> Step {
        if self.may_be_torn() {
            return self.lost(error.to_string());
        }
        let (base, position) = (self.base(), self.current.as_ref().map_or(0, |current| current.position));
        let mut trial = self.neighbours;
        if trial.take(header).is_err() {
            return self.lost(error.to_string());
        }
        self.damage(base, Some(position), error.to_string());
        self.neighbours = trial;
        if let Some(current) = &mut self.current {
            current.indexes.add(header, position, size);
        }
        self.step_over(size)
    }

    fn step_over(&mut self, size: u64) -> Step {
        let Some(current) = &mut self.current else { return Step::Stop };
        current.position += size;
        if current.position < current.size { Step::Go(current.position) } else { Step::Stop }
    }

    fn note(&mut self, header: &BatchHeader, bytes: Bytes, position: u64) {
        let size = bytes.len() as u64;
        self.counts.batches += 1;
        self.counts.bytes += size;
        self.log_end = header.next_offset();
        self.epochs.assign(header.leader_epoch, header.base_offset);
        self.check_snapshot(header.base_offset);
        let mut rest = bytes;
        let completed = RecordBatch::split_from(&mut rest).ok().and_then(|batch| self.producers.record(&batch));
        let Some(current) = &mut self.current else { return };
        current.indexes.add(header, position, size);
        current.aborted.extend(completed.and_then(|completed| completed.aborted_transaction()));
    }

    /// A snapshot beside the state of the producers where it was taken, as far as the log tells of them.
    fn check_snapshot(&mut self, upto: Offset) {
        while let Some(offset) = self.snapshots.keys().next().copied().filter(|offset| *offset <= upto) {
            let entries = self.snapshots.remove(&offset).unwrap_or_default();
            let last: BTreeMap<ProducerId, &ProducerSnapshotEntry> = entries.iter().map(|entry| (entry.producer_id, entry)).collect();
            let differs = last.into_iter().find_map(|(id, entry)| {
                let known = self.producers.get(id).filter(|known| known.batches().next().is_some())?;
                let same = known.epoch != entry.epoch || known.last_sequence() == entry.last_sequence;
                (!same).then(|| format!("producer {id} has sequence {} in it, {} in the log", entry.last_sequence, known.last_sequence()))
            });
            let above = entries.iter().find(|entry| entry.last_offset >= offset);
            let above = above.map(|entry| format!("producer {} wrote at {} in it, behind its end", entry.producer_id, entry.last_offset));
            if let Some(what) = above.or(differs) {
                self.findings.push(finding(offset, SegmentFileKind::ProducerSnapshot, None, what));
            }
        }
    }

    /// The segment is read.
    pub fn end(&mut self) {
        let Some(current) = self.current.take() else { return };
        let at = current.torn.as_ref().map_or(current.size, |(position, _)| *position);
        if let Some((position, why)) = current.torn {
            self.rest = Some((position, current.size - position, why));
        }
        self.findings.extend(current.indexes.end(at, current.whole && at == current.size));
        if current.whole {
            self.findings.extend(check_transactions(current.base, &current.transactions, &current.aborted, self.from_the_start));
        }
    }

    /// Everything is read. `epochs`: the bytes of `leader-epoch-checkpoint`; it may lack the newest epochs if the stop was not clean.
    pub fn finish(mut self, epochs: Option<&Bytes>, log_start: Offset, clean: bool) -> (Ended, Vec<Finding>, Counts) {
        self.check_snapshot(self.log_end);
        let beyond: Vec<Offset> = self.snapshots.keys().copied().collect();
        for offset in beyond.into_iter().filter(|_| clean) {
            let what = format!("it tells of producers up to {offset}, the log ends at {}", self.log_end);
            self.findings.push(finding(offset, SegmentFileKind::ProducerSnapshot, None, what));
        }
        if let Some(what) = self.check_epochs(epochs, log_start, clean) {
            let subject = Subject::LeaderEpochs;
            self.findings.push(Finding { subject, position: None, offset: None, severity: Severity::Rebuildable, what });
        }
        self.findings.sort();
        (Ended { log_end: self.log_end, rest: self.rest }, self.findings, self.counts)
    }

    fn check_epochs(&mut self, bytes: Option<&Bytes>, log_start: Offset, clean: bool) -> Option<String> {
        let start = log_start.min(self.log_end);
        self.epochs.truncate_from_start(start);
        let expected = self.epochs.entries();
        let found = match bytes.map(|bytes| decode_leader_epoch_checkpoint(bytes)) {
            None => Vec::new(),
            Some(Ok(found)) => found,
            Some(Err(error)) => return Some(error.to_string()),
        };
        let mut found_epochs = LeaderEpochs::from_entries(&found);
        found_epochs.truncate_from_start(start);
        found_epochs.truncate_from_end(self.log_end);
        let known = found_epochs.entries();
        let agrees = known.len() <= expected.len() && known == &expected[..known.len()];
        if agrees && (known.len() == expected.len() || !clean) {
            return None;
        }
        let show = |entries: &[EpochEntry]| -> String {
            let shown: Vec<String> = entries.iter().take(8).map(|entry| format!("{} from {}", entry.epoch, entry.start_offset)).collect();
            if entries.is_empty() { "none".into() } else { shown.join(", ") }
        };
        Some(format!("it has epochs {}; the batches have {}", show(known), show(expected)))
    }
}

/// How many bytes to show at first.
pub const FIRST_BYTES: usize = HEADER_SIZE;
