//! The walk over a batch's records: lengths, counts and headers checked byte by byte, nothing copied.
//!
//! ```text
//! varint   length of what follows
//! 1        attributes, unused
//! varlong  timestamp, less the batch's base timestamp
//! varint   offset, less the batch's base offset
//! varint   key length, negative for none      key
//! varint   value length, negative for none    value
//! varint   header count; each: varint key length, key, varint value length (negative for none), value
//! ```
//! Bytes are pushed in, in pieces of any size (a decompressor's chunks), so memory stays constant however long a record is. Records
//! that lie whole in a piece take the short way.

use super::varint::{self, VARINT_SIZE_MAX, VARLONG_SIZE_MAX};
use std::fmt;

/// What the walk learns of a record.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(super) struct RecordHead {
    pub(super) timestamp_delta: i64,
    pub(super) offset_delta: i32,
    pub(super) has_key: bool,
}

/// Bytes that are not a sequence of records.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum RecordsError {
    /// A length, count or number that does not fit the record it is in; `record` counts from 0.
    BadStructure { record: usize },
    /// The bytes end within this record, or before it.
    Truncated { record: usize },
    /// Bytes follow the last record that the batch counts.
    Remaining { count: usize },
}

impl fmt::Display for RecordsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            RecordsError::BadStructure { record } => write!(f, "record {record} has a length or count that does not fit"),
            RecordsError::Truncated { record } => write!(f, "the records end within or before record {record}"),
            RecordsError::Remaining { count } => write!(f, "bytes follow the last of {count} records"),
        }
    }
}

impl std::error::Error for RecordsError {}

/// A field that is cut by the end of a piece.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Field {
    Length,
    Attributes,
    Timestamp,
    OffsetDelta,
    KeySize,
    Key,
    ValueSize,
    Value,
    HeaderCount,
    HeaderKeySize,
    HeaderKey,
    HeaderValueSize,
    HeaderValue,
}

/// The state between two pieces.
#[derive(Debug)]
pub(super) struct Walk {
    /// Records seen whole.
    seen: usize,
    /// Records there must be.
    count: usize,
    field: Field,
    head: RecordHead,
    /// Bytes of the current record not yet seen, known once its length is.
    left: usize,
    /// Bytes of the current key or value not yet seen.
    skip: usize,
    headers: usize,
    /// A variable-length integer so far.
    raw: u64,
    raw_size: u32,
}

impl Walk {
    pub(super) fn new(count: usize) -> Walk {
        Walk { seen: 0, count, field: Field::Length, head: RecordHead::default(), left: 0, skip: 0, headers: 0, raw: 0, raw_size: 0 }
    }

    /// Takes the next piece; `on_record` gets every record that ends in it, with its index.
    pub(super) fn feed(&mut self, mut piece: &[u8], mut on_record: impl FnMut(usize, RecordHead)) -> Result<(), RecordsError> {
        while !piece.is_empty() {
            if self.seen == self.count {
                return Err(RecordsError::Remaining { count: self.count });
            }
            let bad = RecordsError::BadStructure { record: self.seen };
            let whole = if self.at_boundary() { split_record(&mut piece) } else { None };
            match whole {
                Some(body) => self.head = walk_body(body).ok_or(bad)?,
                None if self.advance(&mut piece).ok_or(bad)? => {}
                None => continue,
            }
            on_record(self.seen, self.head);
            self.seen += 1;
        }
        Ok(())
    }

    /// After the last piece: every record must have been there.
    pub(super) fn finish(&self) -> Result<(), RecordsError> {
        if self.seen == self.count { Ok(()) } else { Err(RecordsError::Truncated { record: self.seen }) }
    }

    fn at_boundary(&self) -> bool {
        self.field == Field::Length && self.raw_size == 0
    }

    /// One field, or what there is of it. True at the end of a record; `None` if something does not fit.
    fn advance(&mut self, piece: &mut &[u8]) -> Option<bool> {
        match self.field {
            Field::Attributes => {
                self.take(piece, 1)?;
                self.field = Field::Timestamp;
            }
            Field::Key | Field::Value | Field::HeaderKey | Field::HeaderValue => self.advance_skip(piece)?,
            _ => self.advance_number(piece)?,
        }
        self.settle()
    }

    fn take(&mut self, piece: &mut &[u8], size: usize) -> Option<()> {
        self.left = self.left.checked_sub(size)?;
        *piece = &piece[size..];
        Some(())
    }

