//! Why bytes are no message, and why a message fits no bytes. Both say which field it was; neither carries a peer's bytes.

use std::fmt;

/// Bytes that are not what they claim to be. The connection they came from is closed, as Kafka does.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct DecodeError {
    pub problem: DecodeProblem,
    /// The innermost field that was being read, under its name here; empty outside of messages.
    pub field: &'static str,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum DecodeProblem {
    /// A length or a fixed-size value reaches beyond the bytes that remain.
    Truncated,
    /// A varint of more bytes, or of more bits, than its type has.
    Varint,
    /// A string longer than Kafka's longest, 32,767 bytes.
    TooLong,
    /// Null in a field that cannot be null in this version.
    Null,
    /// An array of more elements than the remaining bytes can hold.
    Count,
    /// The message's arrays take more memory than a message of its size may.
    Memory,
    /// A tagged field of another size than it says.
    TagSize,
    /// No API of ours has this key.
    UnknownApi(i16),
    /// The API is known, this version of it is not.
    UnknownVersion(i16),
}

impl DecodeError {
    pub(crate) const fn new(problem: DecodeProblem) -> DecodeError {
        DecodeError { problem, field: "" }
    }

    /// Names the field, unless an inner one is named already.
    #[cold]
    pub(crate) fn at(mut self, field: &'static str) -> DecodeError {
        if self.field.is_empty() {
            self.field = field;
        }
        self
    }
}

impl fmt::Display for DecodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.problem {
            DecodeProblem::Truncated => f.write_str("reaches beyond the end")?,
            DecodeProblem::Varint => f.write_str("varint too long")?,
            DecodeProblem::TooLong => f.write_str("string too long")?,
            DecodeProblem::Null => f.write_str("null where there must be a value")?,
            DecodeProblem::Count => f.write_str("more elements than bytes that remain")?,
            DecodeProblem::Memory => f.write_str("more elements than one message may have")?,
            DecodeProblem::TagSize => f.write_str("tagged field of another size than it says")?,
            DecodeProblem::UnknownApi(key) => write!(f, "unknown API key {key}")?,
            DecodeProblem::UnknownVersion(version) => write!(f, "unknown version {version}")?,
        }
        in_field(f, self.field)
    }
}

impl std::error::Error for DecodeError {}

/// A value that the chosen version cannot carry. Only our own code can cause it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct EncodeError {
    pub problem: EncodeProblem,
    pub field: &'static str,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum EncodeProblem {
    /// The field has a value of its own, and neither does the version have the field nor may it be left out.
    NotInVersion(i16),
    /// Null in a field that cannot be null in this version.
    Null,
    /// Longer than the length field can say.
    TooLong,
    /// We do not speak this version.
    UnknownVersion(i16),
}

impl EncodeError {
    pub(crate) const fn new(problem: EncodeProblem) -> EncodeError {
        EncodeError { problem, field: "" }
    }

    #[cold]
    pub(crate) fn at(mut self, field: &'static str) -> EncodeError {
        if self.field.is_empty() {
            self.field = field;
        }
        self
    }
}

impl fmt::Display for EncodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.problem {
            EncodeProblem::NotInVersion(version) => write!(f, "version {version} cannot carry a value")?,
            EncodeProblem::Null => f.write_str("null where there must be a value")?,
            EncodeProblem::TooLong => f.write_str("longer than its length field can say")?,
            EncodeProblem::UnknownVersion(version) => write!(f, "unknown version {version}")?,
        }
        in_field(f, self.field)
    }
}

impl std::error::Error for EncodeError {}

fn in_field(f: &mut fmt::Formatter<'_>, field: &str) -> fmt::Result {
    if field.is_empty() { Ok(()) } else { write!(f, " (field {field})") }
}
