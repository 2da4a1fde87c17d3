//! InitProducerId (22), versions 0-5: a producer id for an idempotent producer, or the next epoch for a transactional id.
//!
//! - Ids come from blocks that the controller hands to this shard; never given twice.
//! - A producer that names the id and epoch it has (from 3 on, without transactional id) gets a new id with epoch 0, as in Kafka.
//! - With a transactional id: its coordinator decides (KIP-98, KIP-360). Whoever had the id before is fenced.

use super::RequestContext;
use crate::coordinator::transaction::{InitAnswer, InitAsk, TransactionRequest, TransactionResponse};
use crate::types::{ErrorCode, ProducerEpoch, ProducerId};
use crate::wire::Str;
use crate::wire::api::init_producer_id::*;

/// From this version on clients know PRODUCER_FENCED.
const VERSION_OF_FENCED: i16 = 4;

pub async fn handle(context: &RequestContext, request: InitProducerIdRequest) -> InitProducerIdResponse {
    let half_named = (request.producer_id.0 == -1) != (request.producer_epoch.0 == -1);
    let given = match &request.transactional_id {
        _ if half_named => Err(ErrorCode::InvalidRequest),
        Some(id) if id.is_empty() => Err(ErrorCode::InvalidRequest),
        Some(id) => of_transaction(context, id, &request).await,
        None => context.shard.next_producer_id().await.map(|id| (id, ProducerEpoch(0))),
    };
    match given {
        Ok((producer_id, producer_epoch)) => InitProducerIdResponse { producer_id, producer_epoch, ..Default::default() },
        Err(error) => {
            let old = error == ErrorCode::ProducerFenced && context.version() < VERSION_OF_FENCED;
            let error_code = if old { ErrorCode::InvalidProducerEpoch } else { error };
            context.note_error(error_code);
            InitProducerIdResponse { error_code, producer_epoch: ProducerEpoch(-1), ..Default::default() }
        }
    }
}

async fn of_transaction(
    context: &RequestContext,
    id: &Str,
    request: &InitProducerIdRequest,
) -> Result<(ProducerId, ProducerEpoch), ErrorCode> {
    let expected = (request.producer_id != ProducerId::NONE).then_some((request.producer_id, request.producer_epoch));
    let mut ask = InitAsk { transactional_id: id.detached(), timeout_ms: request.transaction_timeout_ms, expected, fresh: None };
    loop {
        match context.shard.ask_transaction(id, TransactionRequest::Init(ask.clone())).await? {
            TransactionResponse::Init(InitAnswer::Producer { producer_id, epoch }) => return Ok((producer_id, epoch)),
            TransactionResponse::Init(InitAnswer::NeedsProducerId) => ask.fresh = Some(context.shard.next_producer_id().await?),
            _ => unreachable!("the coordinator answers what it was asked"),
        }
    }
}
