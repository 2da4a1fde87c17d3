//! From the tail into segment files: large direct writes, seal at roll, sync, indexes and snapshots.
//!
//! Order of a roll, each step durable before the next: all bytes of the old segment, padding cut, its indexes and the producers' snapshot,
//! then the new file. So every segment but the last is whole after any crash.

use super::PartitionLog;
use super::removal::SegmentsLock;
use super::state::FlushStep;
use crate::log::format::{LEADER_EPOCH_CHECKPOINT, SegmentFileKind, encode_leader_epoch_checkpoint, encode_producer_snapshot};
use crate::log::plain;
use crate::log::segment::files::{Files, SegmentWriter};
use crate::log::segment::path;
use crate::log::unlinks::unlink;
use crate::rt::sync::oneshot;
use crate::rt::{self, File, Queue, fs};
use crate::types::Offset;
use bytes::Bytes;
use std::io;
use std::path::Path;
use std::rc::Rc;

/// Gathered at once; written in pieces side by side.
const GATHERED_BYTES_MAX: u64 = 4 << 20;
/// The file grows by half its size, between these.
const GROWTH_BYTES_MIN: u64 = 64 << 10;
const GROWTH_BYTES_MAX: u64 = 64 << 20;
/// One growth takes at most this part of what the directory has to spare.
const GROWTH_SHARE: u64 = 16;
/// Indexes and snapshot of the active segment are written once so much was added since, which bounds the scan after a crash.
const INDEX_CHECKPOINT_BYTES: u64 = 64 << 20;

/// So little goes through the page cache, where nobody keeps the file open and a sync of the file system follows: thousands of partitions with
/// a few records each cost one call of the blocking pool each, and the kernel writes them together.
const SMALL_WRITE_BYTES_MAX: u64 = 32 << 10;
/// After a crash, segments with less than this behind their last index entry on disk are scanned again at the next start.
const RECOVERED_INDEX_BYTES: u64 = 1 << 20;

/// Why a flush did not finish. What was not written stays in memory (and in the journal).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum FlushError {
    /// The log directory is offline now.
    Offline,
    /// There was no space; to be tried again.
    Full,
}

impl PartitionLog {
    /// Writes to segments all that was appended before the call; makes it durable there with `sync`.
    pub(in crate::log) async fn flush(&self, sync: bool) -> Result<(), FlushError> {
        let lock = self.lock_segments().await?;
        self.flush_locked(&lock, sync).await
    }

    /// As [`PartitionLog::flush`], for who has the lock.
    pub(in crate::log) async fn flush_locked(&self, _lock: &SegmentsLock, sync: bool) -> Result<(), FlushError> {
        self.flush_wanted.set(false);
        let target = self.log_end();
        let checkpoint = self.index_checkpoint_due().then(|| self.snapshot());
        loop {
            self.check_online()?;
            let step = self.state.borrow().next_flush(target, GATHERED_BYTES_MAX);
            match step {
                FlushStep::Write { segment, position, batches, bytes, end } => {
                    if !sync && bytes <= SMALL_WRITE_BYTES_MAX && !self.dir.files.has_writer(&self.key(segment)) {
                        self.write_plainly(segment, position, &batches).await?;
                    } else {
                        self.write(segment, position, &batches).await?;
                    }
                    self.note_written(segment, position + bytes, bytes, end);
                }
                FlushStep::Seal { segment } => self.seal(segment).await?,
                FlushStep::Done => break,
            }
            crate::rt::yield_if_needed().await;
        }
        if sync || checkpoint.is_some() {
            self.sync_written().await?;
        }
        if let Some(snapshot) = checkpoint {
            self.write_index_checkpoint(target, snapshot).await?;
        }
        Ok(())
    }

    fn check_online(&self) -> Result<(), FlushError> {
        if self.dir.health.is_offline() { Err(FlushError::Offline) } else { Ok(()) }
    }

