//! What becomes due by itself: transactions that took too long are aborted, ids that nobody used for long are forgotten.

use super::Transactions;
use super::metadata::{Change, TransactionMetadata};
use super::state::TransactionState;
use crate::types::Timestamp;

impl TransactionMetadata {
    /// The first moment at which its open transaction has taken too long.
    pub(super) fn deadline(&self) -> Option<Timestamp> {
        let is_open = self.state == TransactionState::Ongoing;
        is_open.then(|| Timestamp(self.started_at.0.saturating_add(i64::from(self.timeout_ms)).saturating_add(1)))
    }
}

impl Transactions {
    /// When [`Transactions::timed_out`] has something to give.
    pub fn next_deadline(&self) -> Option<Timestamp> {
        self.deadlines.first().map(|(at, _)| *at)
    }

    /// Aborts what has taken too long. Its producer is fenced; in version 2 it learns so by its next request, in version 1 it needs a new epoch.
    pub fn timed_out(&self, now: Timestamp) -> Vec<Change> {
        let due = self.deadlines.iter().take_while(|(at, _)| *at <= now);
        due.map(|(_, id)| Change { transactional_id: id.clone(), metadata: Some(self.ids[id].fenced(now)) }).collect()
    }

    /// Forgets ids without a transaction that were not used for `transactional.id.expiration.ms`.
    pub fn expired(&self, now: Timestamp) -> Vec<Change> {
        let is_expired =
            |known: &TransactionMetadata| known.state.is_idle() && known.updated_at.0.saturating_add(self.config.expiration_ms) <= now.0;
        let expired = self.ids.iter().filter(|(_, known)| is_expired(known));
        expired.map(|(id, _)| Change { transactional_id: id.clone(), metadata: None }).collect()
    }
}
