//! The four codecs, as Apache Kafka's clients frame them.
//!
//! Decompression is a sequence of chunks, so that a batch can be walked in constant memory; whoever drives it counts the bytes
//! and stops at `limits::BATCH_EXPANDED_SIZE_MAX`. gzip: RFC 1952. lz4: its frame format. zstd: its frame format. snappy: `snappy.rs`.

use super::Codec;
use super::snappy;
use crate::config::limits::{BATCH_EXPANDED_SIZE_MAX, ZSTD_WINDOW_LOG_MAX};
use bytes::buf::Reader;
use bytes::{Buf, Bytes};
use flate2::bufread::MultiGzDecoder;
use std::fmt;
use std::io::{self, Read, Write};

/// Decompressed bytes handed out at a time.
pub(super) const CHUNK_SIZE: usize = 64 << 10;

/// Compressed bytes that do not decompress, or to more than is allowed.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum CompressionError {
    Damaged { codec: Codec, reason: String },
    TooLarge { limit: usize },
}

impl CompressionError {
    pub(super) fn damaged(codec: Codec, reason: impl fmt::Display) -> CompressionError {
        CompressionError::Damaged { codec, reason: reason.to_string() }
    }
}

impl fmt::Display for CompressionError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            CompressionError::Damaged { codec, reason } => write!(f, "cannot decompress {}: {reason}", codec.name()),
            CompressionError::TooLarge { limit } => write!(f, "expands to more than {limit} bytes"),
        }
    }
}

impl std::error::Error for CompressionError {}

/// A compressed block being decompressed, chunk by chunk.
pub(super) struct Decompressor {
    codec: Codec,
    source: Source,
    chunk: Vec<u8>,
    plain: Bytes,
    expanded: usize,
}

enum Source {
    /// Not compressed: one chunk, not copied.
    Plain {
        at: usize,
    },
    Gzip(MultiGzDecoder<Reader<Bytes>>),
    Snappy(snappy::Blocks),
    Lz4(Box<lz4_flex::frame::FrameDecoder<Reader<Bytes>>>),
    Zstd(zstd::stream::read::Decoder<'static, Reader<Bytes>>),
}

impl Decompressor {
    pub(super) fn new(codec: Codec, bytes: Bytes) -> Result<Decompressor, CompressionError> {
        let mut plain = Bytes::new();
        let source = match codec {
            Codec::None => {
                plain = bytes;
                Source::Plain { at: 0 }
            }
            Codec::Gzip => Source::Gzip(MultiGzDecoder::new(bytes.reader())),
            Codec::Snappy => Source::Snappy(snappy::Blocks::new(bytes)),
            Codec::Lz4 => Source::Lz4(Box::new(lz4_flex::frame::FrameDecoder::new(bytes.reader()))),
            Codec::Zstd => Source::Zstd(zstd_decoder(bytes).map_err(|error| CompressionError::damaged(codec, error))?),
        };
        Ok(Decompressor { codec, source, chunk: Vec::new(), plain, expanded: 0 })
    }

    /// The next bytes, never empty; `None` at the end.
    pub(super) fn next_chunk(&mut self) -> Result<Option<&[u8]>, CompressionError> {
        let read = match &mut self.source {
            Source::Plain { at } => {
                let start = std::mem::replace(at, self.plain.len());
                return Ok((start < self.plain.len()).then_some(&self.plain[start..]));
            }
            Source::Gzip(reader) => fill(reader, &mut self.chunk),
            Source::Lz4(reader) => fill(reader, &mut self.chunk),
            Source::Zstd(reader) => fill(reader, &mut self.chunk),
            Source::Snappy(blocks) => {
                blocks.next_block(&mut self.chunk)?;
                Ok(())
            }
        };
        read.map_err(|error| CompressionError::damaged(self.codec, error))?;
        self.expanded += self.chunk.len();
        if self.expanded > BATCH_EXPANDED_SIZE_MAX {
            return Err(CompressionError::TooLarge { limit: BATCH_EXPANDED_SIZE_MAX });
        }
        Ok((!self.chunk.is_empty()).then_some(&self.chunk[..]))
    }
}

fn zstd_decoder(bytes: Bytes) -> io::Result<zstd::stream::read::Decoder<'static, Reader<Bytes>>> {
    let mut decoder = zstd::stream::read::Decoder::with_buffer(bytes.reader())?;
    decoder.window_log_max(ZSTD_WINDOW_LOG_MAX)?;
    Ok(decoder)
}

