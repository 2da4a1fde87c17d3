//! Taking over a directory that Apache Kafka wrote.
//!
//! [`inspect`] reads and judges, before anything is changed; its records become the first entry of Ringmill's own metadata log, all at once. So a
//! crash on the way leaves either nothing or all of it, and the next start goes on. Then [`Takeover::note`] writes down how Kafka's metadata log
//! looked, by which a later start sees whether Kafka has written here since.

use super::KafkaError;
use super::cluster::{BROKER, GROUP, KafkaCluster, TOPIC};
use super::metadata_log::{self, METADATA_DIRECTORY, MetadataLog};
use crate::controller::record::{ClusterRecord, ConfigRecord, FeatureLevelRecord, PartitionRecord, ProducerIdsRecord, Record, TopicRecord};
use crate::controller::{ConfigResource, METADATA_VERSION_LEVEL, ResourceType};
use crate::log::format::{DirectoryStage, MetaProperties, PartitionDirectory};
use crate::rt::fs;
use crate::types::{LeaderEpoch, NodeId, Offset, TopicId};
use std::collections::BTreeSet;
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

/// At the root of the directory that has Ringmill's metadata: the names and sizes of Kafka's metadata files when they were taken over.
pub const TAKEN_OVER_NAME: &str = "ringmill-taken-over";
const NOTE_BYTES_MAX: u64 = 1 << 20;
const METADATA_VERSION: &str = "metadata.version";
/// Topic ids and directory ids below 100 are Kafka's own: unassigned, lost, migrating.
const RESERVED_IDS: u128 = 100;

/// What is about to be taken over.
#[derive(Clone, Debug)]
pub struct Takeover {
    /// The first records of Ringmill's metadata log.
    pub records: Vec<Record>,
    fingerprint: String,
    facts: String,
}

impl fmt::Display for Takeover {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.facts)
    }
}

impl Takeover {
    /// Remembers that it is done.
    pub async fn note(&self, ringmill_dir: &Path) -> Result<(), KafkaError> {
        let path = ringmill_dir.join(TAKEN_OVER_NAME);
        fs::write_file(&path, self.fingerprint.as_bytes()).await.map_err(|error| KafkaError::Io(path, error))
    }
}

/// Looks whether Kafka's metadata is to be taken over from these directories (the first is the one that Ringmill keeps its own metadata in), and
/// whether it can be. Each directory comes with its `meta.properties`, if it has one.
pub async fn inspect(dirs: &[(PathBuf, Option<MetaProperties>)], node: NodeId) -> Result<Option<Takeover>, KafkaError> {
    if was_taken_over(dirs).await? {
        return Ok(None);
    }
    let mut found: Option<(PathBuf, MetadataLog)> = None;
    for (dir, _) in dirs {
        let Some(log) = metadata_log::read(dir).await? else { continue };
        if let Some((other, _)) = &found {
            let why = format!("both it and {} have a {METADATA_DIRECTORY}", other.display());
            return Err(KafkaError::Refused(dir.clone(), why));
        }
        found = Some((dir.clone(), log));
    }
    let Some((metadata_dir, log)) = found else {
        check_no_partitions(dirs).await?;
        return Ok(None);
    };
    if log.end_offset == Offset(0) {
        // Formatted, never started: there is no cluster yet.
        return Ok(None);
    }
    let refused = |why: String| KafkaError::Refused(metadata_dir.join(METADATA_DIRECTORY), why);
    let properties = dirs.iter().find_map(|(_, properties)| properties.as_ref());
    let properties = properties.ok_or_else(|| refused("there is no meta.properties beside it".into()))?;
    if properties.node_id != node {
        return Err(refused(format!("the log directory belongs to node {}, but node.id is {node}", properties.node_id)));
    }
    let directory_ids = dirs.iter().filter_map(|(_, properties)| properties.as_ref()?.directory_id).collect();
    check(&log.cluster, node, &directory_ids).map_err(refused)?;
    for (key, count) in &log.cluster.unknown {
        tracing::warn!(key, count, "metadata records of a kind that is not known here are passed over");
    }
    let facts = format!(
        "Apache Kafka's data in {}: cluster {}, {} topics, {} partitions, metadata up to offset {}",
        metadata_dir.display(),
        properties.cluster_id,
        log.cluster.topics.len(),
        log.cluster.partition_count(),
        log.end_offset,
    );
    let records = records(&log.cluster, &properties.cluster_id, node);
    Ok(Some(Takeover { records, fingerprint: log.fingerprint, facts }))
}

