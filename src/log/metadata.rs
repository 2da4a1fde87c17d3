//! The small files of a partition's directory: `partition.metadata`, `leader-epoch-checkpoint`; and directories of other incarnations.

use super::format::{
    DirectoryStage, LEADER_EPOCH_CHECKPOINT, PARTITION_METADATA, PartitionDirectory, decode_leader_epoch_checkpoint,
    decode_partition_metadata, encode_partition_metadata,
};
use super::found::Found;
use super::plain;
use super::{LeaderEpochs, OpenError};
use crate::rt::{self, fs};
use crate::types::{Offset, PartitionIndex, TopicId};
use std::io;
use std::path::{Path, PathBuf};

const METADATA_BYTES_MAX: u64 = 4096;
const EPOCHS_BYTES_MAX: u64 = 64 << 20;

/// The topic id a partition directory belongs to; `None` if it does not say.
pub async fn read_topic_id(partition_dir: &Path) -> Result<Option<TopicId>, OpenError> {
    let path = partition_dir.join(PARTITION_METADATA);
    match fs::read_file(&path, METADATA_BYTES_MAX).await {
        // A crash may have left it empty: it is synced only with the first data.
        Ok(bytes) => Ok(decode_partition_metadata(&bytes).ok()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(OpenError::Io(path, error)),
    }
}

/// As [`read_topic_id`], of a directory that was looked at.
pub async fn found_topic_id(found: &Found) -> Result<Option<TopicId>, OpenError> {
    if !found.has(PARTITION_METADATA) {
        return Ok(None);
    }
    let bytes = found.read(PARTITION_METADATA, METADATA_BYTES_MAX).await;
    let bytes = bytes.map_err(|error| OpenError::Io(found.dir().join(PARTITION_METADATA), error))?;
    Ok(decode_partition_metadata(&bytes).ok())
}

/// Writes `partition.metadata`; the entry is durable with the partition's first sync, the content perhaps later: then it is written again.
pub async fn write(partition_dir: &Path, topic_id: TopicId) -> Result<(), OpenError> {
    let written = plain::write(partition_dir, PARTITION_METADATA, encode_partition_metadata(topic_id).as_bytes()).await;
    written.map_err(|error| OpenError::Io(partition_dir.join(PARTITION_METADATA), error))
}

/// Renames the directory of another incarnation of the topic to a stray's name, as Kafka does; nothing is deleted.
pub async fn set_aside(log_dir: &Path, topic: &str, partition: PartitionIndex) -> Result<(), OpenError> {
    let stage = DirectoryStage::Stray { tag: tag() };
    rename(log_dir, topic, partition, stage).await.map(drop)
}

/// Renames a live directory to the name of one that is about to be deleted, durably; the new path. `None` if there is none.
pub async fn rename_deleted(log_dir: &Path, topic: &str, partition: PartitionIndex) -> Result<Option<PathBuf>, OpenError> {
    rename(log_dir, topic, partition, DirectoryStage::Deleted { tag: tag() }).await
}

async fn rename(log_dir: &Path, topic: &str, partition: PartitionIndex, stage: DirectoryStage) -> Result<Option<PathBuf>, OpenError> {
    let from = log_dir.join(PartitionDirectory::live(topic, partition).to_string());
    let to = log_dir.join(PartitionDirectory { topic: topic.to_owned(), partition, stage }.to_string());
    match fs::rename(&from, &to).await {
        Ok(()) => {}
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(OpenError::Io(from, error)),
    }
    fs::sync_dir(log_dir).await.map_err(|error| OpenError::Io(log_dir.to_path_buf(), error))?;
    tracing::info!(from = %from.display(), to = %to.display(), "renamed a partition directory");
    Ok(Some(to))
}

fn tag() -> u128 {
    u128::from(rt::random_u64()) << 64 | u128::from(rt::random_u64())
}

/// Reads the leader epochs that began below `log_end`.
pub async fn read_epochs(found: &Found, log_end: Offset) -> Result<LeaderEpochs, OpenError> {
    if !found.listing.iter().any(|entry| entry.name == LEADER_EPOCH_CHECKPOINT && entry.len > 0) {
        return Ok(LeaderEpochs::default());
    }
    let path = found.dir().join(LEADER_EPOCH_CHECKPOINT);
    let bytes = found.read(LEADER_EPOCH_CHECKPOINT, EPOCHS_BYTES_MAX).await.map_err(|error| OpenError::Io(path.clone(), error))?;
    match decode_leader_epoch_checkpoint(&bytes) {
        Ok(entries) => {
            let mut epochs = LeaderEpochs::from_entries(&entries);
            epochs.truncate_from_end(log_end);
            Ok(epochs)
        }
        Err(error) => {
            tracing::warn!(path = %path.display(), "leader epochs cannot be read, only those of recent batches are known: {error}");
            Ok(LeaderEpochs::default())
        }
    }
}
