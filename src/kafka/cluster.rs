//! The state of a KRaft cluster as its metadata records make it. Pure.
//!
//! Records are applied in the order of the log, a snapshot's first. Those of a transaction count only when it ends. What Ringmill has no
//! use for (quotas, access control entries, credentials, configurations of clients) is kept as bytes, to be given back.

use crate::types::{LeaderEpoch, PartitionIndex, TopicId};
use crate::wire::kraft::{MetadataRecord, PartitionChangeRecord, PartitionRecord, RecordError, key};
use bytes::Bytes;
use std::collections::BTreeMap;
use std::fmt;

/// `ConfigResource.Type` of the configurations that Ringmill has, too.
pub const TOPIC: i8 = 2;
pub const BROKER: i8 = 4;
pub const GROUP: i8 = 32;

/// A topic and its partitions, by number.
#[derive(Clone, PartialEq, Debug)]
pub struct KafkaTopic {
    pub name: String,
    pub partitions: BTreeMap<PartitionIndex, PartitionRecord>,
}

/// A configuration: resource type, resource name, key.
pub type ConfigKey = (i8, String, String);

/// What is kept without being used, by what a later record replaces or removes it.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) enum Kept {
    Config(ConfigKey),
    Quota(Vec<(String, Option<String>)>, String),
    Token(String),
    Credential(String, i8),
    AccessControlEntry([u8; 16]),
}

/// See the module.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct KafkaCluster {
    pub topics: BTreeMap<TopicId, KafkaTopic>,
    /// Of topics, brokers and groups.
    pub configs: BTreeMap<ConfigKey, String>,
    /// Finalized levels.
    pub features: BTreeMap<String, i16>,
    /// The first producer id that was in no block given out.
    pub next_producer_id: i64,
    /// How far the move from ZooKeeper is; 0: never began.
    pub zk_migration_state: i8,
    /// Keys of records that no Kafka known here has, and how many of each there were.
    pub unknown: BTreeMap<u32, u64>,
    pub(super) kept: BTreeMap<Kept, Bytes>,
    /// Of an open transaction.
    pub(super) pending: Option<Vec<(MetadataRecord, Bytes)>>,
}

/// Why the records make no sense.
#[derive(Clone, PartialEq, Debug)]
pub enum ClusterError {
    Record(RecordError),
    /// A record is about a topic or a partition that no record before it made.
    UnknownTopic(TopicId),
    UnknownPartition(TopicId, PartitionIndex),
    /// A transaction begins within one, or ends where none is.
    Transaction,
}

impl fmt::Display for ClusterError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ClusterError::Record(error) => error.fmt(f),
            ClusterError::UnknownTopic(id) => write!(f, "a record is about topic {id}, which does not exist"),
            ClusterError::UnknownPartition(id, partition) => {
                write!(f, "a record is about partition {partition} of {id}, which does not exist")
            }
            ClusterError::Transaction => f.write_str("a transaction of metadata records begins or ends out of place"),
        }
    }
}

impl std::error::Error for ClusterError {}

impl KafkaCluster {
    /// Applies the next record of the log, by its value.
    pub fn apply(&mut self, value: &Bytes) -> Result<(), ClusterError> {
        let record = MetadataRecord::decode(value).map_err(ClusterError::Record)?;
        match (record, &mut self.pending) {
            (MetadataRecord::BeginTransaction, None) => self.pending = Some(Vec::new()),
            (MetadataRecord::EndTransaction, Some(pending)) => {
                let pending = std::mem::take(pending);
                self.pending = None;
                pending.into_iter().try_for_each(|(record, value)| self.take(record, &value))?;
            }
            (MetadataRecord::AbortTransaction, Some(_)) => self.pending = None,
            (MetadataRecord::BeginTransaction | MetadataRecord::EndTransaction | MetadataRecord::AbortTransaction, _) => {
                return Err(ClusterError::Transaction);
            }
            (record, Some(pending)) => pending.push((record, value.clone())),
            (record, None) => self.take(record, value)?,
        }
        Ok(())
    }

