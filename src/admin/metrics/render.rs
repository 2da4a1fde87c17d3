//! All shards' snapshots as one page: by API added up, by shard side by side, by topic under Kafka's names.

use super::exposition::{Exposition, Kind};
use super::{ApiMetrics, MetricsSnapshot, ShardReadings, TopicMetrics};
use crate::wire::ApiKey;
use std::collections::BTreeMap;

/// The text of a scrape.
pub fn render(mut snapshots: Vec<MetricsSnapshot>) -> String {
    snapshots.sort_by_key(|snapshot| snapshot.shard);
    let mut page = Exposition::default();
    page.family("ringmill_build_info", Kind::Gauge, "Always 1; the label tells the version.");
    page.sample("ringmill_build_info", &[("version", env!("CARGO_PKG_VERSION"))], 1);
    render_apis(&mut page, &merge_apis(&snapshots));
    render_shards(&mut page, &snapshots);
    render_topics(&mut page, &snapshots);
    render_replicas(&mut page, &snapshots);
    page.finish()
}

// ---- by API ------------------------------------------------------------------------------------------------------------

fn merge_apis(snapshots: &[MetricsSnapshot]) -> BTreeMap<ApiKey, ApiMetrics> {
    let mut merged: BTreeMap<ApiKey, ApiMetrics> = BTreeMap::new();
    for (api, metrics) in snapshots.iter().flat_map(|snapshot| &snapshot.metrics.apis) {
        let sum = merged.entry(*api).or_default();
        sum.requests += metrics.requests;
        sum.request_bytes += metrics.request_bytes;
        sum.response_bytes += metrics.response_bytes;
        sum.latency.merge(&metrics.latency);
        for (error, count) in &metrics.errors {
            *sum.errors.entry(*error).or_default() += count;
        }
    }
    merged
}

type ApiCounter = (&'static str, &'static str, fn(&ApiMetrics) -> u64);

const API_COUNTERS: &[ApiCounter] = &[
    ("ringmill_requests_total", "Requests answered.", |m| m.requests),
    ("ringmill_request_bytes_total", "Bytes of requests.", |m| m.request_bytes),
    ("ringmill_response_bytes_total", "Bytes of answers.", |m| m.response_bytes),
];

fn render_apis(page: &mut Exposition, apis: &BTreeMap<ApiKey, ApiMetrics>) {
    for (name, help, value) in API_COUNTERS {
        page.family(name, Kind::Counter, help);
        for (api, metrics) in apis {
            page.sample(name, &[("api", api.name())], value(metrics));
        }
    }
    let errors = "ringmill_request_errors_total";
    page.family(errors, Kind::Counter, "Answers with an error, by their first.");
    for (api, metrics) in apis {
        for (error, count) in &metrics.errors {
            page.sample(errors, &[("api", api.name()), ("error", error.name())], count);
        }
    }
    let duration = "ringmill_request_duration_seconds";
    page.family(duration, Kind::Histogram, "Time from a request's last byte to its answer's being ready.");
    for (api, metrics) in apis {
        page.histogram(duration, &[("api", api.name())], &metrics.latency);
    }
}

// ---- by shard ----------------------------------------------------------------------------------------------------------

type ShardSeries = (&'static str, Kind, &'static str, fn(&ShardReadings) -> u64);

