//! Segments leave a partition's list: for retention and compaction, which decide which ones.
//!
//! In this order: out of the list, so that no read finds them any more (who has a handle of the file keeps it, who is about to open it looks
//! again); files renamed to `.deleted`; and after `file.delete.delay.ms` unlinked on the blocking pool (`crate::log::unlinks`). What a stop
//! or a crash leaves of `.deleted` goes at the next start. A crash may undo any of the renames, so the caller first makes durable what
//! stands for the segments: a log start offset above them, or other segments.

use super::PartitionLog;
use super::flush::FlushError;
use crate::log::format::{FileStage, SegmentFile, SegmentFileKind};
use crate::log::segment::{Segment, SegmentId, path};
use crate::log::unlinks::unlink;
use crate::rt::fs::{self, DirEntry};
use crate::rt::sync::Permit;
use crate::rt::{self, Queue};
use crate::types::Offset;
use std::io;
use std::path::{Path, PathBuf};

/// While it is held, nobody else writes, seals, rolls, removes or replaces segments of the partition. Appends and reads go on.
pub struct SegmentsLock(#[allow(dead_code, reason = "held, never read")] Permit);

/// What can be said of a segment without looking into its files.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct SegmentFacts {
    pub id: SegmentId,
    /// The first offset it may hold, and the end (exclusive).
    pub base: Offset,
    pub end: Offset,
    /// In bytes, padding left out.
    pub size: u64,
    /// Complete, durable, its indexes written: only such a segment may leave the list.
    pub sealed: bool,
}

impl PartitionLog {
    /// Waits for whoever changes the segments now. Fails once the partition was deleted.
    pub(in crate::log) async fn lock_segments(&self) -> Result<SegmentsLock, FlushError> {
        let permit = self.flush_lock.acquire(1).await;
        if self.deleted.get() { Err(FlushError::Offline) } else { Ok(SegmentsLock(permit)) }
    }

    /// Waits for whoever changes the segments now, and keeps all others out for ever: the directory is about to go.
    pub(in crate::log) async fn lock_for_deletion(&self) {
        let _permit = self.flush_lock.acquire(1).await;
        self.deleted.set(true);
    }

    /// The segments as they are now, by base offset; the last one is active. Look again under the lock before changing any.
    pub(in crate::log) fn segment_list(&self) -> Vec<SegmentFacts> {
        let state = self.state.borrow();
        let facts = |(index, segment): (usize, &Segment)| SegmentFacts {
            id: segment.id(),
            base: segment.base,
            end: state.segment_end(index),
            size: segment.size,
            sealed: segment.sealed,
        };
        state.segments.iter().enumerate().map(facts).collect()
    }

    /// Makes the active segment's file durable if there is none yet, for who takes away all others: the last file says where the log ends.
    pub(in crate::log) async fn make_active_file(&self, _lock: &SegmentsLock) -> Result<(), FlushError> {
        let base = self.state.borrow_mut().active().base;
        let writer = self.writer(base).await?;
        self.dir.files.put_writer(self.key(base), writer);
        self.sync_entries().await
    }

    /// Takes sealed segments out of the list and retires their files. Panics if one has left the list already, or if none would be left:
    /// look under the lock. On an error they are out of the list, and the log directory is offline.
    pub(in crate::log) async fn remove_segments(&self, _lock: &SegmentsLock, removed: &[SegmentId]) -> Result<(), FlushError> {
        self.state.borrow_mut().take_out(removed);
        for id in removed {
            self.dir.files.forget_segment(&(self.id, *id));
        }
        for id in removed {
            self.retire_files(id.base, &SegmentFileKind::ALL).await?;
        }
        Ok(())
    }

    /// Renames these files of a segment that is not in the list (those that there are) to `.deleted`, and has them unlinked later. The renames are
    /// not durable: sync the directory if that matters.
    pub(in crate::log) async fn retire_files(&self, base: Offset, kinds: &[SegmentFileKind]) -> Result<(), FlushError> {
        let dir = self.path();
        let delay_ms = self.config().file_delete_delay_ms;
        for &kind in kinds {
            let retired = dir.join(SegmentFile { base_offset: base, kind, stage: FileStage::Deleted }.to_string());
            match fs::rename(&path(&dir, base, kind), &retired).await {
                Ok(()) => self.dir.unlinks.add(retired, delay_ms),
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => return Err(self.fail("renaming a deleted segment's file", error)),
            }
        }
        Ok(())
    }
}

/// Removes, in the background, what is left of deleted segments in a partition's directory: files named `.deleted`, and indexes and
/// snapshots below the first segment (a crash may keep some of a segment's renames and undo others).
pub fn remove_leftovers(partition_dir: &Path, listing: &[DirEntry]) {
    let files = || listing.iter().filter_map(|entry| Some((entry, SegmentFile::parse(&entry.name)?)));
    let first = files()
        .filter(|(_, file)| (file.kind, file.stage) == (SegmentFileKind::Log, FileStage::Live))
        .map(|(_, file)| file.base_offset)
        .min();
    let is_left = |file: SegmentFile| match file.stage {
        FileStage::Deleted => true,
        FileStage::Live => first.is_some_and(|first| file.base_offset < first),
        FileStage::Cleaned | FileStage::Swap => false,
    };
    let left: Vec<PathBuf> = files().filter(|(_, file)| is_left(*file)).map(|(entry, _)| partition_dir.join(&entry.name)).collect();
    if left.is_empty() {
        return;
    }
    rt::spawn(Queue::Background, async move {
        for path in left {
            unlink(&path).await;
        }
    });
}
