//! How each type of field stands on the wire.
//!
//! | type | fixed versions | flexible versions |
//! |---|---|---|
//! | bool, i8 .. i64, ids and offsets | big-endian | the same |
//! | `Str` | int16 length, -1 null | uvarint length + 1, 0 null |
//! | `Bytes`, `RecordsOut` | int32 length, -1 null | uvarint length + 1, 0 null |
//! | `Vec` | int32 count, -1 null | uvarint count + 1, 0 null |
//! | struct | its fields | its fields, then tagged fields |
//! | struct that may be null | | int8 -1 for null (0 in a tagged field), 1 before a value |

use super::error::{DecodeError, DecodeProblem, EncodeError, EncodeProblem};
use super::message::Codec;
use super::reader::Reader;
use super::record_runs::{RecordRun, RecordsOut};
use super::str::Str;
use super::writer::{Writer, length_u32};
use crate::types::{ErrorCode, LeaderEpoch, NodeId, Offset, PartitionIndex, ProducerEpoch, ProducerId, Timestamp, TopicId};
use bytes::Bytes;

/// A field's type.
pub trait Field: Sized {
    /// The fewest bytes a value takes.
    fn size_min(codec: Codec) -> usize;
    fn read(reader: &mut Reader, codec: Codec) -> Result<Self, DecodeError>;
    fn write(&self, writer: &mut Writer, codec: Codec) -> Result<(), EncodeError>;
}

/// A type that has a form for null; `Option` of it is a field's type.
pub trait Nullable: Field {
    /// The fewest bytes that null or a value takes.
    fn nullable_size_min(codec: Codec) -> usize {
        Self::size_min(codec)
    }
    fn read_nullable(reader: &mut Reader, codec: Codec) -> Result<Option<Self>, DecodeError>;
    fn write_null(writer: &mut Writer, codec: Codec);
    /// Writes a value where null could stand.
    fn write_value(&self, writer: &mut Writer, codec: Codec) -> Result<(), EncodeError> {
        self.write(writer, codec)
    }
}

const NULL: DecodeError = DecodeError::new(DecodeProblem::Null);

impl<T: Nullable> Field for Option<T> {
    fn size_min(codec: Codec) -> usize {
        T::nullable_size_min(codec)
    }

    #[inline]
    fn read(reader: &mut Reader, codec: Codec) -> Result<Self, DecodeError> {
        let value = T::read_nullable(reader, codec)?;
        if value.is_none() && !codec.nullable { Err(NULL) } else { Ok(value) }
    }

    #[inline]
    fn write(&self, writer: &mut Writer, codec: Codec) -> Result<(), EncodeError> {
        match self {
            Some(value) => value.write_value(writer, codec),
            None if codec.nullable => {
                T::write_null(writer, codec);
                Ok(())
            }
            None => Err(EncodeError::new(EncodeProblem::Null)),
        }
    }
}

macro_rules! number {
    ($($type:ty: $read:ident)*) => { $(
        impl Field for $type {
            fn size_min(_: Codec) -> usize {
                size_of::<$type>()
            }

            #[inline]
            fn read(reader: &mut Reader, _: Codec) -> Result<Self, DecodeError> {
                reader.$read()
            }

            #[inline]
            fn write(&self, writer: &mut Writer, _: Codec) -> Result<(), EncodeError> {
                writer.$read(*self);
                Ok(())
            }
        }
    )* };
}
number!(i8: i8 i16: i16 i32: i32 i64: i64);

macro_rules! newtype {
    ($($type:ident($inner:ty))*) => { $(
        impl Field for $type {
            fn size_min(codec: Codec) -> usize {
                <$inner>::size_min(codec)
            }

            #[inline]
            fn read(reader: &mut Reader, codec: Codec) -> Result<Self, DecodeError> {
                Ok($type(<$inner>::read(reader, codec)?))
            }

            #[inline]
            fn write(&self, writer: &mut Writer, codec: Codec) -> Result<(), EncodeError> {
                self.0.write(writer, codec)
            }
        }
    )* };
}
newtype!(Offset(i64) LeaderEpoch(i32) NodeId(i32) PartitionIndex(i32) ProducerId(i64) ProducerEpoch(i16) Timestamp(i64) TopicId([u8; 16]));

impl Field for bool {
    fn size_min(_: Codec) -> usize {
        1
    }

    #[inline]
    fn read(reader: &mut Reader, _: Codec) -> Result<Self, DecodeError> {
        Ok(reader.i8()? != 0)
    }

    #[inline]
    fn write(&self, writer: &mut Writer, _: Codec) -> Result<(), EncodeError> {
        writer.i8(i8::from(*self));
        Ok(())
    }
}

/// A UUID.
impl Field for [u8; 16] {
    fn size_min(_: Codec) -> usize {
        16
    }

    #[inline]
    fn read(reader: &mut Reader, _: Codec) -> Result<Self, DecodeError> {
        reader.array()
    }

    #[inline]
    fn write(&self, writer: &mut Writer, _: Codec) -> Result<(), EncodeError> {
        writer.slice(self);
        Ok(())
    }
}

/// A code that we do not know reads as UNKNOWN_SERVER_ERROR, as Kafka's clients take it.
impl Field for ErrorCode {
    fn size_min(_: Codec) -> usize {
        2
    }

