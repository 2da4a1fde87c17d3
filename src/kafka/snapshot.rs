//! A snapshot of Kafka's metadata log, as its controllers write and load them: the cluster as Ringmill has it. Pure.
//!
//! ```text
//! control batch    snapshot header; the quorum's kraft.version and voters, where Kafka had written them
//! batches          feature levels (metadata.version first), the broker, topics with their partitions, configurations, producer ids,
//!                  and what Kafka had and Ringmill only kept
//! control batch    snapshot footer
//! ```
//! The broker is registered fenced and partitions have no leader, as after Kafka's own clean stop: when the broker comes up, it becomes the
//! leader of all, in a new leader epoch.

use super::metadata_log::{MetadataLog, SnapshotId};
use crate::controller::{MetadataImage, PartitionImage};
use crate::types::{LeaderEpoch, NodeId, Offset, PartitionIndex, Timestamp, TopicId, TopicPartitionId};
use crate::wire::kraft::{
    ConfigRecord, FeatureLevelRecord, PartitionRecord, ProducerIdsRecord, RegisterBrokerRecord, RegisteredEndpoint, SnapshotFooterRecord,
    SnapshotHeaderRecord, TopicRecord, control, control_key, encode, encode_control, key,
};
use crate::wire::records::BatchBuilder;
use crate::wire::{EncodeError, Str};
use bytes::Bytes;
use std::collections::BTreeMap;

/// Kafka loads batches of up to 8 MiB.
const BATCH_BYTES: usize = 1 << 20;
const METADATA_VERSION: &str = "metadata.version";
/// From this level on (3.7-IV2) partitions name their log directories.
const LEVEL_WITH_DIRECTORIES: i16 = 17;
/// What Kafka 4.3 finalizes in a new cluster beside `metadata.version`.
const NEW_CLUSTER_FEATURES: [(&str, i16); 5] = [
    ("eligible.leader.replicas.version", 1),
    ("group.version", 1),
    ("share.version", 1),
    ("streams.version", 1),
    ("transaction.version", 2),
];
const NO_LEADER: NodeId = NodeId(-1);

/// What goes into the snapshot.
pub struct Contents<'a> {
    pub image: &'a MetadataImage,
    /// What Kafka's metadata log holds, if the cluster came from Kafka.
    pub before: Option<&'a MetadataLog>,
    pub node: NodeId,
    /// The ids of this node's log directories.
    pub log_dirs: Vec<[u8; 16]>,
    /// The log directory that each partition is in.
    pub directories: &'a BTreeMap<TopicPartitionId, [u8; 16]>,
    pub now: Timestamp,
}

/// A snapshot to be written.
pub struct Encoded {
    pub id: SnapshotId,
    pub bytes: Vec<u8>,
    /// The epoch the broker is registered with: a clean stop must state the same.
    pub broker_epoch: i64,
}

