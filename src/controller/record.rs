//! The records of the cluster metadata: what handlers propose, the log keeps and `replay` applies.
//!
//! Pure. Named as Apache Kafka names its metadata records; the encoding is our own. On disk:
//! - a batch is `format: u8` (1), then records to the end of the bytes; a batch is applied as a whole or not at all;
//! - a record is `length: u32` of what follows, `type: u8`, `version: u8`, then its fields in the order declared here.
//!
//! A field is only ever added at the end of a record, together with a new version; types and fields are never reused.

use super::codec::{CodecError, Decoder, Encoder};
use crate::types::{LeaderEpoch, NodeId, PartitionIndex, TopicId};
use std::sync::Arc;

const BATCH_FORMAT: u8 = 1;

/// What a config belongs to, with Kafka's numbers (`ConfigResource.Type`).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
#[repr(u8)]
pub enum ResourceType {
    Topic = 2,
    Broker = 4,
    Group = 32,
}

/// A topic or group by its name, a broker by its id in decimal, or the default of all brokers by the empty name.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct ConfigResource {
    pub resource_type: ResourceType,
    pub name: Arc<str>,
}

impl ConfigResource {
    pub fn topic(name: &str) -> ConfigResource {
        ConfigResource { resource_type: ResourceType::Topic, name: name.into() }
    }

    pub fn broker(id: NodeId) -> ConfigResource {
        ConfigResource { resource_type: ResourceType::Broker, name: id.to_string().into() }
    }

    pub fn group(name: &str) -> ConfigResource {
        ConfigResource { resource_type: ResourceType::Group, name: name.into() }
    }

    /// The dynamic default of all brokers.
    pub fn cluster_default() -> ConfigResource {
        ConfigResource { resource_type: ResourceType::Broker, name: "".into() }
    }
}

/// Where one of a broker's listeners is reached.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct BrokerEndpoint {
    /// The listener's name, e.g. `PLAINTEXT`.
    pub listener: Arc<str>,
    pub host: Arc<str>,
    pub port: u16,
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub struct TopicRecord {
    pub name: Arc<str>,
    pub topic_id: TopicId,
}

/// A new partition, or all of an old one's state anew.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct PartitionRecord {
    pub topic_id: TopicId,
    pub partition: PartitionIndex,
    /// The first is the preferred leader.
    pub replicas: Vec<NodeId>,
    pub isr: Vec<NodeId>,
    /// The log directory of each replica, by its id; zeros: not chosen.
    pub directories: Vec<[u8; 16]>,
    /// -1: none.
    pub leader: NodeId,
    pub leader_epoch: LeaderEpoch,
    /// Counts the changes of this partition's state.
    pub partition_epoch: i32,
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub struct RemoveTopicRecord {
    pub topic_id: TopicId,
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ConfigRecord {
    pub resource: ConfigResource,
    pub name: Arc<str>,
    /// `None` takes the config away.
    pub value: Option<Arc<str>>,
}

/// A block of producer ids was given to a broker; the next block starts at `next_producer_id`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ProducerIdsRecord {
    pub broker_id: NodeId,
    pub broker_epoch: i64,
    pub next_producer_id: i64,
}

/// Level 0 takes the feature away.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct FeatureLevelRecord {
    pub name: Arc<str>,
    pub level: i16,
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub struct RegisterBrokerRecord {
    pub broker_id: NodeId,
    /// Grows with each registration.
    pub broker_epoch: i64,
    /// Drawn anew at each start of the broker.
    pub incarnation_id: [u8; 16],
    pub endpoints: Vec<BrokerEndpoint>,
    pub rack: Option<Arc<str>>,
    /// A fenced broker leads nothing and is no target of new replicas.
    pub fenced: bool,
}

/// The first record of every cluster.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ClusterRecord {
    /// 22 characters of base64.
    pub cluster_id: Arc<str>,
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Record {
    Cluster(ClusterRecord),
    FeatureLevel(FeatureLevelRecord),
    RegisterBroker(RegisterBrokerRecord),
    Topic(TopicRecord),
    Partition(PartitionRecord),
    RemoveTopic(RemoveTopicRecord),
    Config(ConfigRecord),
    ProducerIds(ProducerIdsRecord),
}

const VERSION_0: u8 = 0;

impl Record {
    fn record_type(&self) -> u8 {
        match self {
            Record::Cluster(_) => 1,
            Record::FeatureLevel(_) => 2,
            Record::RegisterBroker(_) => 3,
            Record::Topic(_) => 4,
            Record::Partition(_) => 5,
            Record::RemoveTopic(_) => 6,
            Record::Config(_) => 7,
            Record::ProducerIds(_) => 8,
        }
    }

    fn encode(&self, e: &mut Encoder) {
        let start = e.bytes.len();
        e.u32(0);
        e.u8(self.record_type());
        e.u8(VERSION_0);
        self.encode_fields(e);
        let len = u32::try_from(e.bytes.len() - start - 4).expect("a record is far below 4 GiB");
        e.bytes[start..start + 4].copy_from_slice(&len.to_be_bytes());
    }

