//! The segment that a group of segments is compacted into, written beside them as `.cleaned` until it is whole and durable.

use crate::log::format::{ABORTED_TRANSACTION_SIZE, AbortedTransaction, FileStage, SegmentFile, SegmentFileKind};
use crate::log::segment::Segment;
use crate::rt::{AlignedBuffer, File, OpenOptions, fs};
use crate::types::{Offset, Timestamp};
use crate::wire::records::RecordBatch;
use std::io;
use std::path::{Path, PathBuf};

const WRITE_BYTES: usize = 512 << 10;
const GROWTH_BYTES: u64 = 8 << 20;

pub struct CleanedSegment {
    dir: PathBuf,
    file: File,
    /// What is not in the file yet.
    buffer: AlignedBuffer,
    written: u64,
    allocated: u64,
    segment: Segment,
    index_interval_bytes: u64,
    /// Transaction indexes are replaced.
    with_aborted: bool,
    aborted: Vec<AbortedTransaction>,
}

impl CleanedSegment {
    /// Begins an empty one in the partition's directory.
    pub async fn create(
        dir: &Path,
        base: Offset,
        now: Timestamp,
        index_interval_bytes: u64,
        with_aborted: bool,
    ) -> io::Result<CleanedSegment> {
        let options = OpenOptions { write: true, create: true, direct: true, durable: false };
        let file = File::open(&path(dir, base, SegmentFileKind::Log), options).await?;
        let buffer = AlignedBuffer::with_capacity(WRITE_BYTES);
        let segment = Segment::new(base, now);
        Ok(CleanedSegment {
            dir: dir.to_path_buf(),
            file,
            buffer,
            written: 0,
            allocated: 0,
            segment,
            index_interval_bytes,
            with_aborted,
            aborted: vec![],
        })
    }

    /// Takes the next batch; how many bytes were written to the file.
    pub async fn append(&mut self, batch: &RecordBatch) -> io::Result<u64> {
        self.segment.append(batch.header(), batch.size(), self.index_interval_bytes);
        self.buffer.extend_from_slice(batch.bytes());
        if self.buffer.len() < WRITE_BYTES {
            return Ok(0);
        }
        let whole = self.buffer.len() - self.buffer.len() % self.file.alignment();
        let mut rest = AlignedBuffer::with_capacity(WRITE_BYTES);
        rest.extend_from_slice(&self.buffer.as_slice()[whole..]);
        self.buffer.resize(whole);
        let full = std::mem::replace(&mut self.buffer, rest);
        self.write(full).await?;
        Ok(whole as u64)
    }

    /// A transaction whose marker is in the segment.
    pub fn aborted(&mut self, transaction: AbortedTransaction) {
        self.aborted.push(transaction);
    }

    /// Writes the rest and the indexes: everything is durable but the names. The segment's index is in memory still.
    pub async fn finish(mut self) -> io::Result<Segment> {
        let mut last = std::mem::replace(&mut self.buffer, AlignedBuffer::with_capacity(0));
        if !last.is_empty() {
            last.pad_to(self.file.alignment());
            self.write(last).await?;
        }
        self.file.truncate(self.segment.size).await?;
        self.file.sync().await?;
        let mut segment = self.segment;
        segment.index_max_timestamp();
        segment.written = segment.size;
        segment.sealed = true;
        segment.index.checked = true;
        let base = segment.base;
        fs::write_file(&path(&self.dir, base, SegmentFileKind::OffsetIndex), segment.index.offsets.bytes()).await?;
        fs::write_file(&path(&self.dir, base, SegmentFileKind::TimeIndex), segment.index.times.bytes()).await?;
        // Also without entries, where old ones have to go: whether it is there tells a start how far a replacement came.
        if self.with_aborted {
            let mut contents = Vec::with_capacity(self.aborted.len() * ABORTED_TRANSACTION_SIZE);
            self.aborted.iter().for_each(|transaction| contents.extend_from_slice(&transaction.to_bytes()));
            fs::write_file(&path(&self.dir, base, SegmentFileKind::TxnIndex), &contents).await?;
        }
        Ok(segment)
    }

    async fn write(&mut self, buffer: AlignedBuffer) -> io::Result<()> {
        let end = self.written + buffer.len() as u64;
        if end > self.allocated {
            match self.file.allocate(self.allocated, end + GROWTH_BYTES - self.allocated).await {
                Ok(()) => self.allocated = end + GROWTH_BYTES,
                // Some file systems have no fallocate; writes then grow the file.
                Err(error) if error.kind() == io::ErrorKind::Unsupported => {}
                Err(error) => return Err(error),
            }
        }
        self.file.write_at(self.written, buffer).await?;
        self.written = end;
        Ok(())
    }
}

/// Removes what earlier attempts left. Must be done before anything is replaced: a start takes a `.cleaned` file for a sign that replacements
/// above it are to be undone.
pub async fn remove_all(dir: &Path) -> io::Result<()> {
    for entry in fs::list_dir(dir).await? {
        if SegmentFile::parse(&entry.name).is_some_and(|file| file.stage == FileStage::Cleaned) {
            fs::remove_file(&dir.join(entry.name)).await?;
        }
    }
    Ok(())
}

fn path(dir: &Path, base_offset: Offset, kind: SegmentFileKind) -> PathBuf {
    dir.join(SegmentFile { base_offset, kind, stage: FileStage::Cleaned }.to_string())
}