/// Whether an earlier start has taken over; an error if Kafka has written its metadata since.
async fn was_taken_over(dirs: &[(PathBuf, Option<MetaProperties>)]) -> Result<bool, KafkaError> {
    let path = dirs[0].0.join(TAKEN_OVER_NAME);
    let noted = match fs::read_file(&path, NOTE_BYTES_MAX).await {
        Ok(noted) => String::from_utf8_lossy(&noted).into_owned(),
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
        Err(error) => return Err(KafkaError::Io(path, error)),
    };
    for (dir, _) in dirs {
        let now = metadata_log::read_fingerprint(dir).await?;
        if now.is_none_or(|now| is_as_noted(&now, &noted)) {
            continue;
        }
        let why = "Apache Kafka has run here since Ringmill took this directory over, without `ringmill storage to-kafka` before it, \
            and what both have written cannot be joined; to go on with what Kafka knows, move the files ringmill-* away";
        return Err(KafkaError::Refused(dir.clone(), why.into()));
    }
    Ok(true)
}

/// The lines of both are the same, but for those that the note has behind a question mark: files that giving back may have written.
fn is_as_noted(now: &str, noted: &str) -> bool {
    let own: Vec<&str> = noted.lines().filter_map(|line| line.strip_prefix('?')).collect();
    let now = now.lines().filter(|line| !own.contains(line));
    now.eq(noted.lines().filter(|line| !line.starts_with('?')))
}

/// Adds a file of Kafka's metadata log that is about to be written from here, so that it is not taken for Kafka's.
pub async fn note_own(ringmill_dir: &Path, name: &str, len: usize) -> Result<(), KafkaError> {
    let path = ringmill_dir.join(TAKEN_OVER_NAME);
    let noted = match fs::read_file(&path, NOTE_BYTES_MAX).await {
        Ok(noted) => String::from_utf8_lossy(&noted).into_owned(),
        Err(error) if error.kind() == io::ErrorKind::NotFound => String::new(),
        Err(error) => return Err(KafkaError::Io(path, error)),
    };
    fs::write_file(&path, format!("{noted}?{name} {len}\n").as_bytes()).await.map_err(|error| KafkaError::Io(path, error))
}

/// Partitions without any metadata are Kafka's from before KRaft, or of a broker whose metadata log is elsewhere.
async fn check_no_partitions(dirs: &[(PathBuf, Option<MetaProperties>)]) -> Result<(), KafkaError> {
    let mut orphan = None;
    for (dir, _) in dirs {
        let listing = fs::list_dir(dir).await.map_err(|error| KafkaError::Io(dir.clone(), error))?;
        if listing.iter().any(|entry| entry.name.starts_with("ringmill-metadata-")) {
            return Ok(());
        }
        let is_live = |name: &str| PartitionDirectory::parse(name).is_some_and(|found| found.stage == DirectoryStage::Live);
        let found = listing.into_iter().find(|entry| entry.is_dir && is_live(&entry.name));
        orphan = orphan.or(found.map(|entry| (dir, entry.name)));
    }
    let Some((dir, name)) = orphan else { return Ok(()) };
    let why = format!(
        "it holds partitions ({name}), but no log.dirs holds the cluster's metadata ({METADATA_DIRECTORY}): with Apache Kafka's \
        metadata.log.dir, that directory belongs into log.dirs too; a directory from before KRaft must be moved to KRaft with Apache Kafka first"
    );
    Err(KafkaError::Refused(dir.clone(), why))
}

