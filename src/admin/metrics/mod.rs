//! Counters of one core and the text that a scrape gets.
//!
//! A shard counts in plain integers of its own ([`ShardMetrics`]), without atomics. A scrape asks every shard for a
//! [`MetricsSnapshot`] over the mesh; [`render`] adds them up on the controller core. Cardinality is bounded: by the table of
//! APIs, by Kafka's error codes, by the number of shards, and for topics by [`limits::METRICS_TOPICS_MAX`].

mod exposition;
mod latency;
mod render;
#[cfg(test)]
mod tests;

pub use latency::Latency;
pub use render::render;

use crate::config::limits;
use crate::types::{ErrorCode, ShardId};
use crate::wire::ApiKey;
use std::collections::BTreeMap;
use std::time::Duration;

/// What happened to requests of one API.
#[derive(Clone, Debug, Default)]
struct ApiMetrics {
    requests: u64,
    request_bytes: u64,
    response_bytes: u64,
    errors: BTreeMap<ErrorCode, u64>,
    latency: Latency,
}

/// What went in and out, in all or of one topic; under Kafka's names.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct TopicMetrics {
    messages_in: u64,
    bytes_in: u64,
    bytes_out: u64,
    produce_requests: u64,
    fetch_requests: u64,
    failed_produce_requests: u64,
    failed_fetch_requests: u64,
}

/// What a shard counts. Recording is a few additions, or a look-up by topic.
#[derive(Clone, Debug, Default)]
pub struct ShardMetrics {
    apis: BTreeMap<ApiKey, ApiMetrics>,
    all_topics: TopicMetrics,
    topics: BTreeMap<String, TopicMetrics>,
    connections_accepted: u64,
    connections_refused: u64,
    fetched_from_memory_bytes: u64,
    fetched_from_files_bytes: u64,
    journal_latency: Latency,
}

impl ShardMetrics {
    /// One request was answered. Sizes in bytes with their headers; `error` is the answer's first that is not NONE; `elapsed` is
    /// the time from the request's last byte to the answer's being ready.
    pub fn request(&mut self, api: ApiKey, request_bytes: usize, response_bytes: usize, error: ErrorCode, elapsed: Duration) {
        let metrics = self.apis.entry(api).or_default();
        metrics.requests += 1;
        metrics.request_bytes += request_bytes as u64;
        metrics.response_bytes += response_bytes as u64;
        if !error.is_none() {
            *metrics.errors.entry(error).or_default() += 1;
        }
        metrics.latency.record(elapsed);
    }

    /// A batch of `records` records, `bytes` long as sent, was appended to one partition of `topic`.
    pub fn produced(&mut self, topic: &str, records: u64, bytes: u64) {
        self.count(topic, |m| {
            m.produce_requests += 1;
            m.messages_in += records;
            m.bytes_in += bytes;
        });
    }

    /// A batch for one partition of `topic` was refused.
    pub fn produce_failed(&mut self, topic: &str) {
        self.count(topic, |m| {
            m.produce_requests += 1;
            m.failed_produce_requests += 1;
        });
    }

    /// One partition of `topic` was read: bytes of records that go out from memory and from files.
    pub fn fetched(&mut self, topic: &str, memory_bytes: u64, file_bytes: u64) {
        self.fetched_from_memory_bytes += memory_bytes;
        self.fetched_from_files_bytes += file_bytes;
        self.count(topic, |m| {
            m.fetch_requests += 1;
            m.bytes_out += memory_bytes + file_bytes;
        });
    }

    /// A read of one partition of `topic` was refused.
    pub fn fetch_failed(&mut self, topic: &str) {
        self.count(topic, |m| {
            m.fetch_requests += 1;
            m.failed_fetch_requests += 1;
        });
    }

    /// A connection was placed on this shard.
    pub fn connection_accepted(&mut self) {
        self.connections_accepted += 1;
    }

