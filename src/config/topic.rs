//! A topic's configuration, resolved: its own override, else the broker's value, else the default.

use super::catalogue;
use super::layers::{BrokerLayers, ConfigMap};
use super::value::Value;

/// `compression.type`: what batches are stored as.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum CompressionType {
    /// As the producer sent them.
    Producer,
    Uncompressed,
    Gzip,
    Snappy,
    Lz4,
    Zstd,
}

/// `message.timestamp.type`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum TimestampType {
    CreateTime,
    LogAppendTime,
}

/// What a partition needs to know. Times in ms, sizes in bytes; -1 means unlimited where it says so.
#[derive(Clone, PartialEq, Debug)]
pub struct TopicConfig {
    pub cleanup_delete: bool,
    pub cleanup_compact: bool,
    pub compression_type: CompressionType,
    /// -1: the codec's own default.
    pub compression_gzip_level: i32,
    pub compression_lz4_level: i32,
    pub compression_zstd_level: i32,
    pub delete_retention_ms: i64,
    pub file_delete_delay_ms: i64,
    /// 1: an ack means on disk; more: acks come from memory.
    pub flush_messages: i64,
    pub flush_ms: i64,
    pub index_interval_bytes: i32,
    pub max_compaction_lag_ms: i64,
    /// The largest batch, as stored.
    pub max_message_bytes: i32,
    pub message_timestamp_after_max_ms: i64,
    pub message_timestamp_before_max_ms: i64,
    pub message_timestamp_type: TimestampType,
    pub min_cleanable_dirty_ratio: f64,
    pub min_compaction_lag_ms: i64,
    pub min_insync_replicas: i32,
    pub preallocate: bool,
    /// -1: unlimited.
    pub retention_bytes: i64,
    /// -1: unlimited.
    pub retention_ms: i64,
    pub segment_bytes: i32,
    pub segment_index_bytes: i32,
    pub segment_jitter_ms: i64,
    pub segment_ms: i64,
    pub unclean_leader_election_enable: bool,
}

impl TopicConfig {
    /// The configuration of a topic with these overrides on a broker with these layers. An override that does not parse
    /// (written by another version) counts as not set; what clients send is checked before it gets here.
    pub fn resolve(overrides: &ConfigMap, broker: BrokerLayers) -> TopicConfig {
        let topic = Resolver { overrides, broker };
        let policies = topic.list("cleanup.policy");
        TopicConfig {
            cleanup_delete: policies.iter().any(|p| p == "delete"),
            cleanup_compact: policies.iter().any(|p| p == "compact"),
            compression_type: compression_type(&topic.text("compression.type")),
            compression_gzip_level: topic.int("compression.gzip.level"),
            compression_lz4_level: topic.int("compression.lz4.level"),
            compression_zstd_level: topic.int("compression.zstd.level"),
            delete_retention_ms: topic.long("delete.retention.ms"),
            file_delete_delay_ms: topic.long("file.delete.delay.ms"),
            flush_messages: topic.long("flush.messages"),
            flush_ms: topic.long("flush.ms"),
            index_interval_bytes: topic.int("index.interval.bytes"),
            max_compaction_lag_ms: topic.long("max.compaction.lag.ms"),
            max_message_bytes: topic.int("max.message.bytes"),
            message_timestamp_after_max_ms: topic.long("message.timestamp.after.max.ms"),
            message_timestamp_before_max_ms: topic.long("message.timestamp.before.max.ms"),
            message_timestamp_type: timestamp_type(&topic.text("message.timestamp.type")),
            min_cleanable_dirty_ratio: topic.double("min.cleanable.dirty.ratio"),
            min_compaction_lag_ms: topic.long("min.compaction.lag.ms"),
            min_insync_replicas: topic.int("min.insync.replicas"),
            preallocate: topic.boolean("preallocate"),
            retention_bytes: topic.long("retention.bytes"),
            retention_ms: topic.long("retention.ms"),
            segment_bytes: topic.int("segment.bytes"),
            segment_index_bytes: topic.int("segment.index.bytes"),
            segment_jitter_ms: topic.long("segment.jitter.ms"),
            segment_ms: topic.long("segment.ms"),
            unclean_leader_election_enable: topic.boolean("unclean.leader.election.enable"),
        }
    }
}

impl Default for TopicConfig {
    /// A topic without overrides on a broker where nothing is set.
    fn default() -> Self {
        let nothing = ConfigMap::new();
        let broker = BrokerLayers { dynamic: &nothing, dynamic_default: &nothing, fixed: &nothing };
        TopicConfig::resolve(&nothing, broker)
    }
}

/// The text of an override or of the broker's value for `name`, parsed. `None` only for names without any value.
pub(super) fn effective(name: &str, overrides: &ConfigMap, broker: BrokerLayers) -> Option<Value> {
    let definition = catalogue::topic(name)?;
    let own = overrides.get(name).and_then(|text| Value::parse(definition, text).ok());
    own.or_else(|| broker.topic_default(definition))
}

struct Resolver<'a> {
    overrides: &'a ConfigMap,
    broker: BrokerLayers<'a>,
}

impl Resolver<'_> {
    fn value(&self, name: &str) -> Value {
        effective(name, self.overrides, self.broker).unwrap_or_else(|| panic!("the catalogue has no default for {name}"))
    }

    fn long(&self, name: &str) -> i64 {
        match self.value(name) {
            Value::Integer(number) => number,
            other => panic!("{name} is a number, not {other}"),
        }
    }

    fn int(&self, name: &str) -> i32 {
        self.long(name).clamp(i32::MIN.into(), i32::MAX.into()) as i32
    }

    fn double(&self, name: &str) -> f64 {
        match self.value(name) {
            Value::Double(number) => number,
            other => panic!("{name} is a fraction, not {other}"),
        }
    }

    fn boolean(&self, name: &str) -> bool {
        self.value(name) == Value::Boolean(true)
    }

    fn text(&self, name: &str) -> String {
        self.value(name).to_string()
    }

    fn list(&self, name: &str) -> Vec<String> {
        match self.value(name) {
            Value::List(elements) => elements,
            other => panic!("{name} is a list, not {other}"),
        }
    }
}

fn compression_type(name: &str) -> CompressionType {
    match name {
        "uncompressed" => CompressionType::Uncompressed,
        "gzip" => CompressionType::Gzip,
        "snappy" => CompressionType::Snappy,
        "lz4" => CompressionType::Lz4,
        "zstd" => CompressionType::Zstd,
        _ => CompressionType::Producer,
    }
}

fn timestamp_type(name: &str) -> TimestampType {
    match name {
        "LogAppendTime" => TimestampType::LogAppendTime,
        _ => TimestampType::CreateTime,
    }
}
