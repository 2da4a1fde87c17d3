//! Which aborted transactions a reader of committed records must skip: out of the segments' transaction indexes.
//!
//! The last stable offset is `state.rs`'s. Nothing is kept in memory but whether there may be an index at all: most partitions never
//! have one.

use super::PartitionLog;
use crate::config::limits::TXN_INDEX_BYTES_MAX;
use crate::log::ReadError;
use crate::log::format::{AbortedTransaction, SegmentFileKind, TxnIndex};
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
            if TxnIndex::new(&self.transaction_index(*id).await?).collect(from, upto, &mut found) {
                break;
            }
        }
        // Retention may have taken an index meanwhile, and with it what the reader must skip.
        if from < self.log_start() { Err(ReadError::OutOfRange) } else { Ok(found) }
    }

    /// The bytes of a segment's index, which is made anew if it is none; empty if there is no file.
    async fn transaction_index(&self, id: SegmentId) -> Result<Bytes, ReadError> {
        let file = path(&self.path(), id.base, SegmentFileKind::TxnIndex);
        for attempt in 0..2 {
            match fs::read_file(&file, TXN_INDEX_BYTES_MAX).await {
                Ok(bytes) => match TxnIndex::new(&bytes).check(id.base) {
                    Err(why) if attempt == 0 => self.rebuild_transactions(id, &why.to_string()).await,
                    Err(why) => return Err(self.segment_failed(id, &io::Error::other(why))),
                    Ok(()) => return Ok(bytes),
                },
                Err(error) if error.kind() == io::ErrorKind::NotFound => break,
                Err(error) => return Err(self.segment_failed(id, &error)),
            }
        }
        Ok(Bytes::new())
    }

    /// What loading found: whether there is an index of aborted transactions.
    pub(in crate::log) fn note_aborted(&self, some: bool) {
        self.has_aborted.set(some);
    }
}
