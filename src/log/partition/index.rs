//! Look-ups in a segment's indexes, none of which is believed unseen.
//!
//! At its first use since the start a segment's index files are checked as a whole (cheap: they are mapped); at every look-up the batch's header at
//! the place that was found is compared with the entry. What fails is made anew from the segment (`rebuild.rs`), and looked up again.
//! So an index that is missing, short, stale or garbage costs time once and never an answer.

use super::PartitionLog;
use super::read::SegmentView;
use crate::log::ReadError;
use crate::log::format::{IndexError, OffsetIndex, OffsetPosition, SegmentFileKind, TimeIndex};
use crate::log::segment::scan::HeaderWalk;
use crate::log::segment::{SegmentId, path};
use crate::rt::{Map, SharedFile, yield_if_needed};
use crate::types::Offset;
use crate::wire::records::BatchHeader;
use std::io;
use std::rc::Rc;

/// A stretch of a sealed segment without an entry that is longer than this, or than four intervals, is an index that lost some.
const STRETCH_BYTES_MAX: u64 = 1 << 20;
/// Entries checked between two looks at the clock.
const ENTRIES_AT_ONCE: usize = 1 << 14;

/// What the walk from an index entry found, and how many bytes it passed over.
struct Walked {
    found: Option<(BatchHeader, u64, u32)>,
    passed: u64,
}

/// Why a walk found nothing.
pub(super) enum Lost {
    /// The entry it began at does not hold.
    Index(String),
    /// No batch stands where one must.
    Read(io::Error),
}

impl PartitionLog {
    /// In one segment: the first batch whose last offset is `offset` or more.
    pub(super) async fn walk_to(
        &self,
        segment: SegmentView,
        file: &SharedFile,
        offset: Offset,
    ) -> Result<Option<(BatchHeader, u64, u32)>, ReadError> {
        let start = OffsetPosition { offset: segment.id.base, position: 0 };
        self.check_indexes(segment).await;
        let mut from = self.index_lookup(segment, offset).await;
        for _ in 0..2 {
            match walk_from(file, segment, from, offset).await {
                Ok(walked) => {
                    if walked.passed > self.stretch_max() {
                        self.rebuild_later(segment.id, "it has too few entries");
                    }
                    return Ok(walked.found);
                }
                Err(Lost::Read(error)) => return Err(self.segment_failed(segment.id, &error)),
                Err(Lost::Index(why)) => {
                    self.rebuild_indexes(segment.id, &why).await;
                    from = self.index_lookup(segment, offset).await;
                }
            }
        }
        match walk_from(file, segment, start, offset).await {
            Ok(walked) => Ok(walked.found),
            Err(Lost::Read(error)) => Err(self.segment_failed(segment.id, &error)),
            Err(Lost::Index(why)) => Err(self.segment_failed(segment.id, &io::Error::new(io::ErrorKind::InvalidData, why))),
        }
    }

    fn stretch_max(&self) -> u64 {
        STRETCH_BYTES_MAX.max(4 * self.config().index_interval_bytes)
    }

    /// The index entry at or below `offset`, or the segment's start. A missing index only makes the walk longer.
    async fn index_lookup(&self, segment: SegmentView, offset: Offset) -> OffsetPosition {
        let start = OffsetPosition { offset: segment.id.base, position: 0 };
        let on_disk = {
            let state = self.state.borrow();
            let Some(index) = state.find(segment.id).map(|segment| &segment.index) else { return start };
            let memory = index.offsets.index();
            if memory.count() > 0 && memory.entry(0).offset <= offset {
                return memory.lookup(offset);
            }
            index.offsets_on_disk
        };
        if on_disk == 0 {
            return start;
        }
        let found = self.on_disk_offsets(segment, on_disk, |index| index.lookup(offset)).await;
        found.filter(|found| u64::from(found.position) < segment.written).unwrap_or(start)
    }

    /// The last indexed batch boundary at or below `position`, as the index has it.
    pub(super) async fn index_below_position(&self, segment: SegmentView, position: u64) -> Option<OffsetPosition> {
        let position = u32::try_from(position).unwrap_or(u32::MAX);
        let on_disk = {
            let state = self.state.borrow();
            let index = &state.find(segment.id)?.index;
            if let Some(found) = last_at_or_below(index.offsets.index(), position) {
                return Some(found);
            }
            index.offsets_on_disk
        };
        if on_disk == 0 {
            return None;
        }
        self.on_disk_offsets(segment, on_disk, |index| last_at_or_below(index, position)).await.flatten()
    }

