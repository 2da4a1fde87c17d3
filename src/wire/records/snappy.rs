//! Snappy in the framing of Java's `SnappyOutputStream`, and bare.
//!
//! ```text
//! 8   82 53 4e 41 50 50 59 00    ("\x82SNAPPY\0")
//! 4   version 1
//! 4   oldest compatible version 1
//! then blocks: 4 size, block in the raw snappy format
//! ```
//! Bytes without that header are one raw block: librdkafka and the Go clients send those.

use super::Codec;
use super::compression::CompressionError;
use crate::config::limits::BATCH_EXPANDED_SIZE_MAX;
use bytes::{Buf, Bytes};

const MAGIC: [u8; 8] = [0x82, b'S', b'N', b'A', b'P', b'P', b'Y', 0];
const HEADER_SIZE: usize = 16;
const VERSION: [u8; 4] = 1u32.to_be_bytes();
/// Bytes that Java's stream puts in a block.
const BLOCK_SIZE: usize = 32 << 10;
/// A copy of 64 bytes takes at least 3: no block expands more than this, whatever it claims.
const EXPANSION_MAX: usize = 22;

/// The blocks of a snappy stream, decompressed one by one.
pub(super) struct Blocks {
    rest: Bytes,
    framed: bool,
}

impl Blocks {
    pub(super) fn new(bytes: Bytes) -> Blocks {
        Blocks { framed: has_header(&bytes), rest: bytes }
    }

    /// Puts the next block into `out`; empty at the end.
    pub(super) fn next_block(&mut self, out: &mut Vec<u8>) -> Result<(), CompressionError> {
        out.clear();
        // A stream may follow a stream: each brings its header.
        while self.framed && has_header(&self.rest) {
            self.rest.advance(HEADER_SIZE);
        }
        while out.is_empty() && !self.rest.is_empty() {
            let block = self.split_block()?;
            decompress_block(&block, out)?;
        }
        Ok(())
    }

    fn split_block(&mut self) -> Result<Bytes, CompressionError> {
        if !self.framed {
            return Ok(std::mem::take(&mut self.rest));
        }
        let cut = || CompressionError::damaged(Codec::Snappy, "a block is cut");
        let size = u32::from_be_bytes(*self.rest.first_chunk::<4>().ok_or_else(cut)?) as usize;
        self.rest.advance(4);
        if size > self.rest.len() {
            return Err(cut());
        }
        Ok(self.rest.split_to(size))
    }
}

fn has_header(bytes: &[u8]) -> bool {
    bytes.len() >= HEADER_SIZE && bytes.starts_with(&MAGIC)
}

fn decompress_block(block: &[u8], out: &mut Vec<u8>) -> Result<(), CompressionError> {
    let damaged = |error: snap::Error| CompressionError::damaged(Codec::Snappy, error);
    let size = snap::raw::decompress_len(block).map_err(damaged)?;
    if size > BATCH_EXPANDED_SIZE_MAX {
        return Err(CompressionError::TooLarge { limit: BATCH_EXPANDED_SIZE_MAX });
    }
    if size > block.len() * EXPANSION_MAX {
        return Err(CompressionError::damaged(Codec::Snappy, "a block claims more bytes than it can hold"));
    }
    out.resize(size, 0);
    let written = snap::raw::Decoder::new().decompress(block, out).map_err(damaged)?;
    out.truncate(written);
    Ok(())
}

/// Appends `bytes` compressed, framed as Java does.
pub(super) fn compress(bytes: &[u8], out: &mut Vec<u8>) {
    out.extend_from_slice(&MAGIC);
    out.extend_from_slice(&VERSION);
    out.extend_from_slice(&VERSION);
    let mut encoder = snap::raw::Encoder::new();
    for block in bytes.chunks(BLOCK_SIZE) {
        let size_at = out.len();
        let room = snap::raw::max_compress_len(block.len());
        out.resize(size_at + 4 + room, 0);
        let size = encoder.compress(block, &mut out[size_at + 4..]).expect("room for the largest block");
        out[size_at..size_at + 4].copy_from_slice(&(size as u32).to_be_bytes());
        out.truncate(size_at + 4 + size);
    }
}
