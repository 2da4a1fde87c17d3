//! The shard's way to the controller, its signals, and what it reports of itself.

use super::Shard;
use super::message::{Reply, Request};
use crate::admin::metrics::{MetricsSnapshot, ShardReadings};
use crate::config::TopicConfig;
use crate::controller::{ConfigResource, ControllerRequest, ControllerResponse, MetadataImage, is_internal_topic};
use crate::rt;
use crate::rt::sync::EventListener;
use std::rc::Rc;

impl Shard {
    /// Asks the controller; its answer comes when all shards of this node know what it says.
    pub async fn ask_controller(self: &Rc<Self>, request: ControllerRequest) -> ControllerResponse {
        match self.calls.call(self.controller_core(), Request::Controller(Box::new(request))).await {
            Reply::Controller(response) => *response,
            _ => unreachable!("the controller answers what it was asked"),
        }
    }

    /// True once the broker is stopping: nothing should wait any longer.
    pub fn is_stopping(&self) -> bool {
        self.stopping.get()
    }

    /// Completes when the broker begins to stop.
    pub fn stop_signal(&self) -> EventListener {
        self.stop_event.listen()
    }

    /// A topic's configuration under an image: its overrides over the broker's layers.
    pub fn resolve_topic_config(&self, image: &MetadataImage, topic: &str) -> Rc<TopicConfig> {
        let dynamic = image.configs(&ConfigResource::broker(self.node_id()));
        let dynamic_default = image.configs(&ConfigResource::cluster_default());
        let layers = self.config.layers(dynamic, dynamic_default);
        let mut config = TopicConfig::resolve(image.configs(&ConfigResource::topic(topic)), layers);
        if is_internal_topic(topic) && topic != super::groups::OFFSETS_TOPIC && topic != super::transactions::TRANSACTIONS_TOPIC {
            // Coordinators' topics that came from Apache Kafka stay as they are until there are such coordinators here.
            (config.cleanup_delete, config.cleanup_compact) = (false, false);
        }
        Rc::new(config)
    }
}

/// What the shard reports to a scrape.
pub fn snapshot(shard: &Shard) -> MetricsSnapshot {
    let mut readings = ShardReadings {
        busy: rt::busy_time(),
        connections: shard.connection_count() as u64,
        partitions: shard.led_count() as u64,
        partitions_offline: shard.offline_count() as u64,
        fetch_sessions: shard.sessions.borrow().len() as u64,
        request_memory_bytes: shard.produce_budget.used(),
        reserve_memory_bytes: shard.reserve_budget.used(),
        response_memory_bytes: shard.response_budget.used(),
        mesh_sent_total: shard.calls.sent(),
        mesh_waited_total: shard.calls.waited(),
        mesh_produce_total: shard.calls.hops().produce,
        mesh_fetch_total: shard.calls.hops().fetch,
        ..ShardReadings::default()
    };
    if let Some(logs) = shard.logs.get() {
        let stats = logs.stats();
        readings.tail_bytes = stats.tail_unwritten_bytes;
        readings.cache_bytes = stats.tail_cached_bytes;
        readings.journal_writes_total = stats.journal_frames;
        readings.journal_written_bytes_total = stats.journal_bytes;
        readings.journal_writes_in_flight = stats.journal_writing;
        readings.journal_used_bytes = stats.journal_used_bytes;
        readings.compaction_passes_total = stats.compaction.passes;
        readings.compaction_read_bytes_total = stats.compaction.bytes_read;
        readings.compaction_written_bytes_total = stats.compaction.bytes_written;
        readings.partitions_uncleanable = stats.compaction.uncleanable;
        readings.dirtiest_percent = (stats.compaction.dirtiest_ratio * 100.0) as u64;
        readings.journal_bytes = stats.journal_size_bytes;
        readings.segment_writes_total = stats.segment_writes;
        readings.segment_written_bytes_total = stats.segment_bytes;
        readings.log_dir_failed = logs.dirs().iter().any(|dir| !dir.error.is_none());
    }
    shard.groups.visit(|groups| {
        readings.groups += groups.group_count();
        readings.group_members += groups.member_count();
        readings.group_offsets += groups.offset_count();
    });
    let host = shard.groups.readings();
    let transactions = shard.transactions.readings();
    readings.coordinator_partitions = host.partitions + transactions.partitions;
    readings.coordinator_partitions_loading = host.partitions_loading + transactions.partitions_loading;
    readings.coordinator_bytes = host.bytes + transactions.bytes;
    shard.metrics.borrow().snapshot(shard.id, readings)
}