/// The reason why this cluster cannot be Ringmill's.
fn check(cluster: &KafkaCluster, node: NodeId, directory_ids: &BTreeSet<TopicId>) -> Result<(), String> {
    match cluster.features.get(METADATA_VERSION) {
        None => return Err(format!("it has no {METADATA_VERSION}")),
        Some(level) if *level > METADATA_VERSION_LEVEL => {
            return Err(format!(
                "a newer Apache Kafka wrote it: {METADATA_VERSION} is {level}, known here up to {METADATA_VERSION_LEVEL} (4.3)"
            ));
        }
        Some(_) => {}
    }
    if matches!(cluster.zk_migration_state, 1 | 2) {
        return Err("its move from ZooKeeper is not finished: finish it with Apache Kafka first".into());
    }
    for topic in cluster.topics.values() {
        for (count, (index, partition)) in topic.partitions.iter().enumerate() {
            let name = format!("{}-{index}", topic.name);
            if index.0 != count as i32 {
                return Err(format!("partition {count} of topic {} is missing", topic.name));
            }
            if partition.replicas != [node] || !partition.adding_replicas.is_empty() || !partition.removing_replicas.is_empty() {
                let replicas: Vec<String> = partition.replicas.iter().map(NodeId::to_string).collect();
                return Err(format!(
                    "partition {name} has its replicas on nodes {}, and only a cluster of this one node can be taken over: \
                    reassign all partitions to node {node} with Apache Kafka first",
                    replicas.join(", ")
                ));
            }
            let elsewhere = partition.directories.iter().map(|id| TopicId(*id)).find(|id| is_assigned(*id) && !directory_ids.contains(id));
            if let Some(id) = elsewhere {
                return Err(format!("partition {name} is in log directory {id}, which is not among log.dirs"));
            }
        }
    }
    let tiered =
        cluster.configs.iter().find(|((kind, _, key), value)| *kind == TOPIC && key == "remote.storage.enable" && value.as_str() == "true");
    match tiered {
        Some(((_, topic, _), _)) => Err(format!("topic {topic} has tiered storage (remote.storage.enable), which Ringmill does not have")),
        None => Ok(()),
    }
}

fn is_assigned(id: TopicId) -> bool {
    u128::from_be_bytes(id.0) >= RESERVED_IDS
}

