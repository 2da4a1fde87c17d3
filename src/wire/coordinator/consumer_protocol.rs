//! What members of protocol type `consumer` tell each other through JoinGroup and SyncGroup: opaque to a classic group's coordinator,
//! but not to one that takes a group over to the consumer protocol.
//!
//! ```text
//! int16 version    the message, in a fixed version 0-3
//! ```
//! A newer version is read as the newest known one, as Kafka's clients do.

use crate::types::PartitionIndex;
use crate::wire::message::{Codec, messages};
use crate::wire::primitives::Field;
use crate::wire::{DecodeError, DecodeProblem, EncodeError, Reader, Str, Writer};
use bytes::Bytes;

messages! {
    /// What a member wants to consume, and what it owns.
    pub struct ConsumerProtocolSubscription {
        pub topics: Vec<Str> [0+],
        pub user_data: Option<Bytes> [0+, null 0+],
        pub owned_partitions: Vec<TopicPartition> [1+, ignorable],
        pub generation_id: i32 [2+, ignorable] = -1,
        pub rack_id: Option<Str> [3+, null 3+, ignorable],
    }

    /// One topic's partitions.
    pub struct TopicPartition {
        pub topic: Str [0+],
        pub partitions: Vec<PartitionIndex> [0+],
    }

    /// What it is to own.
    pub struct ConsumerProtocolAssignment {
        pub assigned_partitions: Vec<TopicPartition> [0+],
        pub user_data: Option<Bytes> [0+, null 0+],
    }
}

/// The newest version that is known here.
const VERSION_MAX: i16 = 3;

impl ConsumerProtocolSubscription {
    pub fn from_bytes(bytes: &Bytes) -> Result<ConsumerProtocolSubscription, DecodeError> {
        read(bytes)
    }

    pub fn to_bytes(&self, version: i16) -> Result<Bytes, EncodeError> {
        write(self, version)
    }
}

impl ConsumerProtocolAssignment {
    pub fn from_bytes(bytes: &Bytes) -> Result<ConsumerProtocolAssignment, DecodeError> {
        read(bytes)
    }

    pub fn to_bytes(&self, version: i16) -> Result<Bytes, EncodeError> {
        write(self, version)
    }
}

fn read<T: Field>(bytes: &Bytes) -> Result<T, DecodeError> {
    let mut reader = Reader::new(bytes.clone());
    match reader.i16()? {
        version @ ..0 => Err(DecodeError::new(DecodeProblem::UnknownVersion(version))),
        version => T::read(&mut reader, Codec::new(version.min(VERSION_MAX), false)),
    }
}

fn write<T: Field>(message: &T, version: i16) -> Result<Bytes, EncodeError> {
    let mut writer = Writer::new();
    writer.i16(version);
    message.write(&mut writer, Codec::new(version, false))?;
    Ok(writer.into_bytes())
}
