//! Compaction puts one segment in the place of several.
//!
//! ```text
//! .cleaned -> .swap            all files of the new one, durable: from here on a start finishes what is left to do
//! .txnindex.swap -> live       it names all aborted transactions that old or new segments have records of
//! in memory                    reads find the new one from now on, by a handle of the .swap file and an index in memory
//! sources -> .deleted          all but the first, whose names the new one gets; durable
//! .swap -> live                indexes first, the log last; durable
//! ```
//! Who reads the old files keeps their handles. An error takes the log directory offline: only a start can say which of the steps count.

use super::PartitionLog;
use super::removal::SegmentsLock;
use crate::log::compaction::{Interrupted, LastOfProducer, SegmentSummary, SourceSegment};
use crate::log::format::{FileStage, SegmentFile, SegmentFileKind};
use crate::log::segment::{Segment, SegmentId};
use crate::rt::{SharedFile, fs};
use crate::types::{Offset, ProducerId, Timestamp};
use crate::wire::records::{BatchHeader, HEADER_SIZE};
use std::collections::BTreeMap;
use std::io;

/// The files that a new segment may have; the log, whose `.swap` says that there is something to finish, last.
const REPLACED: [SegmentFileKind; 4] =
    [SegmentFileKind::OffsetIndex, SegmentFileKind::TimeIndex, SegmentFileKind::TxnIndex, SegmentFileKind::Log];

impl PartitionLog {
    /// The sealed segments that begin below `end`.
    pub(in crate::log) fn sources(&self, end: Offset) -> Vec<SourceSegment> {
        let state = self.state.borrow();
        let sealed = state.segments.iter().enumerate().take_while(|(_, segment)| segment.sealed && segment.base < end);
        sealed.map(|(index, segment)| SourceSegment::of(segment, state.segment_end(index))).collect()
    }

    pub(in crate::log) fn all_segment_bases(&self) -> Vec<Offset> {
        self.state.borrow().segments.iter().map(|segment| segment.base).collect()
    }

    /// What the state of each producer rests on.
    pub(in crate::log) fn last_of_producers(&self) -> BTreeMap<ProducerId, LastOfProducer> {
        let state = self.state.borrow();
        let last = |(id, producer): (ProducerId, &crate::log::producer::ProducerEntry)| {
            let last = producer.batches().next_back().map(|batch| LastOfProducer::Data(batch.last_offset));
            (id, last.unwrap_or(LastOfProducer::Marker(producer.epoch)))
        };
        state.producers.iter().map(last).collect()
    }

    /// The sealed segments and, last, the first that is not sealed. Timestamps are looked up only if they are asked for.
    pub(in crate::log) async fn compaction_facts(&self, timestamps: bool) -> Result<Vec<SegmentSummary>, Interrupted> {
        let segments: Vec<(SegmentId, u64, Timestamp, Option<Timestamp>)> = {
            let state = self.state.borrow();
            let until = state.segments.partition_point(|segment| segment.sealed) + 1;
            let listed = state.segments.iter().take(until);
            listed.map(|segment| (segment.id(), segment.size, segment.opened, segment.first_timestamp)).collect()
        };
        let mut facts = Vec::with_capacity(segments.len());
        for (id, size, opened, first) in segments {
            let mut fact = SegmentSummary { base: id.base, size, largest_timestamp: opened, first_timestamp: Timestamp::NONE };
            if timestamps {
                fact.largest_timestamp = self.max_of_segment(id).await.map(|max| max.timestamp).filter(|max| max.0 >= 0).unwrap_or(opened);
                fact.first_timestamp = match first {
                    Some(first) => first,
                    None => self.first_timestamp(id, size).await?,
                };
            }
            facts.push(fact);
        }
        Ok(facts)
    }

