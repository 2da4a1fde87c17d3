//! Cuts a stream of bytes into frames: an int32 size, then that many bytes.

use bytes::{Buf, Bytes, BytesMut};
use std::fmt;

/// Bytes of the size in front of a frame.
pub const SIZE_BYTES: usize = 4;

/// A size that no frame of ours has: the stream cannot be followed any further.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum FrameError {
    Negative(i32),
    TooLarge { size: usize, size_max: usize },
}

impl fmt::Display for FrameError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            FrameError::Negative(size) => write!(f, "negative frame size {size}"),
            FrameError::TooLarge { size, size_max } => write!(f, "frame of {size} bytes, at most {size_max} are allowed"),
        }
    }
}

impl std::error::Error for FrameError {}

/// Cuts frames of at most `size_max` bytes (their sizes not counted) off the front of a buffer.
#[derive(Clone, Copy, Debug)]
pub struct FrameSplitter {
    size_max: usize,
}

impl FrameSplitter {
    pub fn new(size_max: usize) -> FrameSplitter {
        FrameSplitter { size_max }
    }

    /// The size in front of `buffer`, once all four bytes of it are there. Checked before anything is read or reserved for it.
    pub fn peek_size(&self, buffer: &[u8]) -> Result<Option<usize>, FrameError> {
        let Some(size) = buffer.first_chunk::<SIZE_BYTES>() else { return Ok(None) };
        let size = i32::from_be_bytes(*size);
        match usize::try_from(size) {
            Err(_) => Err(FrameError::Negative(size)),
            Ok(size) if size > self.size_max => Err(FrameError::TooLarge { size, size_max: self.size_max }),
            Ok(size) => Ok(Some(size)),
        }
    }

    /// Takes the next whole frame, without its size, off the front of `buffer`; None if not all of it is there yet.
    pub fn next(&self, buffer: &mut BytesMut) -> Result<Option<Bytes>, FrameError> {
        match self.peek_size(buffer)? {
            Some(size) if buffer.len() - SIZE_BYTES >= size => {
                buffer.advance(SIZE_BYTES);
                Ok(Some(buffer.split_to(size).freeze()))
            }
            _ => Ok(None),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_come_out_whole_however_the_stream_is_cut() {
        let mut stream = Vec::new();
        for body in ["", "a", "hello"] {
            stream.extend((body.len() as i32).to_be_bytes());
            stream.extend(body.bytes());
        }
        for step in 1..=stream.len() {
            let (mut buffer, mut frames) = (BytesMut::new(), Vec::new());
            for chunk in stream.chunks(step) {
                buffer.extend_from_slice(chunk);
                while let Some(frame) = FrameSplitter::new(5).next(&mut buffer).unwrap() {
                    frames.push(frame);
                }
            }
            assert_eq!(frames, ["", "a", "hello"], "in steps of {step}");
            assert!(buffer.is_empty());
        }
    }

    #[test]
    fn a_size_out_of_bounds_is_refused_before_its_bytes_come() {
        let mut buffer = BytesMut::from(&101i32.to_be_bytes()[..]);
        assert_eq!(FrameSplitter::new(100).next(&mut buffer), Err(FrameError::TooLarge { size: 101, size_max: 100 }));
        let mut buffer = BytesMut::from(&[0xff; 4][..]);
        assert_eq!(FrameSplitter::new(100).next(&mut buffer), Err(FrameError::Negative(-1)));
        let mut buffer = BytesMut::from(&[0xff; 3][..]);
        assert_eq!(FrameSplitter::new(100).next(&mut buffer), Ok(None), "three bytes are no size yet");
    }
}
