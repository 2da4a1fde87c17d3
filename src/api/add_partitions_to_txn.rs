//! AddPartitionsToTxn (24), versions 0-5: partitions that a transaction is about to write to. One transaction up to version 3; from 4 on, which
//! brokers send, several, and perhaps only to ask whether the partitions are in.
//!
//! If one partition is not there, none is added: OPERATION_NOT_ATTEMPTED for the others.

use super::RequestContext;
use crate::coordinator::transaction::{AddAsk, TopicPartitions, TransactionRequest, TransactionResponse};
use crate::types::ErrorCode;
use crate::wire::Str;
use crate::wire::api::add_partitions_to_txn::*;
use std::collections::BTreeMap;

/// From this version on several transactions are asked for.
const VERSION_OF_SEVERAL: i16 = 4;
/// From this version on clients know PRODUCER_FENCED.
const VERSION_OF_FENCED: i16 = 2;

pub async fn handle(context: &RequestContext, request: AddPartitionsToTxnRequest) -> AddPartitionsToTxnResponse {
    if context.version() >= VERSION_OF_SEVERAL {
        let mut results = Vec::with_capacity(request.transactions.len());
        for transaction in request.transactions {
            let transactional_id = transaction.transactional_id.clone();
            results.push(AddPartitionsToTxnResult { transactional_id, topic_results: add(context, transaction).await });
        }
        return AddPartitionsToTxnResponse { results_by_transaction: results, ..Default::default() };
    }
    let transaction = AddPartitionsToTxnTransaction {
        transactional_id: request.v3_and_below_transactional_id,
        producer_id: request.v3_and_below_producer_id,
        producer_epoch: request.v3_and_below_producer_epoch,
        verify_only: false,
        topics: request.v3_and_below_topics,
    };
    AddPartitionsToTxnResponse { results_by_topic_v3_and_below: add(context, transaction).await, ..Default::default() }
}

async fn add(context: &RequestContext, transaction: AddPartitionsToTxnTransaction) -> Vec<AddPartitionsToTxnTopicResult> {
    let image = context.shard.image();
    let mut partitions = TopicPartitions::new();
    let mut missing = false;
    for topic in &transaction.topics {
        let known = image.topic_by_name(&topic.name);
        missing |= topic.partitions.iter().any(|index| known.is_none_or(|known| known.partition(*index).is_none()));
        partitions.entry(topic.name.detached()).or_default().extend(&topic.partitions);
    }
    if missing {
        return results(context, &transaction.topics, |topic, index| {
            let is_known = image.topic_by_name(topic).is_some_and(|known| known.partition(index).is_some());
            if is_known { ErrorCode::OperationNotAttempted } else { ErrorCode::UnknownTopicOrPartition }
        });
    }
    let ask = AddAsk {
        transactional_id: transaction.transactional_id.detached(),
        producer_id: transaction.producer_id,
        producer_epoch: transaction.producer_epoch,
        partitions,
        client_version: if context.version() >= VERSION_OF_SEVERAL { 2 } else { 0 },
    };
    let request = if transaction.verify_only { TransactionRequest::Verify(ask) } else { TransactionRequest::Add(ask) };
    let (all, each) = match context.shard.ask_transaction(&transaction.transactional_id, request).await {
        Ok(TransactionResponse::Added) => (ErrorCode::None, BTreeMap::new()),
        Ok(TransactionResponse::Verified(each)) => {
            (ErrorCode::None, each.into_iter().map(|(topic, index, error)| ((topic, index), error)).collect())
        }
        Ok(_) => unreachable!("the coordinator answers what it was asked"),
        Err(ErrorCode::ProducerFenced) if context.version() < VERSION_OF_FENCED => (ErrorCode::InvalidProducerEpoch, BTreeMap::new()),
        Err(error) => (error, BTreeMap::new()),
    };
    results(context, &transaction.topics, |topic, index| each.get(&(topic.clone(), index)).copied().unwrap_or(all))
}

fn results(
    context: &RequestContext,
    topics: &[AddPartitionsToTxnTopic],
    error_of: impl Fn(&Str, crate::types::PartitionIndex) -> ErrorCode,
) -> Vec<AddPartitionsToTxnTopicResult> {
    let one = |topic: &AddPartitionsToTxnTopic| AddPartitionsToTxnTopicResult {
        name: topic.name.clone(),
        results_by_partition: topic
            .partitions
            .iter()
            .map(|index| {
                let error = error_of(&topic.name, *index);
                context.note_error(error);
                AddPartitionsToTxnPartitionResult { partition_index: *index, partition_error_code: error }
            })
            .collect(),
    };
    topics.iter().map(one).collect()
}
