//! DescribeTransactions (65), version 0: the state of transactional ids.

use super::RequestContext;
use crate::coordinator::transaction::{TransactionRequest, TransactionResponse};
use crate::wire::api::describe_transactions::*;

pub async fn handle(context: &RequestContext, request: DescribeTransactionsRequest) -> DescribeTransactionsResponse {
    let mut transaction_states = Vec::with_capacity(request.transactional_ids.len());
    for transactional_id in request.transactional_ids {
        let ask = TransactionRequest::Describe(transactional_id.clone());
        let state = match context.shard.ask_transaction(&transactional_id, ask).await {
            Ok(TransactionResponse::Described(state)) => state,
            Ok(_) => unreachable!("the coordinator answers what it was asked"),
            Err(error_code) => TransactionState { error_code, transactional_id, ..Default::default() },
        };
        context.note_error(state.error_code);
        transaction_states.push(state);
    }
    DescribeTransactionsResponse { transaction_states, ..Default::default() }
}
