//! The log: partitions' batches on disk and in memory. Journal, tail, segments, indexes, recovery.
//!
//! Start-up is in three steps: [`LogDirs::open`] once in the process (locks, identity), then [`recover`] on every shard (journals
//! replayed into segments), and when all shards are through, [`LogStore::open`] on every shard. Stopping: [`LogStore::close`]
//! on every shard, then [`LogDirs::close`] with what they returned.
//!
//! Each shard has one [`LogStore`] (its partitions, its journals, one per log directory), single-threaded. An append is synchronous and in memory;
//! [`PartitionLog::wait_durable`] waits for the journal. Never answers a read with what a crash could take back.

mod config;
mod dirs;
mod error;
pub mod format;
mod leader_epochs;
mod partition;
pub mod producer;
mod store;

pub use config::{LogConfig, TimestampType, TopicLogConfig};
pub use dirs::{LogDirs, LogDirsInfo};
pub use error::{AppendError, OpenError, ReadError};
pub use leader_epochs::LeaderEpochs;
pub use partition::{Appended, EpochEnd, FetchedRecords, PartitionLog, Slice, TimestampOffset};
pub use store::{DirStatus, LogStore, Recovered, ShardClosed, recover};
