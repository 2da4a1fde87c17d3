//! Offsets by time: ListOffsets' look-ups for a timestamp and for the largest one.

use super::PartitionLog;
use super::read::{Found, SegmentView};
use crate::log::ReadError;
use crate::log::format;
use crate::log::segment::scan::HeaderWalk;
use crate::log::segment::{MaxTimestamp, Segment, SegmentId};
use crate::types::{LeaderEpoch, Offset, Timestamp};
use crate::wire::records::{BatchHeader, RecordBatch};
use std::io;

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
            let max = self.largest_of_segment(id).await?;
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
            let max = self.largest_of_segment(id).await?;
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

    /// The segment's largest timestamp, or when this process made or opened it if its records have none. `None`: it has left the list.
    pub(in crate::log) async fn newest_timestamp(&self, id: SegmentId) -> Option<Timestamp> {
        let max = self.max_of_segment(id).await.map(|max| max.timestamp).filter(|max| max.0 >= 0);
        let opened = self.state.borrow().find(id)?.opened;
        Some(max.unwrap_or(opened))
    }

    /// As [`Self::largest_of_segment`]; the end of time where the segment cannot be read, so that nothing goes for its age.
    pub(super) async fn max_of_segment(&self, id: SegmentId) -> Option<MaxTimestamp> {
        let unknown = MaxTimestamp { timestamp: Timestamp(i64::MAX), offset: id.base };
        self.largest_of_segment(id).await.unwrap_or(Some(unknown))
    }

    /// The segment's largest timestamp. What its time index says of it is verified once; a wrong one is made anew.
    async fn largest_of_segment(&self, id: SegmentId) -> Result<Option<MaxTimestamp>, ReadError> {
        for _ in 0..2 {
            let Some((segment, found, known)) = self.time_view(id) else { return Ok(None) };
            if known {
                return Ok(found);
            }
            self.check_indexes(segment).await;
            match self.max_on_disk(segment).await {
                Ok(max) => return Ok(self.note_max(id, max)),
                Err(why) => self.rebuild_indexes(id, &why).await,
            }
        }
        // Its batches cannot be walked.
        let Some((_, found, known)) = self.time_view(id) else { return Ok(None) };
        if known { Ok(found) } else { Err(ReadError::Storage) }
    }

    fn time_view(&self, id: SegmentId) -> Option<(SegmentView, Option<MaxTimestamp>, bool)> {
        let state = self.state.borrow();
        let segment = state.find(id)?;
        let end = state.segment_end(state.segment_index(id.base)).min(state.written_end);
        Some((SegmentView { id, end, written: segment.written }, segment.max_timestamp, segment.max_known))
    }

    fn note_max(&self, id: SegmentId, on_disk: Option<MaxTimestamp>) -> Option<MaxTimestamp> {
        let mut state = self.state.borrow_mut();
        let segment = state.find_mut(id)?;
        // Appended meanwhile: later than what is on disk.
        if let Some(on_disk) = on_disk.filter(|max| segment.max_timestamp.is_none_or(|known| known.timestamp <= max.timestamp)) {
            segment.max_timestamp = Some(on_disk);
        }
        segment.max_known = true;
        segment.max_timestamp
    }

    /// The last entry of the time index if its batch agrees, or what a batch behind it has. An error says what is wrong with the index.
    async fn max_on_disk(&self, segment: SegmentView) -> Result<Option<MaxTimestamp>, String> {
        let Some(times) = self.state.borrow().find(segment.id).map(|found| found.index.times_on_disk) else { return Ok(None) };
        let last = if times == 0 { None } else { self.on_disk_times(segment.id, times, |index| index.last()).await.flatten() };
        let last = last.ok_or("it has no time index")?;
        let mut max = MaxTimestamp { timestamp: last.timestamp, offset: last.offset };
        let file = self.segment_file(segment.id).await.map_err(|_| "its log cannot be read")?;
        let Some(file) = file else { return Ok(None) };
        let found = self.walk_to(segment, &file, last.offset).await.map_err(|_| "its log cannot be walked")?;
        let Some((_, position, _)) = found.filter(|(header, ..)| header.max_timestamp == last.timestamp) else {
            return Err(format!("no batch at offset {} has the timestamp {}", last.offset, last.timestamp));
        };
        // An index that was cut has its last entry too early.
        let mut walk = HeaderWalk::new(&file, position, segment.written);
        while let Some((header, ..)) = walk.next().await.map_err(|error| error.to_string())? {
            if header.max_timestamp > max.timestamp {
                max = MaxTimestamp { timestamp: header.max_timestamp, offset: header.last_offset() };
                self.rebuild_later(segment.id, "its time index ends too early");
            }
            crate::rt::yield_if_needed().await;
        }
        Ok(Some(max))
    }

    /// An offset in the segment below which every record is older than `timestamp`.
    async fn time_lookup(&self, id: SegmentId, timestamp: Timestamp) -> Offset {
        // The entry to start from is the last one below the timestamp sought.
        let below = Timestamp(timestamp.0.saturating_sub(1));
        for _ in 0..2 {
            let Some(on_disk) = self.time_in_memory(id, below) else { return id.base };
            let on_disk = match on_disk {
                Ok(offset) => return offset,
                Err(0) => return id.base,
                Err(on_disk) => on_disk,
            };
            let Some(entry) = self.on_disk_times(id, on_disk, |index| index.lookup(below)).await else { return id.base };
            if entry.timestamp == Timestamp::NONE || self.time_entry_holds(id, entry).await {
                return entry.offset;
            }
            let why = format!("no batch at offset {} has the timestamp {}", entry.offset, entry.timestamp);
            self.rebuild_indexes(id, &why).await;
        }
        id.base
    }

    /// The place by the entries in memory, or how many bytes of entries there are on disk. `None`: the segment has left the list.
    fn time_in_memory(&self, id: SegmentId, below: Timestamp) -> Option<Result<Offset, u64>> {
        let state = self.state.borrow();
        let index = &state.find(id)?.index;
        let memory = index.times.index();
        let in_memory = memory.count() > 0 && memory.entry(0).timestamp <= below;
        Some(if in_memory { Ok(memory.lookup(below).offset) } else { Err(index.times_on_disk) })
    }

    async fn time_entry_holds(&self, id: SegmentId, entry: format::TimestampOffset) -> bool {
        let Some((segment, ..)) = self.time_view(id) else { return true };
        let Ok(Some(file)) = self.segment_file(id).await else { return true };
        let found = self.walk_to(segment, &file, entry.offset).await.ok().flatten();
        found.is_some_and(|(header, ..)| header.base_offset <= entry.offset && header.max_timestamp == entry.timestamp)
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
                let record = batch.first_from(log_start, timestamp).map_err(|_| ReadError::Storage)?;
                if let Some((timestamp, offset)) = record {
                    return Ok(Some(answer(&batch, timestamp, offset)));
                }
            }
            offset = header.next_offset();
            crate::rt::yield_if_needed().await;
        }
        Ok(None)
    }

    /// The whole batch, read from its file if need be, and then its CRC is checked.
    async fn batch(&self, found: Found) -> Result<RecordBatch, ReadError> {
        let (segment, file, position, size) = match found {
            Found::Memory(_, mut bytes) => {
                return Ok(RecordBatch::split_from(&mut bytes).expect("the tail holds whole batches"));
            }
            Found::File { segment, file, position, size, .. } => (segment, file, position, size),
        };
        let mut bytes = file.read_at(position, size as usize).await.map_err(|error| self.segment_failed(segment.id, &error))?;
        let batch = RecordBatch::split_from(&mut bytes).and_then(|batch| batch.check_crc().map(|()| batch));
        batch.map_err(|error| self.segment_failed(segment.id, &io::Error::other(format!("at position {position}: {error}"))))
    }
}

fn answer(header: &BatchHeader, timestamp: Timestamp, offset: Offset) -> TimestampOffset {
    TimestampOffset { offset, timestamp, leader_epoch: header.leader_epoch }
}
