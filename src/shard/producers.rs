//! What partitions know of producers, on the core that owns them.

use super::Shard;
use crate::types::{ErrorCode, Offset, TopicPartitionId};
use crate::wire::api::describe_producers::ProducerState;

/// One partition's producers.
#[derive(Clone, Debug)]
pub struct ProducersAnswer {
    pub error: ErrorCode,
    pub producers: Vec<ProducerState>,
}

impl ProducersAnswer {
    pub fn failed(error: ErrorCode) -> ProducersAnswer {
        ProducersAnswer { error, producers: Vec::new() }
    }
}

/// Of each partition in order.
pub fn producers_of(shard: &Shard, ids: &[TopicPartitionId]) -> Vec<ProducersAnswer> {
    ids.iter().map(|id| of_one(shard, *id)).collect()
}

fn of_one(shard: &Shard, id: TopicPartitionId) -> ProducersAnswer {
    let log = match shard.led_partition(id) {
        Ok((log, _)) => log,
        Err(error) => return ProducersAnswer::failed(error),
    };
    let mut producers = Vec::new();
    log.visit_producers(|producer_id, producer| {
        producers.push(ProducerState {
            producer_id,
            producer_epoch: i32::from(producer.epoch.0),
            last_sequence: producer.last_sequence(),
            last_timestamp: producer.last_timestamp,
            coordinator_epoch: producer.coordinator_epoch,
            current_txn_start_offset: producer.transaction_first_offset.unwrap_or(Offset::NONE),
        });
    });
    ProducersAnswer { error: ErrorCode::None, producers }
}