    async fn first_timestamp(&self, id: SegmentId, size: u64) -> Result<Timestamp, Interrupted> {
        if size == 0 {
            return Ok(Timestamp::NONE);
        }
        let read = async {
            let Some(file) = self.segment_file(id).await.map_err(|_| Interrupted::Stopped)? else { return Err(Interrupted::Changed) };
            let bytes = file.read_at(0, HEADER_SIZE).await.map_err(|error| Interrupted::Read(self.path(), error))?;
            Ok(BatchHeader::read(&bytes).map_or(Timestamp::NONE, |header| header.max_timestamp))
        };
        let first = read.await?;
        if let Some(segment) = self.state.borrow_mut().find_mut(id) {
            segment.first_timestamp = Some(first);
        }
        Ok(first)
    }

    /// Puts `cleaned`, whose files are durable under `.cleaned`, in the place of `sources`, which end (exclusive) at `end`.
    pub(in crate::log) async fn replace_segments(&self, sources: &[SegmentId], end: Offset, cleaned: Segment) -> Result<(), Interrupted> {
        let lock = self.lock_segments().await.map_err(|_| Interrupted::Stopped)?;
        if self.is_offline() {
            return Err(Interrupted::Stopped);
        }
        if !self.are_neighbours(sources) {
            return Err(Interrupted::Changed);
        }
        self.put_in_place(&lock, sources, end, cleaned).await.map_err(|error| {
            self.fail("replacing compacted segments", error);
            Interrupted::Stopped
        })
    }

    fn are_neighbours(&self, sources: &[SegmentId]) -> bool {
        let state = self.state.borrow();
        let first = state.segment_index(sources[0].base);
        let listed = state.segments[first..].iter().take(sources.len());
        listed.filter(|segment| segment.sealed).map(Segment::id).eq(sources.iter().copied())
    }

    /// Renames the files of a segment from one stage to the next, durably; a handle of its log.
    async fn rename_all(&self, base: Offset, from: FileStage, to: FileStage) -> io::Result<SharedFile> {
        self.rename_kinds(base, &REPLACED, from, to).await?;
        let dir = self.path();
        fs::sync_dir(&dir).await?;
        SharedFile::open(&dir.join(SegmentFile { base_offset: base, kind: SegmentFileKind::Log, stage: to }.to_string())).await
    }

    async fn rename_kinds(&self, base: Offset, kinds: &[SegmentFileKind], from: FileStage, to: FileStage) -> io::Result<()> {
        let dir = self.path();
        let name = |kind, stage| dir.join(SegmentFile { base_offset: base, kind, stage }.to_string());
        for &kind in kinds {
            match fs::rename(&name(kind, from), &name(kind, to)).await {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                _ => {}
            }
        }
        Ok(())
    }

    async fn put_in_place(&self, _lock: &SegmentsLock, sources: &[SegmentId], end: Offset, mut cleaned: Segment) -> io::Result<()> {
        let base = cleaned.base;
        let file = self.rename_all(base, FileStage::Cleaned, FileStage::Swap).await?;
        self.rename_kinds(base, &[SegmentFileKind::TxnIndex], FileStage::Swap, FileStage::Live).await?;
        cleaned.version = sources[0].version + 1;
        let id = cleaned.id();
        *self.swapping.borrow_mut() = Some((id, file));
        self.state.borrow_mut().replace(sources, cleaned);
        self.forget_cached(end);
        for source in sources {
            self.dir.files.forget_segment(&(self.id, *source));
        }
        for source in &sources[1..] {
            let retired = self.retire_files(source.base, &SegmentFileKind::ALL).await;
            retired.map_err(|_| io::Error::other("renaming replaced files"))?;
        }
        fs::sync_dir(&self.path()).await?;
        // The first source's log and indexes make way for them.
        self.rename_all(base, FileStage::Swap, FileStage::Live).await?;
        self.swapping.take();
        if let Some(segment) = self.state.borrow_mut().find_mut(id) {
            let (offsets, times) = (segment.index.offsets.bytes().len(), segment.index.times.bytes().len());
            segment.index.persisted(base, offsets, times);
        }
        Ok(())
    }

    /// Batches of compacted segments that are still in memory have records that are gone.
    fn forget_cached(&self, end: Offset) {
        let (bytes, _) = self.evict(end, u64::MAX);
        if bytes > 0 {
            self.dir.memory.dropped(0, bytes);
        }
    }
}
