//! Which aborted transactions a reader of committed records must skip: out of the segments' transaction indexes.
//!
//! The last stable offset is `state.rs`'s. Nothing is kept in memory but whether there may be an index at all: most partitions never
//! have one.

use super::PartitionLog;
use crate::config::limits::TXN_INDEX_BYTES_MAX;
use crate::log::ReadError;
use crate::log::format::{AbortedTransaction, SegmentFileKind, TxnIndex};
use crate::log::segment::path;
use crate::rt::fs;
use crate::types::Offset;
use std::io;

impl PartitionLog {
    /// The aborted transactions with records in [`from`, `upto`), by the offsets of their markers.
    pub async fn aborted_transactions(&self, from: Offset, upto: Offset) -> Result<Vec<AbortedTransaction>, ReadError> {
        let mut found = Vec::new();
        if !self.has_aborted.get() || from >= upto {
            return Ok(found);
        }
        let bases: Vec<Offset> = {
            let state = self.state.borrow();
            let first = state.segment_index(from);
            state.segments[first..].iter().map(|segment| segment.base).collect()
        };
        for base in bases {
            let file = path(&self.path(), base, SegmentFileKind::TxnIndex);
            match fs::read_file(&file, TXN_INDEX_BYTES_MAX).await {
                // A transaction that began below `upto` may end in any later segment.
                Ok(bytes) if TxnIndex::new(&bytes).collect(from, upto, &mut found) => break,
                Ok(_) => {}
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => return Err(self.read_failed(&error)),
            }
        }
        Ok(found)
    }

    /// What loading found: whether there is an index of aborted transactions.
    pub(in crate::log) fn note_aborted(&self, some: bool) {
        self.has_aborted.set(some);
    }
}
