//! Primitives of the metadata log's own binary format: big-endian integers and length-prefixed strings and lists.
//!
//! Pure. Every length is checked against the bytes that remain before anything is allocated, so damaged or hostile bytes
//! give an error, never a panic or an allocation beyond the input's own size.

use std::sync::Arc;

/// Why bytes are no valid metadata.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum CodecError {
    /// The bytes end inside a value.
    Truncated,
    /// A list or string claims more than the bytes that remain can hold.
    BadLength(u32),
    /// A string is not UTF-8.
    BadUtf8,
    /// A flag or an enumeration has a value that does not exist.
    BadValue(u8),
    /// A record type this version does not know.
    UnknownRecord { record_type: u8, version: u8 },
    /// A file or batch format this version does not know.
    UnknownFormat(u8),
    /// Bytes follow where the value should have ended.
    TrailingBytes(usize),
}

impl std::fmt::Display for CodecError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            CodecError::Truncated => f.write_str("the bytes end inside a value"),
            CodecError::BadLength(len) => write!(f, "length {len} is more than the bytes that remain"),
            CodecError::BadUtf8 => f.write_str("a string is not UTF-8"),
            CodecError::BadValue(value) => write!(f, "value {value} does not exist"),
            CodecError::UnknownRecord { record_type, version } => write!(f, "record type {record_type} version {version} is unknown"),
            CodecError::UnknownFormat(version) => write!(f, "format version {version} is unknown"),
            CodecError::TrailingBytes(count) => write!(f, "{count} bytes follow the value"),
        }
    }
}

/// Appends values to a growing buffer.
#[derive(Default)]
pub struct Encoder {
    pub bytes: Vec<u8>,
}

macro_rules! put_integer {
    ($($name:ident($ty:ty)),*) => {
        $(pub fn $name(&mut self, value: $ty) {
            self.bytes.extend_from_slice(&value.to_be_bytes());
        })*
    };
}

impl Encoder {
    put_integer!(u8(u8), u16(u16), i16(i16), u32(u32), i32(i32), u64(u64), i64(i64));

    pub fn bool(&mut self, value: bool) {
        self.u8(value as u8);
    }

    pub fn uuid(&mut self, value: &[u8; 16]) {
        self.bytes.extend_from_slice(value);
    }

    /// A list's or string's length. Nothing we hold comes near 4 GiB.
    pub fn len(&mut self, len: usize) {
        self.u32(u32::try_from(len).expect("metadata values are far below 4 GiB"));
    }

    pub fn byte_string(&mut self, value: &[u8]) {
        self.len(value.len());
        self.bytes.extend_from_slice(value);
    }

    pub fn string(&mut self, value: &str) {
        self.byte_string(value.as_bytes());
    }

    pub fn optional_string(&mut self, value: Option<&str>) {
        self.bool(value.is_some());
        if let Some(value) = value {
            self.string(value);
        }
    }

    pub fn list<T>(&mut self, items: &[T], mut put: impl FnMut(&mut Encoder, &T)) {
        self.len(items.len());
        for item in items {
            put(self, item);
        }
    }
}

/// Takes values off the front of a slice.
pub struct Decoder<'a> {
    rest: &'a [u8],
}

macro_rules! get_integer {
    ($($name:ident($ty:ty)),*) => {
        $(pub fn $name(&mut self) -> Result<$ty, CodecError> {
            Ok(<$ty>::from_be_bytes(self.array()?))
        })*
    };
}

impl<'a> Decoder<'a> {
    pub fn new(bytes: &'a [u8]) -> Decoder<'a> {
        Decoder { rest: bytes }
    }

    get_integer!(u8(u8), u16(u16), i16(i16), u32(u32), i32(i32), u64(u64), i64(i64));

    pub fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }

    /// Fails unless everything was taken.
    pub fn finish(self) -> Result<(), CodecError> {
        if self.rest.is_empty() { Ok(()) } else { Err(CodecError::TrailingBytes(self.rest.len())) }
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], CodecError> {
        let (head, rest) = self.rest.split_first_chunk::<N>().ok_or(CodecError::Truncated)?;
        self.rest = rest;
        Ok(*head)
    }

    pub fn bool(&mut self) -> Result<bool, CodecError> {
        match self.u8()? {
            0 => Ok(false),
            1 => Ok(true),
            other => Err(CodecError::BadValue(other)),
        }
    }

    pub fn uuid(&mut self) -> Result<[u8; 16], CodecError> {
        self.array()
    }

    pub fn byte_string(&mut self) -> Result<&'a [u8], CodecError> {
        let len = self.u32()?;
        let (head, rest) = self.rest.split_at_checked(len as usize).ok_or(CodecError::BadLength(len))?;
        self.rest = rest;
        Ok(head)
    }

    pub fn string(&mut self) -> Result<Arc<str>, CodecError> {
        Ok(std::str::from_utf8(self.byte_string()?).map_err(|_| CodecError::BadUtf8)?.into())
    }

    pub fn optional_string(&mut self) -> Result<Option<Arc<str>>, CodecError> {
        Ok(if self.bool()? { Some(self.string()?) } else { None })
    }

    /// A list whose items take at least `item_len_min` (> 0) bytes each.
    pub fn list<T>(
        &mut self,
        item_len_min: usize,
        mut get: impl FnMut(&mut Decoder<'a>) -> Result<T, CodecError>,
    ) -> Result<Vec<T>, CodecError> {
        let count = self.u32()?;
        if count as usize > self.rest.len() / item_len_min {
            return Err(CodecError::BadLength(count));
        }
        (0..count).map(|_| get(self)).collect()
    }
}
