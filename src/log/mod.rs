//! The log: partitions' batches on disk and in memory. Journal, tail, segments, indexes, recovery.
//!
//! Start-up is in three steps: [`LogDirs::open`] once in the process (locks, identity), then [`recover`] on every shard (journals
//! replayed into segments), and when all shards are through, [`LogStore::open`] on every shard. Stopping: [`LogStore::close`]
//! on every shard, then [`LogDirs::close`] with what they returned.
//!
//! Each shard has one [`LogStore`] (its partitions, its journals, one per log directory), single-threaded. An append is synchronous and in memory;
//! [`PartitionLog::wait_durable`] waits for the journal. Never answers a read with what a crash could take back.

mod checkpoint;
pub mod compaction;
mod config;
mod dir;
pub mod dir_list;
mod dirs;
mod error;
mod foreign;
pub mod format;
mod found;
mod handover;
mod health;
mod idle;
pub mod inspect;
pub mod journal;
mod kafka_recovery;
mod leader_epochs;
mod load;
mod maintenance;
mod memory;
mod metadata;
mod new_dirs;
mod partition;
mod places;
mod plain;
pub mod producer;
mod recovery;
mod retention;
mod segment;
mod space;
mod store;
mod tasks;
#[cfg(test)]
pub(crate) mod tests;
mod unlinks;
mod write_out;

pub use config::{LogConfig, TimestampType, TopicLogConfig};
pub use dirs::{LockedDirs, LogDirs, LogDirsInfo, ShardClosed};
pub use error::{AppendError, OpenError, ReadError};
pub use handover::{HandedOver, ReleaseError};
pub use leader_epochs::LeaderEpochs;
pub use memory::{MemoryBudget, Reserved};
pub use partition::{Appended, EpochEnd, FetchedRecords, PartitionLog, Slice, TimestampOffset};
pub use recovery::{Recovered, recover, recover_postponed};
pub use store::{DirFailure, DirStatus, LogStats, LogStore};
