//! EndTxn (26), versions 0-5: commits or aborts; the decision is durable when answered, markers follow. From version 5 on (KIP-890) each
//! transaction has an epoch of its own, and the answer says the next.

use super::RequestContext;
use crate::coordinator::transaction::{EndAnswer, EndAsk, TransactionRequest, TransactionResponse};
use crate::types::{ErrorCode, ProducerEpoch, ProducerId};
use crate::wire::api::end_txn::*;

/// From this version on clients know PRODUCER_FENCED.
const VERSION_OF_FENCED: i16 = 2;
/// From this version on the epoch goes up with each transaction.
const VERSION_OF_EPOCHS: i16 = 5;

pub async fn handle(context: &RequestContext, request: EndTxnRequest) -> EndTxnResponse {
    match end(context, request).await {
        Ok((producer_id, producer_epoch)) if context.version() >= VERSION_OF_EPOCHS => {
            EndTxnResponse { producer_id, producer_epoch, ..Default::default() }
        }
        Ok(_) => EndTxnResponse::default(),
        Err(error) => {
            let old = error == ErrorCode::ProducerFenced && context.version() < VERSION_OF_FENCED;
            let error_code = if old { ErrorCode::InvalidProducerEpoch } else { error };
            context.note_error(error_code);
            EndTxnResponse { error_code, ..Default::default() }
        }
    }
}

async fn end(context: &RequestContext, request: EndTxnRequest) -> Result<(ProducerId, ProducerEpoch), ErrorCode> {
    let mut ask = EndAsk {
        transactional_id: request.transactional_id.detached(),
        producer_id: request.producer_id,
        producer_epoch: request.producer_epoch,
        committed: request.committed,
        client_version: if context.version() >= VERSION_OF_EPOCHS { 2 } else { 0 },
        fresh: None,
    };
    loop {
        match context.shard.ask_transaction(&request.transactional_id, TransactionRequest::End(ask.clone())).await? {
            TransactionResponse::Ended(EndAnswer::Decided { producer_id, epoch }) => return Ok((producer_id, epoch)),
            TransactionResponse::Ended(EndAnswer::NeedsProducerId) => ask.fresh = Some(context.shard.next_producer_id().await?),
            _ => unreachable!("the coordinator answers what it was asked"),
        }
    }
}
