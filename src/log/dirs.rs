//! The log directories of the process: locks, identity, the mark of a clean stop. Opened once, before any shard's store.

use super::checkpoint::{self, BASE_NAME, Checkpoint, Checkpoints};
use super::format::{
    CLEAN_SHUTDOWN, LOG_START_OFFSET_CHECKPOINT, META_PROPERTIES, MetaProperties, OffsetCheckpointEntry, PartitionDirectory,
    RECOVERY_POINT_CHECKPOINT, REPLICATION_OFFSET_CHECKPOINT, decode_offset_checkpoint, encode_clean_shutdown, encode_offset_checkpoint,
    is_foreign_to_root,
};
use super::space::SharedSpace;
use super::tasks::for_each;
use super::{LogConfig, OpenError, compaction, foreign, kafka_recovery, metadata};
use crate::rt::fs::FileLock;
use crate::rt::{self, Queue, fs};
use crate::types::{Offset, PartitionIndex, TopicId, TopicPartitionId};
use std::cell::RefCell;
use std::io;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::sync::Arc;

const LOCK_NAME: &str = ".lock";
const SMALL_FILE_BYTES_MAX: u64 = 1 << 20;
const CHECKPOINT_BYTES_MAX: u64 = 256 << 20;
/// Enough to keep the blocking pool busy.
const LOOKS_AT_ONCE: u64 = 64;

/// Holds the directories' locks; `Send`. Kept by whoever starts and stops the broker.
pub struct LogDirs {
    info: LogDirsInfo,
    _locks: Vec<FileLock>,
}

/// What the shards need to know of the directories; cheap to clone, `Send`.
#[derive(Clone, Debug)]
pub struct LogDirsInfo {
    cluster_id: Arc<str>,
    pub(super) dirs: Arc<[DirInfo]>,
}

/// One log directory as it was found.
#[derive(Clone, Debug)]
pub(super) struct DirInfo {
    pub path: PathBuf,
    /// Its last user stopped cleanly.
    pub clean: bool,
    /// Why the broker runs without it.
    pub offline: Option<Arc<str>>,
    pub space: Arc<SharedSpace>,
}

/// What a closed store hands to [`LogDirs::close`]; `Send`. For each directory its partitions, or `None` if it could not be closed cleanly.
#[derive(Clone, Debug, Default)]
pub struct ShardClosed {
    pub(super) dirs: Vec<Option<Vec<ClosedPartition>>>,
}

impl ShardClosed {
    /// Every directory was closed cleanly.
    pub fn is_whole(&self) -> bool {
        self.dirs.iter().all(Option::is_some)
    }
}

/// Where a partition's log ended.
#[derive(Clone, Debug)]
pub(super) struct ClosedPartition {
    pub id: TopicPartitionId,
    pub topic: String,
    pub log_start: Offset,
    pub log_end: Offset,
    /// The end (exclusive) of what is compacted.
    pub cleaned_to: Option<Offset>,
}

/// The directories locked and looked at, and nothing in them changed yet.
pub struct LockedDirs {
    locks: Vec<FileLock>,
    found: Vec<Option<MetaProperties>>,
    dirs: Vec<DirInfo>,
}

impl LockedDirs {
    /// Makes missing directories, locks them, and reads their `meta.properties`. A directory that cannot be read or written stays offline,
    /// except the first, which has the cluster's metadata.
    pub async fn lock(config: &LogConfig) -> Result<LockedDirs, OpenError> {
        let (mut locks, mut found, mut dirs) = (Vec::new(), Vec::new(), Vec::new());
        for path in &config.log_dirs {
            let mut dir = DirInfo { path: path.clone(), clean: false, offline: None, space: Arc::default() };
            let properties = match claim(path).await {
                Ok((lock, properties)) => {
                    locks.push(lock);
                    properties
                }
                Err(error) => {
                    dir.offline = Some(offline_from_the_start(dirs.len(), path, error)?);
                    None
                }
            };
            found.push(properties);
            dirs.push(dir);
        }
        Ok(LockedDirs { locks, found, dirs })
    }

    /// Fails if one of them is offline, for who needs them all.
    pub fn whole(self) -> Result<LockedDirs, OpenError> {
        match self.dirs.iter().find(|dir| dir.offline.is_some()) {
            Some(dir) => Err(OpenError::Offline(dir.path.clone())),
            None => Ok(self),
        }
    }

