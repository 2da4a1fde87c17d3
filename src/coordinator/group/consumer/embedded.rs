//! What Kafka's consumers put into JoinGroup and SyncGroup, versions 0-3: read and written where classic members are in a consumer group.
//!
//! ```text
//! subscription  i16 version, topics, user data, from 1 on owned partitions, from 2 on i32 generation, from 3 on rack
//! assignment    i16 version, partitions by topic, user data
//! ```
//! Pure.

use super::Assignment;
use super::heartbeat::TopicDirectory;
use crate::types::{PartitionIndex, TopicId};
use crate::wire::{Reader, Str};
use bytes::Bytes;
use std::collections::BTreeMap;

/// Later versions are read as this one, as Kafka does.
const VERSION_MAX: i16 = 3;

type Owned = BTreeMap<Str, Vec<PartitionIndex>>;

/// See the module.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Subscription {
    pub version: i16,
    pub topics: Vec<Str>,
    pub owned: Owned,
    pub rack: Option<Str>,
}

fn text(reader: &mut Reader) -> Option<Str> {
    let length = usize::try_from(reader.i16().ok()?).ok()?;
    Some(Str::from_utf8_lossy(Bytes::copy_from_slice(&reader.bytes(length).ok()?)))
}

fn version(reader: &mut Reader) -> Option<i16> {
    let version = reader.i16().ok().filter(|version| *version >= 0)?;
    Some(version.min(VERSION_MAX))
}

fn user_data(reader: &mut Reader) -> Option<Bytes> {
    let length = reader.i32().ok()?;
    reader.bytes(usize::try_from(length.max(0)).ok()?).ok()
}

fn partitions(reader: &mut Reader) -> Option<Owned> {
    let mut found = Owned::new();
    for _ in 0..reader.i32().ok()? {
        let topic = text(reader)?;
        let of_topic = found.entry(topic).or_default();
        for _ in 0..reader.i32().ok()? {
            of_topic.push(PartitionIndex(reader.i32().ok()?));
        }
    }
    Some(found)
}

impl Subscription {
    /// `None` if it is none.
    pub fn read(metadata: &Bytes) -> Option<Subscription> {
        let mut reader = Reader::new(metadata.clone());
        let mut read = Subscription { version: version(&mut reader)?, ..Default::default() };
        for _ in 0..reader.i32().ok()? {
            read.topics.push(text(&mut reader)?);
        }
        read.topics.sort();
        read.topics.dedup();
        user_data(&mut reader)?;
        if read.version >= 1 {
            read.owned = partitions(&mut reader)?;
        }
        if read.version >= 2 {
            reader.i32().ok()?;
        }
        if read.version >= 3 {
            let length = reader.i16().ok()?;
            if let Ok(length) = usize::try_from(length) {
                read.rack = Some(Str::from_utf8_lossy(Bytes::copy_from_slice(&reader.bytes(length).ok()?)));
            }
        }
        Some(read)
    }
}

/// Why an assignment is not taken over.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum NotTaken {
    Malformed,
    /// An assignor of the client's own has said more than partitions.
    UserData,
}

/// An assignment as its leader wrote it; a member that has none yet has nothing.
pub fn read_assignment(assignment: &Bytes) -> Result<Owned, NotTaken> {
    if assignment.is_empty() {
        return Ok(Owned::new());
    }
    let mut reader = Reader::new(assignment.clone());
    version(&mut reader).ok_or(NotTaken::Malformed)?;
    let owned = partitions(&mut reader).ok_or(NotTaken::Malformed)?;
    match user_data(&mut reader).ok_or(NotTaken::Malformed)?.is_empty() {
        true => Ok(owned),
        false => Err(NotTaken::UserData),
    }
}

/// By the topics' ids; of topics that are gone nothing.
pub fn by_id(owned: &Owned, topics: &dyn TopicDirectory) -> Assignment {
    let of_topic = |(name, partitions): (&Str, &Vec<PartitionIndex>)| {
        let (id, _) = topics.by_name(name).filter(|_| !partitions.is_empty())?;
        Some((id, partitions.iter().copied().collect()))
    };
    owned.iter().filter_map(of_topic).collect()
}

/// `None` if a topic's name is not known.
pub fn written(assignment: &Assignment, names: &BTreeMap<TopicId, Str>, version: i16) -> Option<Bytes> {
    let mut bytes = version.to_be_bytes().to_vec();
    bytes.extend((assignment.len() as i32).to_be_bytes());
    let mut by_name = BTreeMap::new();
    for (topic, partitions) in assignment {
        by_name.insert(names.get(topic)?, partitions);
    }
    for (name, partitions) in by_name {
        bytes.extend((name.len() as i16).to_be_bytes());
        bytes.extend(name.as_bytes());
        bytes.extend((partitions.len() as i32).to_be_bytes());
        bytes.extend(partitions.iter().flat_map(|partition| partition.0.to_be_bytes()));
    }
    bytes.extend((-1i32).to_be_bytes());
    Some(bytes.into())
}
