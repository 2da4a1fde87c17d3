//! Apache Kafka's on-disk formats, except record batches (`wire::records`): names of files and directories, indexes, checkpoints,
//! producer snapshots and property files.
//!
//! Pure: bytes in, values out. Every reader takes bytes that a crash or another program may have left, and says what is wrong with
//! them instead of trusting them. What these formats hold is what Kafka 4.3 writes and reads.

mod checkpoint;
mod foreign;
mod names;
mod offset_index;
mod producer_snapshot;
mod properties;
mod segment_indexes;
mod time_index;
mod txn_index;

pub use checkpoint::{
    CheckpointError, EpochEntry, LEADER_EPOCH_CHECKPOINT, LOG_START_OFFSET_CHECKPOINT, OffsetCheckpointEntry, RECOVERY_POINT_CHECKPOINT,
    REPLICATION_OFFSET_CHECKPOINT, decode_leader_epoch_checkpoint, decode_offset_checkpoint, encode_leader_epoch_checkpoint,
    encode_offset_checkpoint,
};
pub use foreign::{CLEANER_OFFSET_CHECKPOINT, is_foreign_to_partition, is_foreign_to_root};
pub use names::{DirectoryStage, FileStage, PartitionDirectory, SegmentFile, SegmentFileKind};
pub use offset_index::{OffsetIndex, OffsetIndexBuilder, OffsetPosition};
pub use producer_snapshot::{ProducerSnapshotEntry, SnapshotError, decode_producer_snapshot, encode_producer_snapshot};
pub use properties::{
    CLEAN_SHUTDOWN, META_PROPERTIES, MetaProperties, PARTITION_METADATA, PropertiesError, decode_clean_shutdown, decode_partition_metadata,
    encode_clean_shutdown, encode_partition_metadata,
};
pub use segment_indexes::SegmentIndexes;
pub use time_index::{TimeIndex, TimeIndexBuilder, TimestampOffset};
pub use txn_index::{ABORTED_TRANSACTION_SIZE, AbortedTransaction, TxnIndex};

use std::fmt;

/// Why an index file is not usable; it is rebuilt from its segment.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum IndexError {
    /// The length is no multiple of an entry's.
    PartialEntry { length: usize, entry_size: usize },
    /// This entry does not lie above the one before it, or points outside its segment.
    BadEntry { entry: usize },
    /// This entry has a version this program does not know.
    UnknownVersion { entry: usize, version: i16 },
    /// The entry to append is not above the last one.
    OutOfOrder,
    /// The offset lies more than 2^31-1 above the segment's base, or below it.
    OffsetOverflow,
}

impl fmt::Display for IndexError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            IndexError::PartialEntry { length, entry_size } => write!(f, "{length} bytes are no whole number of {entry_size}-byte entries"),
            IndexError::BadEntry { entry } => write!(f, "entry {entry} does not fit its neighbours or its segment"),
            IndexError::UnknownVersion { entry, version } => write!(f, "entry {entry} has unknown version {version}"),
            IndexError::OutOfOrder => write!(f, "the entry is not above the last one"),
            IndexError::OffsetOverflow => write!(f, "the offset is out of the segment's range"),
        }
    }
}

impl std::error::Error for IndexError {}

/// `offset` relative to `base`, if an index entry can hold it.
fn relative_offset(base: crate::types::Offset, offset: crate::types::Offset) -> Result<i32, IndexError> {
    let delta = offset.0.checked_sub(base.0).ok_or(IndexError::OffsetOverflow)?;
    i32::try_from(delta).ok().filter(|delta| *delta >= 0).ok_or(IndexError::OffsetOverflow)
}

/// How many of the first `count` entries satisfy `is_below`, which holds for a prefix of them.
fn partition_point(count: usize, is_below: impl Fn(usize) -> bool) -> usize {
    let (mut low, mut high) = (0, count);
    while low < high {
        let middle = low + (high - low) / 2;
        if is_below(middle) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    low
}
