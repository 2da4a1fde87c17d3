//! Records of the coordinators' topics, `__consumer_offsets` and `__transaction_state`, in Kafka's schemas.
//!
//! ```text
//! key      int16 type       the key, in a fixed version
//! value    int16 version    the value, in that version; no value: what the key names is gone
//! ```
//! Pure. Types that are not known here are [`GroupRecord::Other`], to be passed over as Kafka does; a value's version that is not known
//! is an error, since what it says must not be guessed. Written are the versions that Kafka 4.3 writes.
//! Source: the schemas in Apache Kafka's jars; KIP-848 and KIP-890.

mod classic;
mod consumer;
mod consumer_protocol;
mod transaction;

#[cfg(test)]
mod tests;

pub use classic::*;
pub use consumer::*;
pub use consumer_protocol::{ConsumerProtocolAssignment, ConsumerProtocolSubscription, TopicPartition as ConsumerProtocolTopicPartition};
pub use transaction::*;

use super::message::{Codec, Versions};
use super::primitives::Field;
use super::{DecodeError, EncodeError, Reader, Str, Writer};
use crate::types::Timestamp;
use bytes::Bytes;
use std::fmt;

/// Why a record is not understood.
#[derive(Clone, PartialEq, Debug)]
pub enum RecordError {
    Key(DecodeError),
    Value { key_type: i16, error: DecodeError },
    UnknownVersion { key_type: i16, version: i16 },
}

impl fmt::Display for RecordError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            RecordError::Key(error) => write!(f, "a coordinator record's key: {error}"),
            RecordError::Value { key_type, error } => write!(f, "a coordinator record of type {key_type}: {error}"),
            RecordError::UnknownVersion { key_type, version } => {
                write!(f, "a coordinator record of type {key_type} has version {version}, which is not known here")
            }
        }
    }
}

impl std::error::Error for RecordError {}

/// A record's key and value as they stand in the log.
pub type KeyAndValue = (Bytes, Option<Bytes>);

