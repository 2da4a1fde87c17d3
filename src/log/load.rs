//! Opening a partition's directory: which segments there are, where the log ends, what was torn.
//!
//! After a clean stop the files are taken as they are. Otherwise the last segment is scanned, by CRC, from the last index checkpoint on, and what
//! is no whole batch behind it is cut; all other segments were sealed and are whole. If the scan ends below what is known
//! to have been durable, and the journal does not have the rest, nothing is cut and the partition stays offline.

use super::checkpoint::Checkpoint;
use super::compaction::{Author, finish_interrupted};
use super::dir::LogDir;
use super::format::{
    AbortedTransaction, LEADER_EPOCH_CHECKPOINT, OffsetIndex, SegmentFile, SegmentFileKind, TimeIndex, TxnIndex, decode_producer_snapshot,
    is_foreign_to_partition,
};
use super::found::Found;
use super::partition::{PartitionLog, State, remove_leftovers};
use super::producer::ProducerStates;
use super::segment::files::Files;
use super::segment::scan::{HeaderWalk, ScanEnd, Source, scan_batches};
use super::segment::{MaxTimestamp, Segment, path};
use super::{OpenError, TopicLogConfig, foreign, metadata};
use crate::config::limits::TXN_INDEX_BYTES_MAX;
use crate::rt::{AlignedBuffer, File, SharedFile, fs, wall_clock};
use crate::types::{LeaderEpoch, Offset, Timestamp, TopicPartitionId};
use crate::wire::records::{BatchHeader, HEADER_SIZE, RecordBatch};
use bytes::Bytes;
use std::io;
use std::path::{Path, PathBuf};
use std::rc::Rc;

/// A file with this name in a partition's directory keeps it offline; it says why.
pub const DAMAGED_NAME: &str = "ringmill-damaged";
const DAMAGED_BYTES_MAX: u64 = 64 << 10;
const INDEX_BYTES_MAX: u64 = 1 << 30;
const REWRITE_BYTES: u64 = 1 << 20;
pub const SNAPSHOT_BYTES_MAX: u64 = 256 << 20;

/// What else is known of the partition that is loaded.
pub struct Expectation<'a> {
    /// The log directory was stopped cleanly: no scan.
    pub clean: bool,
    pub checkpoint: Checkpoint,
    /// Where a log without segments begins: at its log start offset, or lower, at a batch that the journal has.
    pub begin: Offset,
    /// What the journal makes of a log that ends here.
    pub reach: &'a dyn Fn(Offset) -> Offset,
    /// All below had been acknowledged.
    pub acknowledged: Offset,
}

/// Opens the partition's log, making its directory if it is missing.
pub async fn load(
    dir: &Rc<LogDir>,
    id: TopicPartitionId,
    topic: &str,
    config: Rc<TopicLogConfig>,
    expectation: &Expectation<'_>,
) -> Result<Rc<PartitionLog>, OpenError> {
    let partition_dir = dir.path_of(topic, id.partition);
    let io = |error| OpenError::Io(partition_dir.clone(), error);
    let mut found = Found::look(&partition_dir).await.map_err(io)?;
    let mut found_id = None;
    if !found.listing.is_empty() {
        check_not_damaged(&partition_dir, &found).await?;
        found_id = metadata::found_topic_id(&found).await?;
        if found_id.is_some_and(|found_id| found_id != id.topic_id) {
            metadata::set_aside(dir.health.path(), topic, id.partition).await?;
            (found, found_id) = (Found::nothing(&partition_dir), None);
        }
    }
    if finish_interrupted(&partition_dir, &found.listing, Author::Ringmill).await? {
        found = Found::look(&partition_dir).await.map_err(io)?;
    }
    remove_leftovers(&partition_dir, &found.listing);
    foreign::note(&partition_dir, &found.listing, is_foreign_to_partition);
    let fresh = found.listing.is_empty();
    if fresh {
        fs::create_dir_all(&partition_dir).await.map_err(io)?;
    }
    if found_id.is_none() {
        metadata::write(&partition_dir, id.topic_id).await?;
        dir.new_dirs.add();
    }
    let producer_expiration_ms = dir.config.producer_id_expiration_ms;
    let loader = Loader { dir: partition_dir, found, config: Rc::clone(&config), now: wall_clock(), producer_expiration_ms };
    let epochs_on_disk = loader.found.has(LEADER_EPOCH_CHECKPOINT);
    let (state, snapshot, epochs_changed) = loader.state(expectation).await?;
    let has_aborted = !loader.offsets_of(SegmentFileKind::TxnIndex).is_empty() || state.producers.has_transactions();
    let has_aborted = has_aborted || state.segments.last().is_some_and(|active| !active.aborted.is_empty());
    let first_epoch = state.epochs.entries().first().map_or(state.log_end, |first| first.start_offset);
    let epochs_lost = first_epoch > state.log_start;
    let log = PartitionLog::new(Rc::clone(dir), id, topic, config, state, !fresh);
    log.note_loaded(snapshot, epochs_changed, epochs_on_disk);
    log.note_aborted(has_aborted);
    if epochs_lost {
        log.check_epochs().await;
    }
    Ok(log)
}