    fn encode_fields(&self, e: &mut Encoder) {
        match self {
            Record::Cluster(r) => e.string(&r.cluster_id),
            Record::FeatureLevel(r) => {
                e.string(&r.name);
                e.i16(r.level);
            }
            Record::RegisterBroker(r) => encode_broker(r, e),
            Record::Topic(r) => {
                e.string(&r.name);
                e.uuid(&r.topic_id.0);
            }
            Record::Partition(r) => encode_partition(r, e),
            Record::RemoveTopic(r) => e.uuid(&r.topic_id.0),
            Record::Config(r) => {
                e.u8(r.resource.resource_type as u8);
                e.string(&r.resource.name);
                e.string(&r.name);
                e.optional_string(r.value.as_deref());
            }
            Record::ProducerIds(r) => {
                e.i32(r.broker_id.0);
                e.i64(r.broker_epoch);
                e.i64(r.next_producer_id);
            }
        }
    }

    fn decode(bytes: &[u8]) -> Result<Record, CodecError> {
        let mut d = Decoder::new(bytes);
        let (record_type, version) = (d.u8()?, d.u8()?);
        if version != VERSION_0 {
            return Err(CodecError::UnknownRecord { record_type, version });
        }
        let record = match record_type {
            1 => Record::Cluster(ClusterRecord { cluster_id: d.string()? }),
            2 => Record::FeatureLevel(FeatureLevelRecord { name: d.string()?, level: d.i16()? }),
            3 => Record::RegisterBroker(decode_broker(&mut d)?),
            4 => Record::Topic(TopicRecord { name: d.string()?, topic_id: TopicId(d.uuid()?) }),
            5 => Record::Partition(decode_partition(&mut d)?),
            6 => Record::RemoveTopic(RemoveTopicRecord { topic_id: TopicId(d.uuid()?) }),
            7 => Record::Config(decode_config(&mut d)?),
            8 => Record::ProducerIds(ProducerIdsRecord { broker_id: NodeId(d.i32()?), broker_epoch: d.i64()?, next_producer_id: d.i64()? }),
            _ => return Err(CodecError::UnknownRecord { record_type, version }),
        };
        d.finish()?;
        Ok(record)
    }
}

fn encode_broker(r: &RegisterBrokerRecord, e: &mut Encoder) {
    e.i32(r.broker_id.0);
    e.i64(r.broker_epoch);
    e.uuid(&r.incarnation_id);
    e.list(&r.endpoints, |e, endpoint| {
        e.string(&endpoint.listener);
        e.string(&endpoint.host);
        e.u16(endpoint.port);
    });
    e.optional_string(r.rack.as_deref());
    e.bool(r.fenced);
}

fn decode_broker(d: &mut Decoder<'_>) -> Result<RegisterBrokerRecord, CodecError> {
    Ok(RegisterBrokerRecord {
        broker_id: NodeId(d.i32()?),
        broker_epoch: d.i64()?,
        incarnation_id: d.uuid()?,
        endpoints: d.list(10, |d| Ok(BrokerEndpoint { listener: d.string()?, host: d.string()?, port: d.u16()? }))?,
        rack: d.optional_string()?,
        fenced: d.bool()?,
    })
}

fn encode_partition(r: &PartitionRecord, e: &mut Encoder) {
    e.uuid(&r.topic_id.0);
    e.i32(r.partition.0);
    e.list(&r.replicas, |e, id| e.i32(id.0));
    e.list(&r.isr, |e, id| e.i32(id.0));
    e.list(&r.directories, |e, id| e.uuid(id));
    e.i32(r.leader.0);
    e.i32(r.leader_epoch.0);
    e.i32(r.partition_epoch);
}

fn decode_partition(d: &mut Decoder<'_>) -> Result<PartitionRecord, CodecError> {
    Ok(PartitionRecord {
        topic_id: TopicId(d.uuid()?),
        partition: PartitionIndex(d.i32()?),
        replicas: d.list(4, |d| Ok(NodeId(d.i32()?)))?,
        isr: d.list(4, |d| Ok(NodeId(d.i32()?)))?,
        directories: d.list(16, Decoder::uuid)?,
        leader: NodeId(d.i32()?),
        leader_epoch: LeaderEpoch(d.i32()?),
        partition_epoch: d.i32()?,
    })
}

fn decode_config(d: &mut Decoder<'_>) -> Result<ConfigRecord, CodecError> {
    let resource_type = match d.u8()? {
        2 => ResourceType::Topic,
        4 => ResourceType::Broker,
        32 => ResourceType::Group,
        other => return Err(CodecError::BadValue(other)),
    };
    let resource = ConfigResource { resource_type, name: d.string()? };
    Ok(ConfigRecord { resource, name: d.string()?, value: d.optional_string()? })
}

/// The batch's bytes, as a log entry or a snapshot carries them.
pub fn encode_batch<'a>(records: impl IntoIterator<Item = &'a Record>) -> Vec<u8> {
    let mut e = Encoder::default();
    e.u8(BATCH_FORMAT);
    for record in records {
        record.encode(&mut e);
    }
    e.bytes
}

/// The records of a batch. No bytes at all are a batch of none (an elected leader's first entry is empty).
pub fn decode_batch(bytes: &[u8]) -> Result<Vec<Record>, CodecError> {
    let mut records = Vec::new();
    if bytes.is_empty() {
        return Ok(records);
    }
    let mut d = Decoder::new(bytes);
    match d.u8()? {
        BATCH_FORMAT => {}
        other => return Err(CodecError::UnknownFormat(other)),
    }
    while !d.is_empty() {
        records.push(Record::decode(d.byte_string()?)?);
    }
    Ok(records)
}

#[cfg(test)]
mod tests;
