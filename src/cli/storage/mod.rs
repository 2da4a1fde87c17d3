//! `ringmill storage`: looks at, and works on, the log directories of a broker that is stopped.
//!
//! `info`, `check` and `dump` run on the process's own threads, without cores, hold the directories' locks meanwhile, so that no broker starts, and
//! write nothing. One file per command; `directory.rs` finds what is there, `segment.rs` walks a segment's bytes.

mod check;
mod directory;
mod dump;
mod info;
mod journal;
mod partition;
mod records;
mod segment;
#[cfg(test)]
mod tests;
mod to_kafka;

use super::serve::ServeArguments;
use std::error::Error;
use std::path::PathBuf;
use std::process::ExitCode;

#[derive(clap::Subcommand, Debug)]
pub(super) enum StorageCommand {
    /// Say what is in log directories: whose they are, partitions, sizes, journals, recovery points.
    Info(DirArguments),
    /// Verify every CRC, index, snapshot, checkpoint and journal; exit status 1 if anything is wrong.
    Check(check::CheckArguments),
    /// Print batches, and records if asked for, of segments, partitions, journals and the files beside them.
    Dump(dump::DumpArguments),
    /// Make a stopped broker's log directories Apache Kafka's.
    ToKafka(to_kafka::ToKafkaArguments),
}

/// Which log directories.
#[derive(clap::Args, Debug, Default, PartialEq, Eq)]
pub(super) struct DirArguments {
    /// Log directories; without any, those of the configuration
    #[arg(value_name = "DIR")]
    pub dirs: Vec<PathBuf>,
    /// A server.properties file that names log.dirs
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// One configuration, e.g. log.dirs=/data; may be repeated
    #[arg(long, value_name = "KEY=VALUE")]
    pub set: Vec<String>,
}

impl DirArguments {
    fn resolve(&self) -> Result<Vec<PathBuf>, Box<dyn Error>> {
        if !self.dirs.is_empty() {
            return Ok(self.dirs.clone());
        }
        let arguments = ServeArguments { config: self.config.clone(), set: self.set.clone() };
        Ok(super::serve::load(&arguments)?.config.log_dirs)
    }
}

pub(super) fn run(command: StorageCommand) -> Result<ExitCode, Box<dyn Error>> {
    match command {
        StorageCommand::Info(arguments) => info::run(&arguments.resolve()?),
        StorageCommand::Check(arguments) => check::run(&arguments),
        StorageCommand::Dump(arguments) => dump::run(&arguments),
        StorageCommand::ToKafka(arguments) => to_kafka::run(arguments).map(|()| ExitCode::SUCCESS),
    }
}

/// `12.3 MiB`.
fn size(bytes: u64) -> String {
    let units = ["B", "KiB", "MiB", "GiB", "TiB"];
    let power = (1..units.len()).rev().find(|power| bytes >= 1 << (10 * power)).unwrap_or(0);
    if power == 0 { format!("{bytes} B") } else { format!("{:.1} {}", bytes as f64 / (1u64 << (10 * power)) as f64, units[power]) }
}
