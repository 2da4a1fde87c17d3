//! Log compaction, as Apache Kafka's log cleaner does it: of every key the last record stays, where and as it was.
//!
//! Each shard has one cleaner, a background task that compacts its dirtiest partition, again and again. Pure parts decide: how dirty a
//! log is (`dirty`), where a key comes last (`offset_map`), what survives (`survivors`, `transactions`), what a batch becomes (`rewrite`).
//! `pass` reads and writes; [`crate::log::PartitionLog::replace_segments`] puts the result in place; `interrupted` finishes at a start what a crash
//! left. Only sealed segments below the last stable offset are touched. Start reading at `pass`.

mod checkpoint;
mod cleaned;
mod cleaner;
mod dirty;
mod interrupted;
mod key_hash;
mod offset_map;
mod pass;
mod rewrite;
mod source;
mod survivors;
mod throttle;
mod transactions;

#[cfg(test)]
mod tests;

pub use checkpoint::{close as close_checkpoint, take_over as take_over_checkpoint};
pub use cleaner::{Compaction, CompactionStats, start};
pub use dirty::{GroupedSegment, SegmentSummary};
pub use interrupted::{Author, finish_interrupted};
pub use pass::SourceSegment;
pub use survivors::LastOfProducer;

use crate::config::LogCleanerConfig;
use std::io;
use std::path::PathBuf;

/// Compaction reads at least so much at a time, whatever `log.cleaner.io.buffer.size` says.
const READ_BYTES_MIN: usize = 4 << 10;

/// `log.cleaner.*`, for one shard.
#[derive(Clone, PartialEq, Debug)]
pub struct CleanerConfig {
    /// `log.cleaner.enable`
    pub enable: bool,
    /// `log.cleaner.backoff.ms`
    pub backoff_ms: u64,
    /// This shard's share of `log.cleaner.dedupe.buffer.size`, taken only while a log is compacted, and only as much as its keys can need.
    pub dedupe_buffer_bytes: u64,
    /// `log.cleaner.io.buffer.load.factor`
    pub dedupe_load_factor: f64,
    /// Read at a time: half of `log.cleaner.io.buffer.size`.
    pub io_buffer_bytes: usize,
    /// This shard's share of `log.cleaner.io.max.bytes.per.second`.
    pub io_bytes_per_second: f64,
}

impl CleanerConfig {
    /// One shard's part of what is for the whole broker.
    pub fn share_of(config: &LogCleanerConfig, shard_count: usize) -> CleanerConfig {
        CleanerConfig {
            enable: config.enable,
            backoff_ms: config.backoff_ms as u64,
            dedupe_buffer_bytes: config.dedupe_buffer_size.max(0) as u64 / shard_count as u64,
            dedupe_load_factor: config.io_buffer_load_factor,
            io_buffer_bytes: (config.io_buffer_size as usize / 2).max(READ_BYTES_MIN),
            io_bytes_per_second: config.io_max_bytes_per_second / shard_count as f64,
        }
    }
}

impl Default for CleanerConfig {
    fn default() -> CleanerConfig {
        CleanerConfig {
            enable: true,
            backoff_ms: 15_000,
            dedupe_buffer_bytes: 128 << 20,
            dedupe_load_factor: 0.9,
            io_buffer_bytes: 256 << 10,
            io_bytes_per_second: f64::MAX,
        }
    }
}

/// Why a pass ended before its end. What it had replaced stays replaced.
#[derive(Debug)]
pub enum Interrupted {
    /// The store stops, or the log was closed, deleted or taken offline.
    Stopped,
    /// The segments it compacted are not there any more: retention took them.
    Changed,
    /// A batch cannot be read: the partition is not compacted until the next start.
    Damaged(String),
    Read(PathBuf, io::Error),
    Write(io::Error),
}

impl From<io::Error> for Interrupted {
    fn from(error: io::Error) -> Interrupted {
        Interrupted::Write(error)
    }
}
