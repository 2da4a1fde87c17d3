//! `ringmill storage check`: reads everything in log directories and names what is wrong. Partitions are read side by side.

use super::directory::Directory;
use super::partition::PartitionFiles;
use super::segment::walk;
use super::{DirArguments, size};
use crate::kafka::METADATA_DIRECTORY;
use crate::log::format::SegmentFileKind;
use crate::log::inspect::{Counts, Ended, Finding, JournalInspection, PartitionInspection, SegmentFiles, Severity, Subject};
use crate::types::Offset;
use bytes::Bytes;
use indicatif::{ProgressBar, ProgressStyle};
use std::collections::VecDeque;
use std::error::Error;
use std::fs::{self, File};
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Mutex;

#[derive(clap::Args, Debug)]
pub(in crate::cli) struct CheckArguments {
    #[command(flatten)]
    pub dirs: DirArguments,
    /// Threads that read; by default one for each core
    #[arg(long, value_name = "COUNT")]
    pub threads: Option<usize>,
}

/// One line each of what is wrong, and of what is worth knowing and is not.
#[derive(Default)]
struct Report {
    damages: Vec<String>,
    rebuildable: Vec<String>,
    notes: Vec<String>,
    counts: Counts,
    journal_batches: u64,
    partitions: usize,
}

pub fn run(arguments: &CheckArguments) -> Result<ExitCode, Box<dyn Error>> {
    let dirs = arguments.dirs.resolve()?;
    // All locks before any work.
    let directories: Vec<Directory> = dirs.iter().map(|dir| Directory::open(dir)).collect::<Result<_, _>>()?;
    let threads = arguments.threads.or_else(|| std::thread::available_parallelism().ok().map(usize::from)).unwrap_or(1);
    let progress = progress(&directories);
    let mut report = Report::default();
    for directory in &directories {
        check_directory(directory, threads, &progress, &mut report)?;
    }
    progress.finish_and_clear();
    Ok(report.print())
}

fn progress(directories: &[Directory]) -> ProgressBar {
    let bytes = directories.iter().flat_map(|directory| &directory.partitions).map(PartitionFiles::bytes).sum();
    let style = ProgressStyle::with_template("{bytes} of {total_bytes} {bar:40} {bytes_per_sec}, {eta} left");
    // On stderr, and only if that is a terminal.
    ProgressBar::new(bytes).with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()))
}

/// What reading one partition gave.
struct Checked {
    ended: Ended,
    findings: Vec<Finding>,
    counts: Counts,
    /// Up to where snapshots say that all was durable.
    snapshot: Offset,
}

fn check_directory(directory: &Directory, threads: usize, progress: &ProgressBar, report: &mut Report) -> Result<(), Box<dyn Error>> {
    for (path, what) in &directory.faults {
        report.damages.push(format!("{}: {what}", path.display()));
    }
    if !directory.foreign.is_empty() {
        report.notes.push(format!("{}: left alone: {}", directory.path.display(), directory.foreign.join(", ")));
    }
    let mut journals = JournalInspection::default();
    for journal in &directory.journals {
        if let Err(what) = &journal.state {
            report.damages.push(format!("{}: {what}", journal.state_path.display()));
        }
        if let Some(open) = journal.open()? {
            let faults = open.inspect(&mut journals)?;
            report.damages.extend(faults.into_iter().map(|(path, what)| format!("{}: {what}", path.display())));
        }
    }
    report.journal_batches += journals.batches;
    let checked = check_partitions(directory, threads, progress);
    for (partition, checked) in directory.partitions.iter().zip(checked) {
        report.partitions += 1;
        match checked {
            Ok(checked) => report.add(directory, partition, checked, &journals),
            Err(what) => report.damages.push(what),
        }
    }
    report.add_journaled_alone(directory, &journals);
    Ok(())
}

/// In the partitions' order.
fn check_partitions(directory: &Directory, threads: usize, progress: &ProgressBar) -> Vec<Result<Checked, String>> {
    let waiting: Mutex<VecDeque<usize>> = Mutex::new((0..directory.partitions.len()).collect());
    let done: Mutex<Vec<Option<Result<Checked, String>>>> = Mutex::new(directory.partitions.iter().map(|_| None).collect());
    let next = || waiting.lock().ok().and_then(|mut waiting| waiting.pop_front());
    std::thread::scope(|scope| {
        for _ in 0..threads.clamp(1, directory.partitions.len().max(1)) {
            scope.spawn(|| {
                while let Some(index) = next() {
                    let checked = check_partition(directory, &directory.partitions[index], progress);
                    if let Ok(mut done) = done.lock() {
                        done[index] = Some(checked);
                    }
                }
            });
        }
    });
    let done = done.into_inner().unwrap_or_default();
    done.into_iter().map(|checked| checked.unwrap_or_else(|| Err("a thread that checked a partition ended early".into()))).collect()
}