    fn take(&mut self, record: MetadataRecord, value: &Bytes) -> Result<(), ClusterError> {
        match record {
            MetadataRecord::Topic(r) => {
                self.topics.insert(r.topic_id, KafkaTopic { name: r.name.to_string(), partitions: BTreeMap::new() });
            }
            MetadataRecord::Partition(r) => {
                let topic = self.topics.get_mut(&r.topic_id).ok_or(ClusterError::UnknownTopic(r.topic_id))?;
                topic.partitions.insert(r.partition_id, r);
            }
            MetadataRecord::PartitionChange(r) => {
                let topic = self.topics.get_mut(&r.topic_id).ok_or(ClusterError::UnknownTopic(r.topic_id))?;
                let known = topic.partitions.get_mut(&r.partition_id);
                change(known.ok_or(ClusterError::UnknownPartition(r.topic_id, r.partition_id))?, r);
            }
            MetadataRecord::RemoveTopic(r) => {
                let topic = self.topics.remove(&r.topic_id).ok_or(ClusterError::UnknownTopic(r.topic_id))?;
                self.configs.retain(|(resource, name, _), _| *resource != TOPIC || *name != topic.name);
            }
            MetadataRecord::Config(r) => {
                let config = (r.resource_type, r.resource_name.to_string(), r.name.to_string());
                if matches!(r.resource_type, TOPIC | BROKER | GROUP) {
                    set(&mut self.configs, config, r.value.map(|value| value.to_string()));
                } else {
                    set(&mut self.kept, Kept::Config(config), r.value.map(|_| value.clone()));
                }
            }
            MetadataRecord::FeatureLevel(r) => {
                set(&mut self.features, r.name.to_string(), (r.feature_level != 0).then_some(r.feature_level));
            }
            MetadataRecord::ProducerIds(r) => self.next_producer_id = self.next_producer_id.max(r.next_producer_id),
            MetadataRecord::ZkMigrationState(r) => self.zk_migration_state = r.zk_migration_state,
            MetadataRecord::Other { key } if key > key::LAST_KNOWN => *self.unknown.entry(key).or_default() += 1,
            MetadataRecord::Other { .. } => {}
            other => self.keep(other, value),
        }
        Ok(())
    }

    fn keep(&mut self, record: MetadataRecord, value: &Bytes) {
        let (kept, stays) = match record {
            MetadataRecord::ClientQuota(r) => {
                let mut entity: Vec<(String, Option<String>)> =
                    r.entity.iter().map(|e| (e.entity_type.to_string(), e.entity_name.as_ref().map(|name| name.to_string()))).collect();
                entity.sort();
                (Kept::Quota(entity, r.key.to_string()), !r.remove)
            }
            MetadataRecord::DelegationToken(r) => (Kept::Token(r.token_id.to_string()), true),
            MetadataRecord::RemoveDelegationToken(r) => (Kept::Token(r.token_id.to_string()), false),
            MetadataRecord::UserScramCredential(r) => (Kept::Credential(r.name.to_string(), r.mechanism), true),
            MetadataRecord::RemoveUserScramCredential(r) => (Kept::Credential(r.name.to_string(), r.mechanism), false),
            MetadataRecord::AccessControlEntry(r) => (Kept::AccessControlEntry(r.id), true),
            MetadataRecord::RemoveAccessControlEntry(r) => (Kept::AccessControlEntry(r.id), false),
            _ => return,
        };
        set(&mut self.kept, kept, stays.then(|| value.clone()));
    }

    /// The values of the records that are kept without being used.
    pub fn kept(&self) -> impl Iterator<Item = &Bytes> {
        self.kept.values()
    }

    pub fn partition_count(&self) -> usize {
        self.topics.values().map(|topic| topic.partitions.len()).sum()
    }
}

fn set<K: Ord, V>(map: &mut BTreeMap<K, V>, key: K, value: Option<V>) {
    match value {
        Some(value) => drop(map.insert(key, value)),
        None => drop(map.remove(&key)),
    }
}