async fn check_not_damaged(dir: &Path, found: &Found) -> Result<(), OpenError> {
    if !found.has(DAMAGED_NAME) {
        return Ok(());
    }
    let path = dir.join(DAMAGED_NAME);
    let why = fs::read_file(&path, DAMAGED_BYTES_MAX).await.map_err(|error| OpenError::Io(path.clone(), error))?;
    Err(OpenError::Damaged(dir.to_path_buf(), String::from_utf8_lossy(&why).trim_end().to_string()))
}

/// Keeps the partition offline until somebody removes the file.
pub async fn mark_damaged(dir: &Path, why: &str) -> Result<(), OpenError> {
    let path = dir.join(DAMAGED_NAME);
    fs::write_file(&path, format!("{why}\n").as_bytes()).await.map_err(|error| OpenError::Io(path, error))
}

/// Writes again what a scan found from `from` to `end`, cuts what is behind it, and syncs. After a sync that failed the kernel may show bytes
/// that no later sync saves, since it takes them for saved: only bytes that are written anew become durable.
async fn rewrite(file: &File, from: u64, end: u64) -> io::Result<()> {
    // A killed process's write that came later would pad over what is appended from now on.
    file.drain().await?;
    match rewrite_once(file, from, end).await {
        // The kernel may have told of a failure before our time; what we wrote since counts only after it was told.
        Err(_) => rewrite_once(file, from, end).await,
        Ok(()) => Ok(()),
    }
}

async fn rewrite_once(file: &File, from: u64, end: u64) -> io::Result<()> {
    let alignment = file.alignment();
    let mut at = from - from % alignment as u64;
    while at < end {
        let len = (end - at).min(REWRITE_BYTES) as usize;
        let mut buffer = AlignedBuffer::with_capacity(len.next_multiple_of(alignment));
        buffer.extend_from_slice(&file.read_at(at, len).await?);
        buffer.pad_to(alignment);
        file.write_at(at, buffer).await?;
        at += len as u64;
    }
    file.truncate(end).await?;
    file.sync().await
}

struct Loader {
    dir: PathBuf,
    found: Found,
    config: Rc<TopicLogConfig>,
    now: Timestamp,
    producer_expiration_ms: i64,
}

/// The active segment as it was found.
struct Active {
    segment: Segment,
    log_end: Offset,
    scanned: Scanned,
}

/// What the batches of a scan say beside their place.
#[derive(Clone, Default)]
struct Scanned {
    epochs: Vec<(LeaderEpoch, Offset)>,
    producers: ProducerStates,
    /// The producers have all below.
    producers_end: Offset,
    /// Where the snapshot was that they began with.
    snapshot: Offset,
    /// The aborted transactions whose markers lie behind the snapshot.
    aborted: Vec<AbortedTransaction>,
    /// First offset and position of each batch.
    batches: Vec<(Offset, u64)>,
}

