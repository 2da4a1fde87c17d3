//! Kafka's own rule for a log directory that Kafka did not stop cleanly, before it is taken over.
//!
//! For each partition, everything from the segment on that holds the recovery point is read by CRC; the log is cut at the first bad batch, and later
//! segments go. Indexes, the producers' snapshot and leader epochs are made anew for what was read, so that the partition then opens as
//! after a clean stop. What goes, goes from the end, so a crash on the way comes to the same when all is done again. Below the recovery point
//! nothing is touched.

use super::compaction::{Author, finish_interrupted};
use super::format::{AbortedTransaction, DirectoryStage, FileStage};
use super::format::{
    EpochEntry, LEADER_EPOCH_CHECKPOINT, OffsetCheckpointEntry, PartitionDirectory, RECOVERY_POINT_CHECKPOINT, SegmentFile,
    SegmentFileKind, SegmentIndexes, decode_offset_checkpoint, decode_producer_snapshot, encode_leader_epoch_checkpoint,
    encode_producer_snapshot,
};
use super::found::Found;
use super::producer::ProducerStates;
use super::segment::files::Files;
use super::segment::path;
use super::segment::scan::{Source, scan_batches};
use super::{OpenError, TopicLogConfig, metadata, plain};
use crate::config::limits::KAFKA_CHECKPOINT_BYTES_MAX;
use crate::rt::fs::{self, DirEntry};
use crate::rt::{File, wall_clock};
use crate::types::{LeaderEpoch, Offset};
use crate::wire::records::{BatchHeader, RecordBatch};
use bytes::Bytes;
use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};

/// Kafka's metadata log is not a partition of ours: nothing in it is touched.
const METADATA_PARTITION: &str = "__cluster_metadata-0";
const SNAPSHOT_BYTES_MAX: u64 = 256 << 20;

/// Recovers the partitions of a log directory, if it is one that Kafka wrote; whether all are whole now.
pub async fn recover(dir: &Path, listing: &[DirEntry]) -> Result<bool, OpenError> {
    if !listing.iter().any(|entry| entry.is_dir && entry.name == METADATA_PARTITION || entry.name == RECOVERY_POINT_CHECKPOINT) {
        return Ok(false);
    }
    tracing::warn!(dir = %dir.display(), "Apache Kafka did not stop cleanly here: recovering its logs from their recovery points on");
    let points = recovery_points(dir).await?;
    for entry in listing.iter().filter(|entry| entry.is_dir && entry.name != METADATA_PARTITION) {
        let Some(found) = PartitionDirectory::parse(&entry.name).filter(|found| found.stage == DirectoryStage::Live) else { continue };
        let point = points.iter().find(|point| point.topic == found.topic && point.partition == found.partition);
        let partition_dir = dir.join(&entry.name);
        let listing = fs::list_dir(&partition_dir).await.map_err(|error| OpenError::Io(partition_dir.clone(), error))?;
        finish_interrupted(&partition_dir, &listing, Author::Kafka).await?;
        let recovery = Recovery::of(partition_dir).await?;
        recovery.run(point.map_or(Offset(0), |point| point.offset)).await?;
    }
    // One sync for all that was written, before anything says that it is done.
    fs::sync_filesystem(dir).await.map_err(|error| OpenError::Io(dir.to_path_buf(), error))?;
    Ok(true)
}

async fn recovery_points(dir: &Path) -> Result<Vec<OffsetCheckpointEntry>, OpenError> {
    let path = dir.join(RECOVERY_POINT_CHECKPOINT);
    let bytes = match fs::read_file(&path, KAFKA_CHECKPOINT_BYTES_MAX).await {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(OpenError::Io(path, error)),
    };
    Ok(decode_offset_checkpoint(&bytes).unwrap_or_else(|error| {
        tracing::warn!(path = %path.display(), "all logs are read from their start: {error}");
        Vec::new()
    }))
}

/// One partition's directory.
struct Recovery {
    dir: PathBuf,
    listing: Vec<DirEntry>,
    /// Base offsets of the segments, ascending.
    bases: Vec<Offset>,
    producers: ProducerStates,
    /// The producers have all below.
    producers_end: Offset,
    epochs: BTreeMap<LeaderEpoch, Offset>,
}