const SHARD_SERIES: &[ShardSeries] = &[
    ("ringmill_connections", Kind::Gauge, "Open connections.", |r| r.connections),
    ("ringmill_partitions", Kind::Gauge, "Partitions owned.", |r| r.partitions),
    ("ringmill_partitions_offline", Kind::Gauge, "Partitions that nobody can use.", |r| r.partitions_offline),
    ("ringmill_fetch_sessions", Kind::Gauge, "Fetch sessions kept.", |r| r.fetch_sessions),
    ("ringmill_tail_bytes", Kind::Gauge, "Bytes not yet in a segment.", |r| r.tail_bytes),
    ("ringmill_cache_bytes", Kind::Gauge, "Bytes in segments that are also in memory.", |r| r.cache_bytes),
    ("ringmill_journal_writes_total", Kind::Counter, "Writes to journals.", |r| r.journal_writes_total),
    ("ringmill_journal_written_bytes_total", Kind::Counter, "Bytes written to journals.", |r| r.journal_written_bytes_total),
    ("ringmill_journal_writes_in_flight", Kind::Gauge, "Writes to journals under way.", |r| r.journal_writes_in_flight),
    ("ringmill_journal_used_bytes", Kind::Gauge, "Bytes of the journals that are in use.", |r| r.journal_used_bytes),
    ("ringmill_journal_bytes", Kind::Gauge, "Size of the journals.", |r| r.journal_bytes),
    ("ringmill_segment_writes_total", Kind::Counter, "Writes to segments.", |r| r.segment_writes_total),
    ("ringmill_segment_written_bytes_total", Kind::Counter, "Bytes written to segments.", |r| r.segment_written_bytes_total),
    ("ringmill_compaction_passes_total", Kind::Counter, "Passes of compaction over a partition.", |r| r.compaction_passes_total),
    ("ringmill_compaction_read_bytes_total", Kind::Counter, "Bytes of batches that were compacted.", |r| r.compaction_read_bytes_total),
    ("ringmill_compaction_written_bytes_total", Kind::Counter, "Bytes of batches left.", |r| r.compaction_written_bytes_total),
    ("ringmill_mesh_sent_total", Kind::Counter, "Messages sent to other cores.", |r| r.mesh_sent_total),
    ("ringmill_mesh_waited_total", Kind::Counter, "Messages that waited for room in a channel.", |r| r.mesh_waited_total),
    ("ringmill_mesh_produce_total", Kind::Counter, "Produce requests that went on to another core.", |r| r.mesh_produce_total),
    ("ringmill_mesh_fetch_total", Kind::Counter, "Reads and waits of Fetch requests at another core.", |r| r.mesh_fetch_total),
    ("ringmill_groups", Kind::Gauge, "Consumer groups coordinated.", |r| r.groups),
    ("ringmill_group_members", Kind::Gauge, "Members of these groups.", |r| r.group_members),
    ("ringmill_group_offsets", Kind::Gauge, "Offsets that are committed.", |r| r.group_offsets),
    ("ringmill_coordinator_partitions", Kind::Gauge, "Partitions of coordinators.", |r| r.coordinator_partitions),
    ("ringmill_coordinator_partitions_loading", Kind::Gauge, "Those that are being loaded.", |r| r.coordinator_partitions_loading),
    ("ringmill_coordinator_bytes", Kind::Gauge, "Memory of the coordinators' state.", |r| r.coordinator_bytes),
    ("ringmill_log_dir_failed", Kind::Gauge, "1 while a log directory refuses writes.", |r| r.log_dir_failed.into()),
];

fn render_shards(page: &mut Exposition, snapshots: &[MetricsSnapshot]) {
    let names: Vec<String> = snapshots.iter().map(|snapshot| snapshot.shard.to_string()).collect();
    let shards = || names.iter().map(String::as_str).zip(snapshots);
    let busy = "ringmill_busy_seconds_total";
    page.family(busy, Kind::Counter, "Time that the core spent working.");
    shards().for_each(|(shard, s)| page.sample(busy, &[("shard", shard)], s.readings.busy.as_secs_f64()));
    for (name, kind, help, value) in SHARD_SERIES {
        page.family(name, *kind, help);
        shards().for_each(|(shard, s)| page.sample(name, &[("shard", shard)], value(&s.readings)));
    }
    let dirty = "kafka_log_logcleanermanager_max_dirty_percent";
    page.family(dirty, Kind::Gauge, "How dirty the dirtiest compacted partition is.");
    page.sample(dirty, &[], snapshots.iter().map(|snapshot| snapshot.readings.dirtiest_percent).max().unwrap_or(0));
    let memory = "ringmill_memory_bytes";
    page.family(memory, Kind::Gauge, "Bytes held for requests and answers under way.");
    for (shard, snapshot) in shards() {
        let r = &snapshot.readings;
        let uses = [("request", r.request_memory_bytes), ("reserve", r.reserve_memory_bytes), ("response", r.response_memory_bytes)];
        uses.iter().for_each(|(of, bytes)| page.sample(memory, &[("shard", shard), ("of", of)], bytes));
    }
    let fetched = "ringmill_fetched_bytes_total";
    page.family(fetched, Kind::Counter, "Bytes of records that fetches got, by where they came from.");
    for (shard, snapshot) in shards() {
        let m = &snapshot.metrics;
        let sources = [("file", m.fetched_from_files_bytes), ("memory", m.fetched_from_memory_bytes)];
        sources.iter().for_each(|(from, bytes)| page.sample(fetched, &[("shard", shard), ("from", from)], bytes));
    }
    type Counter = (&'static str, &'static str, fn(&MetricsSnapshot) -> u64);
    let counters: [Counter; 2] = [
        ("ringmill_connections_accepted_total", "Connections placed on the shard.", |s| s.metrics.connections_accepted),
        ("ringmill_connections_refused_total", "Connections closed for what they sent.", |s| s.metrics.connections_refused),
    ];
    for (name, help, value) in counters {
        page.family(name, Kind::Counter, help);
        shards().for_each(|(shard, s)| page.sample(name, &[("shard", shard)], value(s)));
    }
    let journal = "ringmill_journal_write_duration_seconds";
    page.family(journal, Kind::Histogram, "Time of a journal write until it was durable.");
    shards().for_each(|(shard, s)| page.histogram(journal, &[("shard", shard)], &s.metrics.journal_latency));
}