impl Scanned {
    fn add(&mut self, header: &BatchHeader, batch: &Bytes) {
        if self.epochs.last().is_none_or(|(epoch, _)| *epoch < header.leader_epoch) {
            self.epochs.push((header.leader_epoch, header.base_offset));
        }
        if header.base_offset >= self.producers_end {
            if let Ok(batch) = RecordBatch::split_from(&mut batch.clone()) {
                let ended = self.producers.record(&batch);
                self.aborted.extend(ended.and_then(|ended| ended.aborted_transaction()));
            }
            self.producers_end = header.next_offset();
        }
    }
}

impl Loader {
    async fn state(&self, expectation: &Expectation<'_>) -> Result<(State, Option<Offset>, bool), OpenError> {
        let bases = self.offsets_of(SegmentFileKind::Log);
        let Some((&last, sealed)) = bases.split_last() else {
            let begin = expectation.begin;
            self.check_end(begin, expectation, || "there is no segment".into())?;
            let state = State::new(vec![Segment::new(begin, self.now)], begin, begin);
            return Ok((state, None, false));
        };
        let mut segments = Vec::with_capacity(bases.len());
        segments.extend(sealed.iter().map(|base| self.sealed(*base)));
        let scanned = self.producers_below(&segments, last).await?;
        let active = if expectation.clean {
            self.active_clean(last, expectation, scanned).await?
        } else {
            self.active_scanned(last, expectation, scanned).await?
        };
        segments.push(active.segment);
        self.place_aborted(&mut segments, &active.scanned).await?;
        let log_start = expectation.checkpoint.log_start.max(bases[0]).min(active.log_end);
        let mut state = State::new(segments, log_start, active.log_end);
        state.epochs = metadata::read_epochs(&self.found, active.log_end).await?;
        let mut epochs_changed = false;
        for (epoch, offset) in active.scanned.epochs {
            // A scan may begin within an epoch that the checkpoint has from its start.
            if state.epochs.latest().is_none_or(|known| known.epoch < epoch) {
                epochs_changed |= state.epochs.assign(epoch, offset);
            }
        }
        state.producers = active.scanned.producers;
        epochs_changed |= state.epochs.truncate_from_start(log_start);
        state.producers.on_high_watermark(state.durable_end);
        Ok((state, self.offsets_of(SegmentFileKind::ProducerSnapshot).last().copied(), epochs_changed))
    }

    /// The producers of the newest snapshot that can be read, brought up to the last segment if it is older.
    async fn producers_below(&self, sealed: &[Segment], last: Offset) -> Result<Scanned, OpenError> {
        let mut scanned = Scanned::default();
        for offset in self.offsets_of(SegmentFileKind::ProducerSnapshot).into_iter().rev() {
            let path = path(&self.dir, offset, SegmentFileKind::ProducerSnapshot);
            let bytes = self.read(offset, SegmentFileKind::ProducerSnapshot, SNAPSHOT_BYTES_MAX).await?;
            match decode_producer_snapshot(&bytes) {
                Ok(entries) => {
                    scanned.producers = ProducerStates::from_snapshot(&entries, self.now, self.producer_expiration_ms);
                    (scanned.producers_end, scanned.snapshot) = (offset, offset);
                    break;
                }
                Err(error) => tracing::warn!(path = %path.display(), "passing over a snapshot of producers: {error}"),
            }
        }
        if scanned.producers_end >= last {
            return Ok(scanned);
        }
        for (index, segment) in sealed.iter().enumerate() {
            let end = sealed.get(index + 1).map_or(last, |next| next.base);
            if end > scanned.producers_end {
                let file =
                    Files::open_writer(&path(&self.dir, segment.base, SegmentFileKind::Log)).await.map_err(|error| self.io(error))?;
                let visit = |header: &BatchHeader, _, batch: &Bytes| scanned.add(header, batch);
                let end = scan_batches(Source::File(&file), 0, segment.size, segment.base, visit).await.map_err(|error| self.io(error))?;
                if let Some(stop) = end.stop {
                    let log = path(&self.dir, segment.base, SegmentFileKind::Log);
                    let what = format!("{} at position {} (offset {}): {stop}", log.display(), end.position, end.next_offset);
                    return Err(OpenError::Damaged(self.dir.clone(), what));
                }
            }
        }
        scanned.epochs.clear();
        Ok(scanned)
    }

