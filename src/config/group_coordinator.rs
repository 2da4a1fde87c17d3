//! The group coordinator's configuration: classic groups, committed offsets, their topic.

use super::broker::Reader;

/// Times in ms, sizes in bytes, unless the name says otherwise.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct GroupCoordinatorConfig {
    pub initial_rebalance_delay_ms: i32,
    pub min_session_timeout_ms: i32,
    pub max_session_timeout_ms: i32,
    /// Members of a classic group.
    pub max_size: i32,
    /// Members of a consumer group.
    pub consumer_max_size: i32,
    pub consumer_session_timeout_ms: i32,
    pub consumer_heartbeat_interval_ms: i32,
    /// The default first.
    pub consumer_assignors: Vec<String>,
    /// bidirectional, upgrade, downgrade or disabled, in any case.
    pub consumer_migration_policy: String,
    pub offset_metadata_max_bytes: i32,
    pub offsets_commit_timeout_ms: i32,
    pub offsets_load_buffer_size: i32,
    pub offsets_retention_check_interval_ms: i64,
    pub offsets_retention_minutes: i32,
    /// A codec's number.
    pub offsets_topic_compression_codec: i32,
    pub offsets_topic_num_partitions: i32,
    pub offsets_topic_replication_factor: i16,
    pub offsets_topic_segment_bytes: i32,
}

impl GroupCoordinatorConfig {
    pub(super) fn resolve(read: &Reader) -> GroupCoordinatorConfig {
        GroupCoordinatorConfig {
            initial_rebalance_delay_ms: read.int("group.initial.rebalance.delay.ms"),
            min_session_timeout_ms: read.int("group.min.session.timeout.ms"),
            max_session_timeout_ms: read.int("group.max.session.timeout.ms"),
            max_size: read.int("group.max.size"),
            consumer_max_size: read.int("group.consumer.max.size"),
            consumer_session_timeout_ms: read.int("group.consumer.session.timeout.ms"),
            consumer_heartbeat_interval_ms: read.int("group.consumer.heartbeat.interval.ms"),
            consumer_assignors: read.list("group.consumer.assignors"),
            consumer_migration_policy: read.optional_text("group.consumer.migration.policy").unwrap_or_default(),
            offset_metadata_max_bytes: read.int("offset.metadata.max.bytes"),
            offsets_commit_timeout_ms: read.int("offsets.commit.timeout.ms"),
            offsets_load_buffer_size: read.int("offsets.load.buffer.size"),
            offsets_retention_check_interval_ms: read.long("offsets.retention.check.interval.ms"),
            offsets_retention_minutes: read.int("offsets.retention.minutes"),
            offsets_topic_compression_codec: read.int("offsets.topic.compression.codec"),
            offsets_topic_num_partitions: read.int("offsets.topic.num.partitions"),
            offsets_topic_replication_factor: read.int("offsets.topic.replication.factor").clamp(-1, i16::MAX.into()) as i16,
            offsets_topic_segment_bytes: read.int("offsets.topic.segment.bytes"),
        }
    }
}