    /// A failed operation takes the directory offline.
    pub(super) fn fail(&self, what: &str, error: io::Error) -> FlushError {
        self.dir.health.fail(format_args!("{}-{}: {what}", self.topic, self.id.partition), error);
        FlushError::Offline
    }

    /// Where an operation that failed may be done again, a lack of space takes nothing offline.
    fn fail_or_wait(&self, what: &str, error: io::Error) -> FlushError {
        if error.kind() != io::ErrorKind::StorageFull {
            return self.fail(what, error);
        }
        self.dir.health.set_full(true);
        FlushError::Full
    }

    pub(super) async fn writer(&self, base: Offset) -> Result<SegmentWriter, FlushError> {
        if let Some(writer) = self.dir.files.take_writer(&self.key(base)) {
            return Ok(writer);
        }
        let written = self.state.borrow_mut().segment_mut(base).written;
        let file = path(&self.path(), base, SegmentFileKind::Log);
        self.open_writer(&file, written).await.map_err(|error| self.fail_or_wait("opening a segment", error))
    }

    async fn open_writer(&self, file: &Path, written: u64) -> io::Result<SegmentWriter> {
        let opened = Files::open_writer(file).await?;
        if written == 0 {
            self.entries_made.set(self.entries_made.get() + 1);
        }
        let allocated = opened.len().await?;
        let partial_len = written % opened.alignment() as u64;
        let partial = opened.read_at(written - partial_len, partial_len as usize).await?.to_vec();
        if partial.len() as u64 != partial_len || allocated < written {
            return Err(io::Error::new(io::ErrorKind::UnexpectedEof, format!("{} is shorter than {written} bytes", file.display())));
        }
        Ok(SegmentWriter { file: Rc::new(opened), allocated, partial })
    }

    /// Writes batches to a segment at its logical end, `position`.
    async fn write(&self, base: Offset, position: u64, batches: &[Bytes]) -> Result<(), FlushError> {
        let mut writer = self.writer(base).await?;
        self.padded.set(true);
        let alignment = writer.file.alignment();
        let len: usize = writer.partial.len() + batches.iter().map(Bytes::len).sum::<usize>();
        let start = position - writer.partial.len() as u64;
        assert!(start.is_multiple_of(alignment as u64), "a write begins at a block");
        let end = start + len.next_multiple_of(alignment) as u64;
        if let Err(error) = grow(&mut writer, end, position, alignment as u64, self.dir.space.left()).await {
            self.dir.files.put_writer(self.key(base), writer);
            return Err(self.fail_or_wait("growing a segment", error));
        }
        writer.partial = self.write_pieces(&writer, start, batches).await.map_err(|error| self.fail_or_wait("writing a segment", error))?;
        writer.allocated = writer.allocated.max(end);
        self.padded.set(writer.allocated > position + batches.iter().map(|batch| batch.len() as u64).sum::<u64>());
        self.note_run_file(base, &writer.file);
        self.dir.files.put_writer(self.key(base), writer);
        Ok(())
    }