    /// Gives the active segment its aborted transactions, and the segments that a crash left unsealed their index files: what these say of what lies
    /// behind the snapshot is old.
    async fn place_aborted(&self, segments: &mut [Segment], scanned: &Scanned) -> Result<(), OpenError> {
        let with_index = self.offsets_of(SegmentFileKind::TxnIndex);
        for index in 0..segments.len() {
            let (base, is_last) = (segments[index].base, index + 1 == segments.len());
            let end = segments.get(index + 1).map_or(Offset(i64::MAX), |next| next.base);
            if !is_last && end <= scanned.snapshot {
                continue;
            }
            let behind = scanned.aborted.iter().filter(|aborted| aborted.last_offset >= base && aborted.last_offset < end).copied();
            let behind: Vec<AbortedTransaction> = behind.collect();
            if !is_last && behind.is_empty() {
                continue;
            }
            let indexed = if with_index.contains(&base) { self.read_aborted(base).await? } else { None };
            let has_index = indexed.is_some();
            let mut aborted = indexed.unwrap_or_default();
            aborted.retain(|aborted| aborted.last_offset < scanned.snapshot);
            aborted.extend(behind);
            if is_last {
                segments[index].aborted_from = if has_index { base } else { scanned.snapshot.max(base) };
                segments[index].aborted = aborted;
            } else if has_index || scanned.snapshot <= base {
                let bytes: Vec<u8> = aborted.iter().flat_map(AbortedTransaction::to_bytes).collect();
                let file = path(&self.dir, base, SegmentFileKind::TxnIndex);
                fs::write_file(&file, &bytes).await.map_err(|error| self.io(error))?;
            }
        }
        Ok(())
    }

    /// What an index file says; `None` if it is none.
    async fn read_aborted(&self, base: Offset) -> Result<Option<Vec<AbortedTransaction>>, OpenError> {
        let bytes = self.read(base, SegmentFileKind::TxnIndex, TXN_INDEX_BYTES_MAX).await?;
        let index = TxnIndex::new(&bytes);
        Ok(index.check(base).ok().map(|()| index.entries().collect()))
    }

    /// Offsets of the live files of a kind, ascending.
    fn offsets_of(&self, kind: SegmentFileKind) -> Vec<Offset> {
        let files = self.found.listing.iter().filter_map(|entry| SegmentFile::parse(&entry.name));
        files.filter(|file| *file == SegmentFile::live(file.base_offset, kind)).map(|file| file.base_offset).collect()
    }

    fn len_of(&self, base: Offset, kind: SegmentFileKind) -> u64 {
        let name = SegmentFile::live(base, kind).to_string();
        self.found.listing.iter().find(|entry| entry.name == name).map_or(0, |entry| entry.len)
    }

    fn io(&self, error: io::Error) -> OpenError {
        OpenError::Io(self.dir.clone(), error)
    }

    async fn read(&self, base: Offset, kind: SegmentFileKind, len_max: u64) -> Result<Bytes, OpenError> {
        self.found.read(&SegmentFile::live(base, kind).to_string(), len_max).await.map_err(|error| self.io(error))
    }

    /// A whole log file that is small.
    fn small_log(&self, base: Offset) -> Option<Bytes> {
        self.found.contents(&SegmentFile::live(base, SegmentFileKind::Log).to_string())
    }

    /// Its indexes are looked at when they are first used (`partition/index.rs`).
    fn sealed(&self, base: Offset) -> Segment {
        let mut segment = Segment::on_disk(base, self.len_of(base, SegmentFileKind::Log), true, self.now);
        let (offsets, times) = (self.len_of(base, SegmentFileKind::OffsetIndex), self.len_of(base, SegmentFileKind::TimeIndex));
        segment.resume_index(offsets, times, Timestamp::NONE);
        segment
    }