/// The same cluster in Ringmill's records. Every partition begins a new leader epoch, as at any restart of Kafka.
fn records(cluster: &KafkaCluster, cluster_id: &str, node: NodeId) -> Vec<Record> {
    let mut records = vec![Record::Cluster(ClusterRecord { cluster_id: cluster_id.into() })];
    records.extend(
        cluster.features.iter().map(|(name, level)| Record::FeatureLevel(FeatureLevelRecord { name: name.as_str().into(), level: *level })),
    );
    for (topic_id, topic) in &cluster.topics {
        records.push(Record::Topic(TopicRecord { name: topic.name.as_str().into(), topic_id: *topic_id }));
        records.extend(topic.partitions.iter().map(|(index, partition)| {
            Record::Partition(PartitionRecord {
                topic_id: *topic_id,
                partition: *index,
                replicas: vec![node],
                isr: vec![node],
                directories: vec![partition.directories.first().copied().unwrap_or_default()],
                leader: node,
                leader_epoch: LeaderEpoch(partition.leader_epoch.0.saturating_add(1)),
                partition_epoch: partition.partition_epoch.saturating_add(1),
            })
        }));
    }
    for ((kind, name, key), value) in &cluster.configs {
        let resource_type = match *kind {
            BROKER => ResourceType::Broker,
            GROUP => ResourceType::Group,
            _ => ResourceType::Topic,
        };
        let resource = ConfigResource { resource_type, name: name.as_str().into() };
        records.push(Record::Config(ConfigRecord { resource, name: key.as_str().into(), value: Some(value.as_str().into()) }));
    }
    let next_producer_id = cluster.next_producer_id;
    records.push(Record::ProducerIds(ProducerIdsRecord { broker_id: NodeId(-1), broker_epoch: -1, next_producer_id }));
    records
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::types::PartitionIndex;
    use crate::wire::kraft;
    use std::collections::BTreeMap;

    const NODE: NodeId = NodeId(1);

    fn cluster() -> KafkaCluster {
        let partition = |index| kraft::PartitionRecord {
            partition_id: PartitionIndex(index),
            replicas: vec![NODE],
            leader_epoch: LeaderEpoch(4),
            directories: vec![[9; 16]],
            ..Default::default()
        };
        let partitions = BTreeMap::from([(PartitionIndex(0), partition(0)), (PartitionIndex(1), partition(1))]);
        let topic = super::super::cluster::KafkaTopic { name: "orders".into(), partitions };
        KafkaCluster {
            topics: BTreeMap::from([(TopicId([7; 16]), topic)]),
            features: BTreeMap::from([(METADATA_VERSION.into(), 30)]),
            next_producer_id: 2000,
            ..KafkaCluster::default()
        }
    }

    fn refusal(change: impl FnOnce(&mut KafkaCluster)) -> Option<String> {
        let mut cluster = cluster();
        change(&mut cluster);
        check(&cluster, NODE, &BTreeSet::from([TopicId([9; 16])])).err()
    }

    fn first(cluster: &mut KafkaCluster) -> &mut kraft::PartitionRecord {
        let topic = cluster.topics.values_mut().next().unwrap();
        topic.partitions.values_mut().next().unwrap()
    }

    #[test]
    fn what_is_not_of_one_node_is_refused() {
        assert_eq!(refusal(|_| {}), None);
        assert_eq!(refusal(|c| first(c).directories = vec![[0; 16]]), None, "not assigned");
        let said = |change: fn(&mut KafkaCluster), what: &str| {
            let why = refusal(change).unwrap_or_default();
            assert!(why.contains(what), "{why:?} does not say {what:?}");
        };
        said(|c| first(c).replicas = vec![NODE, NodeId(2)], "nodes 1, 2");
        said(|c| first(c).replicas = vec![NodeId(2)], "orders-0 has its replicas on nodes 2");
        said(|c| first(c).adding_replicas = vec![NodeId(2)], "orders-0");
        said(|c| first(c).directories = vec![[8; 16]], "not among log.dirs");
        said(|c| _ = c.topics.values_mut().next().unwrap().partitions.remove(&PartitionIndex(0)), "partition 0 of topic orders is missing");
        said(|c| c.features.clear(), "no metadata.version");
        said(|c| _ = c.features.insert(METADATA_VERSION.into(), 31), "newer");
        said(|c| c.zk_migration_state = 1, "ZooKeeper");
        said(|c| _ = c.configs.insert((TOPIC, "orders".into(), "remote.storage.enable".into()), "true".into()), "tiered");
    }

    #[test]
    fn what_kafka_writes_later_is_seen_and_what_we_write_is_not_taken_for_it() {
        let noted = "a.log 10\nb.checkpoint 5\n?c.checkpoint 7\n";
        assert!(is_as_noted("a.log 10\nb.checkpoint 5\n", noted));
        assert!(is_as_noted("a.log 10\nb.checkpoint 5\nc.checkpoint 7\n", noted));
        assert!(!is_as_noted("a.log 11\nb.checkpoint 5\n", noted), "Kafka has appended");
        assert!(!is_as_noted("a.log 10\nb.checkpoint 5\nd.checkpoint 7\n", noted));
        assert!(!is_as_noted("b.checkpoint 5\n", noted));
    }

    #[test]
    fn the_records_make_the_same_cluster() {
        let mut image = crate::controller::MetadataImage::default();
        let mut cluster = cluster();
        cluster.configs.insert((GROUP, "workers".into(), "consumer.session.timeout.ms".into()), "50000".into());
        records(&cluster, "8yckYEw9h3q6LZ2mktH4gQ", NODE).iter().for_each(|record| image.replay(record));
        let topic = image.topic_by_name("orders").unwrap();
        assert_eq!((topic.id, topic.partitions.len()), (TopicId([7; 16]), 2));
        assert_eq!((topic.partitions[0].leader, topic.partitions[0].leader_epoch), (NODE, LeaderEpoch(5)));
        assert_eq!((image.next_producer_id(), image.feature_level(METADATA_VERSION)), (2000, 30));
        assert_eq!(image.cluster_id(), "8yckYEw9h3q6LZ2mktH4gQ");
        assert_eq!(image.configs(&ConfigResource::group("workers")).iter().count(), 1);
    }
}
