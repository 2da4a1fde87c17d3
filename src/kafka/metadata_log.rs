//! Reads Kafka's `__cluster_metadata-0`: the newest snapshot, and the log behind it. Changes nothing.
//!
//! ```text
//! 00000000000000004711-0000000003.checkpoint    a snapshot: all below offset 4711; the last record's leader epoch was 3
//! 00000000000000000000.log ...                  segments of record batches, as any partition's
//! ```
//! Kafka's controllers make a batch durable before they count it, so only the last segment may have a torn tail, which is passed over.

use super::KafkaError;
use super::cluster::KafkaCluster;
use crate::config::limits::KAFKA_METADATA_FILE_BYTES_MAX;
use crate::log::format::{SegmentFile, SegmentFileKind};
use crate::rt::{fs, yield_if_needed};
use crate::types::{LeaderEpoch, NodeId, Offset};
use crate::wire::kraft::{self, control, control_type};
use crate::wire::records::{RecordBatch, batches};
use bytes::Bytes;
use std::io;
use std::path::{Path, PathBuf};

/// The partition directory of the metadata log.
pub const METADATA_DIRECTORY: &str = "__cluster_metadata-0";

/// Beside the log: the last election, as JSON.
const QUORUM_STATE: &str = "quorum-state";

/// A snapshot's place in the log: the offset after its last record, and that record's leader epoch.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct SnapshotId {
    pub end_offset: Offset,
    pub epoch: LeaderEpoch,
}

impl SnapshotId {
    pub fn file_name(self) -> String {
        format!("{:020}-{:010}.checkpoint", self.end_offset.0, self.epoch.0)
    }

    pub fn parse(name: &str) -> Option<SnapshotId> {
        let (offset, epoch) = name.strip_suffix(".checkpoint")?.split_once('-')?;
        let digits = |text: &str, count: usize| text.len() == count && text.bytes().all(|byte| byte.is_ascii_digit());
        if !digits(offset, 20) || !digits(epoch, 10) {
            return None;
        }
        Some(SnapshotId { end_offset: Offset(offset.parse().ok()?), epoch: LeaderEpoch(epoch.parse().ok()?) })
    }
}

/// What the log says, and where it ends.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct MetadataLog {
    pub cluster: KafkaCluster,
    pub end_offset: Offset,
    /// Of the last batch.
    pub epoch: LeaderEpoch,
    /// The newest control records of the quorum, if it is one that can change: `kraft.version` and its voters.
    pub kraft_version: Option<Bytes>,
    pub voters: Option<Bytes>,
    /// Who could vote last in the quorum that wrote it, as far as can be told.
    pub voter_ids: Vec<NodeId>,
    /// Names and sizes of its files: they change with whatever Kafka writes.
    pub fingerprint: String,
}

/// Reads the metadata log of a log directory; `None` if it has none.
pub async fn read(log_dir: &Path) -> Result<Option<MetadataLog>, KafkaError> {
    let dir = log_dir.join(METADATA_DIRECTORY);
    let listing = match fs::list_dir(&dir).await {
        Ok(listing) => listing,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(KafkaError::Io(dir, error)),
    };
    let mut snapshots: Vec<SnapshotId> = listing.iter().filter_map(|entry| SnapshotId::parse(&entry.name)).collect();
    snapshots.sort();
    let segments = listing.iter().filter_map(|entry| SegmentFile::parse(&entry.name));
    let segments: Vec<SegmentFile> = segments.filter(|file| *file == SegmentFile::live(file.base_offset, SegmentFileKind::Log)).collect();
    let mut log = MetadataLog { epoch: LeaderEpoch(0), fingerprint: fingerprint(&listing), ..MetadataLog::default() };
    if let Some(snapshot) = snapshots.last() {
        read_snapshot(&mut log, &dir.join(snapshot.file_name()), *snapshot).await?;
    }
    for (index, segment) in segments.iter().enumerate() {
        read_segment(&mut log, &dir.join(segment.to_string()), index + 1 == segments.len()).await?;
    }
    if log.voter_ids.is_empty() && listing.iter().any(|entry| entry.name == QUORUM_STATE) {
        // The election's record is in no segment that is left.
        log.voter_ids = quorum_state_ids(&String::from_utf8_lossy(&read_file(&dir.join(QUORUM_STATE)).await?));
    }
    Ok(Some(log))
}

/// The voters that Kafka's `quorum-state` names; if it names none, since they are in the log, its leader.
fn quorum_state_ids(json: &str) -> Vec<NodeId> {
    let numbers = |key: &str| -> Vec<NodeId> {
        let after = json.split(key).skip(1).filter_map(|rest| rest.trim_start().strip_prefix(':'));
        let number = after.map(|rest| rest.trim_start().split(|c: char| !c.is_ascii_digit()).next().unwrap_or_default());
        number.filter_map(|digits| Some(NodeId(digits.parse().ok()?))).collect()
    };
    let voters = numbers("\"voterId\"");
    if voters.is_empty() { numbers("\"leaderId\"") } else { voters }
}