    /// The last segment after a clean stop: from its last index entry to the file's end, headers only.
    async fn active_clean(&self, base: Offset, expectation: &Expectation<'_>, scanned: Scanned) -> Result<Active, OpenError> {
        let size = self.len_of(base, SegmentFileKind::Log);
        let mut segment = Segment::new(base, self.now);
        if size == 0 {
            self.check_end_from(base, scanned.producers_end, expectation, || "the last segment is empty".into())?;
            return Ok(Active { segment, log_end: base, scanned });
        }
        let log = path(&self.dir, base, SegmentFileKind::Log);
        let small = self.small_log(base);
        let file = match small {
            Some(_) => None,
            None => Some(SharedFile::open(&log).await.map_err(|error| self.io(error))?),
        };
        let walk_from = |position| match (&small, &file) {
            (None, Some(file)) => HeaderWalk::new(file, position, size),
            (small, _) => HeaderWalk::in_memory(small.clone().unwrap_or_default(), position),
        };
        let position = self.resume_from_disk(&mut segment, size, Offset(i64::MAX)).await?;
        let mut walk = walk_from(position);
        let mut log_end = base;
        let walked = async {
            while let Some((header, _, size)) = walk.next().await? {
                segment.append(&header, size as usize, self.config.index_interval_bytes);
                log_end = header.next_offset();
            }
            Ok::<u64, io::Error>(walk.position())
        };
        let end = walked.await.unwrap_or(0);
        if end != size || scanned.producers_end != log_end || log_end < expectation.checkpoint.recovery_point {
            tracing::info!(segment = %log.display(), "segment, index or producers' snapshot are not what a clean stop leaves: scanning");
            return self.active_scanned(base, expectation, scanned).await;
        }
        segment.written = size;
        let first = walk_from(0).next().await.map_err(|error| self.io(error))?;
        segment.first_timestamp = first.map(|(header, _, _)| header.max_timestamp);
        Ok(Active { segment, log_end, scanned })
    }

    /// Takes the index entries below `upto` from disk; where the batch of the last one begins. Bad ones count as none.
    async fn resume_from_disk(&self, segment: &mut Segment, log_size: u64, upto: Offset) -> Result<u64, OpenError> {
        let base = segment.base;
        let offsets = self.read_index(base, SegmentFileKind::OffsetIndex).await?;
        let times = self.read_index(base, SegmentFileKind::TimeIndex).await?;
        let index = OffsetIndex::new(base, &offsets);
        let kept = (0..index.count()).take_while(|&entry| index.entry(entry).offset < upto).count();
        let index = OffsetIndex::new(base, &offsets[..kept * 8]);
        if kept == 0 || index.check_all(log_size).is_err() {
            return Ok(0);
        }
        let time_index = TimeIndex::new(base, &times);
        let kept_times = (0..time_index.count()).take_while(|&entry| time_index.entry(entry).offset < upto).count();
        let time_index = TimeIndex::new(base, &times[..kept_times * 12]);
        let last = time_index.last();
        let last = last.filter(|_| time_index.check_all(Offset(i64::MAX)).is_ok());
        let times_on_disk = if last.is_some() { kept_times as u64 * 12 } else { 0 };
        segment.resume_index(kept as u64 * 8, times_on_disk, last.map_or(Timestamp::NONE, |last| last.timestamp));
        segment.max_timestamp = last.map(|last| MaxTimestamp { timestamp: last.timestamp, offset: last.offset });
        let position = index.last().map_or(0, |last| u64::from(last.position));
        segment.size = position;
        Ok(position)
    }

    async fn read_index(&self, base: Offset, kind: SegmentFileKind) -> Result<Bytes, OpenError> {
        if self.len_of(base, kind) == 0 {
            return Ok(Bytes::new());
        }
        self.read(base, kind, INDEX_BYTES_MAX).await
    }

