//! ListTransactions (66), versions 0-2: the transactional ids of this broker, by state and producer, by duration from version 1 on, by a regular
//! expression from 2 on (Rust's; Kafka's is RE2/J's, which is nearly the same).

use super::RequestContext;
use crate::config::limits;
use crate::coordinator::transaction::{TransactionRequest, TransactionResponse, TransactionState};
use crate::types::ErrorCode;
use crate::wire::api::list_transactions::{ListTransactionsRequest, ListTransactionsResponse};
use regex::{Regex, RegexBuilder};

pub async fn handle(context: &RequestContext, request: ListTransactionsRequest) -> ListTransactionsResponse {
    let failed = |error_code| {
        context.note_error(error_code);
        ListTransactionsResponse { error_code, ..Default::default() }
    };
    let pattern = match request.transactional_id_pattern.as_deref().filter(|pattern| !pattern.is_empty()).map(compile) {
        Some(Err(_)) => return failed(ErrorCode::InvalidRegularExpression),
        Some(Ok(pattern)) => Some(pattern),
        None => None,
    };
    let unknown = request.state_filters.iter().filter(|name| TransactionState::from_name(name).is_none());
    let unknown_state_filters = unknown.cloned().collect();
    let mut transaction_states = Vec::new();
    for id in context.shard.transaction_partitions() {
        let ask = TransactionRequest::List {
            states: request.state_filters.clone(),
            producers: request.producer_id_filters.clone(),
            duration_ms: request.duration_filter,
        };
        match context.shard.ask_transactions_of(id, ask).await {
            Ok(TransactionResponse::Listed(listed)) => transaction_states.extend(
                listed.into_iter().filter(|listed| pattern.as_ref().is_none_or(|pattern| pattern.is_match(&listed.transactional_id))),
            ),
            Ok(_) => unreachable!("the coordinator answers what it was asked"),
            // As in Kafka: its ids are not this broker's.
            Err(ErrorCode::NotCoordinator) => {}
            Err(error) => return failed(error),
        }
    }
    ListTransactionsResponse { unknown_state_filters, transaction_states, ..Default::default() }
}

/// The whole id must match.
fn compile(pattern: &str) -> Result<Regex, regex::Error> {
    RegexBuilder::new(&format!("^(?:{pattern})$")).size_limit(limits::PATTERN_BYTES_MAX).build()
}
