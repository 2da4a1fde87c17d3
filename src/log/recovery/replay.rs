//! Replays one journal: reads its files twice, first to know what counts, then to append what segments lack.

use super::Recovered;
use super::summary::{PartitionSummary, Summary};
use crate::log::checkpoint::{self, BASE_NAME, Checkpoint, Checkpoints};
use crate::log::dir::LogDir;
use crate::log::journal::chain::{Chain, FramePlace, Hole, chain, scan_file};
use crate::log::journal::frame::{Frame, salvage};
use crate::log::journal::{Change, Entry, files};
use crate::log::load::{Expectation, load, mark_damaged};
use crate::log::{OpenError, PartitionLog, TopicLogConfig, maintenance, metadata};
use crate::rt::{File, OpenOptions, fs, wall_clock, yield_if_needed};
use crate::types::{Offset, ShardId, TopicPartitionId};
use crate::wire::records::batches;
use bytes::Bytes;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::rc::Rc;

/// A partition's tail is written once it holds this much, and all are once they hold so much together.
const FLUSH_BYTES: u64 = 4 << 20;
const FLUSH_ALL_BYTES: u64 = 64 << 20;

pub struct Replay {
    dir: Rc<LogDir>,
    journal: ShardId,
    epoch: u64,
    paths: Vec<PathBuf>,
    files: Vec<File>,
    chain: Chain,
    summary: Summary,
    checkpoints: Checkpoints,
    /// `None`: damaged or deleted.
    logs: BTreeMap<TopicPartitionId, Option<Rc<PartitionLog>>>,
}

impl Replay {
    /// Finds out which frames count and what they hold.
    pub async fn begin(dir: Rc<LogDir>, journal: ShardId, epoch: u64, ring: Vec<usize>) -> Result<Replay, OpenError> {
        let root = dir.health.path().to_path_buf();
        let paths: Vec<PathBuf> = ring.into_iter().map(|number| files::ring_path(&root, journal, number)).collect();
        let (checkpoints, _) = checkpoint::read_all(&root).await?;
        let (mut places, mut files) = (Vec::new(), Vec::new());
        for (index, path) in paths.iter().enumerate() {
            let io = |error| OpenError::Io(path.clone(), error);
            let file = File::open(path, OpenOptions { direct: true, ..OpenOptions::default() }).await.map_err(io)?;
            let image = file.read_at(0, file.len().await.map_err(io)? as usize).await.map_err(io)?;
            places.extend(scan_file(index, &image, epoch));
            files.push(file);
            yield_if_needed().await;
        }
        let logs = BTreeMap::new();
        let mut replay = Replay { dir, journal, epoch, paths, files, chain: chain(places), summary: Summary::default(), checkpoints, logs };
        replay.summarize().await?;
        Ok(replay)
    }

    async fn summarize(&mut self) -> Result<(), OpenError> {
        for place in self.chain.frames.clone() {
            for entry in self.entries(place).await? {
                self.summary.add(&entry, place.header.sequence);
            }
        }
        if let Some(hole) = self.chain.damage {
            self.summarize_hole(hole).await?;
        }
        Ok(())
    }

    /// A frame that had been durable is gone: what can be read of it tells which partitions miss something.
    async fn summarize_hole(&mut self, hole: Hole) -> Result<(), OpenError> {
        let journal = files::state_path(self.dir.health.path(), self.journal);
        let Some((file, offset)) = hole.place else {
            tracing::error!(journal = %journal.display(), "frame {} had been durable and is not there any more", hole.sequence);
            return Ok(());
        };
        let path = self.paths[file].display();
        tracing::error!("{path} at position {offset}: frame {} had been durable and does not verify any more", hole.sequence);
        let bytes = self.read_at(file, offset, usize::MAX).await?;
        salvage(&bytes).iter().for_each(|entry| self.summary.add_lost(entry, hole.sequence));
        Ok(())
    }

    async fn read_at(&self, file: usize, offset: u64, len: usize) -> Result<Bytes, OpenError> {
        let io = |error| OpenError::Io(self.paths[file].clone(), error);
        let size = self.files[file].len().await.map_err(io)?;
        let len = len.min(size.saturating_sub(offset) as usize);
        self.files[file].read_at(offset, len).await.map_err(io)
    }

    async fn entries(&self, place: FramePlace) -> Result<Vec<Entry>, OpenError> {
        let bytes = self.read_at(place.file, place.offset, place.len).await?;
        yield_if_needed().await;
        match Frame::read(&bytes, self.epoch) {
            Some(frame) => Ok(frame.entries),
            None => {
                let what = format!("frame {} at position {} verified once and not again", place.header.sequence, place.offset);
                Err(OpenError::Damaged(self.paths[place.file].clone(), what))
            }
        }
    }

    /// Brings the segments up to the journal's end; everything is durable in them afterwards.
    pub async fn run(mut self, recovered: &mut Recovered) -> Result<(), OpenError> {
        self.finish_deletions().await?;
        // Also partitions of which only a damaged frame knows are looked at.
        let is_ours = |found: &PartitionSummary| !found.deleted && found.released.is_none();
        let ids: Vec<TopicPartitionId> = self.summary.partitions.iter().filter(|(_, found)| is_ours(found)).map(|(id, _)| *id).collect();
        for id in ids {
            self.open(id, recovered).await?;
        }
        for place in self.chain.frames.clone() {
            recovered.frames += 1;
            for entry in self.entries(place).await? {
                self.apply(&entry, recovered);
            }
            self.flush_large().await?;
        }
        self.finish().await
    }

