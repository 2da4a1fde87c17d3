//! How far each partition is compacted, on disk: losing it costs one pass over the whole log.
//!
//! While the broker runs, each shard keeps `ringmill-cleaner-<shard>` at the root of a log directory: Kafka's checkpoint format with topic ids in the
//! place of names, which a later topic may take. A start brings them together in `ringmill-cleaner`. A clean stop writes Kafka's own
//! `cleaner-offset-checkpoint`, which is read only after a clean stop, or if Kafka was the last to use the directory.

use crate::log::format::{
    CLEANER_OFFSET_CHECKPOINT, OffsetCheckpointEntry, PartitionDirectory, decode_offset_checkpoint, encode_offset_checkpoint,
};
use crate::log::{OpenError, metadata};
use crate::rt::fs;
use crate::types::{Offset, ShardId, TopicId, TopicPartitionId};
use std::collections::BTreeMap;
use std::io;
use std::path::Path;

const BASE_NAME: &str = "ringmill-cleaner";
const FILE_BYTES_MAX: u64 = 256 << 20;

/// The end (exclusive) of what is compacted, of each partition that was.
pub type CleanedTo = BTreeMap<TopicPartitionId, Offset>;

/// At a start: everything that is known, in one file. `kafka`: its checkpoint counts.
pub async fn take_over(dir: &Path, kafka: bool) -> Result<(), OpenError> {
    let io = |error| OpenError::Io(dir.to_path_buf(), error);
    let listing = fs::list_dir(dir).await.map_err(io)?;
    let mut merged = CleanedTo::new();
    let mut added = Vec::new();
    for entry in listing.into_iter().filter(|entry| !entry.is_dir && entry.name.starts_with(BASE_NAME)) {
        for (id, offset) in read(&dir.join(&entry.name)).await? {
            let known = merged.entry(id).or_insert(offset);
            *known = offset.max(*known);
        }
        if entry.name != BASE_NAME {
            added.push(entry.name);
        }
    }
    if kafka {
        // A clean stop said the same, or Kafka has compacted since: or truncated, then it knows better.
        merged.extend(read_kafka(dir).await?);
    }
    if !merged.is_empty() || !added.is_empty() {
        write(&dir.join(BASE_NAME), &merged).await.map_err(io)?;
    }
    for name in added.iter().map(String::as_str).chain([CLEANER_OFFSET_CHECKPOINT]) {
        match fs::remove_file(&dir.join(name)).await {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(io(error)),
            _ => {}
        }
    }
    Ok(())
}

/// What a start brought together.
pub async fn read_all(dir: &Path) -> Result<CleanedTo, OpenError> {
    read(&dir.join(BASE_NAME)).await
}

/// While the broker runs: what one shard's cleaner did.
pub async fn write_shard(dir: &Path, shard: ShardId, cleaned: &CleanedTo) -> io::Result<()> {
    write(&dir.join(format!("{BASE_NAME}-{shard}")), cleaned).await
}

/// At a clean stop: for Kafka, and for us.
pub async fn close(dir: &Path, cleaned: &[(TopicPartitionId, String, Offset)]) -> io::Result<()> {
    let entry = |(id, topic, offset): &(TopicPartitionId, String, Offset)| OffsetCheckpointEntry {
        topic: topic.clone(),
        partition: id.partition,
        offset: *offset,
    };
    let entries: Vec<_> = cleaned.iter().map(entry).collect();
    fs::write_file(&dir.join(CLEANER_OFFSET_CHECKPOINT), encode_offset_checkpoint(&entries).as_bytes()).await?;
    write(&dir.join(BASE_NAME), &cleaned.iter().map(|(id, _, offset)| (*id, *offset)).collect()).await
}

async fn write(path: &Path, cleaned: &CleanedTo) -> io::Result<()> {
    let entry = |(id, offset): (&TopicPartitionId, &Offset)| OffsetCheckpointEntry {
        topic: id.topic_id.to_string(),
        partition: id.partition,
        offset: *offset,
    };
    let entries: Vec<_> = cleaned.iter().map(entry).collect();
    fs::write_file(path, encode_offset_checkpoint(&entries).as_bytes()).await
}

async fn read_entries(path: &Path) -> Result<Vec<OffsetCheckpointEntry>, OpenError> {
    let bytes = match fs::read_file(path, FILE_BYTES_MAX).await {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(OpenError::Io(path.to_path_buf(), error)),
    };
    Ok(decode_offset_checkpoint(&bytes).unwrap_or_else(|error| {
        tracing::warn!(path = %path.display(), "partitions are compacted from their start again: {error}");
        Vec::new()
    }))
}

async fn read(path: &Path) -> Result<CleanedTo, OpenError> {
    let entry = |entry: OffsetCheckpointEntry| {
        let id = TopicPartitionId { topic_id: TopicId::parse(&entry.topic)?, partition: entry.partition };
        Some((id, entry.offset))
    };
    Ok(read_entries(path).await?.into_iter().filter_map(entry).collect())
}

async fn read_kafka(dir: &Path) -> Result<CleanedTo, OpenError> {
    let mut found = CleanedTo::new();
    for entry in read_entries(&dir.join(CLEANER_OFFSET_CHECKPOINT)).await? {
        let partition_dir = dir.join(PartitionDirectory::live(entry.topic, entry.partition).to_string());
        if let Some(topic_id) = metadata::read_topic_id(&partition_dir).await? {
            found.insert(TopicPartitionId { topic_id, partition: entry.partition }, entry.offset);
        }
    }
    Ok(found)
}
