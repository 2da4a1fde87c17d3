//! Which aborted transactions a reader of committed records must skip: out of the segments' transaction indexes.
//!
//! The last stable offset is `state.rs`'s. Nothing is kept in memory but whether there may be an index at all (most partitions never have one: no index,
//! and no producer that had a transaction), and which segments without one were found to need none. Where a file is missing, the segment is
//! asked, unless no transaction was open where it begins that a reader cares for. A segment that still grows has its list in memory; the file is
//! written with each snapshot of the producers.

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
        if let Some(found) = self.unsealed_aborted(id).await.map_err(|error| self.segment_failed(id, &error))? {
            return Ok(Some(found.iter().flat_map(AbortedTransaction::to_bytes).collect()));
        }
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

    /// Those of a segment that is not sealed, whose index file may lag behind, or not be there; `None` if it is sealed, or gone.
    async fn unsealed_aborted(&self, id: SegmentId) -> io::Result<Option<Vec<AbortedTransaction>>> {
        let Some(from) = self.state.borrow().find(id).filter(|segment| !segment.sealed).map(|segment| segment.aborted_from) else {
            return Ok(None);
        };
        if self.has_aborted.get() && from > id.base {
            let before = self.scan_aborted(id, from).await?;
            if let Some(segment) = self.state.borrow_mut().find_mut(id).filter(|segment| segment.aborted_from == from) {
                segment.aborted.splice(..0, before);
                segment.aborted_from = id.base;
            }
        }
        Ok(self.state.borrow().find(id).filter(|segment| !segment.sealed).map(|segment| segment.aborted.clone()))
    }

    /// The aborted transactions of a segment, as its file or memory has them: for compaction, which has the segments' lock.
    pub(in crate::log) async fn aborted_of(&self, base: Offset) -> io::Result<Vec<AbortedTransaction>> {
        let id = self.key(base).1;
        if let Some(found) = self.unsealed_aborted(id).await? {
            return Ok(found);
        }
        match fs::read_file(&path(&self.path(), base, SegmentFileKind::TxnIndex), TXN_INDEX_BYTES_MAX).await {
            Ok(bytes) => Ok(TxnIndex::new(&bytes).entries().collect()),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
            Err(error) => Err(error),
        }
    }

    /// Writes a segment's index of all below `end`, durably; before a snapshot at the same place: a start reads only what is behind the snapshot.
    pub(super) async fn write_aborted(&self, base: Offset, end: Offset) -> io::Result<()> {
        if !self.has_aborted.get() {
            return Ok(());
        }
        let Some(found) = self.unsealed_aborted(self.key(base).1).await? else { return Ok(()) };
        let below = found.iter().filter(|aborted| aborted.last_offset < end);
        let bytes: Vec<u8> = below.flat_map(AbortedTransaction::to_bytes).collect();
        fs::write_file(&path(&self.path(), base, SegmentFileKind::TxnIndex), &bytes).await
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