/// What reading a segment found.
struct Read {
    /// Whole batches end here; more may follow.
    position: u64,
    next_offset: Offset,
    bad: Option<String>,
    indexes: SegmentIndexes,
    aborted: Vec<AbortedTransaction>,
}

impl Recovery {
    async fn of(dir: PathBuf) -> Result<Recovery, OpenError> {
        let listing = fs::list_dir(&dir).await.map_err(|error| OpenError::Io(dir.clone(), error))?;
        let mut recovery = Recovery {
            dir,
            listing,
            bases: Vec::new(),
            producers: ProducerStates::default(),
            producers_end: Offset(0),
            epochs: BTreeMap::new(),
        };
        recovery.bases = recovery.live(SegmentFileKind::Log);
        Ok(recovery)
    }

    fn live(&self, kind: SegmentFileKind) -> Vec<Offset> {
        let files = self.listing.iter().filter_map(|entry| SegmentFile::parse(&entry.name));
        files.filter(|file| file.kind == kind && file.stage == FileStage::Live).map(|file| file.base_offset).collect()
    }

    fn io(&self, error: io::Error) -> OpenError {
        OpenError::Io(self.dir.clone(), error)
    }

    async fn run(mut self, recovery_point: Offset) -> Result<(), OpenError> {
        if self.bases.is_empty() {
            return Ok(());
        }
        let first = self.bases.partition_point(|base| *base <= recovery_point).saturating_sub(1);
        self.read_producers(first).await?;
        let mut log_end = self.bases[first];
        for index in first..self.bases.len() {
            let base = self.bases[index];
            let file = Files::open_writer(&path(&self.dir, base, SegmentFileKind::Log)).await.map_err(|error| self.io(error))?;
            let read = self.read(&file, base).await?;
            log_end = read.next_offset;
            if let Some(why) = &read.bad {
                self.cut(&file, index, &read, why).await?;
            }
            self.write_indexes(base, &read).await?;
            if read.bad.is_some() {
                break;
            }
        }
        self.write_state(log_end).await
    }

    /// The producers up to the first segment that is read: from the newest good snapshot, and the batches behind it.
    async fn read_producers(&mut self, first: usize) -> Result<(), OpenError> {
        let upto = self.bases[first];
        for offset in self.live(SegmentFileKind::ProducerSnapshot).into_iter().rev().filter(|offset| *offset <= upto) {
            let bytes = fs::read_file(&path(&self.dir, offset, SegmentFileKind::ProducerSnapshot), SNAPSHOT_BYTES_MAX).await;
            if let Ok(entries) = decode_producer_snapshot(&bytes.map_err(|error| self.io(error))?) {
                // Who has expired is looked at when the partition opens.
                (self.producers, self.producers_end) = (ProducerStates::from_snapshot(&entries, wall_clock(), i64::MAX), offset);
                break;
            }
        }
        for index in 0..first {
            if self.bases[index + 1] > self.producers_end {
                let base = self.bases[index];
                let file = Files::open_writer(&path(&self.dir, base, SegmentFileKind::Log)).await.map_err(|error| self.io(error))?;
                self.read(&file, base).await?;
            }
        }
        self.producers_end = upto;
        self.epochs.clear();
        Ok(())
    }

    async fn read(&mut self, file: &File, base: Offset) -> Result<Read, OpenError> {
        let size = file.len().await.map_err(|error| self.io(error))?;
        let mut indexes = SegmentIndexes::new(base, TopicLogConfig::default().index_interval_bytes);
        let mut aborted = Vec::new();
        let (mut misfit, mut next_offset) = (None, base);
        let (producers, epochs, producers_end) = (&mut self.producers, &mut self.epochs, self.producers_end);
        let visit = |header: &BatchHeader, position: u64, batch: &Bytes| {
            if misfit.is_some() || !indexes.fits(header.last_offset()) || position > i32::MAX as u64 {
                misfit.get_or_insert(position);
                return;
            }
            indexes.add(header, position as u32);
            next_offset = header.next_offset();
            if epochs.last_key_value().is_none_or(|(last, _)| *last < header.leader_epoch) {
                epochs.insert(header.leader_epoch, header.base_offset);
            }
            if header.base_offset < producers_end {
                return;
            }
            let ended = RecordBatch::split_from(&mut batch.clone()).ok().and_then(|batch| producers.record(&batch));
            aborted.extend(ended.and_then(|ended| ended.aborted_transaction()));
        };
        let end = scan_batches(Source::File(file), 0, size, base, visit).await.map_err(|error| OpenError::Io(self.dir.clone(), error))?;
        let position = misfit.unwrap_or(end.position);
        let why = || end.stop.as_ref().map_or_else(|| "an offset that is out of the segment's range".into(), ToString::to_string);
        let bad = (position < size).then(why);
        indexes.seal();
        Ok(Read { position, next_offset, bad, indexes, aborted })
    }

