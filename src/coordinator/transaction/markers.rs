//! The markers that decided transactions owe their partitions. Whoever sends them may do so again and again: a marker that is written twice says the
//! same, and one of an old epoch is refused by the partition.

use super::Transactions;
use super::metadata::{Change, TopicPartitions};
use super::state::TransactionState::*;
use crate::types::{PartitionIndex, ProducerEpoch, ProducerId, Timestamp};
use crate::wire::Str;

/// One transaction's markers.
#[derive(Clone, PartialEq, Debug)]
pub struct Markers {
    /// Which of the transactions of this id it is.
    pub number: u64,
    pub transactional_id: Str,
    pub producer_id: ProducerId,
    pub epoch: ProducerEpoch,
    pub committed: bool,
    /// The version of transactions that the producer spoke.
    pub client_version: i16,
    /// Those that are left; none: the transaction is to be completed.
    pub partitions: TopicPartitions,
}

/// What a decided transaction still owes.
#[derive(Clone, Debug)]
pub(super) struct Owed {
    pub number: u64,
    pub partitions: TopicPartitions,
}

impl Transactions {
    /// Numbers nobody was given before, as good as certain: the coordinator is loaded anew, and what was told to its forerunner is old.
    pub(super) fn number_anew(&mut self, random: u64) {
        self.next_number = random;
        for owed in self.owed.values_mut() {
            owed.number = self.next_number;
            self.next_number = self.next_number.wrapping_add(1);
        }
    }

    /// What is owed, to be sent once the records accepted so far are durable.
    pub fn owed(&self) -> impl Iterator<Item = Markers> + '_ {
        self.owed.keys().filter_map(|id| self.owed_of(id))
    }

    /// What one transaction owes; `None` if it is not decided, or complete.
    pub fn owed_of(&self, id: &str) -> Option<Markers> {
        let (id, Owed { number, partitions }) = self.owed.get_key_value(id)?;
        let metadata = &self.ids[id];
        Some(Markers {
            number: *number,
            transactional_id: id.clone(),
            producer_id: metadata.producer_id,
            epoch: metadata.epoch,
            committed: metadata.state == PrepareCommit,
            client_version: metadata.client_version,
            partitions: partitions.clone(),
        })
    }

    /// A marker is in the partition's log, or the partition is gone. Of a transaction that is no longer owed for, nothing happens.
    pub fn note_marker(&mut self, sent: &Markers, topic: &str, partition: PartitionIndex) {
        let owed = self.owed.get_mut(&sent.transactional_id).filter(|owed| owed.number == sent.number);
        let Some(owed) = owed else { return };
        if let Some(partitions) = owed.partitions.get_mut(topic) {
            partitions.remove(&partition);
            if partitions.is_empty() {
                owed.partitions.remove(topic);
            }
        }
    }

    /// The change that completes a transaction, if no marker is owed any more.
    pub fn marked(&self, id: &str, now: Timestamp) -> Option<Change> {
        let (id, owed) = self.owed.get_key_value(id)?;
        let metadata = &self.ids[id];
        if !owed.partitions.is_empty() {
            return None;
        }
        let mut next = metadata.next(if metadata.state == PrepareCommit { CompleteCommit } else { CompleteAbort }, now);
        (next.producer_id, next.epoch) = metadata.identity_when_complete();
        next.next_producer_id = ProducerId::NONE;
        next.partitions.clear();
        Some(Change { transactional_id: id.clone(), metadata: Some(next) })
    }
}
