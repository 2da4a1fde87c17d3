//! `ringmill storage dump`: batches and records of segments, partitions and journals, and what is in the files beside them.

use super::DirArguments;
use super::directory::Directory;
use super::partition::PartitionFiles;
use super::records::{batch_line, print_records};
use super::segment::Window;
use crate::log::format::{
    LEADER_EPOCH_CHECKPOINT, OffsetIndex, SegmentFile, SegmentFileKind, TimeIndex, TxnIndex, decode_leader_epoch_checkpoint,
    decode_producer_snapshot,
};
use crate::log::inspect::{decode_checkpoints, is_checkpoint_name};
use crate::log::journal::files::parse_name;
use crate::log::journal::{Change, Entry};
use crate::types::{Offset, PartitionIndex};
use crate::wire::records::{BatchError, HEADER_SIZE, RecordBatch, batches, frame};
use bytes::Bytes;
use std::error::Error;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

#[derive(clap::Args, Debug)]
pub(in crate::cli) struct DumpArguments {
    /// Segments, partition directories, indexes, snapshots, checkpoints, or a log directory's ringmill-journal-<shard>; with --topic, log
    /// directories
    #[arg(required_unless_present = "topic", value_name = "PATH")]
    pub paths: Vec<PathBuf>,
    /// Print this topic's partitions, also what only a journal has of them
    #[arg(long, value_name = "TOPIC")]
    pub topic: Option<String>,
    /// Only this partition of the topic
    #[arg(long, value_name = "PARTITION", requires = "topic")]
    pub partition: Option<i32>,
    /// With --topic and no PATH: a server.properties file that names log.dirs
    #[arg(long, value_name = "FILE", requires = "topic")]
    pub config: Option<PathBuf>,
    /// With --topic and no PATH: one configuration, e.g. log.dirs=/data; may be repeated
    #[arg(long, value_name = "KEY=VALUE", requires = "topic")]
    pub set: Vec<String>,
    /// Print records too, decompressed
    #[arg(long)]
    pub print_records: bool,
    /// Begin with the batch that holds this offset
    #[arg(long, visible_alias = "offset", value_name = "OFFSET", default_value_t = 0)]
    pub from: i64,
    /// Print at most so many batches of each path
    #[arg(long, value_name = "COUNT", default_value_t = u64::MAX)]
    pub max_batches: u64,
}

struct Dump<'a> {
    arguments: &'a DumpArguments,
    from: Offset,
    left: u64,
    valid: bool,
    /// The end (exclusive) of the batches that were looked at.
    end: Offset,
}

type Failed = Box<dyn Error>;

