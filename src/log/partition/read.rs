//! Reading: from the tail's memory, or as a range of a segment's file found by index and a short walk over headers.

use super::PartitionLog;
use super::index::{Lost, boundary_below};
use super::state::State;
use crate::log::ReadError;
use crate::log::format::SegmentFileKind;
use crate::log::segment::{SegmentId, path};
use crate::rt::{self, SharedFile};
use crate::types::Offset;
use crate::wire::records::BatchHeader;
use bytes::Bytes;
use std::io;

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
        let found = self.read_online(from, max_bytes, min_one_batch, upto).await?;
        // It may have gone offline meanwhile, and dropped what was in memory.
        if found.bytes == 0 && self.is_offline() { Err(ReadError::Storage) } else { Ok(found) }
    }

    async fn read_online(&self, from: Offset, max_bytes: usize, min_one_batch: bool, upto: Offset) -> Result<FetchedRecords, ReadError> {
        self.check_range(from)?;
        if from >= upto {
            return Ok(FetchedRecords::default());
        }
        if let Some(fetched) = self.read_tail(from, max_bytes, min_one_batch, upto) {
            return Ok(fetched);
        }
        match self.find_batch(from).await? {
            None => Ok(FetchedRecords::default()),
            // It was written and evicted, or the other way round, while the index was read; or memory begins behind a gap that compaction left.
            Some(Found::Memory(header, _)) => {
                Ok(self.read_tail(from.max(header.base_offset), max_bytes, min_one_batch, upto).unwrap_or_default())
            }
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
        if self.is_offline() {
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
        if let Some(entry) = self.index_below_position(segment, wanted).await.filter(|entry| u64::from(entry.position) > low) {
            match boundary_below(file, segment, Some(entry), u64::from(entry.position), wanted).await {
                Ok(end) => return Ok(end),
                Err(Lost::Index(why)) => self.rebuild_indexes(segment.id, &why).await,
                Err(Lost::Read(error)) => return Err(self.segment_failed(segment.id, &error)),
            }
        }
        match boundary_below(file, segment, None, low, wanted).await {
            Ok(end) => Ok(end),
            Err(Lost::Index(why)) => Err(self.segment_failed(segment.id, &io::Error::new(io::ErrorKind::InvalidData, why))),
            Err(Lost::Read(error)) => Err(self.segment_failed(segment.id, &error)),
        }
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

    /// A handle of a segment's file; `None` if the segment has left the list, so that its file may have gone: look again.
    pub(super) async fn segment_file(&self, id: SegmentId) -> Result<Option<SharedFile>, ReadError> {
        if let Some((_, file)) = self.swapping.borrow().as_ref().filter(|(swapping, _)| *swapping == id) {
            return Ok(Some(file.clone()));
        }
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
        opened.map(Some).map_err(|error| self.segment_failed(id, &error))
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