    fn advance_skip(&mut self, piece: &mut &[u8]) -> Option<()> {
        let size = self.skip.min(piece.len());
        self.skip -= size;
        self.take(piece, size)
    }

    fn advance_number(&mut self, piece: &mut &[u8]) -> Option<()> {
        let byte = *piece.first()?;
        if self.field == Field::Length {
            *piece = &piece[1..];
        } else {
            self.take(piece, 1)?;
        }
        self.raw |= u64::from(byte & 0x7f) << (7 * self.raw_size);
        self.raw_size += 1;
        let size_max = if self.field == Field::Timestamp { VARLONG_SIZE_MAX } else { VARINT_SIZE_MAX };
        if byte & 0x80 != 0 {
            return (self.raw_size < size_max).then_some(());
        }
        let raw = std::mem::take(&mut self.raw);
        self.raw_size = 0;
        self.on_number(raw)
    }

    fn on_number(&mut self, raw: u64) -> Option<()> {
        let value = varint::unzigzag32(raw);
        let size = usize::try_from(value);
        self.field = match self.field {
            Field::Length => {
                self.left = size.ok()?;
                self.head = RecordHead::default();
                Field::Attributes
            }
            Field::Timestamp => {
                self.head.timestamp_delta = varint::unzigzag64(raw);
                Field::OffsetDelta
            }
            Field::OffsetDelta => {
                self.head.offset_delta = value;
                Field::KeySize
            }
            Field::KeySize => {
                self.head.has_key = value >= 0;
                self.skip = size.unwrap_or(0);
                Field::Key
            }
            Field::ValueSize => {
                self.skip = size.unwrap_or(0);
                Field::Value
            }
            Field::HeaderCount => {
                // A header takes two bytes at least.
                self.headers = size.ok().filter(|count| *count <= self.left / 2)?;
                Field::HeaderKeySize
            }
            Field::HeaderKeySize => {
                self.skip = size.ok()?;
                Field::HeaderKey
            }
            Field::HeaderValueSize => {
                self.skip = size.unwrap_or(0);
                Field::HeaderValue
            }
            Field::Attributes | Field::Key | Field::Value | Field::HeaderKey | Field::HeaderValue => unreachable!("no number"),
        };
        (self.skip <= self.left).then_some(())
    }

    /// Leaves fields that are over; true at the end of a record.
    fn settle(&mut self) -> Option<bool> {
        if self.skip == 0 {
            self.field = match self.field {
                Field::Key => Field::ValueSize,
                Field::Value => Field::HeaderCount,
                Field::HeaderKey => Field::HeaderValueSize,
                Field::HeaderValue => {
                    self.headers -= 1;
                    Field::HeaderKeySize
                }
                other => other,
            };
        }
        if self.field != Field::HeaderKeySize || self.headers > 0 || self.raw_size > 0 {
            return Some(false);
        }
        self.field = Field::Length;
        (self.left == 0).then_some(true)
    }
}

/// The body of the record at the front of `piece`, if it is all there; `piece` then begins behind it.
#[inline]
pub(super) fn split_record<'a>(piece: &mut &'a [u8]) -> Option<&'a [u8]> {
    let mut rest = *piece;
    let size = usize::try_from(varint::read32(&mut rest)?).ok()?;
    let (body, rest) = rest.split_at_checked(size)?;
    *piece = rest;
    Some(body)
}

/// A record's head from its whole body; `None` if something in it does not fit.
#[inline]
fn walk_body(body: &[u8]) -> Option<RecordHead> {
    let mut rest = body.get(1..)?;
    let timestamp_delta = varint::read64(&mut rest)?;
    let offset_delta = varint::read32(&mut rest)?;
    let has_key = skip_nullable(&mut rest)?;
    skip_nullable(&mut rest)?;
    let headers = usize::try_from(varint::read32(&mut rest)?).ok()?;
    for _ in 0..headers {
        let size = usize::try_from(varint::read32(&mut rest)?).ok()?;
        rest = rest.get(size..)?;
        skip_nullable(&mut rest)?;
    }
    rest.is_empty().then_some(RecordHead { timestamp_delta, offset_delta, has_key })
}

/// True if there is a value, of whatever size.
#[inline]
fn skip_nullable(rest: &mut &[u8]) -> Option<bool> {
    let size = varint::read32(rest)?;
    let Ok(size) = usize::try_from(size) else { return Some(false) };
    *rest = rest.get(size..)?;
    Some(true)
}