    /// Writes the partial block and `batches` behind it from `start` on; gives what lies in the last, partly filled block.
    async fn write_pieces(&self, writer: &SegmentWriter, start: u64, batches: &[Bytes]) -> io::Result<Vec<u8>> {
        let (alignment, piece_bytes) = (writer.file.alignment(), self.dir.config.segment_write_bytes);
        let mut parts = std::iter::once(&writer.partial[..]).chain(batches.iter().map(|batch| &batch[..]));
        let (mut part, mut at): (&[u8], u64) = (parts.next().unwrap_or_default(), start);
        let mut left = writer.partial.len() + batches.iter().map(Bytes::len).sum::<usize>();
        let mut under_way = Vec::new();
        let mut last = Vec::new();
        while left > 0 {
            let (mut buffer, permit) = self.dir.files.take_buffer(left.min(piece_bytes).next_multiple_of(alignment)).await;
            while buffer.len() < piece_bytes {
                let taken = part.len().min(piece_bytes - buffer.len());
                buffer.extend_from_slice(&part[..taken]);
                part = &part[taken..];
                if part.is_empty() {
                    let Some(next) = parts.next() else { break };
                    part = next;
                }
            }
            left -= buffer.len();
            last = buffer.as_slice()[buffer.len() - buffer.len() % alignment..].to_vec();
            buffer.pad_to(alignment);
            let (file, files, offset) = (Rc::clone(&writer.file), Rc::clone(&self.dir.files), at);
            at += buffer.len() as u64;
            self.dir.files.count_write(buffer.len() as u64);
            let (done, written) = oneshot();
            rt::spawn(Queue::Foreground, async move {
                let result = file.write_at(offset, buffer).await.map(|buffer| files.put_buffer(buffer));
                drop(permit);
                done.send(result);
            });
            under_way.push(written);
            // It is on its way to the disk while the next one is filled.
            rt::yield_now().await;
        }
        for written in under_way {
            written.await.map_err(|_| io::Error::other("a write was given up"))??;
        }
        Ok(last)
    }

    /// As [`Self::write`], of little, through the page cache; the file ends with it.
    async fn write_plainly(&self, base: Offset, position: u64, batches: &[Bytes]) -> Result<(), FlushError> {
        if position == 0 {
            self.entries_made.set(self.entries_made.get() + 1);
        }
        let file = plain::of_segment(base, SegmentFileKind::Log, position, batches.concat());
        fs::write_plain(&self.path(), vec![file]).await.map_err(|error| self.fail_or_wait("writing a segment", error))?;
        self.padded.set(false);
        Ok(())
    }

    fn note_written(&self, base: Offset, written: u64, bytes: u64, end: Offset) {
        let mut state = self.state.borrow_mut();
        state.segment_mut(base).written = written;
        state.written_end = end;
        state.unwritten_bytes -= bytes;
        drop(state);
        self.dir.memory.written(self.this.clone(), end, bytes);
    }

    /// Completes a segment behind which another one was begun.
    async fn seal(&self, base: Offset) -> Result<(), FlushError> {
        self.cut_padding(base, true).await?;
        let (snapshot, offsets, times, end) = {
            let mut state = self.state.borrow_mut();
            let segment = state.segment_mut(base);
            segment.index_max_timestamp();
            let snapshot = segment.snapshot_at_end.clone();
            let (offsets, times) = (segment.index.offsets.bytes().to_vec(), segment.index.times.bytes().to_vec());
            let index = state.segment_index(base);
            (snapshot, offsets, times, state.segment_end(index))
        };
        self.write_indexes(base, offsets, times).await.map_err(|error| self.fail_or_wait("writing indexes", error))?;
        self.write_epochs().await?;
        self.write_aborted(base, end).await.map_err(|error| self.fail_or_wait("writing an index of aborted transactions", error))?;
        if let Some(snapshot) = snapshot {
            self.write_snapshot(end, &snapshot).await.map_err(|error| self.fail_or_wait("writing a snapshot", error))?;
        }
        let entries = self.entries_made.get();
        self.sync_entries().await?;
        {
            let mut state = self.state.borrow_mut();
            let segment = state.segment_mut(base);
            (segment.sealed, segment.snapshot_at_end) = (true, None);
            segment.aborted = Vec::new();
        }
        self.note_synced(end, entries);
        Ok(())
    }

    /// The file ends where the log does; durably if `sync`.
    async fn cut_padding(&self, base: Offset, sync: bool) -> Result<(), FlushError> {
        if !sync && !self.padded.get() {
            return Ok(());
        }
        let writer = self.writer(base).await?;
        let written = self.state.borrow_mut().segment_mut(base).written;
        // Whatever is known of its size: an allocation that found no space may have grown it.
        writer.file.truncate(written).await.map_err(|error| self.fail("closing a segment", error))?;
        if sync {
            self.sync_segment(&writer.file).await?;
        }
        self.padded.set(false);
        Ok(())
    }

