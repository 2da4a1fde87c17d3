//! Giving a stopped broker's directories to Apache Kafka.
//!
//! ```text
//! 1  everything of the journals into segments, all logs closed, Kafka's checkpoints written: a clean stop
//! 2  a snapshot into __cluster_metadata-0 that knows topics, ids, configurations and partitions, behind all that Kafka's log has
//! 3  .kafka_cleanshutdown again, with the broker epoch of that snapshot
//! 4  ringmill-to-kafka: from here on the directories are Kafka's
//! 5  Ringmill's own files go, that mark last
//! ```
//! A crash before 4 leaves them Ringmill's, and all is done again (with one more snapshot); a crash after it leaves 5 to be finished, by the
//! same command or by a broker that starts.

use super::KafkaError;
use super::metadata_log::{self, METADATA_DIRECTORY, MetadataLog};
use super::snapshot::{Contents, Encoded};
use super::takeover::{inspect, note_own};
use crate::config::BrokerConfig;
use crate::controller::{Controller, ControllerConfig, MetadataImage};
use crate::log::format::{CLEAN_SHUTDOWN, MetaProperties, PartitionDirectory, encode_clean_shutdown};
use crate::log::{LockedDirs, LogConfig, LogDirsInfo, LogStore, ShardClosed, TopicLogConfig, dir_list, recover};
use crate::rt::{fs, wall_clock};
use crate::types::{NodeId, PartitionIndex, ShardId, TopicPartitionId};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::path::{Path, PathBuf};
use std::rc::Rc;

/// The mark of step 4, at the root of the first directory.
const HANDED_BACK_NAME: &str = "ringmill-to-kafka";
const OWN_PREFIX: &str = "ringmill-";
/// Journals and notes that were set aside since something is wrong with them: evidence, nothing Kafka looks at.
const DAMAGED_PREFIX: &str = "ringmill-damaged";
const SHARD: ShardId = ShardId(0);

/// What was done.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct HandedBack {
    pub topics: usize,
    pub partitions: usize,
    /// The snapshot's path; `None` if an earlier run had written it and only files were left to remove.
    pub snapshot: Option<PathBuf>,
}

impl fmt::Display for HandedBack {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.snapshot {
            Some(path) => {
                write!(
                    f,
                    "{} topics with {} partitions are Apache Kafka's now; the snapshot is {}",
                    self.topics,
                    self.partitions,
                    path.display()
                )
            }
            None => f.write_str("what an earlier run had left is removed: the directories are Apache Kafka's"),
        }
    }
}

/// Makes the directories Kafka's: all of a broker's `log.dirs`, in their order. On the only core there is.
pub async fn hand_back(config: BrokerConfig) -> Result<HandedBack, KafkaError> {
    let log_config = LogConfig::new(config.log_dirs.clone(), config.node_id);
    let broker = |error: &dyn fmt::Display| KafkaError::Broker(error.to_string());
    let locked = LockedDirs::lock(&log_config).await.and_then(LockedDirs::whole).map_err(|error| broker(&error))?;
    if finish_hand_back(&config.log_dirs).await? {
        return Ok(HandedBack { topics: 0, partitions: 0, snapshot: None });
    }
    let properties = locked.properties();
    check_is_ours(&properties, &config).await?;
    let before = read_kafkas(&config.log_dirs).await?;
    check_quorum(before.as_ref(), config.node_id)?;
    let all_named = check_all_named(&config.log_dirs).await?;
    let dirs = locked.open(&log_config).await.map_err(|error| broker(&error))?;
    let Stopped { image, directories, closed } = stop_cleanly(config.clone(), &log_config, dirs.info(), (&properties, all_named)).await?;
    dirs.close(vec![closed]).await.map_err(|error| broker(&error))?;
    for dir in &config.log_dirs {
        check_exists(dir, CLEAN_SHUTDOWN).await?;
    }
    let log_dirs = properties.iter().filter_map(|(_, found)| Some(found.as_ref()?.directory_id?.0)).collect();
    let contents = Contents {
        image: &image,
        before: before.as_ref().map(|(_, log)| log),
        node: config.node_id,
        log_dirs,
        directories: &directories,
        now: wall_clock(),
    };
    let encoded = contents.encode().map_err(|error| broker(&error))?;
    let metadata_dir = before.as_ref().map_or(&config.log_dirs[0], |(dir, _)| dir);
    let snapshot = write_snapshot(&config.log_dirs, metadata_dir, &encoded).await?;
    fs::write_file(&config.log_dirs[0].join(HANDED_BACK_NAME), b"")
        .await
        .map_err(|error| KafkaError::Io(config.log_dirs[0].clone(), error))?;
    finish_hand_back(&config.log_dirs).await?;
    Ok(HandedBack { topics: image.topic_count(), partitions: image.partition_count(), snapshot: Some(snapshot) })
}

