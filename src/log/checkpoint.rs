//! Ringmill's own checkpoints at the root of a log directory: for each partition, up to where its segments are known to be durable, and its
//! log start offset.
//!
//! ```text
//!  8 magic "RMCKPT1\n"     4 count
//! 36 for each: 16 topic id, 4 partition, 8 recovery point, 8 log start offset
//!  4 CRC-32C of all before
//! ```
//! `ringmill-checkpoint` is what the last start found; `ringmill-checkpoint-<shard>` (and `-r<shard>`, written by replay) only add to it. Both values
//! only grow, and topic ids are never reused, so the largest found is right. Kafka's own checkpoint files name partitions by topic
//! name, which a later topic may reuse, so they are written only at a clean stop.

use super::OpenError;
use crate::rt::fs;
use crate::types::{Offset, PartitionIndex, TopicId, TopicPartitionId};
use std::collections::BTreeMap;
use std::io;
use std::path::Path;

pub const BASE_NAME: &str = "ringmill-checkpoint";
const MAGIC: &[u8; 8] = b"RMCKPT1\n";
const ENTRY_SIZE: usize = 36;
/// 7 million partitions.
const FILE_BYTES_MAX: u64 = 256 << 20;

/// What is known of one partition.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Checkpoint {
    /// Segments were durable up to here (exclusive): less after a crash is damage.
    pub recovery_point: Offset,
    pub log_start: Offset,
}

pub type Checkpoints = BTreeMap<TopicPartitionId, Checkpoint>;

pub fn encode(checkpoints: &Checkpoints) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(16 + checkpoints.len() * ENTRY_SIZE);
    bytes.extend_from_slice(MAGIC);
    bytes.extend_from_slice(&(checkpoints.len() as u32).to_be_bytes());
    for (id, checkpoint) in checkpoints {
        bytes.extend_from_slice(&id.topic_id.0);
        bytes.extend_from_slice(&id.partition.0.to_be_bytes());
        bytes.extend_from_slice(&checkpoint.recovery_point.0.to_be_bytes());
        bytes.extend_from_slice(&checkpoint.log_start.0.to_be_bytes());
    }
    let crc = crc32c::crc32c(&bytes);
    bytes.extend_from_slice(&crc.to_be_bytes());
    bytes
}

/// `None` if the bytes are not what [`encode`] wrote.
pub fn decode(bytes: &[u8]) -> Option<Checkpoints> {
    let (content, crc) = bytes.split_last_chunk::<4>()?;
    if crc32c::crc32c(content) != u32::from_be_bytes(*crc) {
        return None;
    }
    let entries = content.strip_prefix(MAGIC)?;
    let (count, entries) = entries.split_first_chunk::<4>()?;
    if entries.len() != u32::from_be_bytes(*count) as usize * ENTRY_SIZE {
        return None;
    }
    Some(entries.chunks_exact(ENTRY_SIZE).map(decode_entry).collect())
}

fn decode_entry(entry: &[u8]) -> (TopicPartitionId, Checkpoint) {
    let long = |at: usize| i64::from_be_bytes(entry[at..at + 8].try_into().expect("eight bytes"));
    let id = TopicPartitionId {
        topic_id: TopicId(entry[..16].try_into().expect("sixteen bytes")),
        partition: PartitionIndex(i32::from_be_bytes(entry[16..20].try_into().expect("four bytes"))),
    };
    (id, Checkpoint { recovery_point: Offset(long(20)), log_start: Offset(long(28)) })
}

/// Takes the larger values of both.
pub fn merge(into: &mut Checkpoints, from: Checkpoints) {
    for (id, found) in from {
        let known = into.entry(id).or_default();
        known.recovery_point = known.recovery_point.max(found.recovery_point);
        known.log_start = known.log_start.max(found.log_start);
    }
}

/// Whether a file at the root of a log directory is one of these.
pub fn is_name(name: &str) -> bool {
    let rest = name.strip_prefix(BASE_NAME);
    rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('-') && !rest.contains('.'))
}

/// All checkpoint files of a log directory, merged, and the names of those beside the base file.
pub async fn read_all(dir: &Path) -> Result<(Checkpoints, Vec<String>), OpenError> {
    let io = |error| OpenError::Io(dir.to_path_buf(), error);
    let mut merged = Checkpoints::new();
    let mut added = Vec::new();
    for entry in fs::list_dir(dir).await.map_err(io)? {
        if entry.is_dir || !is_name(&entry.name) {
            continue;
        }
        let path = dir.join(&entry.name);
        let bytes = match fs::read_file(&path, FILE_BYTES_MAX).await {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            Err(error) => return Err(OpenError::Io(path, error)),
        };
        match decode(&bytes) {
            Some(found) => merge(&mut merged, found),
            None => return Err(OpenError::Damaged(path, "the checkpoint file does not verify".into())),
        }
        if entry.name != BASE_NAME {
            added.push(entry.name);
        }
    }
    Ok((merged, added))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn checkpoints_round_trip_and_no_truncation_passes(entries in prop::collection::vec((any::<[u8; 16]>(), any::<i32>(), any::<i64>(), any::<i64>()), 0..20)) {
            let checkpoints: Checkpoints = entries.into_iter().map(|(topic, partition, recovery, start)| {
                let id = TopicPartitionId { topic_id: TopicId(topic), partition: PartitionIndex(partition) };
                (id, Checkpoint { recovery_point: Offset(recovery), log_start: Offset(start) })
            }).collect();
            let bytes = encode(&checkpoints);
            prop_assert_eq!(decode(&bytes), Some(checkpoints));
            for len in 0..bytes.len() {
                prop_assert_eq!(decode(&bytes[..len]), None);
            }
        }
    }

    #[test]
    fn merging_keeps_the_larger_values() {
        let id = TopicPartitionId { topic_id: TopicId([7; 16]), partition: PartitionIndex(0) };
        let one = Checkpoint { recovery_point: Offset(10), log_start: Offset(3) };
        let other = Checkpoint { recovery_point: Offset(8), log_start: Offset(5) };
        let mut merged = Checkpoints::from([(id, one)]);
        merge(&mut merged, Checkpoints::from([(id, other)]));
        assert_eq!(merged[&id], Checkpoint { recovery_point: Offset(10), log_start: Offset(5) });
    }
}
