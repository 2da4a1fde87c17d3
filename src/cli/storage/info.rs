//! `ringmill storage info`: what is in log directories, from their small files and the sizes of the large ones.

use super::directory::Directory;
use super::journal::Journal;
use super::partition::PartitionFiles;
use super::size;
use std::error::Error;
use std::path::PathBuf;
use std::process::ExitCode;

pub fn run(dirs: &[PathBuf]) -> Result<ExitCode, Box<dyn Error>> {
    println!("ringmill {}", env!("CARGO_PKG_VERSION"));
    for dir in dirs {
        show(&Directory::open(dir)?);
    }
    Ok(ExitCode::SUCCESS)
}

fn show(directory: &Directory) {
    println!("\nlog directory {}", directory.path.display());
    match &directory.properties {
        Some(found) => {
            let id = found.directory_id.map_or("none".into(), |id| id.to_string());
            println!("  cluster {}   node {}   directory {id}   meta.properties version 1", found.cluster_id, found.node_id);
        }
        None => println!("  no meta.properties: nobody's yet"),
    }
    if directory.properties.is_some() {
        let stop = if directory.clean { "clean" } else { "not clean: the next start recovers it" };
        println!("  last used by {}   last stop {stop}", if directory.ours { "Ringmill" } else { "Apache Kafka" });
    }
    directory.journals.iter().for_each(show_journal);
    let bytes: u64 = directory.partitions.iter().map(PartitionFiles::bytes).sum();
    println!("  {} partitions, {} in segments", directory.partitions.len(), size(bytes));
    if !directory.partitions.is_empty() {
        println!("  {:<40} {:>24} {:>9} {:>12} {:>14} {:>14}", "partition", "topic id", "segments", "size", "log start", "recovery point");
    }
    directory.partitions.iter().for_each(|partition| show_partition(directory, partition));
    for (path, what) in &directory.faults {
        println!("  {}: {what}", path.display());
    }
    if !directory.foreign.is_empty() {
        println!("  nothing of Kafka's or Ringmill's, left alone: {}", directory.foreign.join(", "));
    }
}

fn show_journal(journal: &Journal) {
    let state = match &journal.state {
        Ok(state) if state.replayed => format!("epoch {:#x}, holds nothing that segments lack", state.epoch),
        Ok(state) => {
            let frames = journal.open().map(|open| open.map_or(0, |open| open.chain.frames.len()));
            let frames = frames.map_or_else(|error| error.to_string(), |frames| format!("{frames} frames to replay"));
            format!("epoch {:#x}, {frames}", state.epoch)
        }
        Err(error) => error.clone(),
    };
    println!("  journal of shard {}: {} files, {}, {state}", journal.shard, journal.ring.len(), size(journal.bytes));
}

fn show_partition(directory: &Directory, partition: &PartitionFiles) {
    let checkpoint = directory.checkpoint(partition);
    let first = partition.segments.keys().next().copied().unwrap_or_default();
    println!(
        "  {:<40} {:>24} {:>9} {:>12} {:>14} {:>14}",
        partition.name(),
        partition.topic_id.map_or("-".into(), |id| id.to_string()),
        partition.segments.len(),
        size(partition.bytes()),
        checkpoint.log_start.max(first).to_string(),
        checkpoint.recovery_point.to_string(),
    );
    if let Some(why) = &partition.damaged {
        println!("      kept offline: {why}");
    }
    for (path, what) in &partition.faults {
        println!("      {}: {what}", path.display());
    }
    if !partition.foreign.is_empty() {
        println!("      foreign files, left alone: {}", partition.foreign.join(", "));
    }
}
