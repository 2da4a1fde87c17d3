//! DescribeTransactions and ListTransactions. Patterns of ListTransactions version 2 are the caller's, who has the expression compiled.

use super::Transactions;
use super::metadata::TransactionMetadata;
use super::state::TransactionState;
use crate::types::{ErrorCode, ProducerId, Timestamp};
use crate::wire::Str;
use crate::wire::api::{describe_transactions, list_transactions};

impl Transactions {
    pub fn describe(&self, id: &Str) -> describe_transactions::TransactionState {
        let failed =
            |error_code| describe_transactions::TransactionState { error_code, transactional_id: id.clone(), ..Default::default() };
        if id.is_empty() {
            return failed(ErrorCode::InvalidRequest);
        }
        let Some(known) = self.ids.get(id) else { return failed(ErrorCode::TransactionalIdNotFound) };
        let topic = |(topic, ids): (&Str, &std::collections::BTreeSet<_>)| describe_transactions::TopicData {
            topic: topic.clone(),
            partitions: ids.iter().copied().collect(),
        };
        describe_transactions::TransactionState {
            error_code: ErrorCode::None,
            transactional_id: id.clone(),
            transaction_state: known.state.name().into(),
            transaction_timeout_ms: known.timeout_ms,
            transaction_start_time_ms: known.started_at.0,
            producer_id: known.producer_id,
            producer_epoch: known.epoch,
            topics: known.partitions.iter().map(topic).collect(),
        }
    }

    /// Ids in these states (by name; none: all), of these producers (none: all), whose transaction is older than `duration_ms` (negative: all).
    pub fn list(
        &self,
        now: Timestamp,
        states: &[Str],
        producers: &[ProducerId],
        duration_ms: i64,
    ) -> Vec<list_transactions::TransactionState> {
        let states_known: Vec<TransactionState> = states.iter().filter_map(|name| TransactionState::from_name(name)).collect();
        let is_asked_for = |known: &TransactionMetadata| {
            (states.is_empty() || states_known.contains(&known.state))
                && (producers.is_empty() || producers.contains(&known.producer_id))
                && (duration_ms < 0 || now.0.saturating_sub(known.started_at.0) > duration_ms)
        };
        let listed = self.ids.iter().filter(|(_, known)| is_asked_for(known));
        let row = |(id, known): (&Str, &TransactionMetadata)| list_transactions::TransactionState {
            transactional_id: id.clone(),
            producer_id: known.producer_id,
            transaction_state: known.state.name().into(),
        };
        listed.map(row).collect()
    }
}