/// Reads the next [`CHUNK_SIZE`] bytes into `chunk`, fewer at the end.
fn fill(reader: &mut impl Read, chunk: &mut Vec<u8>) -> io::Result<()> {
    chunk.resize(CHUNK_SIZE, 0);
    let mut size = 0;
    while size < CHUNK_SIZE {
        match reader.read(&mut chunk[size..])? {
            0 => break,
            read => size += read,
        }
    }
    chunk.truncate(size);
    Ok(())
}

/// The whole of `bytes` decompressed, at most `limits::BATCH_EXPANDED_SIZE_MAX`.
pub fn decompress(codec: Codec, bytes: &Bytes) -> Result<Bytes, CompressionError> {
    if codec == Codec::None {
        return Ok(bytes.clone());
    }
    let mut whole = Vec::new();
    let mut decompressor = Decompressor::new(codec, bytes.clone())?;
    while let Some(chunk) = decompressor.next_chunk()? {
        whole.extend_from_slice(chunk);
    }
    Ok(whole.into())
}

/// A codec and how hard it tries; `level` is in the codec's own scale and means nothing to snappy and lz4.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Compression {
    pub codec: Codec,
    pub level: i32,
}

impl Compression {
    pub const NONE: Compression = Compression { codec: Codec::None, level: 0 };

    /// The codec at Kafka's default level.
    pub fn of(codec: Codec) -> Compression {
        let level = match codec {
            Codec::Gzip => -1,
            Codec::Zstd => 3,
            Codec::Lz4 => 9,
            Codec::None | Codec::Snappy => 0,
        };
        Compression { codec, level }
    }

    /// Appends `bytes` compressed to `out`.
    pub fn compress(self, bytes: &[u8], out: &mut Vec<u8>) {
        match self.codec {
            Codec::None => out.extend_from_slice(bytes),
            Codec::Gzip => write_all(flate2::write::GzEncoder::new(out, self.gzip_level()), bytes, |encoder| encoder.finish().map(drop)),
            Codec::Snappy => snappy::compress(bytes, out),
            Codec::Lz4 => write_all(lz4_flex::frame::FrameEncoder::with_frame_info(lz4_frame(), out), bytes, |encoder| {
                encoder.finish().map(drop).map_err(io::Error::other)
            }),
            Codec::Zstd => {
                let encoder = zstd::stream::write::Encoder::new(out, self.level).expect("memory for a zstd context");
                write_all(encoder, bytes, |encoder| encoder.finish().map(drop));
            }
        }
    }

    fn gzip_level(self) -> flate2::Compression {
        u32::try_from(self.level).map_or(flate2::Compression::default(), |level| flate2::Compression::new(level.min(9)))
    }
}

/// As Kafka's own producer frames it; its consumer reads no frames with linked blocks.
fn lz4_frame() -> lz4_flex::frame::FrameInfo {
    lz4_flex::frame::FrameInfo::new().block_size(lz4_flex::frame::BlockSize::Max64KB).block_mode(lz4_flex::frame::BlockMode::Independent)
}

fn write_all<W: Write>(mut encoder: W, bytes: &[u8], finish: impl FnOnce(W) -> io::Result<()>) {
    let done = encoder.write_all(bytes).and_then(|()| finish(encoder));
    done.expect("compressing into memory cannot fail");
}
