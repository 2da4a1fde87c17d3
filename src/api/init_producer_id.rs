//! InitProducerId (22), versions 0-5: a producer id for an idempotent producer.
//!
//! - Ids come from blocks that the controller hands to this shard; never given twice.
//! - A transactional id is answered NOT_COORDINATOR: transactions are not served yet.
//! - A producer that names the id and epoch it has (from 3 on, without transactional id) gets a new id with epoch 0, as in Kafka.

use super::RequestContext;
use crate::types::{ErrorCode, ProducerEpoch};
use crate::wire::api::init_producer_id::*;

pub async fn handle(context: &RequestContext, request: InitProducerIdRequest) -> InitProducerIdResponse {
    let half_named = (request.producer_id.0 == -1) != (request.producer_epoch.0 == -1);
    let refused = match &request.transactional_id {
        _ if half_named => Some(ErrorCode::InvalidRequest),
        Some(id) if id.is_empty() => Some(ErrorCode::InvalidRequest),
        Some(_) => Some(ErrorCode::NotCoordinator),
        None => None,
    };
    let given = match refused {
        Some(error) => Err(error),
        None => context.shard.next_producer_id().await,
    };
    match given {
        Ok(producer_id) => InitProducerIdResponse { producer_id, producer_epoch: ProducerEpoch(0), ..Default::default() },
        Err(error) => {
            context.note_error(error);
            InitProducerIdResponse { error_code: error, producer_epoch: ProducerEpoch(-1), ..Default::default() }
        }
    }
}
