//! The metadata image: brokers, topics, configs and ids of the cluster as of one entry of the metadata log.
//!
//! Pure and immutable once published as `Arc<MetadataImage>`; any core may hold one. A clone shares everything, and
//! [`MetadataImage::replay`], the only mutator, copies what it changes. The image of a log is a function of its records alone.

use super::internal_topics;
use super::persistent_map::PersistentMap;
use super::record::{
    BrokerEndpoint, ClusterRecord, ConfigRecord, ConfigResource, FeatureLevelRecord, PartitionRecord, ProducerIdsRecord, Record,
    RegisterBrokerRecord, TopicRecord,
};
use crate::config::{BrokerConfig, BrokerLayers, ConfigMap, TopicConfig};
use crate::types::{LeaderEpoch, NodeId, PartitionIndex, TopicId, TopicPartitionId, topic_collision_key};
use std::collections::BTreeMap;
use std::sync::Arc;

/// One topic; its partitions are numbered by their position.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct TopicImage {
    pub name: Arc<str>,
    pub id: TopicId,
    pub partitions: Vec<PartitionImage>,
}

impl TopicImage {
    pub fn partition(&self, index: PartitionIndex) -> Option<&PartitionImage> {
        self.partitions.get(usize::try_from(index.0).ok()?)
    }

    /// One of the topics that Kafka keeps its own state in.
    pub fn is_internal(&self) -> bool {
        internal_topics::is_internal(&self.name)
    }

    /// The names of all partitions, ascending.
    pub fn partition_ids(&self) -> impl Iterator<Item = TopicPartitionId> {
        (0..self.partitions.len()).map(|p| TopicPartitionId { topic_id: self.id, partition: PartitionIndex(p as i32) })
    }
}

/// The replicated state of one partition.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct PartitionImage {
    /// The first is the preferred leader.
    pub replicas: Vec<NodeId>,
    pub isr: Vec<NodeId>,
    /// The log directory of each replica, by its id; zeros: not chosen.
    pub directories: Vec<[u8; 16]>,
    /// -1: none.
    pub leader: NodeId,
    pub leader_epoch: LeaderEpoch,
    pub partition_epoch: i32,
}

impl PartitionImage {
    fn to_record(&self, id: TopicPartitionId) -> PartitionRecord {
        PartitionRecord {
            topic_id: id.topic_id,
            partition: id.partition,
            replicas: self.replicas.clone(),
            isr: self.isr.clone(),
            directories: self.directories.clone(),
            leader: self.leader,
            leader_epoch: self.leader_epoch,
            partition_epoch: self.partition_epoch,
        }
    }
}

/// One registered broker.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct BrokerImage {
    pub id: NodeId,
    pub epoch: i64,
    pub incarnation_id: [u8; 16],
    pub endpoints: Vec<BrokerEndpoint>,
    pub rack: Option<Arc<str>>,
    pub fenced: bool,
}

impl BrokerImage {
    /// Where `listener` is reached.
    pub fn endpoint(&self, listener: &str) -> Option<&BrokerEndpoint> {
        self.endpoints.iter().find(|e| &*e.listener == listener)
    }
}

impl BrokerImage {
    fn to_record(&self) -> RegisterBrokerRecord {
        RegisterBrokerRecord {
            broker_id: self.id,
            broker_epoch: self.epoch,
            incarnation_id: self.incarnation_id,
            endpoints: self.endpoints.clone(),
            rack: self.rack.clone(),
            fenced: self.fenced,
        }
    }
}

/// See the module's header.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct MetadataImage {
    version: u64,
    cluster_id: Option<Arc<str>>,
    topics: PersistentMap<TopicId, Arc<TopicImage>>,
    topic_ids: PersistentMap<Arc<str>, TopicId>,
    /// Topics with `.` or `_` in their names, by the name with every `.` made `_`.
    colliding_names: PersistentMap<Arc<str>, Arc<str>>,
    partition_count: usize,
    configs: PersistentMap<ConfigResource, Arc<ConfigMap>>,
    brokers: Arc<BTreeMap<NodeId, BrokerImage>>,
    features: Arc<BTreeMap<Arc<str>, i16>>,
    next_producer_id: i64,
}

impl MetadataImage {
    /// The index of the last log entry this image holds; grows from image to image.
    pub fn version(&self) -> u64 {
        self.version
    }

    /// 22 characters of base64; empty only before the cluster's first record.
    pub fn cluster_id(&self) -> &str {
        self.cluster_id.as_deref().unwrap_or_default()
    }

