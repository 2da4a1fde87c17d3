//! Walks the batches of a segment file, whole or by headers only, never trusting a length it reads.

use super::neighbours::{Misfit, Neighbours};
use crate::rt::{File, SharedFile};
use crate::types::Offset;
use crate::wire::records::{BatchError, BatchHeader, HEADER_SIZE, LENGTH_PREFIX_SIZE, check_crc, frame};
use bytes::Bytes;
use std::fmt;
use std::io;

const CHUNK_BYTES: usize = 1 << 20;
const HEADERS_BYTES: usize = 4096;

/// Why a scan ended before its limit.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum ScanStop {
    /// The bytes there are no batch.
    Bad(BatchError),
    /// A batch that does not fit to those before it.
    Misfit(Misfit),
}

impl fmt::Display for ScanStop {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ScanStop::Bad(error) => write!(f, "{error}"),
            ScanStop::Misfit(misfit) => write!(f, "{misfit}"),
        }
    }
}

/// Where a scan came to.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ScanEnd {
    /// Everything below is whole batches.
    pub position: u64,
    /// The offset after the last batch.
    pub next_offset: Offset,
    /// The first offset missing before the last batch, if some are: no batch behind it vouches for its base offset.
    pub gap: Option<Offset>,
    /// `None`: it came to the limit.
    pub stop: Option<ScanStop>,
}

/// Where a scan reads: a file, or the whole of one in memory.
#[derive(Clone, Copy)]
pub enum Source<'a> {
    File(&'a File),
    Memory(&'a Bytes),
}

impl Source<'_> {
    pub async fn read_at(&self, offset: u64, len: usize) -> io::Result<Bytes> {
        match self {
            Source::File(file) => file.read_at(offset, len).await,
            Source::Memory(bytes) => {
                let start = bytes.len().min(offset.min(usize::MAX as u64) as usize);
                Ok(bytes.slice(start..bytes.len().min(start + len)))
            }
        }
    }
}

/// Reads whole batches from `position` up to `limit`, checks their CRC and order, and shows each with its position to `visit`.
pub async fn scan_batches(
    source: Source<'_>,
    position: u64,
    limit: u64,
    next_offset: Offset,
    mut visit: impl FnMut(&BatchHeader, u64, &Bytes),
) -> io::Result<ScanEnd> {
    let mut end = ScanEnd { position, next_offset, gap: None, stop: None };
    let mut neighbours = Neighbours::from(next_offset);
    let mut chunk = Bytes::new();
    while end.position < limit {
        let left = (limit - end.position).min(usize::MAX as u64) as usize;
        let wanted = batch_size(&chunk).unwrap_or(HEADER_SIZE).min(left);
        if chunk.len() < wanted {
            chunk = source.read_at(end.position, wanted.max(CHUNK_BYTES.min(left))).await?;
            // A whole header may now ask for more than a chunk.
            let wanted = batch_size(&chunk).unwrap_or(HEADER_SIZE).min(left);
            if chunk.len() < wanted {
                chunk = source.read_at(end.position, wanted).await?;
            }
        }
        let (header, size) = match check_batch(&chunk, &mut neighbours) {
            Ok(found) => found,
            Err(stop) => {
                end.stop = Some(stop);
                break;
            }
        };
        let batch = chunk.split_to(size);
        visit(&header, end.position, &batch);
        end.position += size as u64;
        end.gap = Some(end.next_offset).filter(|expected| *expected < header.base_offset);
        end.next_offset = header.next_offset();
        crate::rt::yield_if_needed().await;
    }
    Ok(end)
}

/// The whole batch at the front of `bytes`, its CRC right, fit for its neighbours.
pub fn check_batch(bytes: &Bytes, neighbours: &mut Neighbours) -> Result<(BatchHeader, usize), ScanStop> {
    let (header, size) = frame(bytes).map_err(ScanStop::Bad)?;
    check_crc(&header, &bytes[..size]).map_err(ScanStop::Bad)?;
    neighbours.take(&header).map_err(ScanStop::Misfit)?;
    Ok((header, size))
}

/// The size that the batch at the front of `bytes` says it has.
pub fn batch_size(bytes: &[u8]) -> Option<usize> {
    let length = bytes.get(8..LENGTH_PREFIX_SIZE)?;
    let length = i32::from_be_bytes([length[0], length[1], length[2], length[3]]);
    Some(usize::try_from(length).ok()?.saturating_add(LENGTH_PREFIX_SIZE))
}

/// Steps from batch to batch by their headers alone. Positions come from an index or from here, so a bad header is an error.
pub struct HeaderWalk<'a> {
    /// `None`: all of it is in `chunk`.
    file: Option<&'a SharedFile>,
    position: u64,
    limit: u64,
    chunk: Bytes,
    chunk_at: u64,
    neighbours: Neighbours,
}

impl<'a> HeaderWalk<'a> {
    /// From the batch that begins at `position`; nothing at or beyond `limit` is looked at.
    pub fn new(file: &'a SharedFile, position: u64, limit: u64) -> HeaderWalk<'a> {
        HeaderWalk { file: Some(file), position, limit, chunk: Bytes::new(), chunk_at: position, neighbours: Neighbours::from(Offset(0)) }
    }

    /// As [`HeaderWalk::new`], over a whole file in memory.
    pub fn in_memory(bytes: Bytes, position: u64) -> HeaderWalk<'a> {
        let (limit, neighbours) = (bytes.len() as u64, Neighbours::from(Offset(0)));
        HeaderWalk { file: None, position, limit, chunk: bytes, chunk_at: 0, neighbours }
    }

    /// Where the next batch begins.
    pub fn position(&self) -> u64 {
        self.position
    }

    /// The next header, its position and its batch's size; `None` at the limit. `InvalidData` if there is no batch.
    pub async fn next(&mut self) -> io::Result<Option<(BatchHeader, u64, u32)>> {
        if self.position == self.limit {
            return Ok(None);
        }
        let mut skip = self.position.saturating_sub(self.chunk_at) as usize;
        if let Some(file) = self.file.filter(|_| self.chunk.len() < skip + HEADER_SIZE) {
            let wanted = HEADERS_BYTES.min(self.limit.saturating_sub(self.position) as usize);
            self.chunk = file.read_at(self.position, wanted).await?;
            self.chunk_at = self.position;
            skip = 0;
        }
        let header = self.chunk.get(skip..).and_then(BatchHeader::read);
        let found = header.and_then(|header| Some((header, header.size()?))).filter(|(header, _)| header.magic == 2);
        let Some((header, size)) = found.filter(|(_, size)| self.position + *size as u64 <= self.limit) else {
            return Err(io::Error::new(io::ErrorKind::InvalidData, format!("at position {}: no record batch", self.position)));
        };
        if let Err(misfit) = self.neighbours.take(&header) {
            return Err(io::Error::new(io::ErrorKind::InvalidData, format!("at position {}: {misfit}", self.position)));
        }
        let position = self.position;
        self.position += size as u64;
        Ok(Some((header, position, size as u32)))
    }
}