macro_rules! records {
    ($(
        $(#[$doc:meta])*
        pub enum $name:ident {
            $( $(#[$record_doc:meta])* $type:literal $(| $older:literal)? $record:ident($key:ident, $value:ident [$min:literal - $max:literal] flexible $flexible:literal), )*
        }
    )*) => { $(
        $(#[$doc])*
        #[derive(Clone, PartialEq, Debug)]
        pub enum $name {
            $( $(#[$record_doc])* $record($key, Option<$value>), )*
            /// Of no use here, or of a newer Kafka.
            Other { key_type: i16 },
        }

        impl $name {
            pub fn decode(key: &Bytes, value: Option<&Bytes>) -> Result<$name, RecordError> {
                let mut reader = Reader::new(key.clone());
                let key_type = reader.i16().map_err(RecordError::Key)?;
                Ok(match key_type {
                    $( $type $(| $older)? => {
                        let versions = Versions { min: $min, max: $max };
                        $name::$record(read_key(&mut reader)?, read_value(key_type, value, versions, $flexible)?)
                    } )*
                    key_type => $name::Other { key_type },
                })
            }

            /// Fails if a string is too long for any version; asserts that the record is one of those known.
            pub fn encode(&self) -> Result<KeyAndValue, EncodeError> {
                match self {
                    $( $name::$record(key, value) => {
                        let value = value.as_ref().map(|value| write_value(value, value.version_written(), $flexible));
                        Ok((write_key($type, key)?, value.transpose()?))
                    } )*
                    $name::Other { key_type } => panic!("a record of type {key_type} is written by nobody here"),
                }
            }
        }
    )* };
}

records! {
    /// A record of `__consumer_offsets`.
    pub enum GroupRecord {
        1 | 0 OffsetCommit(OffsetCommitKey, OffsetCommitValue [0-4] flexible 4),
        2 GroupMetadata(GroupMetadataKey, GroupMetadataValue [0-4] flexible 4),
        3 ConsumerGroupMetadata(ConsumerGroupMetadataKey, ConsumerGroupMetadataValue [0-0] flexible 0),
        4 ConsumerGroupPartitionMetadata(ConsumerGroupPartitionMetadataKey, ConsumerGroupPartitionMetadataValue [0-0] flexible 0),
        5 ConsumerGroupMemberMetadata(ConsumerGroupMemberMetadataKey, ConsumerGroupMemberMetadataValue [0-0] flexible 0),
        6 ConsumerGroupTargetAssignmentMetadata(ConsumerGroupTargetAssignmentMetadataKey, ConsumerGroupTargetAssignmentMetadataValue [0-0] flexible 0),
        7 ConsumerGroupTargetAssignmentMember(ConsumerGroupTargetAssignmentMemberKey, ConsumerGroupTargetAssignmentMemberValue [0-0] flexible 0),
        8 ConsumerGroupCurrentMemberAssignment(ConsumerGroupCurrentMemberAssignmentKey, ConsumerGroupCurrentMemberAssignmentValue [0-0] flexible 0),
        16 ConsumerGroupRegularExpression(ConsumerGroupRegularExpressionKey, ConsumerGroupRegularExpressionValue [0-0] flexible 0),
    }

    /// A record of `__transaction_state`.
    pub enum TransactionRecord {
        0 TransactionLog(TransactionLogKey, TransactionLogValue [0-1] flexible 1),
    }
}

impl GroupRecord {
    /// The consumer group that it is of, where it says something of its state today.
    pub fn consumer_group(&self) -> Option<&Str> {
        match self {
            GroupRecord::ConsumerGroupMetadata(key, _) => Some(&key.group_id),
            GroupRecord::ConsumerGroupMemberMetadata(key, _) => Some(&key.group_id),
            GroupRecord::ConsumerGroupTargetAssignmentMetadata(key, _) => Some(&key.group_id),
            GroupRecord::ConsumerGroupTargetAssignmentMember(key, _) => Some(&key.group_id),
            GroupRecord::ConsumerGroupCurrentMemberAssignment(key, _) => Some(&key.group_id),
            GroupRecord::ConsumerGroupRegularExpression(key, _) => Some(&key.group_id),
            _ => None,
        }
    }

    /// Whether what a consumer group's record names is gone.
    pub fn is_tombstone(&self) -> bool {
        match self {
            GroupRecord::ConsumerGroupMetadata(_, value) => value.is_none(),
            GroupRecord::ConsumerGroupMemberMetadata(_, value) => value.is_none(),
            GroupRecord::ConsumerGroupTargetAssignmentMetadata(_, value) => value.is_none(),
            GroupRecord::ConsumerGroupTargetAssignmentMember(_, value) => value.is_none(),
            GroupRecord::ConsumerGroupCurrentMemberAssignment(_, value) => value.is_none(),
            GroupRecord::ConsumerGroupRegularExpression(_, value) => value.is_none(),
            _ => false,
        }
    }
}

/// Which version Kafka 4.3 writes a value in.
trait Written {
    fn version_written(&self) -> i16 {
        0
    }
}

impl Written for OffsetCommitValue {
    /// Only version 1 has an expiry of its own.
    fn version_written(&self) -> i16 {
        if self.expire_timestamp == Timestamp::NONE { 4 } else { 1 }
    }
}

impl Written for GroupMetadataValue {
    fn version_written(&self) -> i16 {
        3
    }
}

impl Written for TransactionLogValue {
    fn version_written(&self) -> i16 {
        1
    }
}

impl Written for ConsumerGroupMetadataValue {}
impl Written for ConsumerGroupPartitionMetadataValue {}
impl Written for ConsumerGroupMemberMetadataValue {}
impl Written for ConsumerGroupTargetAssignmentMetadataValue {}
impl Written for ConsumerGroupTargetAssignmentMemberValue {}
impl Written for ConsumerGroupCurrentMemberAssignmentValue {}
impl Written for ConsumerGroupRegularExpressionValue {}

fn read_key<T: Field>(reader: &mut Reader) -> Result<T, RecordError> {
    T::read(reader, Codec::new(0, false)).map_err(RecordError::Key)
}

fn read_value<T: Field>(key_type: i16, value: Option<&Bytes>, known: Versions, flexible: i16) -> Result<Option<T>, RecordError> {
    let Some(value) = value else { return Ok(None) };
    let mut reader = Reader::new(value.clone());
    let failed = |error| RecordError::Value { key_type, error };
    let version = reader.i16().map_err(failed)?;
    if !known.contains(version) {
        return Err(RecordError::UnknownVersion { key_type, version });
    }
    T::read(&mut reader, Codec::new(version, version >= flexible)).map(Some).map_err(failed)
}

fn write_key<T: Field>(key_type: i16, key: &T) -> Result<Bytes, EncodeError> {
    let mut writer = Writer::new();
    writer.i16(key_type);
    key.write(&mut writer, Codec::new(0, false))?;
    Ok(writer.into_bytes())
}

fn write_value<T: Field>(value: &T, version: i16, flexible: i16) -> Result<Bytes, EncodeError> {
    let mut writer = Writer::new();
    writer.i16(version);
    value.write(&mut writer, Codec::new(version, version >= flexible))?;
    Ok(writer.into_bytes())
}