pub fn run(arguments: &DumpArguments) -> Result<ExitCode, Failed> {
    let valid = match &arguments.topic {
        Some(topic) => dump_topic(arguments, topic)?,
        None => arguments.paths.iter().try_fold(true, |valid, path| {
            let mut dump = Dump::new(arguments);
            dump.path(path)?;
            Ok::<bool, Failed>(valid & dump.valid)
        })?,
    };
    Ok(if valid { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// The topic's partitions in all log directories; whether they are valid.
fn dump_topic(arguments: &DumpArguments, topic: &str) -> Result<bool, Failed> {
    let dirs = DirArguments { dirs: arguments.paths.clone(), config: arguments.config.clone(), set: arguments.set.clone() }.resolve()?;
    let (mut found, mut valid) = (false, true);
    for dir in &dirs {
        let root = Directory::open(dir)?;
        let is_asked = |entry: &&PartitionFiles| {
            entry.directory.topic == topic && arguments.partition.is_none_or(|asked| entry.directory.partition == PartitionIndex(asked))
        };
        let mut partitions: Vec<&PartitionFiles> = root.partitions.iter().filter(is_asked).collect();
        partitions.sort_by_key(|entry| entry.directory.partition);
        for files in partitions {
            let mut dump = Dump::new(arguments);
            println!("Dumping {}", files.path.display());
            dump.segments(files.segments.keys().map(|base| (*base, files.file(*base, SegmentFileKind::Log))).collect())?;
            dump.only_in_journals(&root, files)?;
            (found, valid) = (true, valid & dump.valid);
        }
    }
    let names: Vec<String> = dirs.iter().map(|dir| dir.display().to_string()).collect();
    let partition = arguments.partition.map_or(String::new(), |asked| format!("-{asked}"));
    if found { Ok(valid) } else { Err(format!("no partition {topic}{partition} in {}", names.join(", ")).into()) }
}

/// The log directory that a path is in: the nearest one above that was locked once.
fn root_of(path: &Path) -> Option<&Path> {
    path.ancestors().skip(1).take(2).find(|dir| dir.join(".lock").exists())
}

fn name_of(path: &Path) -> &str {
    path.file_name().and_then(|name| name.to_str()).unwrap_or("")
}

fn read(path: &Path) -> Result<Bytes, Failed> {
    fs::read(path).map(Bytes::from).map_err(|error| format!("{}: {error}", path.display()).into())
}

impl<'a> Dump<'a> {
    fn new(arguments: &'a DumpArguments) -> Dump<'a> {
        Dump { arguments, from: Offset(arguments.from), left: arguments.max_batches, valid: true, end: Offset(0) }
    }

    fn path(&mut self, path: &Path) -> Result<(), Failed> {
        let path = &path.canonicalize().map_err(|error| format!("{}: {error}", path.display()))?;
        let root = root_of(path).map(Directory::open).transpose()?;
        println!("Dumping {}", path.display());
        if path.is_dir() {
            return self.partition(path);
        }
        let name = name_of(path);
        if let (Some((shard, _)), Some(root)) = (parse_name(name), &root) {
            return self.journal(root, shard);
        }
        if is_checkpoint_name(name) {
            return checkpoints(path);
        }
        if name == LEADER_EPOCH_CHECKPOINT {
            for entry in decode_leader_epoch_checkpoint(&read(path)?)? {
                println!("epoch: {} startOffset: {}", entry.epoch, entry.start_offset);
            }
            return Ok(());
        }
        match SegmentFile::parse(name) {
            Some(file) if file.kind == SegmentFileKind::Log => self.segment(path),
            Some(file) => beside(path, file),
            None => Err(format!("{}: not a file that can be dumped", path.display()).into()),
        }
    }

    fn partition(&mut self, path: &Path) -> Result<(), Failed> {
        let mut segments: Vec<(Offset, PathBuf)> = Vec::new();
        for entry in fs::read_dir(path)? {
            let path = entry?.path();
            let file = SegmentFile::parse(name_of(&path)).filter(|file| *file == SegmentFile::live(file.base_offset, SegmentFileKind::Log));
            segments.extend(file.map(|file| (file.base_offset, path)));
        }
        segments.sort();
        if segments.is_empty() {
            return Err(format!("{}: no segments in it", path.display()).into());
        }
        self.segments(segments)
    }

    /// By base offset.
    fn segments(&mut self, segments: Vec<(Offset, PathBuf)>) -> Result<(), Failed> {
        let first = segments.partition_point(|(base, _)| *base <= self.from).saturating_sub(1);
        for (_, path) in &segments[first..] {
            println!("segment {}", name_of(path));
            self.segment(path)?;
        }
        Ok(())
    }

    fn segment(&mut self, path: &Path) -> Result<(), Failed> {
        let file = File::open(path)?;
        let size = file.metadata()?.len();
        let mut window = Window::new(&file, size);
        let mut position = 0;
        while position < size && self.left > 0 {
            let mut bytes = window.at(position, HEADER_SIZE as u64)?;
            if let Err(BatchError::Truncated { needed, .. }) = frame(&bytes) {
                bytes = window.at(position, needed as u64)?;
            }
            match RecordBatch::split_from(&mut bytes) {
                Ok(batch) => {
                    self.batch(&batch, Some(position));
                    position += batch.size() as u64;
                }
                Err(_) if is_unwritten(&mut window, position, size)? => {
                    println!("at position {position}: {} bytes are allocated and not written", size - position);
                    return Ok(());
                }
                Err(error) => {
                    println!("at position {position}: {error}; {} bytes are left", size - position);
                    self.valid = false;
                    return Ok(());
                }
            }
        }
        Ok(())
    }

    fn batch(&mut self, batch: &RecordBatch, position: Option<u64>) {
        self.end = self.end.max(batch.next_offset());
        if batch.next_offset() <= self.from || self.left == 0 {
            return;
        }
        self.left -= 1;
        let valid = batch.check_crc().is_ok();
        self.valid &= valid;
        println!("{}", batch_line(batch, position, valid));
        if self.arguments.print_records {
            print_records(batch, self.from);
        }
    }

    fn journal(&mut self, root: &Directory, shard: crate::types::ShardId) -> Result<(), Failed> {
        let journal = root.journals.iter().find(|journal| journal.shard == shard).ok_or("no such journal")?;
        let state = journal.state.clone()?;
        println!("epoch: {:#x} replayed: {} files: {}", state.epoch, state.replayed, journal.ring.len());
        let Some(open) = journal.open()? else { return Ok(()) };
        for place in &open.chain.frames {
            let header = place.header;
            let file = name_of(open.path_of(*place)).to_owned();
            println!(
                "frame: {} file: {file} position: {} size: {} low: {} durable: {}",
                header.sequence, place.offset, place.len, header.low, header.durable
            );
            match open.frame(*place)? {
                Some(frame) => frame.entries.iter().for_each(|entry| self.entry(entry)),
                None => {
                    println!("its entries do not verify");
                    self.valid = false;
                }
            }
        }
        if let Some(hole) = open.chain.damage {
            println!("frame {} had been durable and does not verify any more", hole.sequence);
            self.valid = false;
        }
        Ok(())
    }

    /// The partition's batches above the end of its segments.
    fn only_in_journals(&mut self, root: &Directory, files: &PartitionFiles) -> Result<(), Failed> {
        for journal in root.journals.iter().filter(|journal| journal.state.as_ref().is_ok_and(|state| !state.replayed)) {
            let Some(open) = journal.open()? else { continue };
            for place in &open.chain.frames {
                for entry in open.frame(*place)?.into_iter().flat_map(|frame| frame.entries) {
                    let Change::Data { records, .. } = &entry.change else { continue };
                    let is_its = entry.topic[..] == files.directory.topic && entry.id.partition == files.directory.partition;
                    if !is_its || files.topic_id.is_some_and(|id| id != entry.id.topic_id) {
                        continue;
                    }
                    let above = self.end.max(self.from.plus(1));
                    for batch in batches(records.clone()).map_while(Result::ok).filter(|batch| batch.next_offset() >= above) {
                        if batch.base_offset < self.end || self.left == 0 {
                            continue;
                        }
                        println!("only in the journal of shard {}:", journal.shard);
                        self.batch(&batch, None);
                    }
                }
            }
        }
        Ok(())
    }

    fn entry(&mut self, entry: &Entry) {
        let name = format!("{}-{} ({})", entry.topic, entry.id.partition, entry.id.topic_id);
        match &entry.change {
            Change::Data { base, end, acknowledged, records } => {
                println!("  {name} data from: {base} to: {end} acknowledged: {acknowledged} size: {}", records.len());
                batches(records.clone()).map_while(Result::ok).for_each(|batch| self.batch(&batch, None));
            }
            Change::Truncate { end } => println!("  {name} truncate to: {end}"),
            Change::LogStart { offset } => println!("  {name} logStartOffset: {offset}"),
            Change::Delete => println!("  {name} delete"),
            Change::Release { end } => println!("  {name} release at: {end}"),
        }
    }
}

/// Whether nothing but zeros is left: a broker that was killed had allocated ahead.
fn is_unwritten(window: &mut Window<'_>, mut position: u64, size: u64) -> Result<bool, Failed> {
    while position < size {
        let bytes = window.at(position, 1)?;
        if bytes.is_empty() || bytes.iter().any(|byte| *byte != 0) {
            return Ok(false);
        }
        position += bytes.len() as u64;
    }
    Ok(true)
}

fn checkpoints(path: &Path) -> Result<(), Failed> {
    let found = decode_checkpoints(&read(path)?).ok_or("the checkpoint file does not verify")?;
    for (id, checkpoint) in found {
        println!(
            "topicId: {} partition: {} recoveryPoint: {} logStartOffset: {}",
            id.topic_id, id.partition, checkpoint.recovery_point, checkpoint.log_start
        );
    }
    Ok(())
}

/// An index or a snapshot.
fn beside(path: &Path, file: SegmentFile) -> Result<(), Failed> {
    let bytes = read(path)?;
    match file.kind {
        SegmentFileKind::OffsetIndex => {
            let index = OffsetIndex::new(file.base_offset, &bytes);
            for entry in (0..index.count()).map(|entry| index.entry(entry)) {
                println!("offset: {} position: {}", entry.offset, entry.position);
            }
        }
        SegmentFileKind::TimeIndex => {
            let index = TimeIndex::new(file.base_offset, &bytes);
            for entry in (0..index.count()).map(|entry| index.entry(entry)) {
                println!("timestamp: {} offset: {}", entry.timestamp, entry.offset);
            }
        }
        SegmentFileKind::TxnIndex => {
            for entry in TxnIndex::new(&bytes).entries() {
                println!(
                    "producerId: {} firstOffset: {} lastOffset: {} lastStableOffset: {}",
                    entry.producer_id, entry.first_offset, entry.last_offset, entry.last_stable_offset
                );
            }
        }
        SegmentFileKind::ProducerSnapshot => {
            for entry in decode_producer_snapshot(&bytes)? {
                println!(
                    "producerId: {} producerEpoch: {} coordinatorEpoch: {} currentTxnFirstOffset: {} lastSequence: {} lastOffset: {} offsetDelta: {} timestamp: {}",
                    entry.producer_id,
                    entry.epoch,
                    entry.coordinator_epoch,
                    entry.transaction_first_offset.unwrap_or(Offset::NONE),
                    entry.last_sequence,
                    entry.last_offset,
                    entry.offset_delta,
                    entry.timestamp,
                );
            }
        }
        SegmentFileKind::Log => {}
    }
    Ok(())
}