/// Removes what a run that was cut short has left of Ringmill's files, if the directories are Kafka's already; whether they are. The
/// directories must be locked.
pub async fn finish_hand_back(dirs: &[PathBuf]) -> Result<bool, KafkaError> {
    if !exists(&dirs[0], HANDED_BACK_NAME).await? {
        return Ok(false);
    }
    for dir in dirs {
        let io = |error| KafkaError::Io(dir.clone(), error);
        for entry in fs::list_dir(dir).await.map_err(io)? {
            let is_own = entry.name.starts_with(OWN_PREFIX) && !entry.name.starts_with(DAMAGED_PREFIX);
            if is_own && !entry.is_dir && entry.name != HANDED_BACK_NAME {
                fs::remove_file(&dir.join(&entry.name)).await.map_err(io)?;
            }
        }
        fs::sync_dir(dir).await.map_err(io)?;
    }
    let io = |error| KafkaError::Io(dirs[0].clone(), error);
    fs::remove_file(&dirs[0].join(HANDED_BACK_NAME)).await.map_err(io)?;
    fs::sync_dir(&dirs[0]).await.map_err(io)?;
    Ok(true)
}

async fn exists(dir: &Path, name: &str) -> Result<bool, KafkaError> {
    let listing = fs::list_dir(dir).await.map_err(|error| KafkaError::Io(dir.to_path_buf(), error))?;
    Ok(listing.iter().any(|entry| entry.name == name))
}

async fn check_exists(dir: &Path, name: &str) -> Result<(), KafkaError> {
    match exists(dir, name).await? {
        true => Ok(()),
        false => Err(KafkaError::Broker(format!("{}: the logs could not be closed cleanly, nothing was given back", dir.display()))),
    }
}

/// Refuses what Ringmill has no metadata of.
async fn check_is_ours(dirs: &[(PathBuf, Option<MetaProperties>)], config: &BrokerConfig) -> Result<(), KafkaError> {
    let listing = fs::list_dir(&dirs[0].0).await.map_err(|error| KafkaError::Io(dirs[0].0.clone(), error))?;
    let has_metadata = listing.iter().any(|entry| entry.name.starts_with("ringmill-metadata-"));
    if !has_metadata || inspect(dirs, config.node_id).await?.is_some() {
        let why = "there is no metadata of Ringmill's; name all directories of log.dirs, in their order".into();
        return Err(KafkaError::Refused(dirs[0].0.clone(), why));
    }
    Ok(())
}

/// Refuses what a quorum of other nodes decided about: this node alone cannot go on with it, and those nodes know nothing of what was done here.
fn check_quorum(kafkas: Option<&(PathBuf, MetadataLog)>, node: NodeId) -> Result<(), KafkaError> {
    let Some((dir, log)) = kafkas else { return Ok(()) };
    let others: Vec<String> = log.voter_ids.iter().filter(|id| **id != node).map(NodeId::to_string).collect();
    if others.is_empty() {
        return Ok(());
    }
    let why = format!(
        "the voters of its metadata quorum are other nodes ({}): it cannot go back to that cluster, whose controllers know nothing of what was \
        written here, and Apache Kafka would wait for them; to make it a cluster of its own, of this one node, move this directory away first \
        (its quotas, ACLs and credentials stay behind)",
        others.join(", ")
    );
    Err(KafkaError::Refused(dir.join(METADATA_DIRECTORY), why))
}

type Directories = BTreeMap<TopicPartitionId, [u8; 16]>;

/// The cluster, where each partition lives, and what the log directories still need for a clean stop.
struct Stopped {
    image: MetadataImage,
    directories: Directories,
    closed: ShardClosed,
}

/// A start without clients, and a stop.
async fn stop_cleanly(
    config: BrokerConfig,
    log_config: &LogConfig,
    info: LogDirsInfo,
    (properties, all_named): (&[(PathBuf, Option<MetaProperties>)], bool),
) -> Result<Stopped, KafkaError> {
    let broker = |error: &dyn fmt::Display| KafkaError::Broker(error.to_string());
    let controller_config = ControllerConfig {
        broker: Rc::new(config),
        cluster_id: Some(info.cluster_id().to_owned()),
        shard_count: 1,
        first_records: Vec::new(),
    };
    let controller = Controller::open(&log_config.log_dirs[0], controller_config).await.map_err(|error| broker(&error))?;
    let image = MetadataImage::clone(&controller.image());
    let recovered = recover(log_config, &info, SHARD, 1).await.map_err(|error| broker(&error))?;
    if !all_named {
        check_directories(&image, &log_config.log_dirs).await?;
    }
    if let Some((id, what)) = recovered.damaged.first() {
        return Err(KafkaError::Broker(format!("partition {id} is damaged and cannot be given to Kafka: {what}")));
    }
    let store = LogStore::open(log_config.clone(), info, SHARD).await.map_err(|error| broker(&error))?;
    let opened = open_all(&store, &image, properties).await;
    let closed = store.close().await;
    Ok(Stopped { image, directories: opened?, closed })
}