    pub fn topic(&self, id: TopicId) -> Option<&Arc<TopicImage>> {
        self.topics.get(&id)
    }

    pub fn topic_by_name(&self, name: &str) -> Option<&Arc<TopicImage>> {
        self.topics.get(self.topic_ids.get(name)?)
    }

    /// All topics, by ascending name.
    pub fn topics(&self) -> impl Iterator<Item = &Arc<TopicImage>> {
        self.topic_ids.values().map(|id| self.topics.get(id).expect("a name points to a topic"))
    }

    /// The topics whose names are `first` or come after it, ascending.
    pub fn topics_from<'a>(&'a self, first: &'a str) -> impl Iterator<Item = &'a Arc<TopicImage>> {
        let after = self.topic_ids.iter_after(first).map(|(_, id)| self.topics.get(id).expect("a name points to a topic"));
        self.topic_by_name(first).into_iter().chain(after)
    }

    pub fn topic_count(&self) -> usize {
        self.topics.len()
    }

    /// Partitions of all topics.
    pub fn partition_count(&self) -> usize {
        self.partition_count
    }

    pub fn partition(&self, id: TopicPartitionId) -> Option<&PartitionImage> {
        self.topic(id.topic_id)?.partition(id.partition)
    }

    /// The existing topic whose metrics `name`'s would be mixed up with, since `.` and `_` look the same there.
    pub fn colliding_topic(&self, name: &str) -> Option<&str> {
        let key = topic_collision_key(name)?;
        self.colliding_names.get(&*key).map(|n| &**n)
    }

    /// What is set on a resource; defaults are not here.
    pub fn configs(&self, resource: &ConfigResource) -> &ConfigMap {
        static NOTHING: ConfigMap = ConfigMap::new();
        self.configs.get(resource).map_or(&NOTHING, |map| map)
    }

    /// A broker's configuration: what `broker` was started with, under what was set at run time.
    pub fn broker_layers<'a>(&'a self, broker: &'a BrokerConfig) -> BrokerLayers<'a> {
        broker.layers(self.configs(&ConfigResource::broker(broker.node_id)), self.configs(&ConfigResource::cluster_default()))
    }

    /// A topic's configuration on `broker`, overrides and defaults resolved.
    pub fn topic_config(&self, topic: &str, broker: &BrokerConfig) -> TopicConfig {
        TopicConfig::resolve(self.configs(&ConfigResource::topic(topic)), self.broker_layers(broker))
    }

    /// Every resource on which something is set, ascending.
    pub fn configured_resources(&self) -> impl Iterator<Item = (&ConfigResource, &Arc<ConfigMap>)> {
        self.configs.iter()
    }

    pub fn broker(&self, id: NodeId) -> Option<&BrokerImage> {
        self.brokers.get(&id)
    }

    /// All registered brokers, by ascending id.
    pub fn brokers(&self) -> impl Iterator<Item = &BrokerImage> {
        self.brokers.values()
    }

    /// The finalized level of a feature; 0: off.
    pub fn feature_level(&self, name: &str) -> i16 {
        self.features.get(name).copied().unwrap_or(0)
    }

    /// All finalized features, by name.
    pub fn features(&self) -> impl Iterator<Item = (&str, i16)> {
        self.features.iter().map(|(name, level)| (&**name, *level))
    }

    pub fn next_producer_id(&self) -> i64 {
        self.next_producer_id
    }

    /// Records that replay to this image, from nothing.
    pub fn to_records(&self) -> Vec<Record> {
        let cluster_id = self.cluster_id.clone();
        let mut records: Vec<Record> = cluster_id.into_iter().map(|cluster_id| Record::Cluster(ClusterRecord { cluster_id })).collect();
        records.extend(
            self.features.iter().map(|(name, level)| Record::FeatureLevel(FeatureLevelRecord { name: Arc::clone(name), level: *level })),
        );
        records.extend(self.brokers.values().map(|broker| Record::RegisterBroker(broker.to_record())));
        for topic in self.topics.values() {
            records.push(Record::Topic(TopicRecord { name: Arc::clone(&topic.name), topic_id: topic.id }));
            let partitions = topic.partition_ids().zip(&topic.partitions);
            records.extend(partitions.map(|(id, partition)| Record::Partition(partition.to_record(id))));
        }
        for (resource, configs) in self.configs.iter() {
            records.extend(configs.iter().map(|(name, value)| {
                let (name, value) = (name.as_str().into(), Some(value.as_str().into()));
                Record::Config(ConfigRecord { resource: resource.clone(), name, value })
            }));
        }
        let (broker_id, broker_epoch) = (NodeId(-1), -1);
        records.push(Record::ProducerIds(ProducerIdsRecord { broker_id, broker_epoch, next_producer_id: self.next_producer_id }));
        records
    }

