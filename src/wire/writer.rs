//! Writes values into one message and lays runs of records between them without copying: a list of places and runs is kept
//! beside the bytes, and [`Writer::finish`] cuts the bytes there. So the frame's size, at its front, is known before sending.

use super::error::{EncodeError, EncodeProblem};
use super::record_runs::{FileRun, RecordRun};
use bytes::{BufMut, Bytes, BytesMut};
use std::collections::VecDeque;

/// A piece of a finished message; a connection sends them in order.
#[derive(Clone, Debug)]
pub enum Part {
    Bytes(Bytes),
    File(FileRun),
}

impl Part {
    /// Its size in bytes.
    pub fn size(&self) -> usize {
        match self {
            Part::Bytes(bytes) => bytes.len(),
            Part::File(run) => run.size as usize,
        }
    }
}

/// One message being written.
#[derive(Debug, Default)]
pub struct Writer {
    bytes: BytesMut,
    /// Runs and where in `bytes` they belong, ascending.
    runs: Vec<(usize, RecordRun)>,
    runs_size: usize,
    /// Within a tagged field, which is moved: memory is copied whatever its size.
    is_sized: bool,
}

/// Runs of fewer bytes are copied: a piece of its own in a vectored send costs more.
const COPIED_SIZE_MAX: usize = 512;

impl Writer {
    pub fn new() -> Writer {
        Writer::default()
    }

    pub fn with_capacity(capacity: usize) -> Writer {
        Writer { bytes: BytesMut::with_capacity(capacity), ..Writer::default() }
    }

    /// Bytes written so far, runs included.
    pub fn size(&self) -> usize {
        self.bytes.len() + self.runs_size
    }

    #[inline]
    pub fn i8(&mut self, value: i8) {
        self.bytes.put_i8(value);
    }

    #[inline]
    pub fn i16(&mut self, value: i16) {
        self.bytes.put_i16(value);
    }

    #[inline]
    pub fn i32(&mut self, value: i32) {
        self.bytes.put_i32(value);
    }

    #[inline]
    pub fn i64(&mut self, value: i64) {
        self.bytes.put_i64(value);
    }

    #[inline]
    pub fn slice(&mut self, bytes: &[u8]) {
        self.bytes.put_slice(bytes);
    }

    #[inline]
    pub fn uvarint(&mut self, value: u32) {
        if value < 0x80 {
            self.bytes.put_u8(value as u8);
        } else {
            self.varint_of(u64::from(value));
        }
    }

    /// A signed (zigzag) varint of 32 bits.
    pub fn varint(&mut self, value: i32) {
        self.uvarint((value << 1 ^ value >> 31) as u32);
    }

    /// A signed (zigzag) varint of 64 bits.
    pub fn varlong(&mut self, value: i64) {
        self.varint_of((value << 1 ^ value >> 63) as u64);
    }

    fn varint_of(&mut self, mut value: u64) {
        while value >= 0x80 {
            self.bytes.put_u8(value as u8 | 0x80);
            value >>= 7;
        }
        self.bytes.put_u8(value as u8);
    }

    /// Lays a run of records here; memory of some size is not copied, files never are.
    pub fn run(&mut self, run: &RecordRun) {
        match run {
            RecordRun::Bytes(bytes) if bytes.len() < COPIED_SIZE_MAX || self.is_sized => self.slice(bytes),
            _ => {
                self.runs_size += run.size();
                self.runs.push((self.bytes.len(), run.clone()));
            }
        }
    }

    /// Writes what `content` writes behind its size as an unsigned varint. Only for what holds no files: it is moved.
    pub(crate) fn sized(&mut self, content: impl FnOnce(&mut Writer) -> Result<(), EncodeError>) -> Result<(), EncodeError> {
        let (start, runs) = (self.bytes.len(), self.runs.len());
        let outer = std::mem::replace(&mut self.is_sized, true);
        content(self)?;
        self.is_sized = outer;
        assert_eq!(runs, self.runs.len(), "a file in a tagged field");
        let end = self.bytes.len();
        self.uvarint(length_u32(end - start)?);
        let prefix = self.bytes.len() - end;
        self.bytes[start..].rotate_right(prefix);
        Ok(())
    }

    /// Leaves room for the frame's size.
    pub(crate) fn begin_frame(&mut self) {
        assert_eq!(self.size(), 0, "a frame begins a message");
        self.i32(0);
    }

    /// Fills in the frame's size: the bytes after itself.
    pub(crate) fn end_frame(&mut self) -> Result<(), EncodeError> {
        let size = i32::try_from(self.size() - 4).map_err(|_| EncodeError::new(EncodeProblem::TooLong))?;
        self.bytes[..4].copy_from_slice(&size.to_be_bytes());
        Ok(())
    }

    /// The message's pieces, in order.
    pub fn finish(self) -> VecDeque<Part> {
        let bytes = self.bytes.freeze();
        let mut parts = VecDeque::with_capacity(2 * self.runs.len() + 1);
        let mut start = 0;
        for (place, run) in self.runs {
            if place > start {
                parts.push_back(Part::Bytes(bytes.slice(start..place)));
                start = place;
            }
            parts.push_back(match run {
                RecordRun::Bytes(bytes) => Part::Bytes(bytes),
                RecordRun::File(run) => Part::File(run),
            });
        }
        if start < bytes.len() {
            parts.push_back(Part::Bytes(bytes.slice(start..)));
        }
        parts
    }

    /// The message in one piece; for what has no runs in files. Copies if there are several pieces.
    pub fn into_bytes(self) -> Bytes {
        if self.runs.is_empty() {
            return self.bytes.freeze();
        }
        let mut whole = BytesMut::with_capacity(self.size());
        for part in self.finish() {
            match part {
                Part::Bytes(bytes) => whole.put_slice(&bytes),
                Part::File(_) => panic!("a file's bytes are not in memory"),
            }
        }
        whole.freeze()
    }
}

/// A length that some length field can say.
pub(crate) fn length_u32(length: usize) -> Result<u32, EncodeError> {
    match u32::try_from(length) {
        Ok(length) if length < i32::MAX as u32 => Ok(length),
        _ => Err(EncodeError::new(EncodeProblem::TooLong)),
    }
}
