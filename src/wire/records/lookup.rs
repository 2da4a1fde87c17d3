//! Which record of a batch a timestamp leads to (ListOffsets by time and by largest timestamp).

use super::compression::Decompressor;
use super::walk::{RecordHead, Walk};
use super::{ReadError, RecordBatch, TimestampType};
use crate::types::{Offset, Timestamp};
use std::cell::Cell;

impl RecordBatch {
    /// The first record at or after `target`, by offset. Decompresses only as far as it must.
    pub fn first_at_or_after(&self, target: Timestamp) -> Result<Option<(Timestamp, Offset)>, ReadError> {
        self.first_from(Offset(0), target)
    }

    /// As [`RecordBatch::first_at_or_after`], among the records from offset `from` on: a log may begin inside a batch.
    pub fn first_from(&self, from: Offset, target: Timestamp) -> Result<Option<(Timestamp, Offset)>, ReadError> {
        self.find(|timestamp, offset| timestamp >= target && offset >= from)
    }

    /// The first record with the batch's max timestamp, as Kafka answers for ListOffsets' -3.
    pub fn max_timestamp_record(&self) -> Result<Option<(Timestamp, Offset)>, ReadError> {
        let max = self.max_timestamp;
        self.find(|timestamp, _| timestamp == max)
    }

    fn find(&self, wanted: impl Fn(Timestamp, Offset) -> bool) -> Result<Option<(Timestamp, Offset)>, ReadError> {
        let codec = self.attributes.codec().ok_or(ReadError::UnknownCodec)?;
        let log_append_time = (self.attributes.timestamp_type() == TimestampType::LogAppendTime).then_some(self.max_timestamp);
        let found = Cell::new(None);
        let on_record = |_, head: RecordHead| {
            let timestamp = log_append_time.unwrap_or(Timestamp(self.base_timestamp.0.wrapping_add(head.timestamp_delta)));
            let offset = self.base_offset.plus(i64::from(head.offset_delta));
            if found.get().is_none() && wanted(timestamp, offset) {
                found.set(Some((timestamp, offset)));
            }
        };
        let mut decompressor = Decompressor::new(codec, self.payload())?;
        let mut walk = Walk::new(usize::try_from(self.count).unwrap_or(0));
        while let Some(chunk) = decompressor.next_chunk()? {
            walk.feed(chunk, on_record)?;
            if found.get().is_some() {
                return Ok(found.get());
            }
        }
        walk.finish()?;
        Ok(None)
    }
}