async fn open_all(
    store: &Rc<LogStore>,
    image: &MetadataImage,
    properties: &[(PathBuf, Option<MetaProperties>)],
) -> Result<Directories, KafkaError> {
    let mut directories = Directories::new();
    let config = Rc::new(TopicLogConfig::default());
    for topic in image.topics() {
        for id in topic.partition_ids() {
            let opened = store.open_partition(id.topic_id, &topic.name, id.partition, Rc::clone(&config)).await;
            let log = opened.map_err(|error| KafkaError::Broker(format!("partition {}-{}: {error}", topic.name, id.partition)))?;
            let path = log.path();
            let home = properties.iter().find(|(dir, _)| path.parent() == Some(dir.as_path())).and_then(|(_, found)| found.as_ref());
            if let Some(directory_id) = home.and_then(|found| found.directory_id) {
                directories.insert(id, directory_id.0);
            }
        }
    }
    Ok(directories)
}

/// Whether it is certain that all of `log.dirs` were named; then a partition without a directory is one that never had a record, and gets an
/// empty one.
async fn check_all_named(dirs: &[PathBuf]) -> Result<bool, KafkaError> {
    let missing = dir_list::missing(dirs).await.map_err(|error| KafkaError::Broker(error.to_string()))?;
    match missing.as_ref().and_then(|missing| missing.first()) {
        Some(dir) => Err(KafkaError::Broker(format!("the broker's last start had log directory {dir}, too: name all of log.dirs"))),
        None => Ok(missing.is_some()),
    }
}

/// Without a note of all directories every partition must be in one of the directories: else not all of `log.dirs` were named, and an empty log would stand for a full one.
async fn check_directories(image: &MetadataImage, dirs: &[PathBuf]) -> Result<(), KafkaError> {
    let mut names = BTreeSet::new();
    for dir in dirs {
        let listing = fs::list_dir(dir).await.map_err(|error| KafkaError::Io(dir.clone(), error))?;
        names.extend(listing.into_iter().filter(|entry| entry.is_dir).map(|entry| entry.name));
    }
    let all =
        image.topics().flat_map(|topic| (0..topic.partitions.len()).map(|index| (Rc::from(&*topic.name), PartitionIndex(index as i32))));
    let name = |(topic, index): (Rc<str>, PartitionIndex)| PartitionDirectory::live(topic.to_string(), index).to_string();
    match all.map(name).find(|name| !names.contains(name)) {
        None => Ok(()),
        Some(missing) => {
            let why = format!(
                "partition {missing} is in none of the directories: name all of log.dirs; or start and stop the broker once, \
                if a crash made it lose a partition that never had a record"
            );
            Err(KafkaError::Broker(why))
        }
    }
}

async fn read_kafkas(dirs: &[PathBuf]) -> Result<Option<(PathBuf, MetadataLog)>, KafkaError> {
    for dir in dirs {
        if let Some(log) = metadata_log::read(dir).await? {
            return Ok(Some((dir.clone(), log)));
        }
    }
    Ok(None)
}

async fn write_snapshot(log_dirs: &[PathBuf], metadata_dir: &Path, encoded: &Encoded) -> Result<PathBuf, KafkaError> {
    let name = encoded.id.file_name();
    note_own(&log_dirs[0], &name, encoded.bytes.len()).await?;
    let dir = metadata_dir.join(METADATA_DIRECTORY);
    let path = dir.join(name);
    let written = async {
        fs::create_dir_all(&dir).await?;
        fs::write_file(&path, &encoded.bytes).await?;
        fs::sync_dir(metadata_dir).await?;
        for log_dir in log_dirs {
            fs::write_file(&log_dir.join(CLEAN_SHUTDOWN), encode_clean_shutdown(encoded.broker_epoch).as_bytes()).await?;
        }
        Ok(())
    };
    written.await.map_err(|error| KafkaError::Io(path.clone(), error))?;
    Ok(path)
}
