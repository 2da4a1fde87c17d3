//! A journal frame: the unit of one write, which replay takes whole or not at all.
//!
//! ```text
//! 0   4 magic "RMJ1"
//! 4   8 epoch: this start's; frames of other epochs are not seen
//! 12  8 sequence: counts frames from 0 in each epoch
//! 20  8 low: no frame below is needed any more
//! 28  8 durable: every frame below was on stable storage when this one was made
//! 36  4 length in bytes with this header, without padding
//! 40  4 number of entries
//! 44  4 CRC-32C of all other bytes of the frame
//! 48    entries, then zeros up to a multiple of 4 KiB
//! ```
//! Pure.

use super::entry::Entry;
use crate::rt::AlignedBuffer;
use bytes::Bytes;

pub const HEADER_SIZE: usize = 48;
/// Frames begin at multiples of this, whatever the device's own alignment is.
pub const FRAME_ALIGNMENT: usize = 4096;

const MAGIC: [u8; 4] = *b"RMJ1";
const CRC_AT: usize = 44;

/// The numbers of a frame.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct FrameHeader {
    pub epoch: u64,
    pub sequence: u64,
    pub low: u64,
    pub durable: u64,
}

/// Collects entries into an aligned buffer.
pub struct FrameBuilder {
    buffer: AlignedBuffer,
    count: u32,
}

impl FrameBuilder {
    /// Reuses `buffer`'s memory.
    pub fn new(mut buffer: AlignedBuffer) -> FrameBuilder {
        buffer.clear();
        buffer.extend_from_slice(&[0; HEADER_SIZE]);
        FrameBuilder { buffer, count: 0 }
    }

    /// Bytes so far, with the header.
    pub fn len(&self) -> usize {
        self.buffer.len()
    }

    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// The buffer of a frame that is not written.
    pub fn into_buffer(self) -> AlignedBuffer {
        self.buffer
    }

    pub fn push(&mut self, entry: &Entry) {
        entry.put(|bytes| self.buffer.extend_from_slice(bytes));
        self.count += 1;
    }

    /// The frame's bytes, padded.
    pub fn finish(mut self, header: FrameHeader) -> AlignedBuffer {
        let len = self.buffer.len() as u32;
        let bytes = self.buffer.as_mut_slice();
        bytes[..4].copy_from_slice(&MAGIC);
        bytes[4..12].copy_from_slice(&header.epoch.to_be_bytes());
        bytes[12..20].copy_from_slice(&header.sequence.to_be_bytes());
        bytes[20..28].copy_from_slice(&header.low.to_be_bytes());
        bytes[28..36].copy_from_slice(&header.durable.to_be_bytes());
        bytes[36..40].copy_from_slice(&len.to_be_bytes());
        bytes[40..44].copy_from_slice(&self.count.to_be_bytes());
        let crc = checksum(bytes);
        bytes[CRC_AT..HEADER_SIZE].copy_from_slice(&crc.to_be_bytes());
        self.buffer.pad_to(FRAME_ALIGNMENT);
        self.buffer
    }
}

fn checksum(frame: &[u8]) -> u32 {
    crc32c::crc32c_append(crc32c::crc32c(&frame[..CRC_AT]), &frame[HEADER_SIZE..])
}

/// A frame that verified.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Frame {
    pub header: FrameHeader,
    /// Bytes on disk with padding.
    pub padded_len: usize,
    pub entries: Vec<Entry>,
}

impl Frame {
    /// The frame of `epoch` at the front of `bytes`; `None` if there is none that verifies.
    pub fn read(bytes: &Bytes, epoch: u64) -> Option<Frame> {
        let (header, len, count) = verify(bytes, epoch)?;
        let mut rest = bytes.slice(HEADER_SIZE..len);
        let mut entries = Vec::new();
        for _ in 0..count {
            entries.push(Entry::take(&mut rest)?);
        }
        rest.is_empty().then_some(Frame { header, padded_len: len.next_multiple_of(FRAME_ALIGNMENT), entries })
    }
}

/// Header, length without padding and entry count of the frame at the front of `bytes`, if it is one of `epoch` and its CRC holds.
pub fn verify(bytes: &[u8], epoch: u64) -> Option<(FrameHeader, usize, u32)> {
    let head: &[u8; HEADER_SIZE] = bytes.first_chunk()?;
    let long = |at: usize| u64::from_be_bytes(head[at..at + 8].try_into().expect("eight bytes"));
    let short = |at: usize| u32::from_be_bytes(head[at..at + 4].try_into().expect("four bytes"));
    let header = FrameHeader { epoch: long(4), sequence: long(12), low: long(20), durable: long(28) };
    if head[..4] != MAGIC || header.epoch != epoch {
        return None;
    }
    let len = short(36) as usize;
    if len < HEADER_SIZE || len > bytes.len() || checksum(&bytes[..len]) != short(CRC_AT) {
        return None;
    }
    Some((header, len, short(40)))
}

/// What can be read of a frame that does not verify: the entries at its front, as far as they look like entries.
pub fn salvage(bytes: &Bytes) -> Vec<Entry> {
    let mut entries = Vec::new();
    if bytes.len() > HEADER_SIZE {
        let mut rest = bytes.slice(HEADER_SIZE..);
        while let Some(entry) = Entry::take(&mut rest) {
            entries.push(entry);
        }
    }
    entries
}
