//! What is in the batches of a KRaft metadata log: records of Kafka's controllers, and control records.
//!
//! Pure. A record's value is
//! ```text
//! uvarint frame version 1    uvarint key (which record)    uvarint version    the record, in a flexible version
//! ```
//! Records that this program has no use for, or does not know, keep their bytes ([`MetadataRecord::Other`]), so that they can be written
//! again. A version it does not know of a record that it needs is an error: what it says must not be guessed.
//! Source: KIP-631, KIP-630, and the schemas in Apache Kafka's jars.

mod messages;

#[cfg(test)]
mod tests;

pub use messages::*;

use super::message::{Codec, Versions};
use super::primitives::Field;
use super::{DecodeError, EncodeError, Reader, Writer};
use crate::types::NodeId;
use bytes::Bytes;
use std::fmt;

/// The only version of the frame around a record.
const FRAME_VERSION: u32 = 1;

/// Keys of records that are written here, or kept as they are; the others are in [`MetadataRecord::decode`].
pub mod key {
    pub const REGISTER_BROKER: u32 = 0;
    pub const TOPIC: u32 = 2;
    pub const PARTITION: u32 = 3;
    pub const CONFIG: u32 = 4;
    pub const FEATURE_LEVEL: u32 = 12;
    pub const PRODUCER_IDS: u32 = 15;
    pub const DELEGATION_TOKEN: u32 = 10;
    pub const USER_SCRAM_CREDENTIAL: u32 = 11;
    pub const CLIENT_QUOTA: u32 = 14;
    pub const ACCESS_CONTROL_ENTRY: u32 = 18;
    /// The largest that Kafka 4.3 has.
    pub const LAST_KNOWN: u32 = 28;
}

/// The types of control records that stand in a metadata log.
pub mod control {
    pub const LEADER_CHANGE: i16 = 2;
    pub const SNAPSHOT_HEADER: i16 = 3;
    pub const SNAPSHOT_FOOTER: i16 = 4;
    pub const KRAFT_VERSION: i16 = 5;
    pub const VOTERS: i16 = 6;
}

/// A metadata record, as far as it is understood.
#[derive(Clone, PartialEq, Debug)]
pub enum MetadataRecord {
    Topic(TopicRecord),
    Partition(PartitionRecord),
    PartitionChange(PartitionChangeRecord),
    RemoveTopic(RemoveTopicRecord),
    Config(ConfigRecord),
    FeatureLevel(FeatureLevelRecord),
    ProducerIds(ProducerIdsRecord),
    ZkMigrationState(ZkMigrationStateRecord),
    ClientQuota(ClientQuotaRecord),
    DelegationToken(DelegationTokenRecord),
    RemoveDelegationToken(RemoveDelegationTokenRecord),
    UserScramCredential(UserScramCredentialRecord),
    RemoveUserScramCredential(RemoveUserScramCredentialRecord),
    AccessControlEntry(AccessControlEntryId),
    RemoveAccessControlEntry(AccessControlEntryId),
    /// What follows counts when the end comes, all at once.
    BeginTransaction,
    EndTransaction,
    AbortTransaction,
    /// Of brokers and controllers that come and go, or nothing.
    Other {
        key: u32,
    },
}

/// Why a metadata record is not understood.
#[derive(Clone, PartialEq, Debug)]
pub enum RecordError {
    FrameVersion(u32),
    /// A newer Kafka's version of a record that is needed.
    UnknownVersion {
        key: u32,
        version: u32,
    },
    Decode {
        key: u32,
        error: DecodeError,
    },
}

impl fmt::Display for RecordError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            RecordError::FrameVersion(version) => write!(f, "a metadata record with frame version {version}"),
            RecordError::UnknownVersion { key, version } => {
                write!(f, "metadata record {key} has version {version}, which is not known here")
            }
            RecordError::Decode { key, error } => write!(f, "metadata record {key}: {error}"),
        }
    }
}

impl std::error::Error for RecordError {}

/// One record's value being read.
struct Value {
    reader: Reader,
    key: u32,
    version: u32,
}

impl Value {
    fn read<T: Field>(mut self, newest: i16) -> Result<T, RecordError> {
        let known = Versions { min: 0, max: newest };
        let version = i16::try_from(self.version).ok().filter(|version| known.contains(*version));
        let version = version.ok_or(RecordError::UnknownVersion { key: self.key, version: self.version })?;
        T::read(&mut self.reader, Codec::new(version, true)).map_err(|error| RecordError::Decode { key: self.key, error })
    }
}