    async fn finish_deletions(&mut self) -> Result<(), OpenError> {
        for (id, found) in self.summary.partitions.iter().filter(|(_, found)| found.deleted) {
            let path = self.dir.path_of(&found.topic, id.partition);
            if metadata::read_topic_id(&path).await? == Some(id.topic_id) {
                metadata::rename_deleted(self.dir.health.path(), &found.topic, id.partition).await?;
            }
        }
        Ok(())
    }

    async fn open(&mut self, id: TopicPartitionId, recovered: &mut Recovered) -> Result<(), OpenError> {
        let found = self.summary.partitions[&id].clone();
        let mut checkpoint = self.checkpoints.get(&id).copied().unwrap_or_default();
        // What lies below may be gone, all of it perhaps: then the log begins, and ends, there.
        checkpoint.log_start = checkpoint.log_start.max(found.log_start);
        let expectation = Expectation { clean: false, checkpoint, reach: &|end| found.reach(end), acknowledged: found.acknowledged };
        let config = Rc::new(TopicLogConfig::default());
        let log = match load(&self.dir, id, &found.topic, config, &expectation).await {
            Ok(log) => Some(log),
            Err(OpenError::Damaged(path, why)) => {
                tracing::error!(partition = %path.display(), "acknowledged data is damaged, the partition stays offline: {why}");
                if let Some(first) = why.lines().next() {
                    mark_damaged(&self.dir.path_of(&found.topic, id.partition), first).await?;
                }
                recovered.damaged.push((id, why));
                None
            }
            Err(error) => return Err(error),
        };
        self.logs.insert(id, log);
        Ok(())
    }

    fn apply(&mut self, entry: &Entry, recovered: &mut Recovered) {
        let Some(Some(log)) = self.logs.get(&entry.id) else { return };
        let releases_ahead = self.summary.partitions.get_mut(&entry.id).map(|found| &mut found.releases_ahead);
        if let Some(ahead) = releases_ahead.filter(|ahead| **ahead > 0) {
            *ahead -= usize::from(matches!(entry.change, Change::Release { .. }));
            return;
        }
        match &entry.change {
            Change::Data { base, records, .. } => recovered.batches += append_missing(log, *base, records),
            Change::LogStart { .. } | Change::Truncate { .. } | Change::Delete | Change::Release { .. } => {}
        }
    }

    async fn flush_large(&self) -> Result<(), OpenError> {
        let all = self.dir.memory.unwritten() > FLUSH_ALL_BYTES.min(self.dir.config.tail_bytes_max / 2);
        for log in self.logs.values().flatten().filter(|log| all && log.unwritten_bytes() > 0 || log.unwritten_bytes() > FLUSH_BYTES) {
            log.flush(false).await.map_err(|_| self.failed())?;
        }
        Ok(())
    }

    fn failed(&self) -> OpenError {
        let why = self.dir.health.reason().unwrap_or_else(|| "no space left".into());
        OpenError::Io(self.dir.health.path().to_path_buf(), std::io::Error::other(why))
    }

    /// Log start offsets, padding, indexes; one sync for all; a checkpoint of what was reached.
    async fn finish(self) -> Result<(), OpenError> {
        let logs: Vec<Rc<PartitionLog>> = self.logs.values().flatten().cloned().collect();
        for log in &logs {
            log.raise_log_start(self.summary.partitions[&log.id()].log_start);
        }
        if !maintenance::finish(&self.dir, &logs).await {
            return Err(self.failed());
        }
        let root = self.dir.health.path();
        let reached = logs.iter().map(|log| (log.id(), Checkpoint { recovery_point: log.log_end(), log_start: log.log_start() }));
        let released = self.summary.partitions.iter().filter(|(_, found)| !found.deleted);
        let released = released.filter_map(|(id, found)| Some((*id, found.released?, found.log_start)));
        let released = released.map(|(id, end, log_start)| (id, Checkpoint { recovery_point: end, log_start }));
        let path = root.join(format!("{BASE_NAME}-r{}", self.journal));
        let contents = checkpoint::encode(&reached.chain(released).collect());
        fs::write_file(&path, &contents).await.map_err(|error| OpenError::Io(path, error))
    }
}

impl Drop for Replay {
    /// Who dies half-way (in the simulator) leaves logs that the directory knows, which they know: a circle.
    fn drop(&mut self) {
        self.dir.dirty.take();
    }
}

/// Appends the batches of an entry that lie above the log's end, if the entry goes on from it; how many.
fn append_missing(log: &PartitionLog, entry_base: Offset, records: &Bytes) -> u64 {
    if entry_base > log.log_end() {
        return 0;
    }
    let mut count = 0;
    for batch in batches(records.clone()).map_while(Result::ok) {
        if batch.base_offset >= log.log_end() {
            log.append_replayed(batch.header(), batch.bytes().clone(), wall_clock());
            count += 1;
        }
    }
    count
}
