//! One broker as a set of cores: shards 0 to N-1 and the controller's core N. The same for the real and the simulated world.

use super::controller_core::{self, ControllerSeed};
use super::layout::Layout;
use crate::config::BrokerConfig;
use crate::log::LogConfig;
use crate::log::compaction::CleanerConfig;
use crate::rt::CoreSpec;
use crate::shard::calls::MeshEnds;
use crate::shard::serve::{self, ShardSeed};
use crate::types::ShardId;
use std::sync::Arc;

/// What the broker tells whoever started it.
#[derive(Debug)]
pub enum Event {
    /// Clients are served; the text says where.
    Ready(String),
    /// Somebody asked for a stop (never sent by the node itself).
    StopAsked,
    /// All cores end; with the reason, if the start failed.
    Stopped(Option<String>),
    /// What the broker cannot do without has failed while it served. It was stopped as far as that goes; cores may hang on a dead disk.
    Failed(String),
}

/// A handle on a broker whose cores run or are about to.
pub struct Node {
    pub events: flume::Receiver<Event>,
    stop: flume::Sender<()>,
}

impl Node {
    /// The broker's cores, to be given to [`crate::rt::uring::run`] or booted in the simulator.
    pub fn new(config: Arc<BrokerConfig>, layout: Layout, simulated: bool) -> (Node, Vec<CoreSpec>) {
        let shard_count = layout.shards.len();
        let log_config = log_config(&config, shard_count);
        let mut mesh = MeshEnds::for_cores(shard_count + 1, simulated);
        let controller_mesh = mesh.pop().expect("there is an end for each core");
        let mut cores = Vec::with_capacity(shard_count + 1);
        for (index, (cpu, mesh)) in layout.shards.iter().zip(mesh).enumerate() {
            let id = ShardId(index as u16);
            let seed = ShardSeed { id, shard_count, config: Arc::clone(&config), log_config: log_config.clone(), mesh };
            let main = Box::new(move || Box::pin(serve::serve(seed)) as _);
            cores.push(CoreSpec { name: format!("shard-{index}"), cpu: *cpu, main });
        }
        let (event_sender, events) = flume::unbounded();
        let (stop, stop_asked) = flume::unbounded();
        let seed = ControllerSeed { shard_count, config, log_config, mesh: controller_mesh, events: event_sender, stop_asked };
        let main = Box::new(move || Box::pin(controller_core::serve(seed)) as _);
        cores.push(CoreSpec { name: "controller".into(), cpu: layout.controller, main });
        (Node { events, stop }, cores)
    }

    /// Asks for a clean stop; [`Event::Stopped`] follows.
    pub fn stop(&self) {
        // A node that has ended needs no stop.
        let _ = self.stop.send(());
    }
}

fn log_config(config: &BrokerConfig, shard_count: usize) -> LogConfig {
    let mut log = LogConfig::new(config.log_dirs.clone(), config.node_id);
    log.tail_bytes_max = config.ringmill.memory_bytes;
    log.bypass_bytes = config.ringmill.journal_bypass_bytes;
    log.journal_bytes_initial = config.ringmill.journal_initial_bytes;
    log.journal_bytes_max = config.ringmill.journal_max_bytes;
    log.retention_check_interval_ms = config.log_retention_check_interval_ms;
    log.producer_id_expiration_ms = config.producer_id_expiration_ms.into();
    log.disk_reserve_bytes = config.ringmill.disk_reserve_bytes;
    log.cleaner = CleanerConfig::share_of(&config.log_cleaner, shard_count);
    log
}