    /// Makes what is written of the active segment durable.
    pub(super) async fn sync_written(&self) -> Result<(), FlushError> {
        let (base, (end, entries)) = (self.state.borrow().unsealed_base(), self.sync_mark());
        if let Some(base) = base {
            let writer = self.writer(base).await?;
            let synced = self.sync_segment(&writer.file).await;
            self.dir.files.put_writer(self.key(base), writer);
            synced?;
        }
        self.sync_entries().await?;
        self.note_synced(end, entries);
        Ok(())
    }

    /// One sync after the other: the kernel tells only one of several that data is lost, and the others would believe it safe.
    pub(super) async fn sync_segment(&self, file: &File) -> Result<(), FlushError> {
        let _one = self.sync_lock.acquire(1).await;
        self.check_online()?;
        file.sync().await.map_err(|error| self.fail("syncing a segment", error))?;
        // A write that failed meanwhile may have been told in its place.
        self.check_online()
    }

    /// Makes the entries of its directory, and its own in the log directory, durable.
    pub(super) async fn sync_entries(&self) -> Result<(), FlushError> {
        let made = self.entries_made.get();
        if self.entries_durable.get() == made {
            return Ok(());
        }
        fs::sync_dir(&self.path()).await.map_err(|error| self.fail("syncing the directory", error))?;
        if self.entries_durable.get() == 0 {
            fs::sync_dir(self.dir.health.path()).await.map_err(|error| self.fail("syncing the log directory", error))?;
        }
        self.entries_durable.set(made);
        Ok(())
    }

    /// What a later sync of the whole file system will have made durable: the written end, and the directory entries made.
    pub(in crate::log) fn sync_mark(&self) -> (Offset, u32) {
        (self.state.borrow().written_end, self.entries_made.get())
    }

    /// All below `end` is durable in segments, and so are the first `entries` directory entries.
    pub(in crate::log) fn note_synced(&self, end: Offset, entries: u32) {
        self.entries_durable.set(self.entries_durable.get().max(entries));
        let mut state = self.state.borrow_mut();
        state.synced_end = state.synced_end.max(end);
        let moved = state.advance_durable();
        let (before, wanted) = (state.hold, state.wanted_hold());
        state.hold = wanted;
        let clean = state.synced_end == state.log_end;
        drop(state);
        if before != wanted {
            if let (Some(journal), Some(sequence)) = (&self.dir.journal, wanted) {
                journal.hold(sequence);
            }
            self.release(before);
        }
        if clean {
            self.dir.dirty.borrow_mut().remove(&self.id);
        }
        if moved {
            self.wake();
        }
    }

    fn index_checkpoint_due(&self) -> bool {
        self.unindexed_bytes() > INDEX_CHECKPOINT_BYTES
    }

    /// Bytes of the active segment from its first index entry on that is not on disk.
    fn unindexed_bytes(&self) -> u64 {
        let state = self.state.borrow();
        let active = state.segments.last().expect("a log has a segment");
        // Every index entry stands for at least an interval of bytes, so the entries in memory measure what was added.
        let first = active.index.offsets.index().count().checked_sub(1).map(|_| active.index.offsets.index().entry(0).position);
        first.map_or(0, |first| active.size - u64::from(first))
    }

    /// The producers' state at the log end, encoded.
    pub(in crate::log) fn snapshot(&self) -> Bytes {
        encode_producer_snapshot(self.state.borrow().producers.to_snapshot()).into()
    }

    /// Writes index entries and the snapshot for all below `end`, which is synced.
    async fn write_index_checkpoint(&self, end: Offset, snapshot: Bytes) -> Result<(), FlushError> {
        let (base, offsets, times) = {
            let mut state = self.state.borrow_mut();
            let active = state.active();
            if active.base >= end {
                return Ok(());
            }
            let (mut offsets, mut times) = (active.index.offsets.clone(), active.index.times.clone());
            offsets.truncate_to(end);
            times.truncate_to(end);
            (active.base, offsets.bytes().to_vec(), times.bytes().to_vec())
        };
        self.write_epochs().await?;
        let written = async {
            self.write_indexes(base, offsets, times).await?;
            self.write_aborted(base, end).await?;
            self.write_snapshot(end, &snapshot).await
        };
        written.await.map_err(|error| self.fail_or_wait("writing an index checkpoint", error))
    }

