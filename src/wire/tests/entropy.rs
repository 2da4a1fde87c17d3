//! Messages drawn from bytes: proptest shrinks the bytes, and with them the message.

use crate::types::{ErrorCode, LeaderEpoch, NodeId, Offset, PartitionIndex, ProducerEpoch, ProducerId, Timestamp, TopicId};
use crate::wire::message::Codec;
use crate::wire::{RecordsOut, Str};
use bytes::Bytes;

/// Bytes to draw from; zeros when they have run out, so every draw ends.
pub struct Entropy {
    bytes: std::vec::IntoIter<u8>,
    /// How many elements all arrays may still have.
    elements: usize,
}

impl Entropy {
    pub fn new(bytes: Vec<u8>) -> Entropy {
        Entropy { bytes: bytes.into_iter(), elements: 60 }
    }

    fn byte(&mut self) -> u8 {
        self.bytes.next().unwrap_or(0)
    }

    /// Ends of the range, zero, and anything.
    fn number(&mut self) -> i64 {
        match self.byte() % 6 {
            0 => 0,
            1 => -1,
            2 => i64::MAX,
            3 => i64::MIN,
            4 => i64::from(self.byte()),
            _ => i64::from_be_bytes(std::array::from_fn(|_| self.byte())),
        }
    }

    /// Letters and digits, since the oracle's debug text is taken apart; long enough at times for two bytes of length.
    fn text(&mut self) -> String {
        let length = if self.byte() % 16 == 15 { 200 } else { self.byte() % 9 };
        (0..length).map(|_| char::from(b"abcxyz019_.\xc3"[usize::from(self.byte() % 12)])).collect()
    }
}

/// A value that a version can carry.
pub trait Sample: Sized {
    fn sample(entropy: &mut Entropy, codec: Codec) -> Self;
}

macro_rules! number {
    ($($type:ty)*) => { $(
        impl Sample for $type {
            fn sample(entropy: &mut Entropy, _: Codec) -> Self {
                entropy.number() as $type
            }
        }
    )* };
}
number!(i8 i16 i32 i64);

macro_rules! newtype {
    ($($type:ident)*) => { $(
        impl Sample for $type {
            fn sample(entropy: &mut Entropy, codec: Codec) -> Self {
                $type(Sample::sample(entropy, codec))
            }
        }
    )* };
}
newtype!(Offset LeaderEpoch NodeId PartitionIndex ProducerId ProducerEpoch Timestamp TopicId);

impl Sample for bool {
    fn sample(entropy: &mut Entropy, _: Codec) -> Self {
        entropy.byte() % 2 == 1
    }
}

impl Sample for [u8; 16] {
    fn sample(entropy: &mut Entropy, _: Codec) -> Self {
        std::array::from_fn(|_| entropy.byte())
    }
}

impl Sample for ErrorCode {
    fn sample(entropy: &mut Entropy, _: Codec) -> Self {
        ErrorCode::from_code(i16::from(entropy.byte() % 135) - 1).unwrap()
    }
}

impl Sample for Str {
    fn sample(entropy: &mut Entropy, _: Codec) -> Self {
        entropy.text().into()
    }
}

impl Sample for Bytes {
    fn sample(entropy: &mut Entropy, _: Codec) -> Self {
        // Above and below the size from which the writer does not copy.
        let length = [0, 1, 61, 130, 511, 512, 700][usize::from(entropy.byte() % 7)];
        (0..length).map(|_| entropy.byte()).collect()
    }
}

impl Sample for RecordsOut {
    fn sample(entropy: &mut Entropy, codec: Codec) -> Self {
        Bytes::sample(entropy, codec).into()
    }
}

impl<T: Sample> Sample for Vec<T> {
    fn sample(entropy: &mut Entropy, codec: Codec) -> Self {
        let count = usize::from(entropy.byte() % 4).min(entropy.elements);
        entropy.elements -= count;
        (0..count).map(|_| T::sample(entropy, codec.never_null())).collect()
    }
}

impl<T: Sample> Sample for Option<T> {
    fn sample(entropy: &mut Entropy, codec: Codec) -> Self {
        let is_null = codec.nullable && entropy.byte().is_multiple_of(3);
        (!is_null).then(|| T::sample(entropy, codec.never_null()))
    }
}
