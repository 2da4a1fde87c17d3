//! AddOffsetsToTxn (25), versions 0-4: a group's partition of `__consumer_offsets` becomes part of a transaction.

use super::RequestContext;
use super::find_coordinator::ensure_offsets_topic;
use crate::coordinator::transaction::{AddAsk, TopicPartitions, TransactionRequest};
use crate::shard::groups::OFFSETS_TOPIC;
use crate::types::ErrorCode;
use crate::wire::api::add_offsets_to_txn::*;
use std::collections::BTreeSet;

/// From this version on clients know PRODUCER_FENCED.
const VERSION_OF_FENCED: i16 = 2;

pub async fn handle(context: &RequestContext, request: AddOffsetsToTxnRequest) -> AddOffsetsToTxnResponse {
    let error_code = match add(context, request).await {
        Ok(()) => ErrorCode::None,
        Err(ErrorCode::ProducerFenced) if context.version() < VERSION_OF_FENCED => ErrorCode::InvalidProducerEpoch,
        Err(error) => error,
    };
    context.note_error(error_code);
    AddOffsetsToTxnResponse { error_code, ..Default::default() }
}

async fn add(context: &RequestContext, request: AddOffsetsToTxnRequest) -> Result<(), ErrorCode> {
    ensure_offsets_topic(context, &request.group_id).await?;
    let group = context.shard.group_partition(&request.group_id).ok_or(ErrorCode::CoordinatorNotAvailable)?;
    let ask = AddAsk {
        transactional_id: request.transactional_id.detached(),
        producer_id: request.producer_id,
        producer_epoch: request.producer_epoch,
        partitions: TopicPartitions::from([(OFFSETS_TOPIC.into(), BTreeSet::from([group.partition]))]),
        client_version: 0,
    };
    context.shard.ask_transaction(&request.transactional_id, TransactionRequest::Add(ask)).await.map(|_| ())
}