    /// Lengths of both indexes on disk, in bytes.
    fn index_on_disk(&self, base: Offset) -> (u64, u64) {
        let mut state = self.state.borrow_mut();
        let index = &state.segment_mut(base).index;
        (index.offsets_on_disk, index.times_on_disk)
    }

    /// Puts index entries that are in memory behind those on disk, durably.
    async fn write_indexes(&self, base: Offset, offsets: Vec<u8>, times: Vec<u8>) -> io::Result<()> {
        let (offsets_on_disk, times_on_disk) = self.index_on_disk(base);
        let dir = self.path();
        extend_file(&path(&dir, base, SegmentFileKind::OffsetIndex), offsets_on_disk, &offsets).await?;
        extend_file(&path(&dir, base, SegmentFileKind::TimeIndex), times_on_disk, &times).await?;
        self.dir.files.forget_maps(&self.key(base));
        self.state.borrow_mut().segment_mut(base).index.persisted(base, offsets.len(), times.len());
        Ok(())
    }

    /// Writes the snapshot of the producers at `end`, durably.
    async fn write_snapshot(&self, end: Offset, snapshot: &[u8]) -> io::Result<()> {
        fs::write_file(&path(&self.path(), end, SegmentFileKind::ProducerSnapshot), snapshot).await?;
        self.note_snapshot(end).await
    }

    /// There is a snapshot at `end`: the one before it goes, unless a segment begins there.
    async fn note_snapshot(&self, end: Offset) -> io::Result<()> {
        let before = self.snapshot_offset.replace(Some(end)).filter(|before| *before != end);
        if let Some(before) = before {
            let is_base = self.state.borrow().segments.iter().any(|segment| segment.base == before);
            if !is_base {
                unlink(&path(&self.path(), before, SegmentFileKind::ProducerSnapshot)).await;
            }
        }
        Ok(())
    }

    /// Before a snapshot at the same place: a start reads only what is behind the snapshot.
    pub(super) async fn write_epochs(&self) -> Result<(), FlushError> {
        if !self.epochs_changed.replace(false) {
            return Ok(());
        }
        let contents = encode_leader_epoch_checkpoint(self.state.borrow().epochs.entries());
        let path = self.path().join(LEADER_EPOCH_CHECKPOINT);
        fs::write_file(&path, contents.as_bytes()).await.map_err(|error| {
            self.epochs_changed.set(true);
            self.fail_or_wait("writing leader epochs", error)
        })?;
        self.epochs_on_disk.set(true);
        Ok(())
    }

    /// First half of a clean stop: everything in segments, padding cut. Durable once the file system was synced.
    pub(in crate::log) async fn finish_segments(&self) -> Result<(), FlushError> {
        self.close();
        self.flush(false).await?;
        let _lock = self.lock_segments().await?;
        if !self.touched.get() {
            return Ok(());
        }
        if self.epochs_on_disk.get() {
            self.write_epochs().await?;
        } else {
            self.write_first_epochs().await?;
        }
        let base = self.state.borrow_mut().active().base;
        self.cut_padding(base, false).await
    }

    /// Second half, when the segments are durable, since a snapshot says so: index and snapshot. Durable after one more sync.
    pub(in crate::log) async fn finish_indexes(&self) -> Result<(), FlushError> {
        let _lock = self.lock_segments().await?;
        if !self.touched.replace(false) {
            return Ok(());
        }
        let (base, end, offsets, times) = {
            let mut state = self.state.borrow_mut();
            let end = state.log_end;
            let active = state.active();
            active.index_max_timestamp();
            (active.base, end, active.index.offsets.bytes().to_vec(), active.index.times.bytes().to_vec())
        };
        let written = self.write_index_plainly(base, end, offsets, times);
        written.await.map_err(|error| self.fail_or_wait("writing indexes at the stop", error))
    }

