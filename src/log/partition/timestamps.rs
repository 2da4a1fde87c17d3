//! Offsets by time: ListOffsets' look-ups for a timestamp and for the largest one.

use super::PartitionLog;
use super::read::Found;
use crate::log::ReadError;
use crate::log::format::{SegmentFileKind, TimeIndex};
use crate::log::segment::{MaxTimestamp, Segment, SegmentId};
use crate::types::{LeaderEpoch, Offset, Timestamp};
use crate::wire::records::{BatchHeader, RecordBatch};
use bytes::Bytes;

/// The answer of a look-up by time: a record's offset, its timestamp, and the leader epoch of its batch.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct TimestampOffset {
    pub offset: Offset,
    pub timestamp: Timestamp,
    pub leader_epoch: LeaderEpoch,
}

impl PartitionLog {
    /// The first record from the log start on with a timestamp of at least `timestamp`.
    pub async fn offset_for_timestamp(&self, timestamp: Timestamp) -> Result<Option<TimestampOffset>, ReadError> {
        let log_start = self.log_start();
        for id in self.segment_ids() {
            let max = self.max_of_segment(id).await;
            if max.is_some_and(|max| max.timestamp >= timestamp) {
                let from = self.time_lookup(id, timestamp).await.max(log_start);
                if let Some(found) = self.first_at_or_after(from, timestamp).await? {
                    return Ok(Some(found));
                }
            }
        }
        Ok(None)
    }

    /// The first record with the largest timestamp.
    pub async fn max_timestamp_offset(&self) -> Result<Option<TimestampOffset>, ReadError> {
        let mut largest: Option<MaxTimestamp> = None;
        for id in self.segment_ids() {
            let max = self.max_of_segment(id).await;
            let larger = |max: &MaxTimestamp| largest.is_none_or(|known| max.timestamp > known.timestamp);
            largest = max.filter(larger).or(largest);
        }
        let Some(largest) = largest.filter(|max| max.timestamp >= Timestamp(0)) else { return Ok(None) };
        let Some(found) = self.find_batch(largest.offset).await? else { return Ok(None) };
        let batch = self.batch(found).await?;
        Ok(batch.max_timestamp_record().map_err(|_| ReadError::Storage)?.map(|(timestamp, offset)| answer(&batch, timestamp, offset)))
    }

    fn segment_ids(&self) -> Vec<SegmentId> {
        let state = self.state.borrow();
        let first = state.segment_index(state.log_start);
        state.segments[first..].iter().map(Segment::id).collect()
    }

    /// The segment's largest timestamp; for sealed segments out of the time index, the first time.
    pub(super) async fn max_of_segment(&self, id: SegmentId) -> Option<MaxTimestamp> {
        let (known, on_disk) = {
            let state = self.state.borrow();
            let segment = state.find(id)?;
            (segment.max_timestamp, segment.index.times_on_disk)
        };
        if known.is_some() || on_disk == 0 {
            return known;
        }
        let last = self.on_disk_times(id, on_disk, |index| index.last()).await??;
        let max = MaxTimestamp { timestamp: last.timestamp, offset: last.offset };
        if let Some(segment) = self.state.borrow_mut().find_mut(id) {
            segment.max_timestamp = Some(max);
        }
        Some(max)
    }

    /// An offset in the segment below which every record is older than `timestamp`.
    async fn time_lookup(&self, id: SegmentId, timestamp: Timestamp) -> Offset {
        // The entry to start from is the last one below the timestamp sought.
        let below = Timestamp(timestamp.0.saturating_sub(1));
        let on_disk = {
            let state = self.state.borrow();
            let Some(index) = state.find(id).map(|segment| &segment.index) else { return id.base };
            let memory = index.times.index();
            if memory.count() > 0 && memory.entry(0).timestamp <= below {
                return memory.lookup(below).offset;
            }
            index.times_on_disk
        };
        let found = if on_disk == 0 { None } else { self.on_disk_times(id, on_disk, |index| index.lookup(below).offset).await };
        found.unwrap_or(id.base)
    }

    async fn on_disk_times<T>(&self, id: SegmentId, len: u64, look: impl FnOnce(TimeIndex<'_>) -> T) -> Option<T> {
        let map = self.index_map(SegmentFileKind::TimeIndex, id).await?;
        let bytes = map.as_slice();
        let index = TimeIndex::new(id.base, &bytes[..bytes.len().min(len as usize)]);
        let next = Offset(i64::MAX);
        index.check_ends(next).is_ok().then(|| look(index))
    }

    async fn first_at_or_after(&self, from: Offset, timestamp: Timestamp) -> Result<Option<TimestampOffset>, ReadError> {
        let log_start = self.log_start();
        let mut offset = from;
        while let Some(found) = self.find_batch(offset).await? {
            let header = match &found {
                Found::Memory(header, _) | Found::File { header, .. } => *header,
            };
            if header.max_timestamp >= timestamp {
                let batch = self.batch(found).await?;
                let record = batch.first_at_or_after(timestamp).map_err(|_| ReadError::Storage)?;
                if let Some((timestamp, offset)) = record.filter(|(_, offset)| *offset >= log_start) {
                    return Ok(Some(answer(&batch, timestamp, offset)));
                }
            }
            offset = header.next_offset();
            crate::rt::yield_if_needed().await;
        }
        Ok(None)
    }

    /// The whole batch, read from its file if need be.
    async fn batch(&self, found: Found) -> Result<RecordBatch, ReadError> {
        let mut bytes: Bytes = match found {
            Found::Memory(_, bytes) => bytes,
            Found::File { file, position, size, .. } => {
                file.read_at(position, size as usize).await.map_err(|error| self.read_failed(&error))?
            }
        };
        RecordBatch::split_from(&mut bytes).map_err(|error| self.read_failed(&std::io::Error::other(error)))
    }
}

fn answer(header: &BatchHeader, timestamp: Timestamp, offset: Offset) -> TimestampOffset {
    TimestampOffset { offset, timestamp, leader_epoch: header.leader_epoch }
}
