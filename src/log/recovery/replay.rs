//! Replays one journal: reads its files twice, first to know what counts, then to append what segments lack.

use super::Recovered;
use super::summary::{PartitionSummary, Summary};
use crate::log::checkpoint::{self, BASE_NAME, Checkpoint, Checkpoints};
use crate::log::dir::LogDir;
use crate::log::journal::chain::{Chain, FramePlace, Hole, chain, scan_file};
use crate::log::journal::frame::{Frame, salvage};
use crate::log::journal::{Change, Entry, files};
use crate::log::load::{Expectation, load, mark_damaged};
use crate::log::tasks::for_each;
use crate::log::{OpenError, PartitionLog, TopicLogConfig, maintenance, metadata};
use crate::rt::{File, OpenOptions, Queue, fs, wall_clock, yield_if_needed};
use crate::types::{Offset, ShardId, TopicPartitionId};
use crate::wire::records::batches;
use bytes::Bytes;
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::rc::Rc;

/// A partition's tail is written once it holds this much, and all are once they hold so much together.
const FLUSH_BYTES: u64 = 4 << 20;
const FLUSH_ALL_BYTES: u64 = 64 << 20;
/// Enough to keep the blocking pool busy.
const OPENS_AT_ONCE: u64 = 64;
/// Files of the ring kept in memory: all of a journal that has not grown much.
const IMAGES_KEPT: usize = 8;

pub struct Replay {
    dir: Rc<LogDir>,
    journal: ShardId,
    epoch: u64,
    images: Images,
    chain: Chain,
    /// What the journal says, and what checkpoints know.
    known: Rc<Known>,
    /// Releases of each partition that are still to come: what is in front of them is another shard's by now.
    releases_ahead: BTreeMap<TopicPartitionId, usize>,
    /// `None`: damaged or deleted.
    logs: BTreeMap<TopicPartitionId, Option<Rc<PartitionLog>>>,
}

#[derive(Default)]
struct Known {
    summary: Summary,
    checkpoints: Checkpoints,
}

impl Replay {
    /// Finds out which frames count and what they hold.
    pub async fn begin(dir: Rc<LogDir>, journal: ShardId, epoch: u64, ring: Vec<usize>) -> Result<Replay, OpenError> {
        let root = dir.health.path().to_path_buf();
        let paths: Vec<PathBuf> = ring.into_iter().map(|number| files::ring_path(&root, journal, number)).collect();
        let (checkpoints, _) = checkpoint::read_all(&root).await?;
        for path in &paths {
            // A frame that lands between the two times they are read would look like damage.
            files::reopen(path).await.map_err(|error| OpenError::Io(path.clone(), error))?;
        }
        let mut images = Images::new(paths);
        let mut places = Vec::new();
        for index in 0..images.paths.len() {
            places.extend(scan_file(index, &images.get(index).await?, epoch));
            yield_if_needed().await;
        }
        let (logs, releases_ahead, known) = (BTreeMap::new(), BTreeMap::new(), Rc::default());
        let mut replay = Replay { dir, journal, epoch, images, chain: chain(places), known, releases_ahead, logs };
        let summary = replay.summarize().await?;
        replay.releases_ahead = summary.partitions.iter().map(|(id, found)| (*id, found.releases_ahead)).collect();
        replay.known = Rc::new(Known { summary, checkpoints });
        Ok(replay)
    }

    pub fn lost_a_frame(&self) -> bool {
        self.chain.damage.is_some()
    }

    async fn summarize(&mut self) -> Result<Summary, OpenError> {
        let mut summary = Summary::default();
        for place in self.chain.frames.clone() {
            for entry in self.entries(place).await? {
                summary.add(&entry, place.header.sequence);
            }
        }
        if let Some(hole) = self.chain.damage {
            self.summarize_hole(hole, &mut summary).await?;
        }
        Ok(summary)
    }

    /// A frame that had been durable is gone: what can be read of it tells which partitions miss something.
    async fn summarize_hole(&mut self, hole: Hole, summary: &mut Summary) -> Result<(), OpenError> {
        let journal = files::state_path(self.dir.health.path(), self.journal);
        let Some((file, offset)) = hole.place else {
            tracing::error!(journal = %journal.display(), "frame {} had been durable and is not there any more", hole.sequence);
            return Ok(());
        };
        let path = self.images.paths[file].display();
        tracing::error!("{path} at position {offset}: frame {} had been durable and does not verify any more", hole.sequence);
        let image = self.images.get(file).await?;
        let bytes = image.slice(image.len().min(offset as usize)..);
        salvage(&bytes).iter().for_each(|entry| summary.add_lost(entry, hole.sequence));
        Ok(())
    }

    async fn entries(&mut self, place: FramePlace) -> Result<Vec<Entry>, OpenError> {
        let image = self.images.get(place.file).await?;
        let start = image.len().min(place.offset as usize);
        let bytes = image.slice(start..image.len().min(start + place.len));
        yield_if_needed().await;
        match Frame::read(&bytes, self.epoch) {
            Some(frame) => Ok(frame.entries),
            None => {
                let what = format!("frame {} at position {} verified once and not again", place.header.sequence, place.offset);
                Err(OpenError::Damaged(self.images.paths[place.file].clone(), what))
            }
        }
    }