impl Contents<'_> {
    /// Encodes it, for a place behind all that Kafka's log holds.
    pub fn encode(&self) -> Result<Encoded, EncodeError> {
        let (end, epoch) = self.before.map_or((Offset(0), LeaderEpoch(0)), |before| (before.end_offset, before.epoch));
        // Kafka's broker epoch is the offset of the record that registers it: one that no later record can have.
        let broker_epoch = end.0;
        let records = self.records(broker_epoch)?;
        let id = SnapshotId { end_offset: end.plus(1 + records.len() as i64), epoch: LeaderEpoch(epoch.0.max(1)) };
        let mut file = File { bytes: Vec::new(), next: Offset(0), epoch: id.epoch, now: self.now };
        file.control(self.header()?);
        let mut records = &records[..];
        while !records.is_empty() {
            records = file.data(records);
        }
        file.control(vec![(control::SNAPSHOT_FOOTER, encode_control(&SnapshotFooterRecord::default())?)]);
        Ok(Encoded { id, bytes: file.bytes, broker_epoch })
    }

    fn header(&self) -> Result<Vec<(i16, Bytes)>, EncodeError> {
        let header = SnapshotHeaderRecord { version: 0, last_contained_log_timestamp: self.now.0 };
        let mut records = vec![(control::SNAPSHOT_HEADER, encode_control(&header)?)];
        let quorum = self.before.and_then(|before| before.kraft_version.clone().zip(before.voters.clone()));
        if let Some((kraft_version, voters)) = quorum {
            records.extend([(control::KRAFT_VERSION, kraft_version), (control::VOTERS, voters)]);
        }
        Ok(records)
    }

    fn records(&self, broker_epoch: i64) -> Result<Vec<Bytes>, EncodeError> {
        let level = self.image.feature_level(METADATA_VERSION);
        let mut records = vec![feature(METADATA_VERSION, level)?];
        for (name, level) in self.image.features().filter(|(name, _)| *name != METADATA_VERSION) {
            records.push(feature(name, level)?);
        }
        if self.before.is_none() {
            for (name, level) in NEW_CLUSTER_FEATURES {
                records.push(feature(name, level)?);
            }
        }
        records.push(self.broker(level, broker_epoch)?);
        for topic in self.image.topics() {
            records.push(encode(key::TOPIC, 0, &TopicRecord { name: str(&topic.name), topic_id: topic.id })?);
            for (index, partition) in topic.partitions.iter().enumerate() {
                records.push(self.partition(level, topic.id, PartitionIndex(index as i32), partition)?);
            }
        }
        for (resource, configs) in self.image.configured_resources() {
            for (name, value) in configs.iter() {
                records.push(config(resource.resource_type as i8, &resource.name, name, value)?);
            }
        }
        let (broker_id, next_producer_id) = (self.node, self.image.next_producer_id());
        records.push(encode(key::PRODUCER_IDS, 0, &ProducerIdsRecord { broker_id, broker_epoch, next_producer_id })?);
        records.extend(self.before.into_iter().flat_map(|before| before.cluster.kept().cloned()));
        Ok(records)
    }

    fn broker(&self, level: i16, broker_epoch: i64) -> Result<Bytes, EncodeError> {
        let image = self.image.broker(self.node);
        let endpoints = image.into_iter().flat_map(|broker| &broker.endpoints);
        let record = RegisterBrokerRecord {
            broker_id: self.node,
            incarnation_id: image.map(|broker| broker.incarnation_id).unwrap_or_default(),
            broker_epoch,
            end_points: endpoints
                .map(|e| RegisteredEndpoint { name: str(&e.listener), host: str(&e.host), port: e.port as i16, security_protocol: 0 })
                .collect(),
            rack: image.and_then(|broker| broker.rack.as_deref()).map(str),
            fenced: true,
            log_dirs: self.log_dirs.clone(),
            ..RegisterBrokerRecord::default()
        };
        encode(key::REGISTER_BROKER, if level >= LEVEL_WITH_DIRECTORIES { 3 } else { 1 }, &record)
    }

    fn partition(&self, level: i16, topic_id: TopicId, partition: PartitionIndex, image: &PartitionImage) -> Result<Bytes, EncodeError> {
        let directory = self.directories.get(&TopicPartitionId { topic_id, partition }).copied().unwrap_or_default();
        let record = PartitionRecord {
            partition_id: partition,
            topic_id,
            replicas: vec![self.node],
            isr: vec![self.node],
            leader: NO_LEADER,
            leader_epoch: image.leader_epoch,
            partition_epoch: image.partition_epoch,
            directories: vec![directory],
            ..PartitionRecord::default()
        };
        encode(key::PARTITION, if level >= LEVEL_WITH_DIRECTORIES { 1 } else { 0 }, &record)
    }
}

fn str(text: &str) -> Str {
    Str::from(text.to_owned())
}

fn feature(name: &str, feature_level: i16) -> Result<Bytes, EncodeError> {
    encode(key::FEATURE_LEVEL, 0, &FeatureLevelRecord { name: str(name), feature_level })
}

fn config(resource_type: i8, resource: &str, name: &str, value: &str) -> Result<Bytes, EncodeError> {
    let record = ConfigRecord { resource_type, resource_name: str(resource), name: str(name), value: Some(str(value)) };
    encode(key::CONFIG, 0, &record)
}

/// The snapshot's file as it grows.
struct File {
    bytes: Vec<u8>,
    next: Offset,
    epoch: LeaderEpoch,
    now: Timestamp,
}

impl File {
    fn builder(&self) -> BatchBuilder {
        BatchBuilder::default().base_offset(self.next).leader_epoch(self.epoch)
    }

    fn push(&mut self, builder: BatchBuilder) {
        let batch = builder.finish();
        self.next = batch.next_offset();
        self.bytes.extend_from_slice(batch.bytes());
    }

    fn control(&mut self, records: Vec<(i16, Bytes)>) {
        let mut builder = self.builder().control();
        records.iter().for_each(|(kind, value)| builder.push(self.now, Some(&control_key(*kind)), Some(value), &[]));
        self.push(builder);
    }

    /// Takes a batch's worth off the front; what is left.
    fn data<'r>(&mut self, records: &'r [Bytes]) -> &'r [Bytes] {
        let mut builder = self.builder();
        let mut count = 0;
        while count < records.len() && builder.size_uncompressed() < BATCH_BYTES {
            builder.push(self.now, None, Some(&records[count]), &[]);
            count += 1;
        }
        self.push(builder);
        &records[count..]
    }
}
