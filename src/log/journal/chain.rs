//! Which frames of a journal count: from the images of its files to one chain of consecutive frames, or to the proof of damage.
//!
//! Frames lie at any multiple of 4 KiB; recycled space holds older ones. The chain begins at the highest `low` that any frame names
//! and ends before the first sequence that does not verify: a torn tail, since nothing from there on was acknowledged. If a frame
//! says that the missing one had been durable, it is damage instead: acknowledged entries are lost. Pure.

use super::frame::{FRAME_ALIGNMENT, FrameHeader, verify};
use std::collections::BTreeMap;

/// Where a verified frame lies.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct FramePlace {
    pub header: FrameHeader,
    /// Position in the list of files that was scanned.
    pub file: usize,
    pub offset: u64,
    /// Without padding.
    pub len: usize,
}

/// Every frame of `epoch` in the image of one file.
pub fn scan_file(file: usize, image: &[u8], epoch: u64) -> Vec<FramePlace> {
    let mut frames = Vec::new();
    let mut at = 0;
    while at < image.len() {
        match verify(&image[at..], epoch) {
            Some((header, len, _)) => {
                frames.push(FramePlace { header, file, offset: at as u64, len });
                at += len.next_multiple_of(FRAME_ALIGNMENT);
            }
            None => at += FRAME_ALIGNMENT,
        }
    }
    frames
}

/// What a journal says.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Chain {
    /// Frames to replay, by sequence. Without damage they are consecutive; with it, those beyond the hole are among them, and what they
    /// hold counts for a partition only as far as its own offsets go on without a gap.
    pub frames: Vec<FramePlace>,
    pub damage: Option<Hole>,
}

/// A frame that had been durable does not verify.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Hole {
    pub sequence: u64,
    /// Where it should begin: file and offset, if the frame before it is known.
    pub place: Option<(usize, u64)>,
}

/// Puts the frames of all files of one journal in order.
pub fn chain(frames: impl IntoIterator<Item = FramePlace>) -> Chain {
    let by_sequence: BTreeMap<u64, FramePlace> = frames.into_iter().map(|frame| (frame.header.sequence, frame)).collect();
    let low = by_sequence.values().map(|frame| frame.header.low).max().unwrap_or(0);
    let durable = by_sequence.values().map(|frame| frame.header.durable).max().unwrap_or(0);
    let needed: Vec<FramePlace> = by_sequence.range(low..).map(|(_, frame)| *frame).collect();
    let consecutive = needed.iter().zip(low..).take_while(|(frame, expected)| frame.header.sequence == *expected).count();
    let missing = low + consecutive as u64;
    if durable <= missing {
        return Chain { frames: needed[..consecutive].to_vec(), damage: None };
    }
    let place = missing.checked_sub(1).and_then(|before| by_sequence.get(&before));
    let place = place.map(|before| (before.file, before.offset + before.len.next_multiple_of(FRAME_ALIGNMENT) as u64));
    Chain { frames: needed, damage: Some(Hole { sequence: missing, place }) }
}