    #[inline]
    fn read(reader: &mut Reader, _: Codec) -> Result<Self, DecodeError> {
        Ok(ErrorCode::from_code(reader.i16()?).unwrap_or(ErrorCode::UnknownServerError))
    }

    #[inline]
    fn write(&self, writer: &mut Writer, _: Codec) -> Result<(), EncodeError> {
        writer.i16(self.code());
        Ok(())
    }
}

/// A length or count where an int32 stands in fixed versions; None is null (any negative number, as Kafka takes it).
#[inline]
fn read_length(reader: &mut Reader, codec: Codec) -> Result<Option<usize>, DecodeError> {
    if codec.flexible {
        return Ok(reader.uvarint()?.checked_sub(1).map(|length| length as usize));
    }
    Ok(usize::try_from(reader.i32()?).ok())
}

#[inline]
fn write_length(writer: &mut Writer, length: usize, codec: Codec) -> Result<(), EncodeError> {
    let length = length_u32(length)?;
    if codec.flexible {
        writer.uvarint(length + 1);
    } else {
        writer.i32(length as i32);
    }
    Ok(())
}

fn write_null_length(writer: &mut Writer, codec: Codec) {
    if codec.flexible {
        writer.uvarint(0);
    } else {
        writer.i32(-1);
    }
}

macro_rules! never_null {
    () => {
        #[inline]
        fn read(reader: &mut Reader, codec: Codec) -> Result<Self, DecodeError> {
            Self::read_nullable(reader, codec)?.ok_or(NULL)
        }
    };
}

impl Field for Str {
    fn size_min(codec: Codec) -> usize {
        if codec.flexible { 1 } else { 2 }
    }

    never_null!();

    #[inline]
    fn write(&self, writer: &mut Writer, codec: Codec) -> Result<(), EncodeError> {
        // Kafka holds strings to an int16's range in flexible versions, too.
        let length = i16::try_from(self.as_bytes().len()).map_err(|_| EncodeError::new(EncodeProblem::TooLong))?;
        if codec.flexible {
            writer.uvarint(length as u32 + 1);
        } else {
            writer.i16(length);
        }
        writer.slice(self.as_bytes());
        Ok(())
    }
}

impl Nullable for Str {
    #[inline]
    fn read_nullable(reader: &mut Reader, codec: Codec) -> Result<Option<Self>, DecodeError> {
        let length = match codec.flexible {
            true => reader.uvarint()?.checked_sub(1).map(|length| length as usize),
            false => usize::try_from(reader.i16()?).ok(),
        };
        let Some(length) = length else { return Ok(None) };
        if length > i16::MAX as usize {
            return Err(DecodeError::new(DecodeProblem::TooLong));
        }
        Ok(Some(Str::from_utf8_lossy(reader.bytes(length)?)))
    }

    fn write_null(writer: &mut Writer, codec: Codec) {
        if codec.flexible {
            writer.uvarint(0);
        } else {
            writer.i16(-1);
        }
    }
}

impl Field for Bytes {
    fn size_min(codec: Codec) -> usize {
        if codec.flexible { 1 } else { 4 }
    }

    never_null!();

    #[inline]
    fn write(&self, writer: &mut Writer, codec: Codec) -> Result<(), EncodeError> {
        write_length(writer, self.len(), codec)?;
        writer.run(&RecordRun::Bytes(self.clone()));
        Ok(())
    }
}

impl Nullable for Bytes {
    #[inline]
    fn read_nullable(reader: &mut Reader, codec: Codec) -> Result<Option<Self>, DecodeError> {
        read_length(reader, codec)?.map(|length| reader.bytes(length)).transpose()
    }

    fn write_null(writer: &mut Writer, codec: Codec) {
        write_null_length(writer, codec);
    }
}

impl Field for RecordsOut {
    fn size_min(codec: Codec) -> usize {
        Bytes::size_min(codec)
    }

    never_null!();

    fn write(&self, writer: &mut Writer, codec: Codec) -> Result<(), EncodeError> {
        write_length(writer, self.size(), codec)?;
        self.runs().iter().for_each(|run| writer.run(run));
        Ok(())
    }
}

impl Nullable for RecordsOut {
    fn read_nullable(reader: &mut Reader, codec: Codec) -> Result<Option<Self>, DecodeError> {
        Ok(Bytes::read_nullable(reader, codec)?.map(RecordsOut::from))
    }

    fn write_null(writer: &mut Writer, codec: Codec) {
        write_null_length(writer, codec);
    }
}

impl<T: Field> Field for Vec<T> {
    fn size_min(codec: Codec) -> usize {
        if codec.flexible { 1 } else { 4 }
    }

    never_null!();

    #[inline]
    fn write(&self, writer: &mut Writer, codec: Codec) -> Result<(), EncodeError> {
        write_length(writer, self.len(), codec)?;
        self.iter().try_for_each(|element| element.write(writer, codec.never_null()))
    }
}

impl<T: Field> Nullable for Vec<T> {
    #[inline]
    fn read_nullable(reader: &mut Reader, codec: Codec) -> Result<Option<Self>, DecodeError> {
        let Some(count) = read_length(reader, codec)? else { return Ok(None) };
        let mut elements = reader.vector(count, T::size_min(codec))?;
        for _ in 0..count {
            elements.push(T::read(reader, codec.never_null())?);
        }
        Ok(Some(elements))
    }

    fn write_null(writer: &mut Writer, codec: Codec) {
        write_null_length(writer, codec);
    }
}