impl MetadataRecord {
    /// The record in the value of a record of the log.
    pub fn decode(value: &Bytes) -> Result<MetadataRecord, RecordError> {
        let mut reader = Reader::new(value.clone());
        let frame = |error| RecordError::Decode { key: u32::MAX, error };
        let version = reader.uvarint().map_err(frame)?;
        if version != FRAME_VERSION {
            return Err(RecordError::FrameVersion(version));
        }
        let (key, version) = (reader.uvarint().map_err(frame)?, reader.uvarint().map_err(frame)?);
        let value = Value { reader, key, version };
        Ok(match key {
            2 => MetadataRecord::Topic(value.read(0)?),
            3 => MetadataRecord::Partition(value.read(2)?),
            4 => MetadataRecord::Config(value.read(0)?),
            5 => MetadataRecord::PartitionChange(value.read(2)?),
            9 => MetadataRecord::RemoveTopic(value.read(0)?),
            key::DELEGATION_TOKEN => MetadataRecord::DelegationToken(value.read(0)?),
            key::USER_SCRAM_CREDENTIAL => MetadataRecord::UserScramCredential(value.read(0)?),
            12 => MetadataRecord::FeatureLevel(value.read(0)?),
            key::CLIENT_QUOTA => MetadataRecord::ClientQuota(value.read(0)?),
            15 => MetadataRecord::ProducerIds(value.read(0)?),
            key::ACCESS_CONTROL_ENTRY => MetadataRecord::AccessControlEntry(access_control_entry(value)?),
            19 => MetadataRecord::RemoveAccessControlEntry(value.read(0)?),
            21 => MetadataRecord::ZkMigrationState(value.read(0)?),
            22 => MetadataRecord::RemoveUserScramCredential(value.read(0)?),
            23 => MetadataRecord::BeginTransaction,
            24 => MetadataRecord::EndTransaction,
            25 => MetadataRecord::AbortTransaction,
            26 => MetadataRecord::RemoveDelegationToken(value.read(0)?),
            key => MetadataRecord::Other { key },
        })
    }
}

/// Its id stands first; the rest is kept as bytes by whoever keeps the record.
fn access_control_entry(mut value: Value) -> Result<AccessControlEntryId, RecordError> {
    let (key, version) = (value.key, value.version);
    if version > 0 {
        return Err(RecordError::UnknownVersion { key, version });
    }
    let id = value.reader.array().map_err(|error| RecordError::Decode { key, error })?;
    Ok(AccessControlEntryId { id })
}

/// The value of a record of the log: the frame and `record` in `version`.
pub fn encode<T: Field>(key: u32, version: i16, record: &T) -> Result<Bytes, EncodeError> {
    let mut writer = Writer::new();
    writer.uvarint(FRAME_VERSION);
    writer.uvarint(key);
    writer.uvarint(version as u32);
    record.write(&mut writer, Codec::new(version, true))?;
    Ok(writer.into_bytes())
}

/// The value of a control record, which has no frame: version 0.
pub fn encode_control<T: Field>(record: &T) -> Result<Bytes, EncodeError> {
    let mut writer = Writer::new();
    record.write(&mut writer, Codec::new(0, true))?;
    Ok(writer.into_bytes())
}

/// The ids in a control record that names the quorum's voters; `None` for one of another type or version.
pub fn voters(control_type: i16, value: &Bytes) -> Option<Vec<NodeId>> {
    let version = i16::from_be_bytes(*value.first_chunk()?);
    let mut reader = Reader::new(value.clone());
    match (control_type, version) {
        (control::LEADER_CHANGE, 0 | 1) => {
            let record = LeaderChangeRecord::read(&mut reader, Codec::new(version, true)).ok()?;
            Some(record.voters.iter().map(|voter| voter.voter_id).collect())
        }
        (control::VOTERS, 0) => {
            let record = VotersRecord::read(&mut reader, Codec::new(version, true)).ok()?;
            Some(record.voters.iter().map(|voter| voter.voter_id).collect())
        }
        _ => None,
    }
}

/// The key of a control record: version 0 and its type.
pub fn control_key(control_type: i16) -> [u8; 4] {
    let [high, low] = control_type.to_be_bytes();
    [0, 0, high, low]
}

/// The type of a control record by its key; `None` if it is cut or of an unknown version.
pub fn control_type(key: &[u8]) -> Option<i16> {
    match key.get(..4)? {
        [0, 0, high, low] => Some(i16::from_be_bytes([*high, *low])),
        _ => None,
    }
}