    async fn on_disk_offsets<T>(&self, segment: SegmentView, len: u64, look: impl FnOnce(OffsetIndex<'_>) -> T) -> Option<T> {
        let map = self.index_map(SegmentFileKind::OffsetIndex, segment.id).await?;
        let bytes = map.as_slice();
        let index = OffsetIndex::new(segment.id.base, &bytes[..bytes.len().min(len as usize)]);
        index.check_ends(segment.written).is_ok().then(|| look(index))
    }

    pub(super) async fn on_disk_times<T>(&self, id: SegmentId, len: u64, look: impl FnOnce(TimeIndex<'_>) -> T) -> Option<T> {
        let map = self.index_map(SegmentFileKind::TimeIndex, id).await?;
        let bytes = map.as_slice();
        let index = TimeIndex::new(id.base, &bytes[..bytes.len().min(len as usize)]);
        index.check_ends(Offset(i64::MAX)).is_ok().then(|| look(index))
    }

    /// A segment's mapped index; `None` if there is none, or the segment has left the list.
    async fn index_map(&self, kind: SegmentFileKind, id: SegmentId) -> Option<Rc<Map>> {
        let (key, file) = ((self.id, id), path(&self.path(), id.base, kind));
        let map = self.dir.files.map(kind == SegmentFileKind::OffsetIndex, key, &file).await;
        if !self.is_listed(id) {
            self.dir.files.forget_segment(&key);
            return None;
        }
        map.ok()
    }

    /// The first time a segment's index files are used: whole entries, ascending, reaching to the segment's end.
    pub(super) async fn check_indexes(&self, segment: SegmentView) {
        let facts = {
            let state = self.state.borrow();
            let Some(found) = state.find(segment.id) else { return };
            (found.index.checked, found.sealed, found.index.offsets_on_disk, found.index.times_on_disk)
        };
        let (checked, sealed, offsets, times) = facts;
        if checked {
            return;
        }
        if let Err(why) = self.index_fault(segment, sealed, offsets, times).await {
            self.rebuild_indexes(segment.id, &why).await;
        }
        if let Some(found) = self.state.borrow_mut().find_mut(segment.id) {
            found.index.checked = true;
        }
    }

    async fn index_fault(&self, segment: SegmentView, sealed: bool, offsets: u64, times: u64) -> Result<(), String> {
        let mut indexed = 0;
        if offsets > 0 {
            let map = self.index_map(SegmentFileKind::OffsetIndex, segment.id).await.ok_or("the offset index is not there")?;
            let bytes = map.as_slice().get(..offsets as usize).ok_or("the offset index is too short")?;
            check_offsets(segment, bytes).await.map_err(|error| format!("offset index: {error}"))?;
            indexed = OffsetIndex::new(segment.id.base, bytes).last().map_or(0, |last| u64::from(last.position));
        }
        if times > 0 {
            let map = self.index_map(SegmentFileKind::TimeIndex, segment.id).await.ok_or("the time index is not there")?;
            let bytes = map.as_slice().get(..times as usize).ok_or("the time index is too short")?;
            check_times(segment, bytes).await.map_err(|error| format!("time index: {error}"))?;
        }
        if sealed && segment.written - indexed > self.stretch_max() {
            return Err(format!("no entry for the last {} bytes", segment.written - indexed));
        }
        Ok(())
    }

    pub(super) fn is_listed(&self, id: SegmentId) -> bool {
        self.state.borrow().find(id).is_some()
    }

    /// A segment cannot be read: the reader gets KAFKA_STORAGE_ERROR, and the log says where.
    pub(super) fn segment_failed(&self, id: SegmentId, error: &io::Error) -> ReadError {
        let file = path(&self.path(), id.base, SegmentFileKind::Log);
        tracing::error!("{}: {error}", file.display());
        ReadError::Storage
    }
}

async fn check_offsets(segment: SegmentView, bytes: &[u8]) -> Result<(), IndexError> {
    let index = OffsetIndex::new(segment.id.base, bytes);
    index.check_ends(segment.written)?;
    // Each part with the last entry of the one before.
    for first in (0..index.count()).step_by(ENTRIES_AT_ONCE) {
        let part = &bytes[first.saturating_sub(1) * 8..bytes.len().min((first + ENTRIES_AT_ONCE) * 8)];
        OffsetIndex::new(segment.id.base, part).check_all(segment.written)?;
        yield_if_needed().await;
    }
    Ok(())
}

async fn check_times(segment: SegmentView, bytes: &[u8]) -> Result<(), IndexError> {
    let index = TimeIndex::new(segment.id.base, bytes);
    index.check_ends(segment.end)?;
    for first in (0..index.count()).step_by(ENTRIES_AT_ONCE) {
        let part = &bytes[first.saturating_sub(1) * 12..bytes.len().min((first + ENTRIES_AT_ONCE) * 12)];
        TimeIndex::new(segment.id.base, part).check_all(segment.end)?;
        yield_if_needed().await;
    }
    Ok(())
}

async fn walk_from(file: &SharedFile, segment: SegmentView, from: OffsetPosition, offset: Offset) -> Result<Walked, Lost> {
    let start = u64::from(from.position);
    let mut walk = HeaderWalk::new(file, start, segment.written);
    loop {
        let first = start > 0 && walk.position() == start;
        let next = match walk.next().await {
            Err(error) if first && error.kind() == io::ErrorKind::InvalidData => return Err(Lost::Index(error.to_string())),
            next => next.map_err(Lost::Read)?,
        };
        let Some((header, position, size)) = next else { return Ok(Walked { found: None, passed: segment.written - start }) };
        if first && !holds(segment, from, &header) {
            let why = format!("the entry of offset {} leads to the batch at {}", from.offset, header.base_offset);
            return Err(Lost::Index(why));
        }
        if header.next_offset() > segment.end {
            let what =
                format!("at position {position}: a batch at offset {} in a segment that ends at {}", header.base_offset, segment.end);
            return Err(Lost::Read(io::Error::new(io::ErrorKind::InvalidData, what)));
        }
        if header.last_offset() >= offset {
            if header.base_offset > offset {
                // No batch holds the offset: the next one vouches for this one's base offset.
                walk.next().await.map_err(Lost::Read)?;
            }
            return Ok(Walked { found: Some((header, position, size)), passed: position - start });
        }
        yield_if_needed().await;
    }
}

/// The largest batch boundary from `start`, which is one or which `entry` says to be one, up to `wanted`. Damage behind the first batch ends it too:
/// what is in front of it is whole.
pub(super) async fn boundary_below(
    file: &SharedFile,
    segment: SegmentView,
    entry: Option<OffsetPosition>,
    start: u64,
    wanted: u64,
) -> Result<u64, Lost> {
    let mut walk = HeaderWalk::new(file, start, segment.written);
    loop {
        let first = walk.position() == start;
        let next = match walk.next().await {
            Err(error) if error.kind() == io::ErrorKind::InvalidData => {
                return if first { Err(Lost::Index(error.to_string())) } else { Ok(walk.position()) };
            }
            next => next.map_err(Lost::Read)?,
        };
        let Some((header, position, size)) = next else { return Ok(walk.position()) };
        if let Some(entry) = entry.filter(|entry| first && !holds(segment, *entry, &header)) {
            return Err(Lost::Index(format!("the entry of offset {} leads to the batch at {}", entry.offset, header.base_offset)));
        }
        if position + u64::from(size) > wanted {
            return Ok(position);
        }
        yield_if_needed().await;
    }
}

/// Whether everything in front of the batch that the entry leads to lies below the entry's offset.
fn holds(segment: SegmentView, entry: OffsetPosition, header: &BatchHeader) -> bool {
    header.base_offset <= entry.offset && header.base_offset >= segment.id.base && header.base_offset < segment.end
}

fn last_at_or_below(index: OffsetIndex<'_>, position: u32) -> Option<OffsetPosition> {
    let above = index.lookup_position(position.saturating_add(1));
    let count = above.map_or(index.count(), |above| count_below(index, above));
    count.checked_sub(1).map(|last| index.entry(last))
}

/// How many entries lie below one of the index.
fn count_below(index: OffsetIndex<'_>, entry: OffsetPosition) -> usize {
    let (mut low, mut high) = (0, index.count());
    while low < high {
        let middle = low + (high - low) / 2;
        if index.entry(middle).position < entry.position {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    low
}