fn check_partition(directory: &Directory, partition: &PartitionFiles, progress: &ProgressBar) -> Result<Checked, String> {
    let mut snapshots = Vec::new();
    for offset in partition.offsets_of(SegmentFileKind::ProducerSnapshot) {
        snapshots.push((offset, partition.read_beside(offset, SegmentFileKind::ProducerSnapshot)?));
    }
    let snapshot = snapshots.last().map_or(Offset(0), |(offset, _)| *offset);
    let mut inspection = PartitionInspection::new(directory.cleaned_below(partition), snapshots);
    let last = partition.segments.keys().next_back().copied();
    // Apache Kafka's metadata log stays as Kafka left it, however a broker of ours stopped.
    let is_kafkas = directory.ours && partition.name() == METADATA_DIRECTORY;
    let clean = directory.clean && !is_kafkas;
    for (&base, &len) in &partition.segments {
        let files = SegmentFiles {
            base,
            offsets: partition.read_beside(base, SegmentFileKind::OffsetIndex)?,
            times: partition.read_beside(base, SegmentFileKind::TimeIndex)?,
            transactions: partition.read_beside(base, SegmentFileKind::TxnIndex)?,
        };
        let is_last = last == Some(base);
        inspection.begin(files, len, is_last, clean || !is_last);
        let path = partition.file(base, SegmentFileKind::Log);
        let walked = File::open(&path).and_then(|file| walk(&file, len, &mut inspection, &|bytes| progress.inc(bytes)));
        walked.map_err(|error| format!("{}: {error}", path.display()))?;
        inspection.end();
    }
    let epochs = partition.has_epochs.then(|| fs::read(partition.epochs_path()).map(Bytes::from));
    let epochs = epochs.transpose().map_err(|error| format!("{}: {error}", partition.epochs_path().display()))?;
    let log_start = directory.checkpoint(partition).log_start.max(partition.segments.keys().next().copied().unwrap_or_default());
    let (ended, findings, counts) = inspection.finish(epochs.as_ref(), log_start, clean);
    Ok(Checked { ended, findings, counts, snapshot })
}

impl Report {
    fn add(&mut self, directory: &Directory, partition: &PartitionFiles, checked: Checked, journals: &JournalInspection) {
        let name = partition.path.display();
        self.damages.extend(partition.faults.iter().map(|(path, what)| format!("{}: {what}", path.display())));
        self.damages.extend(partition.damaged.iter().map(|why| format!("{name}: kept offline: {why}")));
        if !partition.foreign.is_empty() {
            self.notes.push(format!("{name}: left alone: {}", partition.foreign.join(", ")));
        }
        for finding in &checked.findings {
            let line = format!("{}: {finding}", subject_path(partition, finding.subject).display());
            if finding.severity == Severity::Damage { self.damages.push(line) } else { self.rebuildable.push(line) }
        }
        let Counts { segments, batches, bytes } = checked.counts;
        self.counts.segments += segments;
        self.counts.batches += batches;
        self.counts.bytes += bytes;
        self.add_end(directory, partition, &checked, journals);
    }

    /// Whether what had been acknowledged is there, in segments or in journals.
    fn add_end(&mut self, directory: &Directory, partition: &PartitionFiles, checked: &Checked, journals: &JournalInspection) {
        let checkpoint = directory.checkpoint(partition);
        let end = checked.ended.log_end;
        let reach = partition.id().map(|id| journals.reach(id, end));
        let (reached, acknowledged) = reach.map_or((end, Offset(0)), |reach| (reach.end, reach.acknowledged));
        let required = acknowledged.max(checkpoint.recovery_point).max(checkpoint.log_start).max(checked.snapshot);
        let last = partition.segments.keys().next_back().copied();
        let file = last.map_or_else(|| partition.path.clone(), |base| partition.file(base, SegmentFileKind::Log));
        let rest = checked.ended.rest.as_ref().map(|(position, bytes, why)| (format!("at position {position} (offset {end})"), bytes, why));
        if reached < required {
            let place = rest.map_or_else(|| format!("(offset {end}): the file ends"), |(place, _, why)| format!("{place}: {why}"));
            let what = format!("offsets up to {required} had been acknowledged, only those below {reached} are there");
            return self.damages.push(format!("{}: {place}; {what}", file.display()));
        }
        if reached > end {
            self.notes.push(format!("{}: offsets {end} to {} are in the journal only", partition.path.display(), reached.plus(-1)));
        }
        if let Some((place, bytes, _)) = rest {
            self.notes.push(format!("{}: {place}: {bytes} bytes that were never acknowledged; the next start cuts them", file.display()));
        }
    }

    /// Partitions whose directory a crash kept from becoming durable.
    fn add_journaled_alone(&mut self, directory: &Directory, journals: &JournalInspection) {
        for (id, topic) in journals.partitions() {
            let name = format!("{topic}-{}", id.partition);
            let reach = journals.reach(id, Offset(0));
            let has_directory = directory.partitions.iter().any(|partition| partition.id() == Some(id) || partition.name() == name);
            if !has_directory && !reach.deleted && reach.end > Offset(0) {
                self.notes.push(format!("{name}: offsets 0 to {} are in the journal only", reach.end.plus(-1)));
            }
        }
    }

    fn print(self) -> ExitCode {
        self.damages.iter().for_each(|line| println!("damaged: {line}"));
        self.rebuildable.iter().for_each(|line| println!("wrong: {line}"));
        self.notes.iter().for_each(|line| println!("note: {line}"));
        let Counts { segments, batches, bytes } = self.counts;
        println!("read {} partitions, {segments} segments, {batches} batches, {}", self.partitions, size(bytes));
        println!("and {} batches in journals", self.journal_batches);
        if self.damages.is_empty() && self.rebuildable.is_empty() {
            println!("nothing is wrong");
            return ExitCode::SUCCESS;
        }
        println!("{} damaged, {} wrong beside the records", self.damages.len(), self.rebuildable.len());
        ExitCode::FAILURE
    }
}

fn subject_path(partition: &PartitionFiles, subject: Subject) -> PathBuf {
    match subject {
        Subject::Segment(base, kind) => partition.file(base, kind),
        Subject::LeaderEpochs => partition.epochs_path(),
        Subject::Partition => partition.path.clone(),
    }
}