/// As [`MetadataLog::fingerprint`], without reading it; `None` if there is no metadata log.
pub async fn read_fingerprint(log_dir: &Path) -> Result<Option<String>, KafkaError> {
    let dir = log_dir.join(METADATA_DIRECTORY);
    match fs::list_dir(&dir).await {
        Ok(listing) => Ok(Some(fingerprint(&listing))),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(KafkaError::Io(dir, error)),
    }
}

fn fingerprint(listing: &[fs::DirEntry]) -> String {
    let counts = |name: &str| name.ends_with(".log") || SnapshotId::parse(name).is_some();
    listing.iter().filter(|entry| counts(&entry.name)).map(|entry| format!("{} {}\n", entry.name, entry.len)).collect()
}

async fn read_file(path: &Path) -> Result<Bytes, KafkaError> {
    fs::read_file(path, KAFKA_METADATA_FILE_BYTES_MAX).await.map_err(|error| KafkaError::Io(path.to_path_buf(), error))
}

async fn read_snapshot(log: &mut MetadataLog, path: &Path, id: SnapshotId) -> Result<(), KafkaError> {
    let mut whole = false;
    for batch in batches(read_file(path).await?) {
        let batch = batch.and_then(|batch| batch.check_crc().map(|()| batch));
        let batch = batch.map_err(|error| damaged(path, format!("the snapshot cannot be read: {error}")))?;
        whole = apply(log, &batch, path)?;
        yield_if_needed().await;
    }
    if !whole {
        return Err(damaged(path, "the snapshot has no end".into()));
    }
    (log.end_offset, log.epoch) = (id.end_offset, id.epoch);
    Ok(())
}

async fn read_segment(log: &mut MetadataLog, path: &Path, is_last: bool) -> Result<(), KafkaError> {
    for batch in batches(read_file(path).await?) {
        let batch = match batch.and_then(|batch| batch.check_crc().map(|()| batch)) {
            Ok(batch) => batch,
            Err(error) if is_last => {
                tracing::warn!(path = %path.display(), "the metadata log ends with what was never counted: {error}");
                return Ok(());
            }
            Err(error) => return Err(damaged(path, error.to_string())),
        };
        if batch.next_offset() <= log.end_offset {
            continue;
        }
        if batch.base_offset > log.end_offset {
            return Err(damaged(path, format!("offsets {} to {} are missing", log.end_offset, batch.base_offset)));
        }
        apply(log, &batch, path)?;
        (log.end_offset, log.epoch) = (batch.next_offset(), batch.leader_epoch);
        yield_if_needed().await;
    }
    Ok(())
}

/// Applies the batch's records from the log's end on. True for the end of a snapshot.
fn apply(log: &mut MetadataLog, batch: &RecordBatch, path: &Path) -> Result<bool, KafkaError> {
    let mut footer = false;
    let records = batch.records().map_err(|error| damaged(path, error.to_string()))?;
    for record in records {
        let record = record.map_err(|error| damaged(path, error.to_string()))?;
        let Some(value) = record.value else { continue };
        if !batch.attributes.is_control() {
            let place = |error| damaged(path, format!("the record at offset {}: {error}", record.offset));
            log.cluster.apply(&value).map_err(place)?;
            continue;
        }
        let kind = record.key.as_deref().and_then(control_type);
        if let Some(ids) = kind.and_then(|kind| kraft::voters(kind, &value)) {
            log.voter_ids = ids;
        }
        match kind {
            Some(control::SNAPSHOT_FOOTER) => footer = true,
            Some(control::KRAFT_VERSION) => log.kraft_version = Some(value),
            Some(control::VOTERS) => log.voters = Some(value),
            _ => {}
        }
    }
    Ok(footer)
}

fn damaged(path: &Path, why: String) -> KafkaError {
    KafkaError::Metadata(PathBuf::from(path), why)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn snapshot_names_are_kafkas() {
        let id = SnapshotId { end_offset: Offset(4711), epoch: LeaderEpoch(3) };
        assert_eq!(id.file_name(), "00000000000000004711-0000000003.checkpoint");
        assert_eq!(SnapshotId::parse(&id.file_name()), Some(id));
        for other in ["00000000000000004711-0000000003.checkpoint.deleted", "4711-3.checkpoint", "bootstrap.checkpoint", ".checkpoint"] {
            assert_eq!(SnapshotId::parse(other), None, "{other}");
        }
    }

    #[test]
    fn voters_are_read_from_the_quorum_state() {
        let nodes = |ids: &[i32]| -> Vec<NodeId> { ids.iter().map(|id| NodeId(*id)).collect() };
        let of_static = r#"{"clusterId":"","leaderId":3000,"leaderEpoch":1,"votedId":-1,"currentVoters":[{"voterId":3000}, { "voterId" : 3001 }],"data_version":0}"#;
        assert_eq!(quorum_state_ids(of_static), nodes(&[3000, 3001]));
        let of_dynamic = r#"{"leaderId":3000,"leaderEpoch":1,"votedId":-1,"currentVoters":[],"data_version":0}"#;
        assert_eq!(quorum_state_ids(of_dynamic), nodes(&[3000]));
        assert_eq!(quorum_state_ids(r#"{"leaderId":-1,"currentVoters":[],"data_version":1}"#), []);
        assert_eq!(quorum_state_ids("garbage \"voterId\""), []);
    }
}