    /// Brings the segments up to the journal's end; everything is durable in them afterwards.
    pub async fn run(mut self, recovered: &mut Recovered) -> Result<(), OpenError> {
        self.finish_deletions().await?;
        self.open_all(recovered).await?;
        for place in self.chain.frames.clone() {
            recovered.frames += 1;
            for entry in self.entries(place).await? {
                self.apply(&entry, recovered);
                self.flush_if_large(entry.id).await?;
            }
        }
        self.finish().await
    }

    async fn finish_deletions(&mut self) -> Result<(), OpenError> {
        for (id, found) in self.known.summary.partitions.iter().filter(|(_, found)| found.deleted) {
            let path = self.dir.path_of(&found.topic, id.partition);
            if metadata::read_topic_id(&path).await? == Some(id.topic_id) {
                metadata::rename_deleted(self.dir.health.path(), &found.topic, id.partition).await?;
            }
        }
        Ok(())
    }

    /// Opens every partition of which the journal knows, also those of which only a damaged frame does.
    async fn open_all(&mut self, recovered: &mut Recovered) -> Result<(), OpenError> {
        let partitions = &self.known.summary.partitions;
        let is_ours = |found: &PartitionSummary| !found.deleted && found.released.is_none();
        let ids: Vec<TopicPartitionId> = partitions.iter().filter(|(_, found)| is_ours(found)).map(|(id, _)| *id).collect();
        let opened = Rc::new(RefCell::new(BTreeMap::new()));
        for_each(Queue::Flush, ids, OPENS_AT_ONCE, |id| {
            let (dir, known, opened) = (Rc::clone(&self.dir), Rc::clone(&self.known), Rc::clone(&opened));
            async move {
                let log = open(&dir, id, &known).await;
                opened.borrow_mut().insert(id, log);
            }
        })
        .await;
        for (id, log) in opened.take() {
            let found = &self.known.summary.partitions[&id];
            let log = match log {
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
        }
        Ok(())
    }

    fn apply(&mut self, entry: &Entry, recovered: &mut Recovered) {
        let Some(Some(log)) = self.logs.get(&entry.id) else { return };
        if let Some(ahead) = self.releases_ahead.get_mut(&entry.id).filter(|ahead| **ahead > 0) {
            *ahead -= usize::from(matches!(entry.change, Change::Release { .. }));
            return;
        }
        match &entry.change {
            Change::Data { base, records, .. } => recovered.batches += append_missing(log, *base, records),
            Change::LogStart { .. } | Change::Truncate { .. } | Change::Delete | Change::Release { .. } => {}
        }
    }

    async fn flush_if_large(&self, id: TopicPartitionId) -> Result<(), OpenError> {
        let flush = async |log: &PartitionLog| log.flush(false).await.map_err(|_| self.failed());
        if let Some(Some(log)) = self.logs.get(&id).filter(|log| log.as_ref().is_some_and(|log| log.unwritten_bytes() > FLUSH_BYTES)) {
            flush(log).await?;
        }
        if self.dir.memory.unwritten() > FLUSH_ALL_BYTES.min(self.dir.config.tail_bytes_max / 2) {
            for log in self.logs.values().flatten().filter(|log| log.unwritten_bytes() > 0) {
                flush(log).await?;
            }
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
            let checkpointed = self.known.checkpoints.get(&log.id()).map_or(Offset(0), |checkpoint| checkpoint.log_start);
            log.raise_log_start(self.known.summary.partitions[&log.id()].log_start.max(checkpointed));
        }
        if !maintenance::finish_replayed(&self.dir, &logs).await {
            return Err(self.failed());
        }
        let root = self.dir.health.path();
        let reached = logs.iter().map(|log| (log.id(), Checkpoint { recovery_point: log.log_end(), log_start: log.log_start() }));
        let released = self.known.summary.partitions.iter().filter(|(_, found)| !found.deleted);
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

async fn open(dir: &Rc<LogDir>, id: TopicPartitionId, known: &Known) -> Result<Rc<PartitionLog>, OpenError> {
    let found = &known.summary.partitions[&id];
    let mut checkpoint = known.checkpoints.get(&id).copied().unwrap_or_default();
    // What lies below may be gone, all of it perhaps: then the log begins, and ends, there.
    checkpoint.log_start = checkpoint.log_start.max(found.log_start);
    let expectation = Expectation {
        clean: false,
        checkpoint,
        begin: found.begin(checkpoint.log_start),
        reach: &|end| found.reach(end),
        acknowledged: found.acknowledged,
    };
    // Whatever its configuration: a segment grows at most by what the journal holds, and is rolled by its first append after the start.
    load(dir, id, &found.topic, Rc::new(TopicLogConfig::default()), &expectation).await
}

/// The journal's files, read as a whole and kept as long as they are few.
struct Images {
    paths: Vec<PathBuf>,
    kept: BTreeMap<usize, Bytes>,
}

impl Images {
    fn new(paths: Vec<PathBuf>) -> Images {
        Images { paths, kept: BTreeMap::new() }
    }

    async fn get(&mut self, file: usize) -> Result<Bytes, OpenError> {
        if let Some(image) = self.kept.get(&file) {
            return Ok(image.clone());
        }
        let path = &self.paths[file];
        let read = async {
            let opened = File::open(path, OpenOptions { direct: true, ..OpenOptions::default() }).await?;
            opened.read_at(0, opened.len().await? as usize).await
        };
        let image = read.await.map_err(|error| OpenError::Io(path.clone(), error))?;
        if self.kept.len() >= IMAGES_KEPT {
            // Frames come in the order of the files: the one just used is needed again last.
            self.kept.clear();
        }
        self.kept.insert(file, image.clone());
        Ok(image)
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
