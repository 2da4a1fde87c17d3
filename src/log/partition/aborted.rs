//! Which aborted transactions a reader of committed records must skip: out of the segments' transaction indexes.
//!
//! The last stable offset is `state.rs`'s. Nothing is kept in memory but whether there may be an index at all (most partitions never have one: no index,
//! and no producer that had a transaction), and which segments without one were found to need none. Where a file is missing, the segment is
//! asked, unless no transaction was open where it begins that a reader cares for.

use super::PartitionLog;
use crate::config::limits::TXN_INDEX_BYTES_MAX;
use crate::log::ReadError;
use crate::log::format::{AbortedTransaction, SegmentFileKind, TxnIndex, decode_producer_snapshot};
use crate::log::load::SNAPSHOT_BYTES_MAX;
use crate::log::segment::{Segment, SegmentId, path};
use crate::rt::fs;
use crate::types::Offset;
use bytes::Bytes;
use std::io;

impl PartitionLog {
    /// The aborted transactions with records in [`from`, `upto`), by the offsets of their markers.
    pub async fn aborted_transactions(&self, from: Offset, upto: Offset) -> Result<Vec<AbortedTransaction>, ReadError> {
        loop {
            let segments = self.segments_from(from);
            let found = self.collect_aborted(&segments, from, upto).await?;
            // Compaction may have put others in their place, with an index of its own.
            if segments == self.segments_from(from) {
                return Ok(found);
            }
        }
    }

    fn segments_from(&self, from: Offset) -> Vec<SegmentId> {
        let state = self.state.borrow();
        state.segments[state.segment_index(from)..].iter().map(Segment::id).collect()
    }

    async fn collect_aborted(&self, segments: &[SegmentId], from: Offset, upto: Offset) -> Result<Vec<AbortedTransaction>, ReadError> {
        let mut found = Vec::new();
        if !self.has_aborted.get() || from >= upto {
            return Ok(found);
        }
        for id in segments {
            // A transaction that began below `upto` may end in any later segment.
            let index = match self.transaction_index(*id).await? {
                Some(index) => index,
                None if *id != segments[0] && self.is_none_open(*id, upto).await => break,
                None => self.missing_index(*id).await?,
            };
            if TxnIndex::new(&index).collect(from, upto, &mut found) {
                break;
            }
        }
        // Retention may have taken an index meanwhile, and with it what the reader must skip.
        if from < self.log_start() { Err(ReadError::OutOfRange) } else { Ok(found) }
    }

    /// The bytes of a segment's index, which is made anew if it is none; `None` if there is no file.
    async fn transaction_index(&self, id: SegmentId) -> Result<Option<Bytes>, ReadError> {
        let file = path(&self.path(), id.base, SegmentFileKind::TxnIndex);
        for attempt in 0..2 {
            match fs::read_file(&file, TXN_INDEX_BYTES_MAX).await {
                Ok(bytes) => match TxnIndex::new(&bytes).check(id.base) {
                    Err(why) if attempt == 0 => self.rebuild_transactions(id, &why.to_string()).await,
                    Err(why) => return Err(self.segment_failed(id, &io::Error::other(why))),
                    Ok(()) => return Ok(Some(bytes)),
                },
                Err(error) if error.kind() == io::ErrorKind::NotFound => break,
                Err(error) => return Err(self.segment_failed(id, &error)),
            }
        }
        Ok(None)
    }

    /// What a segment without the file has; the file is made if that is anything.
    async fn missing_index(&self, id: SegmentId) -> Result<Bytes, ReadError> {
        if self.without_aborted.borrow().contains(&id) {
            return Ok(Bytes::new());
        }
        let made = self.find_transactions(id).await.map_err(|error| self.segment_failed(id, &error))?;
        if made.is_empty() {
            self.without_aborted.borrow_mut().insert(id);
        }
        Ok(made)
    }

    /// Whether no transaction that began below `upto` was open where the segment begins, so that no later segment ends one.
    async fn is_none_open(&self, id: SegmentId, upto: Offset) -> bool {
        let snapshot = path(&self.path(), id.base, SegmentFileKind::ProducerSnapshot);
        let entries = fs::read_file(&snapshot, SNAPSHOT_BYTES_MAX).await.ok().and_then(|bytes| decode_producer_snapshot(&bytes).ok());
        entries.is_some_and(|entries| entries.iter().all(|entry| entry.transaction_first_offset.is_none_or(|first| first >= upto)))
    }

    /// What loading found: whether there may be aborted transactions.
    pub(in crate::log) fn note_aborted(&self, some: bool) {
        self.has_aborted.set(some);
    }
}
