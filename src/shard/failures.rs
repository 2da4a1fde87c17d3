//! What a shard cannot serve, told to the controller's core, and what no shard can serve, as that core tells everybody.
//!
//! A log directory that fails on one shard fails on all: they share the disk. Clients learn from metadata that its partitions have no leader.

use super::Shard;
use super::message::Request;
use crate::log::DirFailure;
use crate::rt::{Queue, spawn};
use crate::types::TopicPartitionId;
use std::cell::RefCell;
use std::collections::BTreeSet;
use std::rc::Rc;
use std::sync::Arc;

/// One shard's part of it.
#[derive(Default)]
pub struct Failures {
    /// Partitions of all shards that nobody can serve.
    pub(super) unavailable: RefCell<Arc<BTreeSet<TopicPartitionId>>>,
    told: RefCell<(Vec<DirFailure>, Vec<TopicPartitionId>)>,
}

/// Tells of every failure from now on; ends with the core.
pub async fn watch(shard: Rc<Shard>) {
    loop {
        let failed = shard.logs().listen_failures();
        tell(&shard);
        failed.await;
    }
}

/// Tells the controller's core what cannot be served, unless that is what it was told last.
pub fn tell(shard: &Rc<Shard>) {
    let offline = |log: &Option<Rc<crate::log::PartitionLog>>| log.as_ref().is_none_or(|log| log.is_offline());
    let led = shard.led.borrow();
    let mut partitions: Vec<TopicPartitionId> = led.iter().filter(|(_, led)| offline(&led.log)).map(|(id, _)| *id).collect();
    drop(led);
    partitions.sort_unstable();
    let dirs = shard.logs().failures();
    let now = (dirs.clone(), partitions.clone());
    if shard.stopping.get() || *shard.failures.told.borrow() == now {
        return;
    }
    *shard.failures.told.borrow_mut() = now;
    let shard = Rc::clone(shard);
    spawn(Queue::Foreground, async move {
        let core = shard.controller_core();
        shard.calls.tell(core, Request::Failures { shard: shard.id, dirs, partitions }).await;
    });
}