    /// Says up to which log entry records were replayed.
    pub fn advance_version(&mut self, version: u64) {
        assert!(version >= self.version, "an image never goes back");
        self.version = version;
    }

    /// Applies one record of the log. Records come from handlers that saw the image they apply to, so one that does not fit
    /// is a broken invariant.
    pub fn replay(&mut self, record: &Record) {
        match record {
            Record::Cluster(r) => self.cluster_id = Some(Arc::clone(&r.cluster_id)),
            Record::FeatureLevel(r) if r.level == 0 => drop(Arc::make_mut(&mut self.features).remove(&r.name)),
            Record::FeatureLevel(r) => drop(Arc::make_mut(&mut self.features).insert(Arc::clone(&r.name), r.level)),
            Record::RegisterBroker(r) => self.replay_broker(r),
            Record::Topic(r) => self.replay_topic(&r.name, r.topic_id),
            Record::Partition(r) => self.replay_partition(r),
            Record::RemoveTopic(r) => self.replay_remove_topic(r.topic_id),
            Record::Config(r) => self.replay_config(&r.resource, &r.name, r.value.as_ref()),
            Record::ProducerIds(r) => self.next_producer_id = r.next_producer_id,
        }
    }

    fn replay_broker(&mut self, r: &RegisterBrokerRecord) {
        let broker = BrokerImage {
            id: r.broker_id,
            epoch: r.broker_epoch,
            incarnation_id: r.incarnation_id,
            endpoints: r.endpoints.clone(),
            rack: r.rack.clone(),
            fenced: r.fenced,
        };
        Arc::make_mut(&mut self.brokers).insert(r.broker_id, broker);
    }

    fn replay_topic(&mut self, name: &Arc<str>, id: TopicId) {
        let old_id = self.topic_ids.insert(Arc::clone(name), id);
        let topic = TopicImage { name: Arc::clone(name), id, partitions: Vec::new() };
        let old_topic = self.topics.insert(id, Arc::new(topic));
        assert!(old_id.is_none() && old_topic.is_none(), "topic {name} ({id}) exists already");
        if let Some(key) = topic_collision_key(name) {
            self.colliding_names.insert(key.into(), Arc::clone(name));
        }
    }

    fn replay_partition(&mut self, r: &PartitionRecord) {
        let topic = self.topics.get_mut(&r.topic_id).unwrap_or_else(|| panic!("topic {} of a partition is missing", r.topic_id));
        let partitions = &mut Arc::make_mut(topic).partitions;
        let partition = PartitionImage {
            replicas: r.replicas.clone(),
            isr: r.isr.clone(),
            directories: r.directories.clone(),
            leader: r.leader,
            leader_epoch: r.leader_epoch,
            partition_epoch: r.partition_epoch,
        };
        let index = usize::try_from(r.partition.0).expect("partitions are counted from 0");
        assert!(index <= partitions.len(), "partition {index} of {} leaves a gap", r.topic_id);
        if index == partitions.len() {
            partitions.push(partition);
            self.partition_count += 1;
        } else {
            partitions[index] = partition;
        }
    }

    fn replay_remove_topic(&mut self, id: TopicId) {
        let topic = self.topics.remove(&id).unwrap_or_else(|| panic!("topic {id} to remove is missing"));
        self.topic_ids.remove(&topic.name);
        self.partition_count -= topic.partitions.len();
        if let Some(key) = topic_collision_key(&topic.name) {
            self.colliding_names.remove(&*key);
        }
        self.configs.remove(&ConfigResource::topic(&topic.name));
    }

    fn replay_config(&mut self, resource: &ConfigResource, name: &Arc<str>, value: Option<&Arc<str>>) {
        let mut map = self.configs.get(resource).cloned().unwrap_or_default();
        // The map's own handle goes first, so that a map only we hold is changed in place.
        self.configs.remove(resource);
        match value {
            Some(value) => drop(Arc::make_mut(&mut map).insert(name.to_string(), value.to_string())),
            None => drop(Arc::make_mut(&mut map).remove(&**name)),
        }
        if !map.is_empty() {
            self.configs.insert(resource.clone(), map);
        }
    }
}

#[cfg(test)]
mod tests;
