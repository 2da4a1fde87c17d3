//! Transactions as a pass over a log meets them: which batches were aborted, and which markers nobody needs any more. Pure.
//!
//! A marker stays until nothing of its transaction is left in front of it; then it waits out its delete horizon like a tombstone. The rules
//! are Apache Kafka's, so that both keep the same markers.

use crate::log::format::AbortedTransaction;
use crate::types::{Offset, ProducerId};
use crate::wire::records::{BatchHeader, RecordBatch, TransactionMarker};
use std::collections::{BTreeMap, BTreeSet};

#[derive(Default)]
pub struct PassedTransactions {
    /// Known aborted transactions that the pass has not come to, by first offset.
    ahead: BTreeMap<(Offset, ProducerId), AbortedTransaction>,
    /// Producers with batches of a committed transaction behind the pass and its marker ahead.
    committed: BTreeSet<ProducerId>,
    aborted: BTreeMap<ProducerId, Aborted>,
}

struct Aborted {
    transaction: AbortedTransaction,
    /// A batch of it is still in the log.
    seen: bool,
}

/// What becomes of a transaction's marker.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Marker {
    /// Nothing of its transaction is left: it may go after its delete horizon.
    Obsolete,
    Needed,
    /// Needed, and the transaction index of the cleaned segment must have this.
    NeededAborted(AbortedTransaction),
}

impl PassedTransactions {
    /// The aborted transactions that overlap what comes next. Those named before are passed over.
    pub fn add_aborted(&mut self, transactions: impl IntoIterator<Item = AbortedTransaction>) {
        self.ahead.extend(transactions.into_iter().map(|found| ((found.first_offset, found.producer_id), found)));
    }

    /// Comes to a batch of data: whether its transaction was aborted.
    pub fn on_batch(&mut self, batch: &BatchHeader) -> bool {
        self.pass(batch.last_offset());
        if !batch.attributes.is_transactional() {
            return false;
        }
        match self.aborted.get_mut(&batch.producer_id) {
            Some(aborted) => {
                aborted.seen = true;
                true
            }
            None => {
                self.committed.insert(batch.producer_id);
                false
            }
        }
    }

    /// Comes to a control batch.
    pub fn on_control(&mut self, batch: &RecordBatch) -> Marker {
        self.pass(batch.last_offset());
        if batch.count == 0 {
            // An earlier pass emptied it.
            return Marker::Obsolete;
        }
        match batch.end_transaction() {
            Some((TransactionMarker::Abort, ..)) => match self.aborted.remove(&batch.producer_id) {
                Some(Aborted { transaction, seen: true }) => Marker::NeededAborted(transaction),
                _ => Marker::Obsolete,
            },
            Some((TransactionMarker::Commit, ..)) if self.committed.remove(&batch.producer_id) => Marker::Needed,
            Some((TransactionMarker::Commit, ..)) => Marker::Obsolete,
            None => Marker::Needed,
        }
    }

    /// Transactions that began at or below `offset` are under way.
    fn pass(&mut self, offset: Offset) {
        while let Some(next) = self.ahead.first_entry().filter(|next| next.key().0 <= offset) {
            let transaction = next.remove();
            self.aborted.entry(transaction.producer_id).or_insert(Aborted { transaction, seen: false });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::types::{LeaderEpoch, ProducerEpoch, Timestamp};
    use crate::wire::records::{BatchBuilder, end_transaction_marker};

    fn data(producer: i64, offset: i64) -> RecordBatch {
        let mut builder = BatchBuilder::default().producer(ProducerId(producer), ProducerEpoch(0), 0).transactional();
        builder.push(Timestamp(1), Some(b"k"), Some(b"v"), &[]);
        builder.base_offset(Offset(offset)).finish()
    }

    fn marker(producer: i64, offset: i64, marker: TransactionMarker) -> RecordBatch {
        end_transaction_marker(marker, ProducerId(producer), ProducerEpoch(0), 1, Timestamp(2)).stamped(Offset(offset), LeaderEpoch(0))
    }

    fn aborted(producer: i64, first: i64, last: i64) -> AbortedTransaction {
        let producer_id = ProducerId(producer);
        AbortedTransaction { producer_id, first_offset: Offset(first), last_offset: Offset(last), last_stable_offset: Offset(last + 1) }
    }

    #[test]
    fn only_batches_of_aborted_transactions_are_told_so() {
        let mut passed = PassedTransactions::default();
        passed.add_aborted([aborted(7, 0, 3)]);
        assert!(passed.on_batch(data(7, 0).header()));
        assert!(!passed.on_batch(data(8, 1).header()));
        assert!(passed.on_batch(data(7, 2).header()));
        assert_eq!(passed.on_control(&marker(7, 3, TransactionMarker::Abort)), Marker::NeededAborted(aborted(7, 0, 3)));
        assert!(!passed.on_batch(data(7, 4).header()), "its next transaction commits");
        assert_eq!(passed.on_control(&marker(8, 5, TransactionMarker::Commit)), Marker::Needed);
        assert_eq!(passed.on_control(&marker(7, 6, TransactionMarker::Commit)), Marker::Needed);
    }

    #[test]
    fn a_marker_without_its_batches_is_obsolete() {
        let mut passed = PassedTransactions::default();
        passed.add_aborted([aborted(7, 0, 3)]);
        assert_eq!(passed.on_control(&marker(7, 3, TransactionMarker::Abort)), Marker::Obsolete);
        assert_eq!(passed.on_control(&marker(7, 9, TransactionMarker::Commit)), Marker::Obsolete);
        let emptied = BatchBuilder::default().producer(ProducerId(7), ProducerEpoch(0), -1).transactional().control();
        assert_eq!(passed.on_control(&emptied.base_offset(Offset(10)).last_offset_delta(0).finish()), Marker::Obsolete);
    }

    #[test]
    fn a_transaction_named_for_each_of_its_segments_counts_once() {
        let mut passed = PassedTransactions::default();
        passed.add_aborted([aborted(7, 0, 3)]);
        assert!(passed.on_batch(data(7, 0).header()));
        passed.add_aborted([aborted(7, 0, 3)]);
        assert!(matches!(passed.on_control(&marker(7, 3, TransactionMarker::Abort)), Marker::NeededAborted(_)));
    }
}