    /// Cuts the log at the end of what was read of the segment at `index`.
    async fn cut(&self, file: &File, index: usize, read: &Read, why: &str) -> Result<(), OpenError> {
        let segment = path(&self.dir, self.bases[index], SegmentFileKind::Log);
        tracing::warn!(
            segment = %segment.display(), position = read.position, offset = %read.next_offset, segments_removed = self.bases.len() - index - 1,
            "cut a log that Apache Kafka left: {why}"
        );
        for base in self.bases[index + 1..].iter().rev() {
            for entry in &self.listing {
                let is_its =
                    SegmentFile::parse(&entry.name).is_some_and(|file| file.base_offset == *base && file.kind != SegmentFileKind::Log);
                if is_its {
                    fs::remove_file(&self.dir.join(&entry.name)).await.map_err(|error| self.io(error))?;
                }
            }
            fs::remove_file(&path(&self.dir, *base, SegmentFileKind::Log)).await.map_err(|error| self.io(error))?;
            fs::sync_dir(&self.dir).await.map_err(|error| self.io(error))?;
        }
        file.truncate(read.position).await.map_err(|error| self.io(error))?;
        file.sync().await.map_err(|error| self.io(error))
    }

    async fn write_indexes(&self, base: Offset, read: &Read) -> Result<(), OpenError> {
        let aborted: Vec<u8> = read.aborted.iter().flat_map(AbortedTransaction::to_bytes).collect();
        let mut files = vec![
            plain::of_segment(base, SegmentFileKind::OffsetIndex, 0, read.indexes.offsets().bytes().to_vec()),
            plain::of_segment(base, SegmentFileKind::TimeIndex, 0, read.indexes.times().bytes().to_vec()),
        ];
        if aborted.is_empty() {
            remove_if_there(&path(&self.dir, base, SegmentFileKind::TxnIndex)).await?;
        } else {
            files.push(plain::of_segment(base, SegmentFileKind::TxnIndex, 0, aborted));
        }
        fs::write_plain(&self.dir, files).await.map_err(|error| self.io(error))
    }

    /// The producers' snapshot at the log's end, none above it, and leader epochs that the checkpoint lacks.
    async fn write_state(&self, log_end: Offset) -> Result<(), OpenError> {
        for offset in self.live(SegmentFileKind::ProducerSnapshot).into_iter().filter(|offset| *offset > log_end) {
            remove_if_there(&path(&self.dir, offset, SegmentFileKind::ProducerSnapshot)).await?;
        }
        let snapshot = encode_producer_snapshot(self.producers.to_snapshot());
        let snapshot = plain::of_segment(log_end, SegmentFileKind::ProducerSnapshot, 0, snapshot);
        fs::write_plain(&self.dir, vec![snapshot]).await.map_err(|error| self.io(error))?;
        let found = Found::look(&self.dir).await.map_err(|error| self.io(error))?;
        let known = metadata::read_epochs(&found, log_end).await?;
        let mut entries: Vec<EpochEntry> = known.entries().to_vec();
        for (&epoch, &start_offset) in &self.epochs {
            if entries.last().is_none_or(|last| last.epoch < epoch && last.start_offset < start_offset) {
                entries.push(EpochEntry { epoch, start_offset });
            }
        }
        let contents = encode_leader_epoch_checkpoint(&entries);
        plain::write(&self.dir, LEADER_EPOCH_CHECKPOINT, contents.as_bytes()).await.map_err(|error| self.io(error))
    }
}

async fn remove_if_there(path: &Path) -> Result<(), OpenError> {
    match fs::remove_file(path).await {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(OpenError::Io(path.to_path_buf(), error)),
        _ => Ok(()),
    }
}
