//! Reading: from the tail's memory, or as a range of a segment's file found by index and a short walk over headers.

use super::PartitionLog;
use super::state::State;
use crate::log::ReadError;
use crate::log::format::{OffsetIndex, OffsetPosition, SegmentFileKind};
use crate::log::segment::scan::HeaderWalk;
use crate::log::segment::{SegmentId, path};
use crate::rt::{self, Map, SharedFile};
use crate::types::Offset;
use crate::wire::records::BatchHeader;
use bytes::Bytes;
use std::io;
use std::rc::Rc;

/// A run of bytes of a fetch's answer: whole batches when joined in order.
#[derive(Clone)]
pub enum Slice {
    Memory(Bytes),
    File { file: rt::SharedFile, offset: u64, len: u32 },
}

impl Slice {
    pub fn len(&self) -> usize {
        match self {
            Slice::Memory(bytes) => bytes.len(),
            Slice::File { len, .. } => *len as usize,
        }
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// The answer of [`PartitionLog::read`]: whole batches, the first of which holds the offset asked for.
#[derive(Clone, Default)]
pub struct FetchedRecords {
    pub parts: Vec<Slice>,
    /// The sum of the parts' lengths.
    pub bytes: usize,
    /// No record of the parts has this offset or a larger one.
    pub end: Offset,
}

/// A batch, where it is.
pub(super) enum Found {
    Memory(BatchHeader, Bytes),
    File { header: BatchHeader, segment: SegmentView, file: SharedFile, position: u64, size: u32 },
}

/// What a read needs to know of a segment that has bytes in its file.
#[derive(Clone, Copy, Debug)]
pub(super) struct SegmentView {
    pub id: SegmentId,
    /// Exclusive end of the offsets that are in the file.
    pub end: Offset,
    pub written: u64,
}

impl PartitionLog {
    /// Whole batches from the one that holds `from`, below `upto` (exclusive, at most the log end), at most `max_bytes`, except that
    /// the first batch is given though larger if `min_one_batch`. Empty if `from` is `upto` or more, up to the log end. An answer from a file
    /// ends with its segment.
    pub async fn read(&self, from: Offset, max_bytes: usize, min_one_batch: bool, upto: Offset) -> Result<FetchedRecords, ReadError> {
        self.check_range(from)?;
        if from >= upto {
            return Ok(FetchedRecords::default());
        }
        if let Some(fetched) = self.read_tail(from, max_bytes, min_one_batch, upto) {
            return Ok(fetched);
        }
        match self.find_batch(from).await? {
            None => Ok(FetchedRecords::default()),
            // It was written and evicted, or the other way round, while the index was read.
            Some(Found::Memory(..)) => Ok(self.read_tail(from, max_bytes, min_one_batch, upto).unwrap_or_default()),
            Some(Found::File { header, segment, file, position, size }) => {
                // Retention may have taken the segment that held it, meanwhile.
                self.check_range(from)?;
                if header.next_offset() > upto || (size as usize > max_bytes && !min_one_batch) {
                    return Ok(FetchedRecords::default());
                }
                self.read_file(segment, file, position, size, max_bytes, upto).await
            }
        }
    }

    fn check_range(&self, from: Offset) -> Result<(), ReadError> {
        if self.closed.get() {
            return Err(ReadError::Storage);
        }
        let state = self.state.borrow();
        if from < state.log_start || from > state.log_end { Err(ReadError::OutOfRange) } else { Ok(()) }
    }

    /// The answer from memory; `None` if memory does not reach down to `from`.
    fn read_tail(&self, from: Offset, max_bytes: usize, min_one_batch: bool, upto: Offset) -> Option<FetchedRecords> {
        let state = self.state.borrow();
        let first = state.tail_index(from)?;
        let mut fetched = FetchedRecords::default();
        for batch in state.tail.range(first..).take_while(|batch| batch.end <= upto) {
            let fits = fetched.bytes + batch.bytes.len() <= max_bytes || (fetched.bytes == 0 && min_one_batch);
            if !fits {
                break;
            }
            fetched.bytes += batch.bytes.len();
            fetched.end = batch.end;
            fetched.parts.push(Slice::Memory(batch.bytes.clone()));
        }
        Some(fetched)
    }

    /// The range of a segment's file that begins with the batch at `start`, ends at a batch's end and holds nothing from `upto` on.
    async fn read_file(
        &self,
        segment: SegmentView,
        file: SharedFile,
        start: u64,
        first_size: u32,
        max_bytes: usize,
        upto: Offset,
    ) -> Result<FetchedRecords, ReadError> {
        let bound = if upto < segment.end { self.position_of(segment, &file, upto).await? } else { segment.written };
        let first_end = start + u64::from(first_size);
        let wanted = start + max_bytes as u64;
        let end = if wanted >= bound {
            bound.max(first_end)
        } else if wanted <= first_end {
            first_end
        } else {
            self.batch_end_below(segment, &file, first_end, wanted).await?
        };
        let len = u32::try_from(end - start).expect("a segment is smaller than 2 GiB");
        let parts = vec![Slice::File { file, offset: start, len }];
        Ok(FetchedRecords { parts, bytes: len as usize, end: segment.end.min(upto) })
    }

    /// Where the first batch begins that holds `offset` or lies above it.
    async fn position_of(&self, segment: SegmentView, file: &SharedFile, offset: Offset) -> Result<u64, ReadError> {
        let (_, position, _) = match self.walk_to(segment, file, offset).await? {
            Some(found) => found,
            None => return Ok(segment.written),
        };
        Ok(position)
    }

    /// The largest batch boundary from `low`, which is one, up to `wanted`.
    async fn batch_end_below(&self, segment: SegmentView, file: &SharedFile, low: u64, wanted: u64) -> Result<u64, ReadError> {
        let indexed = self.index_below_position(segment, wanted).await.map_or(low, u64::from).max(low);
        let mut walk = HeaderWalk::new(file, indexed, segment.written);
        while let Some((_, position, size)) = walk.next().await.map_err(|error| self.read_failed(&error))? {
            if position + u64::from(size) > wanted {
                return Ok(position);
            }
        }
        Ok(walk.position())
    }

    /// The batch that holds `offset`, or the next one. `None` at the log's end.
    pub(super) async fn find_batch(&self, offset: Offset) -> Result<Option<Found>, ReadError> {
        let mut offset = offset;
        loop {
            let segment = {
                let state = self.state.borrow();
                if let Some(batch) = state.tail_index(offset).and_then(|index| state.tail.get(index)) {
                    let header = BatchHeader::read(&batch.bytes).expect("the tail holds whole batches");
                    return Ok(Some(Found::Memory(header, batch.bytes.clone())));
                }
                match view(&state, offset) {
                    Some(segment) => segment,
                    None => return Ok(None),
                }
            };
            let Some(file) = self.segment_file(segment.id).await? else { continue };
            if let Some((header, position, size)) = self.walk_to(segment, &file, offset).await? {
                return Ok(Some(Found::File { header, segment, file, position, size }));
            }
            // Nothing at or above it in this segment's file: go on behind it.
            offset = segment.end;
        }
    }

    /// In one segment: the first batch whose last offset is `offset` or more.
    async fn walk_to(&self, segment: SegmentView, file: &SharedFile, offset: Offset) -> Result<Option<(BatchHeader, u64, u32)>, ReadError> {
        let from = self.index_lookup(segment, offset).await;
        match walk_from(file, segment, u64::from(from.position), offset).await {
            Err(error) if error.kind() == io::ErrorKind::InvalidData && from.position > 0 => {
                // The index points between batches: go without it.
                tracing::warn!(topic = %self.topic, partition = %self.id.partition, segment = %segment.id.base, "bad index entry: {error}");
                walk_from(file, segment, 0, offset).await.map_err(|error| self.read_failed(&error))
            }
            walked => walked.map_err(|error| self.read_failed(&error)),
        }
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
        let found = self.on_disk_index(segment, on_disk, |index| index.lookup(offset)).await;
        found.filter(|found| u64::from(found.position) < segment.written).unwrap_or(start)
    }

    /// The last indexed batch boundary at or below `position`.
    async fn index_below_position(&self, segment: SegmentView, position: u64) -> Option<u32> {
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
        self.on_disk_index(segment, on_disk, |index| last_at_or_below(index, position)).await.flatten()
    }

    async fn on_disk_index<T>(&self, segment: SegmentView, len: u64, look: impl FnOnce(OffsetIndex<'_>) -> T) -> Option<T> {
        let map = self.index_map(SegmentFileKind::OffsetIndex, segment.id).await?;
        let bytes = map.as_slice();
        let index = OffsetIndex::new(segment.id.base, &bytes[..bytes.len().min(len as usize)]);
        index.check_ends(segment.written).is_ok().then(|| look(index))
    }

    /// A segment's mapped index; `None` if there is none, or the segment has left the list.
    pub(super) async fn index_map(&self, kind: SegmentFileKind, id: SegmentId) -> Option<Rc<Map>> {
        let (key, file) = ((self.id, id), path(&self.path(), id.base, kind));
        let map = self.dir.files.map(kind == SegmentFileKind::OffsetIndex, key, &file).await;
        if !self.is_listed(id) {
            self.dir.files.forget_segment(&key);
            return None;
        }
        map.ok()
    }

    /// A handle of a segment's file; `None` if the segment has left the list, so that its file may have gone: look again.
    async fn segment_file(&self, id: SegmentId) -> Result<Option<SharedFile>, ReadError> {
        let (key, file) = ((self.id, id), path(&self.path(), id.base, SegmentFileKind::Log));
        let opened = self.dir.files.reader(key, &file).await;
        if self.deleted.get() {
            // What has this name now is perhaps not what the list says.
            return Err(ReadError::Storage);
        }
        if !self.is_listed(id) {
            self.dir.files.forget_segment(&key);
            return Ok(None);
        }
        opened.map(Some).map_err(|error| self.read_failed(&error))
    }

    fn is_listed(&self, id: SegmentId) -> bool {
        self.state.borrow().find(id).is_some()
    }

    pub(super) fn read_failed(&self, error: &io::Error) -> ReadError {
        tracing::error!(topic = %self.topic, partition = %self.id.partition, "reading a segment: {error}");
        ReadError::Storage
    }
}

/// The segment whose file holds `offset`, or else the next one.
fn view(state: &State, offset: Offset) -> Option<SegmentView> {
    let first = state.segment_index(offset);
    (first..state.segments.len()).find_map(|index| {
        let segment = &state.segments[index];
        let end = state.segment_end(index).min(state.written_end);
        (segment.written > 0 && end > offset).then_some(SegmentView { id: segment.id(), end, written: segment.written })
    })
}

async fn walk_from(file: &SharedFile, segment: SegmentView, position: u64, offset: Offset) -> io::Result<Option<(BatchHeader, u64, u32)>> {
    let mut walk = HeaderWalk::new(file, position, segment.written);
    while let Some(found) = walk.next().await? {
        if found.0.last_offset() >= offset {
            return Ok(Some(found));
        }
    }
    Ok(None)
}

fn last_at_or_below(index: OffsetIndex<'_>, position: u32) -> Option<u32> {
    let above = index.lookup_position(position.saturating_add(1));
    let count = above.map_or(index.count(), |above| count_below(index, above));
    count.checked_sub(1).map(|last| index.entry(last).position)
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
