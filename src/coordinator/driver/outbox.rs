//! Records on their way to a partition's log: gathered into batches, numbered by the flush that takes them.
//!
//! No I/O here; [`super::hosted`] takes the batches and appends them.

use crate::config::limits;
use crate::coordinator::machine::{Ending, Transaction};
use crate::types::{ErrorCode, Offset, ProducerEpoch, ProducerId, Timestamp};
use crate::wire::coordinator::KeyAndValue;
use crate::wire::records::{BatchBuilder, Compression, RecordBatch, TransactionMarker, end_transaction_marker};
use bytes::Bytes;
use std::collections::BTreeMap;

/// A record's bytes beside key and value, at most.
const RECORD_OVERHEAD: usize = 32;

/// See the module.
pub struct Outbox {
    compression: Compression,
    sealed: Vec<RecordBatch>,
    open: Option<(BatchBuilder, Option<Transaction>)>,
    /// Records that are in the log or here: the offset that the next one gets.
    next_offset: Offset,
    /// The number of the flush that will take what comes now.
    flush: u64,
    /// The last flush that took, or will take, something.
    accepted: u64,
    durable: u64,
    /// Epochs of producers that the log does not know of yet, each with the flush that takes it there.
    epochs: BTreeMap<ProducerId, (ProducerEpoch, u64)>,
}

impl Outbox {
    /// For a log that ends at `end`.
    pub fn new(end: Offset, compression: Compression) -> Outbox {
        Outbox { compression, sealed: Vec::new(), open: None, next_offset: end, flush: 1, accepted: 0, durable: 0, epochs: BTreeMap::new() }
    }

    /// Takes records that belong together; the offset of the first.
    pub fn accept(&mut self, records: &[KeyAndValue], transaction: Option<Transaction>, now: Timestamp) -> Result<Offset, ErrorCode> {
        let size = |(key, value): &KeyAndValue| key.len() + value.as_ref().map_or(0, Bytes::len) + RECORD_OVERHEAD;
        let bytes: usize = records.iter().map(size).sum();
        if bytes > limits::COORDINATOR_WRITE_BYTES_MAX {
            return Err(ErrorCode::RecordListTooLarge);
        }
        let fits = |(builder, of): &(BatchBuilder, Option<Transaction>)| {
            *of == transaction && builder.size_uncompressed() + bytes <= limits::COORDINATOR_BATCH_BYTES
        };
        if !self.open.as_ref().is_some_and(fits) {
            self.seal();
        }
        let compression = self.compression;
        let (builder, _) = self.open.get_or_insert_with(|| (begin(compression, transaction), transaction));
        for (key, value) in records {
            builder.push(now, Some(key), value.as_deref(), &[]);
        }
        if let Some(of) = transaction {
            self.epochs.insert(of.producer_id, (of.producer_epoch, self.flush));
        }
        Ok(self.advance(records.len()))
    }

    /// Takes the end of a transaction; its offset.
    pub fn accept_marker(&mut self, ending: Ending, now: Timestamp) -> Offset {
        self.seal();
        let marker = if ending.committed { TransactionMarker::Commit } else { TransactionMarker::Abort };
        self.sealed.push(end_transaction_marker(marker, ending.producer_id, ending.producer_epoch, ending.coordinator_epoch, now));
        self.epochs.insert(ending.producer_id, (ending.producer_epoch, self.flush));
        self.advance(1)
    }

    fn advance(&mut self, records: usize) -> Offset {
        let first = self.next_offset;
        self.next_offset = first.plus(records as i64);
        self.accepted = self.flush;
        first
    }

    /// The epoch that a producer will have in the log, if that is not there yet.
    pub fn producer_epoch(&self, id: ProducerId) -> Option<ProducerEpoch> {
        self.epochs.get(&id).map(|(epoch, _)| *epoch)
    }

    /// The log has everything up to this flush.
    pub fn note_appended(&mut self, flush: u64) {
        self.epochs.retain(|_, (_, taken)| *taken > flush);
    }

    fn seal(&mut self) {
        if let Some((builder, _)) = self.open.take() {
            self.sealed.push(builder.finish());
        }
    }

    /// What has gathered, and the flush's number; `None`: nothing has.
    pub fn take(&mut self) -> Option<(u64, Vec<RecordBatch>)> {
        self.seal();
        if self.sealed.is_empty() {
            return None;
        }
        let number = self.flush;
        self.flush += 1;
        Some((number, std::mem::take(&mut self.sealed)))
    }

    /// Everything up to this flush is durable.
    pub fn note_durable(&mut self, flush: u64) {
        self.durable = self.durable.max(flush);
    }

    pub fn is_durable(&self, flush: u64) -> bool {
        flush <= self.durable
    }

    /// The flush that everything accepted so far waits for.
    pub fn accepted(&self) -> u64 {
        self.accepted
    }
}

fn begin(compression: Compression, transaction: Option<Transaction>) -> BatchBuilder {
    match transaction {
        // As in Kafka, without sequences: nobody sends these twice.
        Some(of) => BatchBuilder::new(compression).producer(of.producer_id, of.producer_epoch, -1).transactional(),
        None => BatchBuilder::new(compression),
    }
}