/// Kafka's merge: a new leader begins a new leader epoch, and every change a new partition epoch.
fn change(partition: &mut PartitionRecord, change: PartitionChangeRecord) {
    const UNCHANGED_LEADER: i32 = -2;
    if change.leader.0 != UNCHANGED_LEADER {
        partition.leader = change.leader;
        partition.leader_epoch = LeaderEpoch(partition.leader_epoch.0.saturating_add(1));
    }
    partition.isr = change.isr.unwrap_or_else(|| std::mem::take(&mut partition.isr));
    partition.replicas = change.replicas.unwrap_or_else(|| std::mem::take(&mut partition.replicas));
    partition.removing_replicas = change.removing_replicas.unwrap_or_else(|| std::mem::take(&mut partition.removing_replicas));
    partition.adding_replicas = change.adding_replicas.unwrap_or_else(|| std::mem::take(&mut partition.adding_replicas));
    partition.directories = change.directories.unwrap_or_else(|| std::mem::take(&mut partition.directories));
    partition.partition_epoch = partition.partition_epoch.saturating_add(1);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::types::NodeId;
    use crate::wire::Str;
    use crate::wire::kraft::{ConfigRecord, FeatureLevelRecord, ProducerIdsRecord, RemoveTopicRecord, TopicRecord, encode};

    const ID: TopicId = TopicId([7; 16]);

    fn topic() -> Bytes {
        encode(2, 0, &TopicRecord { name: Str::from_static("orders"), topic_id: ID }).unwrap()
    }

    fn partition(index: i32) -> Bytes {
        let record = PartitionRecord {
            partition_id: PartitionIndex(index),
            topic_id: ID,
            replicas: vec![NodeId(1)],
            leader: NodeId(1),
            leader_epoch: LeaderEpoch(0),
            partition_epoch: 0,
            ..PartitionRecord::default()
        };
        encode(3, 1, &record).unwrap()
    }

    fn config(resource_type: i8, value: Option<&'static str>) -> Bytes {
        let (resource_name, name) = (Str::from_static("orders"), Str::from_static("retention.ms"));
        encode(4, 0, &ConfigRecord { resource_type, resource_name, name, value: value.map(Str::from_static) }).unwrap()
    }

    fn frame(key: u8) -> Bytes {
        Bytes::from(vec![1, key, 0, 0])
    }

    fn apply(records: &[Bytes]) -> KafkaCluster {
        let mut cluster = KafkaCluster::default();
        records.iter().for_each(|record| cluster.apply(record).unwrap());
        cluster
    }

    #[test]
    fn topics_come_change_and_go_with_their_configs() {
        let leaderless = PartitionChangeRecord { topic_id: ID, partition_id: PartitionIndex(0), leader: NodeId(-1), ..Default::default() };
        let made = [topic(), partition(0), partition(1), config(TOPIC, Some("7")), encode(5, 1, &leaderless).unwrap()];
        let cluster = apply(&made);
        let first = &cluster.topics[&ID].partitions[&PartitionIndex(0)];
        assert_eq!((first.leader, first.leader_epoch, first.partition_epoch), (NodeId(-1), LeaderEpoch(1), 1));
        assert_eq!(first.replicas, [NodeId(1)], "what a change does not name stays");
        assert_eq!((cluster.partition_count(), cluster.configs.len()), (2, 1));

        let removed = encode(9, 0, &RemoveTopicRecord { topic_id: ID }).unwrap();
        let cluster = apply(&[&made[..], &[removed]].concat());
        assert_eq!((cluster.topics.len(), cluster.configs.len()), (0, 0));
    }

    #[test]
    fn a_transaction_counts_when_it_ends() {
        let (begin, end, abort) = (frame(23), frame(24), frame(25));
        assert_eq!(apply(&[begin.clone(), topic()]).topics.len(), 0);
        assert_eq!(apply(&[begin.clone(), topic(), abort.clone()]).topics.len(), 0);
        assert_eq!(apply(&[begin.clone(), topic(), end.clone()]).topics.len(), 1);
        assert_eq!(KafkaCluster::default().apply(&end), Err(ClusterError::Transaction));
        assert_eq!(apply(std::slice::from_ref(&begin)).apply(&begin), Err(ClusterError::Transaction));
    }

    #[test]
    fn what_is_of_no_use_here_is_kept() {
        const CLIENT_METRICS: i8 = 16;
        let cluster = apply(&[config(CLIENT_METRICS, Some("5")), config(BROKER, Some("6"))]);
        assert_eq!((cluster.kept().count(), cluster.configs.len()), (1, 1));
        let cluster = apply(&[config(CLIENT_METRICS, Some("5")), config(CLIENT_METRICS, None)]);
        assert_eq!(cluster.kept().count(), 0);
    }

    #[test]
    fn producer_ids_only_grow_and_unknown_records_are_counted() {
        let ids = |next_producer_id| encode(15, 0, &ProducerIdsRecord { next_producer_id, ..Default::default() }).unwrap();
        let cluster = apply(&[ids(2000), ids(1000), frame(99), frame(99)]);
        assert_eq!((cluster.next_producer_id, &cluster.unknown), (2000, &BTreeMap::from([(99, 2)])));
        let feature = |feature_level| encode(12, 0, &FeatureLevelRecord { name: Str::from_static("f"), feature_level }).unwrap();
        assert_eq!(apply(&[feature(3)]).features["f"], 3);
        assert!(apply(&[feature(3), feature(0)]).features.is_empty());
    }

    #[test]
    fn records_about_nothing_are_refused() {
        assert_eq!(KafkaCluster::default().apply(&partition(0)), Err(ClusterError::UnknownTopic(ID)));
    }
}
