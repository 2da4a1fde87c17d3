//! Reads values off the front of one message. Bounded: a length never reaches beyond the bytes that remain, a count never
//! allocates more than they could hold, and what it gives out are slices of the message, not copies.

use super::error::{DecodeError, DecodeProblem};
use crate::config::limits;
use bytes::Bytes;

/// A cursor over one message.
#[derive(Clone, Debug)]
pub struct Reader {
    message: Bytes,
    position: usize,
    /// Where reading ends, exclusive: the message's end, or a tagged field's.
    end: usize,
    /// Bytes of memory that arrays may still take.
    memory: usize,
}

const TRUNCATED: DecodeError = DecodeError::new(DecodeProblem::Truncated);

impl Reader {
    pub fn new(message: Bytes) -> Reader {
        let end = message.len();
        let memory = end.saturating_mul(limits::DECODED_SIZE_FACTOR_MAX).max(limits::DECODED_SIZE_FLOOR);
        Reader { message, position: 0, end, memory }
    }

    /// Bytes not read yet.
    #[inline]
    pub fn remaining(&self) -> usize {
        self.end - self.position
    }

    #[inline]
    pub fn i8(&mut self) -> Result<i8, DecodeError> {
        Ok(i8::from_be_bytes(self.array()?))
    }

    #[inline]
    pub fn i16(&mut self) -> Result<i16, DecodeError> {
        Ok(i16::from_be_bytes(self.array()?))
    }

    #[inline]
    pub fn i32(&mut self) -> Result<i32, DecodeError> {
        Ok(i32::from_be_bytes(self.array()?))
    }

    #[inline]
    pub fn i64(&mut self) -> Result<i64, DecodeError> {
        Ok(i64::from_be_bytes(self.array()?))
    }

    /// The next `N` bytes.
    #[inline]
    pub fn array<const N: usize>(&mut self) -> Result<[u8; N], DecodeError> {
        let bytes = self.message[self.position..self.end].first_chunk::<N>().ok_or(TRUNCATED)?;
        self.position += N;
        Ok(*bytes)
    }

    /// The next `length` bytes, as a slice of the message.
    #[inline]
    pub fn bytes(&mut self, length: usize) -> Result<Bytes, DecodeError> {
        if length > self.remaining() {
            return Err(TRUNCATED);
        }
        let start = self.position;
        self.position += length;
        Ok(self.message.slice(start..self.position))
    }

    /// Passes over `length` bytes.
    pub fn skip(&mut self, length: usize) -> Result<(), DecodeError> {
        if length > self.remaining() {
            return Err(TRUNCATED);
        }
        self.position += length;
        Ok(())
    }

    /// Everything that remains.
    pub fn rest(&mut self) -> Bytes {
        let start = std::mem::replace(&mut self.position, self.end);
        self.message.slice(start..self.end)
    }

    /// An unsigned varint of 32 bits: at most 5 bytes.
    #[inline]
    pub fn uvarint(&mut self) -> Result<u32, DecodeError> {
        match self.message[self.position..self.end].first() {
            Some(&byte) if byte < 0x80 => {
                self.position += 1;
                Ok(u32::from(byte))
            }
            _ => self.varint_of(5).and_then(|value| u32::try_from(value).map_err(|_| DecodeError::new(DecodeProblem::Varint))),
        }
    }

    /// A signed (zigzag) varint of 32 bits: at most 5 bytes.
    #[inline]
    pub fn varint(&mut self) -> Result<i32, DecodeError> {
        let value = self.uvarint()?;
        Ok((value >> 1) as i32 ^ -((value & 1) as i32))
    }

    /// A signed (zigzag) varint of 64 bits: at most 10 bytes.
    #[inline]
    pub fn varlong(&mut self) -> Result<i64, DecodeError> {
        let value = self.varint_of(10)?;
        Ok((value >> 1) as i64 ^ -((value & 1) as i64))
    }

    fn varint_of(&mut self, bytes_max: usize) -> Result<u64, DecodeError> {
        let mut value = 0u64;
        for (index, &byte) in self.message[self.position..self.end].iter().take(bytes_max).enumerate() {
            let bits = u64::from(byte & 0x7f);
            if index == 9 && bits > 1 {
                return Err(DecodeError::new(DecodeProblem::Varint));
            }
            value |= bits << (7 * index);
            if byte < 0x80 {
                self.position += index + 1;
                return Ok(value);
            }
        }
        let problem = if self.remaining() < bytes_max { DecodeProblem::Truncated } else { DecodeProblem::Varint };
        Err(DecodeError::new(problem))
    }

    /// Checks that `count` elements can follow, each of `size_min` bytes here and `T`'s size in memory, and gives an empty
    /// vector for them. Its capacity is never larger than what remains, whatever the count claims.
    pub(crate) fn vector<T>(&mut self, count: usize, size_min: usize) -> Result<Vec<T>, DecodeError> {
        if count > self.remaining() / size_min.max(1) {
            return Err(DecodeError::new(DecodeProblem::Count));
        }
        let size = size_of::<T>().max(1);
        self.memory = self.memory.checked_sub(count.saturating_mul(size)).ok_or(DecodeError::new(DecodeProblem::Memory))?;
        Ok(Vec::with_capacity(count.min(self.remaining().max(limits::DECODED_ARRAY_SIZE_EAGER) / size)))
    }

    /// Reads a struct's tagged fields: calls `known` for each with its tag; what it answers false to is passed over.
    pub(crate) fn tagged_fields(
        &mut self,
        mut known: impl FnMut(u32, &mut Reader) -> Result<bool, DecodeError>,
    ) -> Result<(), DecodeError> {
        // The count allocates nothing, and each field takes two bytes or more, so the bytes bound the loop.
        let count = self.uvarint()?;
        for _ in 0..count {
            let tag = self.uvarint()?;
            let size = self.uvarint()? as usize;
            if size > self.remaining() {
                return Err(TRUNCATED);
            }
            let outer_end = std::mem::replace(&mut self.end, self.position + size);
            let is_known = known(tag, self)?;
            if is_known && self.remaining() > 0 {
                return Err(DecodeError::new(DecodeProblem::TagSize));
            }
            self.position = self.end;
            self.end = outer_end;
        }
        Ok(())
    }
}