    /// What each directory says of itself, in the order of `log.dirs`; `None` for one without `meta.properties`. Those offline are left out.
    pub fn properties(&self) -> Vec<(PathBuf, Option<MetaProperties>)> {
        let online = self.dirs.iter().zip(&self.found).filter(|(dir, _)| dir.offline.is_none());
        online.map(|(dir, found)| (dir.path.clone(), found.clone())).collect()
    }

    /// Checks or writes their `meta.properties`, and makes them this process's.
    pub async fn open(self, config: &LogConfig) -> Result<LogDirs, OpenError> {
        let LockedDirs { locks, found, mut dirs } = self;
        let known = found.iter().flatten().map(|properties| properties.cluster_id.clone()).next();
        let cluster_id = config.cluster_id.clone().or(known).unwrap_or_else(random_id);
        for (index, (dir, properties)) in dirs.iter_mut().zip(found).enumerate().filter(|(_, (dir, _))| dir.offline.is_none()) {
            match make_ours(&dir.path, properties, config, &cluster_id).await {
                Ok(clean) => dir.clean = clean,
                Err(error) => dir.offline = Some(offline_from_the_start(index, &dir.path, error)?),
            }
        }
        Ok(LogDirs { info: LogDirsInfo { cluster_id: cluster_id.into(), dirs: dirs.into() }, _locks: locks })
    }
}

impl LogDirs {
    /// [`LockedDirs::lock`] and [`LockedDirs::open`] in one. Call on any one core.
    pub async fn open(config: &LogConfig) -> Result<LogDirs, OpenError> {
        LockedDirs::lock(config).await?.open(config).await
    }

    pub fn info(&self) -> LogDirsInfo {
        self.info.clone()
    }

    /// The start goes on without this directory: it failed while journals were replayed. To be said before stores are opened.
    pub fn go_without(&mut self, index: usize, reason: &str) {
        let mut dirs = self.info.dirs.to_vec();
        tracing::error!(dir = %dirs[index].path.display(), "log directory goes offline at the start: {reason}");
        dirs[index].offline = Some(reason.into());
        self.info.dirs = dirs.into();
    }

    /// The last step of a clean stop, when every shard's store is closed: Kafka's checkpoint files and the mark of a clean stop.
    pub async fn close(self, closed: Vec<ShardClosed>) -> Result<(), OpenError> {
        for (index, dir) in self.info.dirs.iter().enumerate().filter(|(_, dir)| dir.offline.is_none()) {
            let shards: Option<Vec<&Vec<ClosedPartition>>> = closed.iter().map(|shard| shard.dirs.get(index)?.as_ref()).collect();
            match shards {
                Some(shards) => close_dir(&dir.path, shards.into_iter().flatten().collect()).await?,
                None => {
                    tracing::warn!(dir = %dir.path.display(), "not every shard closed this log directory: the next start will recover it")
                }
            }
        }
        Ok(())
    }
}

impl LogDirsInfo {
    /// 22 characters of URL-safe base64: what the directories say, or what was drawn for new ones.
    pub fn cluster_id(&self) -> &str {
        &self.cluster_id
    }

    /// Whether the broker can run without this directory. The first has the metadata log.
    pub(super) fn may_go_without(&self, index: usize) -> bool {
        index > 0
    }
}

/// Why the broker runs without this directory; the error itself, if it cannot.
fn offline_from_the_start(index: usize, path: &Path, error: OpenError) -> Result<Arc<str>, OpenError> {
    if index == 0 || !error.is_of_the_disk() {
        return Err(error);
    }
    tracing::error!(dir = %path.display(), "log directory is offline from the start: {error}");
    Ok(error.to_string().into())
}

async fn claim(dir: &Path) -> Result<(FileLock, Option<MetaProperties>), OpenError> {
    fs::create_dir_all(dir).await.map_err(|error| OpenError::Io(dir.to_path_buf(), error))?;
    let lock = lock(dir).await?;
    Ok((lock, read_properties(dir).await?))
}

/// Whether its last user stopped cleanly.
async fn make_ours(dir: &Path, found: Option<MetaProperties>, config: &LogConfig, cluster_id: &str) -> Result<bool, OpenError> {
    identify(dir, found, config, cluster_id).await?;
    take_over(dir).await
}

async fn lock(dir: &Path) -> Result<FileLock, OpenError> {
    let path = dir.join(LOCK_NAME);
    match fs::lock(&path).await {
        Ok(lock) => Ok(lock),
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => Err(OpenError::Locked(dir.to_path_buf())),
        Err(error) => Err(OpenError::Io(path, error)),
    }
}

