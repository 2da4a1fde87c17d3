//! Reads the batches of a sealed segment one by one, each checked by its CRC: what is damaged must not get a new, right one.

use super::Interrupted;
use crate::log::segment::neighbours::Neighbours;
use crate::log::segment::scan::{batch_size, check_batch};
use crate::rt::{File, OpenOptions};
use crate::types::Offset;
use crate::wire::records::{HEADER_SIZE, RecordBatch};
use bytes::Bytes;
use std::path::{Path, PathBuf};

/// A segment's file, read once from its start to `size`.
pub struct Source {
    path: PathBuf,
    file: File,
    position: u64,
    size: u64,
    chunk: Bytes,
    chunk_bytes: usize,
    neighbours: Neighbours,
}

impl Source {
    /// Direct reads of `chunk_bytes`: a log that is compacted shall not push others out of the page cache.
    pub async fn open(path: &Path, base: Offset, size: u64, chunk_bytes: usize) -> Result<Source, Interrupted> {
        let options = OpenOptions { direct: true, ..OpenOptions::default() };
        let file = File::open(path, options).await.map_err(|error| Interrupted::Read(path.to_path_buf(), error))?;
        Ok(Source {
            path: path.to_path_buf(),
            file,
            position: 0,
            size,
            chunk: Bytes::new(),
            chunk_bytes,
            neighbours: Neighbours::from(base),
        })
    }

    /// The next batch; `None` at the end. The second value is how many bytes were read from the file for it.
    pub async fn next(&mut self) -> Result<Option<(RecordBatch, u64)>, Interrupted> {
        if self.position >= self.size {
            return Ok(None);
        }
        let mut read = 0;
        let left = (self.size - self.position) as usize;
        // A whole header may ask for more than a chunk.
        for _ in 0..2 {
            let wanted = batch_size(&self.chunk).unwrap_or(HEADER_SIZE).min(left);
            if self.chunk.len() < wanted {
                let len = wanted.max(self.chunk_bytes.min(left));
                self.chunk = self.file.read_at(self.position, len).await.map_err(|error| Interrupted::Read(self.path.clone(), error))?;
                read += self.chunk.len() as u64;
            }
        }
        let (_, size) = check_batch(&self.chunk, &mut self.neighbours)
            .map_err(|stop| Interrupted::Damaged(format!("{} at position {}: {stop}", self.path.display(), self.position)))?;
        let mut bytes = self.chunk.split_to(size);
        self.position += size as u64;
        let batch = RecordBatch::split_from(&mut bytes).map_err(|error| Interrupted::Damaged(error.to_string()))?;
        Ok(Some((batch, read)))
    }
}
