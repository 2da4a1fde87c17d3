//! The way to a transaction's coordinator, whichever core of this machine it is on, and the markers that it owes.
//!
//! Markers are sent by the core that coordinates: a task for each partition takes what was decided and is durable, another for each transaction
//! writes its markers, again and again until they are taken or the partition is gone, and says so. What a crash interrupts is owed again when
//! the partition is loaded.

use super::Shard;
use super::markers::MarkerWrite;
use super::message::{Reply, Request};
use crate::config::{BrokerConfig, limits};
use crate::coordinator::machine::Ending;
use crate::coordinator::transaction::{
    Markers, TransactionAnswer, TransactionConfig, TransactionRequest, TransactionResponse, Transactions,
};
use crate::coordinator::{Host, HostSettings};
use crate::log::PartitionLog;
use crate::rt::{Queue, sleep, spawn};
use crate::types::{ErrorCode, LeaderEpoch, PartitionIndex, TopicPartitionId};
use crate::wire::Str;
use crate::wire::records::{Codec, Compression};
use std::rc::Rc;

/// The topic that has transactional ids.
pub const TRANSACTIONS_TOPIC: &str = "__transaction_state";

/// The host of this shard's transaction coordinators.
pub fn host(config: &BrokerConfig) -> Rc<Host<Transactions>> {
    let settings = HostSettings {
        load_bytes: config.transaction.state_load_buffer_size.max(1) as usize,
        compression: Compression::of(Codec::None),
        bytes_max: config.ringmill.memory_bytes / 16 * limits::COORDINATOR_MEMORY_SIXTEENTHS,
    };
    Host::new(TransactionConfig::of(&config.transaction), settings)
}

impl Shard {
    /// The partition that a transactional id's coordinator is on; `None` as long as there is no topic for them.
    pub fn transaction_partition(&self, transactional_id: &str) -> Option<TopicPartitionId> {
        self.coordinator_partition(TRANSACTIONS_TOPIC, transactional_id)
    }

    /// All partitions that have transactional ids.
    pub fn transaction_partitions(&self) -> Vec<TopicPartitionId> {
        self.coordinator_partitions(TRANSACTIONS_TOPIC)
    }

    /// Asks a transactional id's coordinator.
    pub async fn ask_transaction(self: &Rc<Self>, transactional_id: &str, request: TransactionRequest) -> TransactionAnswer {
        match self.transaction_partition(transactional_id) {
            Some(id) => self.ask_transactions_of(id, request).await,
            None => Err(ErrorCode::NotCoordinator),
        }
    }

    /// Asks the coordinator of a partition's transactional ids; where the partition moves meanwhile, again at its new core.
    pub async fn ask_transactions_of(self: &Rc<Self>, id: TopicPartitionId, request: TransactionRequest) -> TransactionAnswer {
        self.ask_owner(
            id,
            async || self.transactions.ask(id, request.clone()).await,
            || Request::Transactions { id, request: Box::new(request.clone()) },
            |reply| match reply {
                Reply::Transactions(answer) => *answer,
                _ => unreachable!("Transactions is answered by the coordinator"),
            },
        )
        .await
    }

    /// A partition's log is open here: its transactional ids are coordinated here from now on, and what they owe is sent.
    pub(super) fn begin_coordinating_transactions(self: &Rc<Self>, log: &Rc<PartitionLog>, leader_epoch: LeaderEpoch) {
        self.transactions.take(log, leader_epoch);
        spawn(Queue::Background, send_markers(Rc::clone(self), log.id()));
    }

    fn coordinates(&self, id: TopicPartitionId) -> bool {
        !self.is_stopping() && self.transactions.coordinates(id)
    }
}

async fn send_markers(shard: Rc<Shard>, id: TopicPartitionId) {
    while shard.coordinates(id) {
        match shard.transactions.ask(id, TransactionRequest::NextMarkers).await {
            Ok(TransactionResponse::Markers(all)) => {
                for markers in all {
                    spawn(Queue::Background, settle(Rc::clone(&shard), id, markers));
                }
            }
            Ok(TransactionResponse::Superseded) => return,
            Ok(_) => unreachable!("the coordinator answers what it was asked"),
            // It is being loaded, or begins anew.
            Err(_) => sleep(limits::MARKER_RETRY_INTERVAL).await,
        }
    }
}

/// Writes one transaction's markers and says so.
async fn settle(shard: Rc<Shard>, id: TopicPartitionId, markers: Markers) {
    let mut left: Vec<(Str, PartitionIndex)> =
        markers.partitions.iter().flat_map(|(topic, ids)| ids.iter().map(|index| (topic.clone(), *index))).collect();
    loop {
        left = write_once(&shard, id, &markers, left).await;
        if left.is_empty() || !shard.coordinates(id) {
            break;
        }
        sleep(limits::MARKER_RETRY_INTERVAL).await;
    }
    while shard.coordinates(id) {
        if shard.transactions.ask(id, TransactionRequest::Marked(markers.clone())).await.is_ok() {
            return;
        }
        sleep(limits::MARKER_RETRY_INTERVAL).await;
    }
}

/// The partitions that did not take their marker, and may later.
async fn write_once(
    shard: &Rc<Shard>,
    id: TopicPartitionId,
    markers: &Markers,
    left: Vec<(Str, PartitionIndex)>,
) -> Vec<(Str, PartitionIndex)> {
    let image = shard.image();
    let coordinator = image.topic(id.topic_id).and_then(|topic| topic.partition(id.partition));
    let ending = Ending {
        producer_id: markers.producer_id,
        producer_epoch: markers.epoch,
        coordinator_epoch: coordinator.map_or(0, |partition| partition.leader_epoch.0),
        committed: markers.committed,
    };
    let mut writes = Vec::with_capacity(left.len());
    let mut asked = Vec::with_capacity(left.len());
    for (topic, partition) in left {
        // What is gone needs no marker.
        let Some(known) = image.topic_by_name(&topic).filter(|known| known.partition(partition).is_some()) else { continue };
        writes.push(MarkerWrite { id: TopicPartitionId { topic_id: known.id, partition }, ending, client_version: markers.client_version });
        asked.push((topic, partition));
    }
    if writes.is_empty() {
        return Vec::new();
    }
    let outcomes = shard.write_markers(writes).await;
    let refused = |((topic, partition), error): ((Str, PartitionIndex), ErrorCode)| match error {
        ErrorCode::None => None,
        // Somebody has ended it there, by force.
        ErrorCode::InvalidProducerEpoch | ErrorCode::TransactionCoordinatorFenced => {
            tracing::warn!(transaction = %markers.transactional_id, %topic, %partition, %error, "a partition refuses a transaction's end");
            None
        }
        error => {
            tracing::debug!(transaction = %markers.transactional_id, %topic, %partition, %error, "a transaction's end is tried again");
            Some((topic, partition))
        }
    };
    asked.into_iter().zip(outcomes).filter_map(refused).collect()
}