async fn read_small(path: &Path, len_max: u64) -> Result<Option<bytes::Bytes>, OpenError> {
    match fs::read_file(path, len_max).await {
        Ok(bytes) => Ok(Some(bytes)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(OpenError::Io(path.to_path_buf(), error)),
    }
}

pub(super) async fn read_properties(dir: &Path) -> Result<Option<MetaProperties>, OpenError> {
    let path = dir.join(META_PROPERTIES);
    let Some(bytes) = read_small(&path, SMALL_FILE_BYTES_MAX).await? else { return Ok(None) };
    MetaProperties::decode(&bytes).map(Some).map_err(|error| OpenError::Foreign(dir.to_path_buf(), error.to_string()))
}

/// A new random id as Kafka makes them: version 4 of a UUID, not beginning with a dash.
fn random_id() -> String {
    loop {
        let mut bytes = (u128::from(rt::random_u64()) << 64 | u128::from(rt::random_u64())).to_be_bytes();
        bytes[6] = bytes[6] & 0x0f | 0x40;
        bytes[8] = bytes[8] & 0x3f | 0x80;
        let id = TopicId(bytes).to_string();
        if !id.starts_with('-') {
            return id;
        }
    }
}

/// Checks whose directory it is, or makes it ours.
async fn identify(dir: &Path, found: Option<MetaProperties>, config: &LogConfig, cluster_id: &str) -> Result<(), OpenError> {
    let foreign = |why: String| OpenError::Foreign(dir.to_path_buf(), why);
    let Some(found) = found else {
        let directory_id = TopicId::parse(&random_id());
        let properties = MetaProperties { cluster_id: cluster_id.to_owned(), node_id: config.node_id, directory_id };
        let path = dir.join(META_PROPERTIES);
        return fs::write_file(&path, &properties.encode()).await.map_err(|error| OpenError::Io(path, error));
    };
    if found.cluster_id != cluster_id {
        return Err(foreign(format!("the log directory belongs to cluster {}, not to {cluster_id}", found.cluster_id)));
    }
    if found.node_id != config.node_id {
        return Err(foreign(format!("the log directory belongs to node {}, but node.id is {}", found.node_id, config.node_id)));
    }
    Ok(())
}

/// Takes the mark of a clean stop away, brings checkpoints together, clears what was being deleted. Whether its logs are whole: the last stop
/// was clean, or Kafka's rule has made them so.
async fn take_over(dir: &Path) -> Result<bool, OpenError> {
    let io = |error| OpenError::Io(dir.to_path_buf(), error);
    let listing = fs::list_dir(dir).await.map_err(io)?;
    let stopped_cleanly = listing.iter().any(|entry| entry.name == CLEAN_SHUTDOWN);
    foreign::note(dir, &listing, is_foreign_to_root);
    let mut clean = stopped_cleanly;
    let (mut checkpoints, added) = checkpoint::read_all(dir).await?;
    let ours = !checkpoints.is_empty() || listing.iter().any(|entry| entry.name == BASE_NAME);
    if !stopped_cleanly && !ours {
        clean = kafka_recovery::recover(dir, &listing).await?;
    }
    if stopped_cleanly || !ours {
        checkpoint::merge(&mut checkpoints, kafka_log_starts(dir).await?);
    }
    fs::write_file(&dir.join(BASE_NAME), &checkpoint::encode(&checkpoints)).await.map_err(io)?;
    compaction::take_over_checkpoint(dir, clean || !ours).await?;
    for name in
        added.iter().map(String::as_str).chain([LOG_START_OFFSET_CHECKPOINT, RECOVERY_POINT_CHECKPOINT, REPLICATION_OFFSET_CHECKPOINT])
    {
        remove_if_there(&dir.join(name)).await?;
    }
    remove_if_there(&dir.join(CLEAN_SHUTDOWN)).await?;
    fs::sync_dir(dir).await.map_err(io)?;
    if !stopped_cleanly {
        // The names that a scan is about to find must be on stable storage before it is served; bytes it writes again.
        let file_system = fs::FileSystem::open(dir).await.map_err(io)?;
        if let Err(error) = file_system.sync().await {
            tracing::warn!(dir = %dir.display(), "a write or sync has failed before this start: {error}");
            file_system.sync().await.map_err(io)?;
        }
    }
    for entry in listing.iter().filter(|entry| entry.is_dir && is_deleted(&entry.name)) {
        let path = dir.join(&entry.name);
        rt::spawn(Queue::Background, async move {
            if let Err(error) = fs::remove_dir_all(&path).await {
                tracing::warn!(path = %path.display(), "removing a deleted partition: {error}");
            }
        });
    }
    Ok(clean)
}

fn is_deleted(name: &str) -> bool {
    PartitionDirectory::parse(name).is_some_and(|found| matches!(found.stage, super::format::DirectoryStage::Deleted { .. }))
}

async fn remove_if_there(path: &Path) -> Result<(), OpenError> {
    match fs::remove_file(path).await {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(OpenError::Io(path.to_path_buf(), error)),
        _ => Ok(()),
    }
}

/// Log start offsets that Kafka left, by topic id.
async fn kafka_log_starts(dir: &Path) -> Result<Checkpoints, OpenError> {
    let path = dir.join(LOG_START_OFFSET_CHECKPOINT);
    let Some(bytes) = read_small(&path, CHECKPOINT_BYTES_MAX).await? else { return Ok(Checkpoints::new()) };
    let entries = decode_offset_checkpoint(&bytes).map_err(|error| OpenError::Damaged(path.clone(), error.to_string()))?;
    let found = Rc::new(RefCell::new(Checkpoints::new()));
    let failed = Rc::new(RefCell::new(None));
    let started = entries.into_iter().filter(|entry| entry.offset > Offset(0)).collect();
    for_each(Queue::Foreground, started, LOOKS_AT_ONCE, |entry: OffsetCheckpointEntry| {
        let partition_dir = dir.join(PartitionDirectory::live(entry.topic, entry.partition).to_string());
        let (found, failed) = (Rc::clone(&found), Rc::clone(&failed));
        async move {
            match metadata::read_topic_id(&partition_dir).await {
                Ok(Some(topic_id)) => {
                    let id = TopicPartitionId { topic_id, partition: entry.partition };
                    found.borrow_mut().insert(id, Checkpoint { recovery_point: Offset(0), log_start: entry.offset });
                }
                Ok(None) => {}
                Err(error) => drop(failed.borrow_mut().replace(error)),
            }
        }
    })
    .await;
    match failed.take() {
        Some(error) => Err(error),
        None => Ok(found.take()),
    }
}

async fn close_dir(dir: &Path, mut partitions: Vec<&ClosedPartition>) -> Result<(), OpenError> {
    partitions.sort_by(|a, b| (&a.topic, a.id.partition).cmp(&(&b.topic, b.id.partition)));
    // Partitions that were never opened (damaged, strays) keep what is known of them.
    let (mut checkpoints, _) = checkpoint::read_all(dir).await?;
    let ends = partitions.iter().map(|closed| (closed.id, Checkpoint { recovery_point: closed.log_end, log_start: closed.log_start }));
    checkpoint::merge(&mut checkpoints, ends.collect());
    let offsets = |pick: fn(&ClosedPartition) -> Offset| {
        let entries: Vec<_> = partitions.iter().map(|closed| entry(&closed.topic, closed.id.partition, pick(closed))).collect();
        encode_offset_checkpoint(&entries).into_bytes()
    };
    let started: Vec<_> = partitions.iter().filter(|closed| closed.log_start > Offset(0)).collect();
    let starts: Vec<_> = started.iter().map(|closed| entry(&closed.topic, closed.id.partition, closed.log_start)).collect();
    let cleaned = partitions.iter().filter_map(|closed| Some((closed.id, closed.topic.clone(), closed.cleaned_to?)));
    let cleaned: Vec<_> = cleaned.collect();
    compaction::close_checkpoint(dir, &cleaned).await.map_err(|error| OpenError::Io(dir.to_path_buf(), error))?;
    let files = [
        (BASE_NAME, checkpoint::encode(&checkpoints)),
        (RECOVERY_POINT_CHECKPOINT, offsets(|closed| closed.log_end)),
        (REPLICATION_OFFSET_CHECKPOINT, offsets(|closed| closed.log_end)),
        (LOG_START_OFFSET_CHECKPOINT, encode_offset_checkpoint(&starts).into_bytes()),
        (CLEAN_SHUTDOWN, encode_clean_shutdown(-1).into_bytes()),
    ];
    for (name, contents) in files {
        let path = dir.join(name);
        fs::write_file(&path, &contents).await.map_err(|error| OpenError::Io(path, error))?;
    }
    Ok(())
}

fn entry(topic: &str, partition: PartitionIndex, offset: Offset) -> OffsetCheckpointEntry {
    OffsetCheckpointEntry { topic: topic.to_owned(), partition, offset }
}