// ---- under Kafka's names -----------------------------------------------------------------------------------------------

type TopicCounter = (&'static str, &'static str, fn(&TopicMetrics) -> u64);

const TOPIC_COUNTERS: &[TopicCounter] = &[
    ("kafka_server_brokertopicmetrics_messagesin_total", "Records produced.", |m| m.messages_in),
    ("kafka_server_brokertopicmetrics_bytesin_total", "Bytes produced.", |m| m.bytes_in),
    ("kafka_server_brokertopicmetrics_bytesout_total", "Bytes fetched.", |m| m.bytes_out),
    ("kafka_server_brokertopicmetrics_totalproducerequests_total", "Partitions produced to.", |m| m.produce_requests),
    ("kafka_server_brokertopicmetrics_totalfetchrequests_total", "Partitions fetched from.", |m| m.fetch_requests),
    ("kafka_server_brokertopicmetrics_failedproducerequests_total", "Produces refused.", |m| m.failed_produce_requests),
    ("kafka_server_brokertopicmetrics_failedfetchrequests_total", "Fetches refused.", |m| m.failed_fetch_requests),
];

/// As Kafka does: one sample for all topics without a label, and one for each topic.
fn render_topics(page: &mut Exposition, snapshots: &[MetricsSnapshot]) {
    let mut all = TopicMetrics::default();
    let mut topics: BTreeMap<&str, TopicMetrics> = BTreeMap::new();
    for snapshot in snapshots {
        all.add(&snapshot.metrics.all_topics);
        for (topic, metrics) in &snapshot.metrics.topics {
            topics.entry(topic).or_default().add(metrics);
        }
    }
    for (name, help, value) in TOPIC_COUNTERS {
        page.family(name, Kind::Counter, help);
        page.sample(name, &[], value(&all));
        for (topic, metrics) in &topics {
            page.sample(name, &[("topic", topic)], value(metrics));
        }
    }
}

impl TopicMetrics {
    fn add(&mut self, other: &TopicMetrics) {
        self.messages_in += other.messages_in;
        self.bytes_in += other.bytes_in;
        self.bytes_out += other.bytes_out;
        self.produce_requests += other.produce_requests;
        self.fetch_requests += other.fetch_requests;
        self.failed_produce_requests += other.failed_produce_requests;
        self.failed_fetch_requests += other.failed_fetch_requests;
    }
}

type ReplicaGauge = (&'static str, &'static str, fn(&ShardReadings) -> u64);

const REPLICA_GAUGES: &[ReplicaGauge] = &[
    ("kafka_server_replicamanager_partitioncount", "Partitions on this broker.", |r| r.partitions),
    ("kafka_server_replicamanager_underreplicatedpartitions", "Partitions with replicas out of sync.", |r| r.partitions_under_replicated),
    ("kafka_log_logcleanermanager_uncleanable_partitions_count", "Partitions that cannot be compacted.", |r| r.partitions_uncleanable),
    ("kafka_server_replicamanager_offlinereplicacount", "Replicas that nobody can use.", |r| r.partitions_offline),
];

fn render_replicas(page: &mut Exposition, snapshots: &[MetricsSnapshot]) {
    for (name, help, value) in REPLICA_GAUGES {
        page.family(name, Kind::Gauge, help);
        page.sample(name, &[], snapshots.iter().map(|snapshot| value(&snapshot.readings)).sum::<u64>());
    }
}