    /// Second half of a replay: as [`Self::finish_indexes`], but only where a scan at the next start would be long.
    pub(in crate::log) async fn finish_long_indexes(&self) -> Result<(), FlushError> {
        if self.unindexed_bytes() > RECOVERED_INDEX_BYTES { self.finish_indexes().await } else { Ok(()) }
    }

    /// Indexes and the snapshot at `end`, all in one step; a later sync of the file system makes them durable.
    async fn write_index_plainly(&self, base: Offset, end: Offset, offsets: Vec<u8>, times: Vec<u8>) -> io::Result<()> {
        let (offsets_len, times_len) = (offsets.len(), times.len());
        let (offsets_on_disk, times_on_disk) = self.index_on_disk(base);
        let files = vec![
            plain::of_segment(base, SegmentFileKind::OffsetIndex, offsets_on_disk, offsets),
            plain::of_segment(base, SegmentFileKind::TimeIndex, times_on_disk, times),
            plain::of_segment(end, SegmentFileKind::ProducerSnapshot, 0, self.snapshot().to_vec()),
        ];
        fs::write_plain(&self.path(), files).await?;
        self.dir.files.forget_maps(&self.key(base));
        self.state.borrow_mut().segment_mut(base).index.persisted(base, offsets_len, times_len);
        self.note_snapshot(end).await
    }

    /// The partition's first leader epochs: there is nothing that a torn write could take.
    async fn write_first_epochs(&self) -> Result<(), FlushError> {
        if !self.epochs_changed.replace(false) {
            return Ok(());
        }
        let contents = encode_leader_epoch_checkpoint(self.state.borrow().epochs.entries());
        let written = plain::write(&self.path(), LEADER_EPOCH_CHECKPOINT, contents.as_bytes()).await;
        written.map_err(|error| {
            self.epochs_changed.set(true);
            self.fail_or_wait("writing leader epochs", error)
        })?;
        self.epochs_on_disk.set(true);
        Ok(())
    }
}

/// Allocates ahead of a write that goes up to `end`.
async fn grow(writer: &mut SegmentWriter, end: u64, size: u64, alignment: u64, to_spare: u64) -> io::Result<()> {
    if end <= writer.allocated {
        return Ok(());
    }
    // The reserve is for what must be written, not for what may come.
    let growth = (size / 2).clamp(GROWTH_BYTES_MIN, GROWTH_BYTES_MAX).min(to_spare / GROWTH_SHARE);
    let until = (end + growth).next_multiple_of(alignment.max(4096));
    let grown = match writer.file.allocate(writer.allocated, until - writer.allocated).await {
        Err(error) if error.kind() == io::ErrorKind::StorageFull => {
            writer.file.allocate(writer.allocated, end - writer.allocated).await.map(|()| end)
        }
        grown => grown.map(|()| until),
    };
    match grown {
        Ok(until) => writer.allocated = until,
        // Some file systems have no fallocate; writes then grow the file.
        Err(error) if error.kind() == io::ErrorKind::Unsupported => {}
        Err(error) => return Err(error),
    }
    Ok(())
}

/// The file keeps its first `keep` bytes and gets `bytes` behind them; as a whole and durably.
async fn extend_file(path: &Path, keep: u64, bytes: &[u8]) -> io::Result<()> {
    if keep == 0 {
        return fs::write_file(path, bytes).await;
    }
    if bytes.is_empty() {
        return Ok(());
    }
    let mut contents = fs::read_file(path, keep.max(u64::from(u32::MAX))).await?.to_vec();
    contents.truncate(keep as usize);
    contents.extend_from_slice(bytes);
    fs::write_file(path, &contents).await
}
