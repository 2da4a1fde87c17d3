//! What the log is configured with: one [`LogConfig`] for the process, one [`TopicLogConfig`] for each topic.
//!
//! Pure. Defaults are Apache Kafka's where Kafka has the setting; `flush.messages` is 1 here, not "never".

use super::compaction::CleanerConfig;
use crate::types::NodeId;
use std::path::PathBuf;

/// So that what a start replays, and what retention and roll by time wait for, is minutes old at most where nothing is written.
const IDLE_CHECK_INTERVAL_MS: i64 = 30_000;

/// What every shard's store needs to know. Sizes are bytes and, unless said otherwise, per shard.
#[derive(Clone, Debug)]
pub struct LogConfig {
    /// `log.dirs`; at least one.
    pub log_dirs: Vec<PathBuf>,
    /// `node.id`, checked against each directory's `meta.properties`.
    pub node_id: NodeId,
    /// The cluster these directories must belong to; `None` takes what they say, or draws a new id.
    pub cluster_id: Option<String>,
    /// Memory for batches not yet in a segment plus the cache of recent ones.
    pub tail_bytes_max: u64,
    /// A partition's tail is written to its segment once it holds this much.
    pub tail_flush_bytes: u64,
    /// A partition with so many bytes on their way to the journal writes them to its segment instead. At most half of a journal's file.
    pub bypass_bytes: u64,
    /// Larger writes to a segment are made in pieces of this many bytes, a multiple of 4 KiB, side by side.
    pub segment_write_bytes: usize,
    /// Size of one file of a journal's ring, a multiple of 64 KiB.
    pub journal_file_bytes: u64,
    /// Journal size after the first start, per log directory.
    pub journal_bytes_initial: u64,
    /// What the journal may grow to, per log directory.
    pub journal_bytes_max: u64,
    /// So many partitions' small tails are written out and synced together, then the device is left to others for a while.
    pub write_out_lot: usize,
    /// Open segment files kept.
    pub open_files_max: usize,
    /// Mapped indexes kept.
    pub index_maps_max: usize,
    /// `producer.id.expiration.ms`
    pub producer_id_expiration_ms: i64,
    /// `log.retention.check.interval.ms`
    pub retention_check_interval_ms: i64,
    /// How often idle tails are looked for: one that nobody wrote to in between goes to its segment.
    pub idle_check_interval_ms: i64,
    /// `ringmill.disk.reserve.bytes`: appends are refused while a log directory has less free space than this and all that is in no segment yet.
    pub disk_reserve_bytes: u64,
    pub cleaner: CleanerConfig,
}

impl LogConfig {
    /// A store over `log_dirs` with the defaults.
    pub fn new(log_dirs: Vec<PathBuf>, node_id: NodeId) -> LogConfig {
        LogConfig {
            log_dirs,
            node_id,
            cluster_id: None,
            tail_bytes_max: 256 << 20,
            tail_flush_bytes: 1 << 20,
            bypass_bytes: 256 << 10,
            segment_write_bytes: 1 << 20,
            journal_file_bytes: 8 << 20,
            journal_bytes_initial: 16 << 20,
            journal_bytes_max: 512 << 20,
            write_out_lot: 64,
            open_files_max: 256,
            index_maps_max: 1024,
            producer_id_expiration_ms: 86_400_000,
            retention_check_interval_ms: 300_000,
            idle_check_interval_ms: IDLE_CHECK_INTERVAL_MS,
            disk_reserve_bytes: 64 << 20,
            cleaner: CleanerConfig::default(),
        }
    }
}

/// `message.timestamp.type`.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum TimestampType {
    #[default]
    CreateTime,
    LogAppendTime,
}

/// The topic configs that the log obeys, under Kafka's names.
#[derive(Clone, PartialEq, Debug)]
pub struct TopicLogConfig {
    /// `segment.bytes`
    pub segment_bytes: u64,
    /// `segment.ms`
    pub segment_ms: i64,
    /// `segment.jitter.ms`
    pub segment_jitter_ms: i64,
    /// `segment.index.bytes`
    pub segment_index_bytes: u64,
    /// `index.interval.bytes`
    pub index_interval_bytes: u64,
    /// `flush.messages`: 1 makes every ack durable; anything else lets acks come from memory.
    pub flush_messages: u64,
    /// `flush.ms`
    pub flush_ms: i64,
    /// `max.message.bytes`: the largest batch, as Kafka counts it (with its header and offset).
    pub max_message_bytes: u64,
    /// `message.timestamp.type`
    pub message_timestamp_type: TimestampType,
    /// `cleanup.policy` has `delete`, has `compact`.
    pub cleanup_delete: bool,
    pub cleanup_compact: bool,
    /// `retention.bytes`; -1: unbounded.
    pub retention_bytes: i64,
    /// `retention.ms`; -1: unbounded.
    pub retention_ms: i64,
    /// `file.delete.delay.ms`
    pub file_delete_delay_ms: i64,
    /// `delete.retention.ms`
    pub delete_retention_ms: i64,
    /// `min.cleanable.dirty.ratio`
    pub min_cleanable_dirty_ratio: f64,
    /// `min.compaction.lag.ms`
    pub min_compaction_lag_ms: i64,
    /// `max.compaction.lag.ms`
    pub max_compaction_lag_ms: i64,
}

impl Default for TopicLogConfig {
    fn default() -> Self {
        TopicLogConfig {
            segment_bytes: 1 << 30,
            segment_ms: 604_800_000,
            segment_jitter_ms: 0,
            segment_index_bytes: 10 << 20,
            index_interval_bytes: 4096,
            flush_messages: 1,
            flush_ms: i64::MAX,
            max_message_bytes: 1_048_588,
            message_timestamp_type: TimestampType::CreateTime,
            cleanup_delete: true,
            cleanup_compact: false,
            retention_bytes: -1,
            retention_ms: 604_800_000,
            file_delete_delay_ms: 60_000,
            delete_retention_ms: 86_400_000,
            min_cleanable_dirty_ratio: 0.5,
            min_compaction_lag_ms: 0,
            max_compaction_lag_ms: i64::MAX,
        }
    }
}

impl TopicLogConfig {
    /// The age at which a segment is full: what must be compacted in time must not stay in the active one.
    pub fn roll_ms(&self) -> i64 {
        let compacted = self.cleanup_compact && self.max_compaction_lag_ms > 0;
        if compacted { self.segment_ms.min(self.max_compaction_lag_ms) } else { self.segment_ms }
    }

    /// Whether an ack, and what a fetch may see, waits for stable storage.
    pub fn is_durable(&self) -> bool {
        self.flush_messages == 1
    }
}
