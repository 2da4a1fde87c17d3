//! What a partition remembers of one producer.

use crate::log::format::ProducerSnapshotEntry;
use crate::types::{Offset, ProducerEpoch, ProducerId, Timestamp};
use crate::wire::records::{BatchHeader, advance_sequence};
use std::collections::VecDeque;

/// Batches remembered to recognise duplicates: clients keep at most this many in flight.
pub const BATCHES_REMEMBERED: usize = 5;

/// One appended batch of a producer.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct BatchMetadata {
    pub last_sequence: i32,
    pub last_offset: Offset,
    /// Last offset less first offset, and last sequence less first sequence.
    pub offset_delta: i32,
    /// The batch's max timestamp.
    pub timestamp: Timestamp,
}

impl BatchMetadata {
    pub fn first_sequence(&self) -> i32 {
        advance_sequence(self.last_sequence, self.offset_delta.wrapping_neg())
    }

    pub fn first_offset(&self) -> Offset {
        self.last_offset.plus(-i64::from(self.offset_delta))
    }
}

/// The state of one producer id in a partition.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ProducerEntry {
    pub epoch: ProducerEpoch,
    pub coordinator_epoch: i32,
    /// Of the last batch or marker; expiry counts from here.
    pub last_timestamp: Timestamp,
    pub transaction_first_offset: Option<Offset>,
    /// Of the current epoch, oldest first, at most [`BATCHES_REMEMBERED`].
    batches: VecDeque<BatchMetadata>,
}

impl ProducerEntry {
    pub(super) fn new(epoch: ProducerEpoch) -> ProducerEntry {
        ProducerEntry {
            epoch,
            coordinator_epoch: -1,
            last_timestamp: Timestamp::NONE,
            transaction_first_offset: None,
            batches: VecDeque::new(),
        }
    }

    /// The remembered batches, oldest first.
    pub fn batches(&self) -> impl DoubleEndedIterator<Item = &BatchMetadata> {
        self.batches.iter()
    }

    /// The last sequence of the current epoch, -1 if none is known.
    pub fn last_sequence(&self) -> i32 {
        self.batches.back().map_or(-1, |batch| batch.last_sequence)
    }

    pub(super) fn find_duplicate(&self, batch: &BatchHeader) -> Option<BatchMetadata> {
        if batch.producer_epoch != self.epoch {
            return None;
        }
        let range = (batch.base_sequence, batch.last_sequence());
        self.batches.iter().find(|known| (known.first_sequence(), known.last_sequence) == range).copied()
    }

    /// A new epoch forgets the batches of the old one.
    pub(super) fn set_epoch(&mut self, epoch: ProducerEpoch) {
        if self.epoch != epoch {
            self.epoch = epoch;
            self.batches.clear();
        }
    }

    pub(super) fn add(&mut self, batch: &BatchHeader) {
        self.set_epoch(batch.producer_epoch);
        self.remember(BatchMetadata {
            last_sequence: batch.last_sequence(),
            last_offset: batch.last_offset(),
            offset_delta: batch.last_offset_delta,
            timestamp: batch.max_timestamp,
        });
        self.last_timestamp = batch.max_timestamp;
    }

    /// Takes an entry of a snapshot: the oldest remembered batch comes first.
    pub(super) fn add_snapshot(&mut self, entry: &ProducerSnapshotEntry) {
        self.set_epoch(entry.epoch);
        self.coordinator_epoch = entry.coordinator_epoch;
        self.last_timestamp = entry.timestamp;
        self.transaction_first_offset = entry.transaction_first_offset;
        if entry.last_offset.0 >= 0 {
            self.remember(BatchMetadata {
                last_sequence: entry.last_sequence,
                last_offset: entry.last_offset,
                offset_delta: entry.offset_delta,
                timestamp: entry.timestamp,
            });
        }
    }

    /// An entry for each remembered batch, the last one last: Kafka, which writes one entry, takes the last it reads.
    pub(super) fn to_snapshot(&self, producer_id: ProducerId) -> impl Iterator<Item = ProducerSnapshotEntry> + '_ {
        let older = self.batches.range(..self.batches.len().saturating_sub(1));
        let older = older.map(move |batch| self.snapshot_entry(producer_id, Some(batch), batch.timestamp));
        older.chain(std::iter::once(self.snapshot_entry(producer_id, self.batches.back(), self.last_timestamp)))
    }

    fn snapshot_entry(&self, producer_id: ProducerId, batch: Option<&BatchMetadata>, timestamp: Timestamp) -> ProducerSnapshotEntry {
        ProducerSnapshotEntry {
            producer_id,
            epoch: self.epoch,
            last_sequence: batch.map_or(-1, |batch| batch.last_sequence),
            last_offset: batch.map_or(Offset::NONE, |batch| batch.last_offset),
            offset_delta: batch.map_or(0, |batch| batch.offset_delta),
            timestamp,
            coordinator_epoch: self.coordinator_epoch,
            transaction_first_offset: self.transaction_first_offset,
        }
    }

    fn remember(&mut self, batch: BatchMetadata) {
        if self.batches.len() == BATCHES_REMEMBERED {
            self.batches.pop_front();
        }
        self.batches.push_back(batch);
    }
}