    /// A connection was closed by us: over a limit, or for what it sent.
    pub fn connection_refused(&mut self) {
        self.connections_refused += 1;
    }

    /// One journal write took `elapsed` until it was durable.
    pub fn journal_write(&mut self, elapsed: Duration) {
        self.journal_latency.record(elapsed);
    }

    /// Drops a deleted topic's series.
    pub fn forget_topic(&mut self, topic: &str) {
        self.topics.remove(topic);
    }

    fn count(&mut self, topic: &str, add: impl Fn(&mut TopicMetrics)) {
        add(&mut self.all_topics);
        if let Some(metrics) = self.topics.get_mut(topic) {
            add(metrics);
        } else if self.topics.len() < limits::METRICS_TOPICS_MAX {
            // A topic beyond the bound counts in the sum alone.
            add(self.topics.entry(topic.to_string()).or_default());
        }
    }

    /// A copy for a scrape, with what is true of the shard now.
    pub fn snapshot(&self, shard: ShardId, readings: ShardReadings) -> MetricsSnapshot {
        MetricsSnapshot { shard, readings, metrics: self.clone() }
    }
}

/// What is read from a shard's parts when a scrape asks. Fields ending in `_total` only grow.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ShardReadings {
    /// Time that the core spent in tasks since the start.
    pub busy: Duration,
    pub connections: u64,
    /// Partitions whose log this shard owns.
    pub partitions: u64,
    /// Of them, those that nobody can use: damaged, or on a failed directory.
    pub partitions_offline: u64,
    /// Of them, those with fewer in-sync replicas than replicas.
    pub partitions_under_replicated: u64,
    pub fetch_sessions: u64,
    /// Bytes of requests in flight.
    pub request_memory_bytes: u64,
    /// Bytes of responses not yet sent.
    pub response_memory_bytes: u64,
    /// Bytes in flight of metadata, replication and admin requests.
    pub reserve_memory_bytes: u64,
    /// Acknowledged or pending bytes that are not in a segment yet.
    pub tail_bytes: u64,
    /// Bytes in segments that are kept in memory for fetches.
    pub cache_bytes: u64,
    pub journal_writes_total: u64,
    pub journal_written_bytes_total: u64,
    pub journal_writes_in_flight: u64,
    /// Bytes of the journals' rings that hold data not yet in segments.
    pub journal_used_bytes: u64,
    /// Bytes of the journals' rings.
    pub journal_bytes: u64,
    pub segment_writes_total: u64,
    pub segment_written_bytes_total: u64,
    /// Passes of compaction over a partition.
    pub compaction_passes_total: u64,
    pub compaction_read_bytes_total: u64,
    pub compaction_written_bytes_total: u64,
    /// Partitions that cannot be compacted, since records of theirs cannot be read.
    pub partitions_uncleanable: u64,
    /// How dirty the dirtiest compacted partition is, in percent.
    pub dirtiest_percent: u64,
    /// Messages sent to other cores.
    pub mesh_sent_total: u64,
    /// Messages that had to wait for room in a channel.
    pub mesh_waited_total: u64,
    /// Produce requests that went on to another core.
    pub mesh_produce_total: u64,
    /// Reads and waits of Fetch requests at another core.
    pub mesh_fetch_total: u64,
    /// Groups that are coordinated here, their members, and the offsets they have committed.
    pub groups: u64,
    pub group_members: u64,
    pub group_offsets: u64,
    /// Partitions of coordinators, those that are being loaded, and the memory of their state.
    pub coordinator_partitions: u64,
    pub coordinator_partitions_loading: u64,
    pub coordinator_bytes: u64,
    /// A log directory refuses writes.
    pub log_dir_failed: bool,
}

/// One shard's counters at one moment; `Send`.
#[derive(Clone, Debug)]
pub struct MetricsSnapshot {
    shard: ShardId,
    readings: ShardReadings,
    metrics: ShardMetrics,
}