    /// The last segment after a crash.
    async fn active_scanned(&self, base: Offset, expectation: &Expectation<'_>, scanned: Scanned) -> Result<Active, OpenError> {
        let log = path(&self.dir, base, SegmentFileKind::Log);
        let small = self.small_log(base);
        let opened = match small {
            Some(_) => None,
            None => Some(Files::open_writer(&log).await.map_err(|error| self.io(error))?),
        };
        let size = self.len_of(base, SegmentFileKind::Log);
        let source = match (&small, &opened) {
            (None, Some(file)) => Source::File(file),
            (small, _) => Source::Memory(small.as_ref().expect("a log is in memory or open")),
        };
        // Index entries are on disk before a clean stop only with a snapshot, whose offset says how far all was durable then.
        let checkpointed = Some(scanned.producers_end).filter(|offset| *offset > base);
        let start_over = || Active { segment: Segment::new(base, self.now), log_end: base, scanned: scanned.clone() };
        let mut active = start_over();
        let mut end = ScanEnd { position: 0, next_offset: base, gap: None, stop: None };
        for from in [checkpointed, None] {
            active = start_over();
            let start = match from {
                Some(upto) => self.resume_from_disk(&mut active.segment, size, upto).await?,
                None => 0,
            };
            end = self.scan(source, start, size, &mut active).await?;
            if end.position > start || start == 0 {
                break;
            }
        }
        active.log_end = end.next_offset;
        let snapshot = checkpointed.unwrap_or(base);
        self.check_end_from(active.log_end, snapshot, expectation, || {
            let why = end.stop.as_ref().map_or_else(|| "the file ends".into(), ToString::to_string);
            format!("{} at position {} (offset {}): {why}", log.display(), end.position, end.next_offset)
        })?;
        self.check_last(&end, snapshot.max(expectation.checkpoint.recovery_point), &log)?;
        let known_durable = snapshot.max(expectation.checkpoint.recovery_point);
        let unsure =
            active.scanned.batches.iter().find(|(offset, _)| *offset >= known_durable).map_or(end.position, |(_, position)| *position);
        if end.position < size || unsure < end.position {
            let writer;
            let file = match &opened {
                Some(file) => file,
                None => {
                    writer = Files::open_writer(&log).await.map_err(|error| self.io(error))?;
                    &writer
                }
            };
            rewrite(file, unsure, end.position).await.map_err(|error| self.io(error))?;
        }
        active.segment.written = end.position;
        if active.segment.first_timestamp.is_none() && end.position > 0 {
            let first = source.read_at(0, HEADER_SIZE).await.map_err(|error| self.io(error))?;
            active.segment.first_timestamp = BatchHeader::read(&first).map(|header| header.max_timestamp);
        }
        Ok(active)
    }

    /// A base offset is outside of the CRC, and no batch behind the last one vouches for its.
    fn check_last(&self, end: &ScanEnd, known: Offset, log: &Path) -> Result<(), OpenError> {
        let Some(expected) = end.gap.filter(|_| end.next_offset > known) else { return Ok(()) };
        let what = format!("{}: the last batch, which ends before position {}, does not begin at {expected}", log.display(), end.position);
        Err(OpenError::Damaged(self.dir.clone(), what))
    }

    async fn scan(&self, source: Source<'_>, start: u64, size: u64, active: &mut Active) -> Result<ScanEnd, OpenError> {
        let interval = self.config.index_interval_bytes;
        let base = active.segment.base;
        let scanned = scan_batches(source, start, size, base, |header, position, batch| {
            active.scanned.batches.push((header.base_offset, position));
            active.segment.append(header, batch.len(), interval);
            active.scanned.add(header, batch);
        });
        scanned.await.map_err(|error| self.io(error))
    }

    /// Whether a log that ends here has all it must have, with what the journal adds.
    fn check_end(&self, end: Offset, expectation: &Expectation<'_>, place: impl FnOnce() -> String) -> Result<(), OpenError> {
        self.check_end_from(end, Offset(0), expectation, place)
    }

    /// As above; a snapshot of producers is written only when all below it is durable.
    fn check_end_from(
        &self,
        end: Offset,
        snapshot: Offset,
        expectation: &Expectation<'_>,
        place: impl FnOnce() -> String,
    ) -> Result<(), OpenError> {
        let required = snapshot.max(expectation.acknowledged);
        let required = required.max(expectation.checkpoint.recovery_point.max(expectation.checkpoint.log_start));
        let reached = (expectation.reach)(end);
        if reached >= required {
            return Ok(());
        }
        let what = format!("offsets up to {required} had been acknowledged, only those below {reached} are there; {}", place());
        Err(OpenError::Damaged(self.dir.clone(), what))
    }
}
