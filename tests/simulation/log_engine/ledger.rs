//! What the outside was told of each partition, and the check that a start kept all of it.

use super::retention::{Allowance, Limits};
use bytes::Bytes;
use ringmill::log::{DirFailure, PartitionLog};
use ringmill::types::{LeaderEpoch, Offset, ProducerEpoch, ProducerId, TopicId};
use ringmill::wire::records::RecordBatch;
use std::sync::{Arc, Mutex, MutexGuard};

/// Shared by the test and the simulated cores (which must be given something `Send`).
#[derive(Clone)]
pub struct Ledger(Arc<Mutex<Contents>>);

pub struct Contents {
    pub slots: Vec<Slot>,
    /// The shards shall stop cleanly.
    pub stop: bool,
    /// Shards that have opened and checked all their partitions.
    pub opened_count: usize,
    pub life: i32,
    pub stopped_cleanly: bool,
    /// The disk failed before all was open: this life ends here.
    pub start_failed: bool,
    /// Errors of the disk are allowed in this life.
    pub disk_fails: bool,
    /// Log directories that are offline in this life.
    pub failures: Vec<DirFailure>,
    pub counts: Counts,
}

/// How much a run did, so that a test can tell whether it tested anything.
#[derive(Default, Debug, Clone, Copy)]
pub struct Counts {
    pub batches_checked: u64,
    pub batches_lost_unacknowledged: u64,
    pub duplicates: u64,
    pub reads: u64,
    pub refused: u64,
    pub deletions: u64,
    pub spoiled: u64,
    pub bypass_runs: u64,
    /// Starts that found that retention had deleted something.
    pub retained: u64,
    pub starts_failed: u64,
    /// Lives that went on with one log directory less.
    pub dirs_lost: u64,
}

/// A place for a topic of one partition; a deletion makes room for the next generation.
pub struct Slot {
    pub index: usize,
    pub generation: u8,
    /// Its log can be used in this life.
    pub online: bool,
    /// Acks are durable (`flush.messages` is 1).
    pub durable: bool,
    /// A deletion was asked for and not answered.
    pub deleting: bool,
    /// Nothing was appended since a clean stop (or ever), so nothing at all may be missing.
    pub complete: bool,
    /// Everything appended since offset 0, acknowledged or not.
    pub written: Vec<Written>,
    /// Nothing below may ever be lost: acknowledged, or shown to a reader.
    pub floor: i64,
    /// The log start offset is between what was acknowledged and what was asked for.
    pub log_start_acknowledged: i64,
    pub log_start_asked: i64,
    /// What retention may have deleted.
    pub allowance: Allowance,
}

/// A batch as it must be stored.
#[derive(Clone)]
pub struct Written {
    pub batch: RecordBatch,
    /// As it was sent.
    pub sent: Bytes,
}

impl Written {
    pub fn first(&self) -> i64 {
        self.batch.base_offset.0
    }

    pub fn next(&self) -> i64 {
        self.batch.next_offset().0
    }
}

impl Ledger {
    pub fn new(slot_count: usize, relaxed_one_in: usize, limits: Limits) -> Ledger {
        let slot = |index| Slot {
            index,
            generation: 0,
            online: false,
            durable: (index + 1) % relaxed_one_in != 0,
            deleting: false,
            complete: true,
            written: Vec::new(),
            floor: 0,
            log_start_acknowledged: 0,
            log_start_asked: 0,
            allowance: Allowance::new(limits),
        };
        let slots = (0..slot_count).map(slot).collect();
        let contents = Contents {
            slots,
            stop: false,
            opened_count: 0,
            life: 0,
            stopped_cleanly: false,
            start_failed: false,
            disk_fails: false,
            failures: Vec::new(),
            counts: Counts::default(),
        };
        Ledger(Arc::new(Mutex::new(contents)))
    }

    pub fn lock(&self) -> MutexGuard<'_, Contents> {
        self.0.lock().unwrap()
    }
}

impl Contents {
    /// The leader epoch of this life.
    pub fn leader_epoch(&self) -> LeaderEpoch {
        LeaderEpoch(self.life)
    }
}

impl Slot {
    pub fn topic_id(&self) -> TopicId {
        let mut id = [7; 16];
        id[0] = self.index as u8;
        id[1] = self.generation;
        TopicId(id)
    }

    pub fn topic(&self) -> String {
        format!("orders-{}", self.index)
    }

    /// The topic is gone for good; the next one of this name is empty.
    pub fn deleted(&mut self) {
        let (index, generation, durable, limits) = (self.index, self.generation + 1, self.durable, self.allowance.limits);
        *self = Slot {
            index,
            generation,
            online: self.online,
            durable,
            deleting: false,
            complete: true,
            written: Vec::new(),
            floor: 0,
            log_start_acknowledged: 0,
            log_start_asked: 0,
            allowance: Allowance::new(limits),
        };
    }

    pub fn next_offset(&self) -> i64 {
        self.written.last().map_or(0, Written::next)
    }

    pub fn acknowledge(&mut self, end: i64) {
        if self.durable {
            self.floor = self.floor.max(end);
        }
    }

    /// Takes what an append put at `first`, batch by batch.
    pub fn write(&mut self, mut records: Bytes, first: Offset, epoch: LeaderEpoch) {
        assert_eq!(first.0, self.next_offset(), "offsets are dense");
        while !records.is_empty() {
            let batch = RecordBatch::split_from(&mut records).expect("what the test sent");
            let sent = batch.bytes().clone();
            let batch = batch.stamped(Offset(self.next_offset()), epoch);
            let size = sent.len();
            self.written.push(Written { batch, sent });
            self.note_written_size(size);
        }
    }

    /// The batches a broker remembers of an idempotent producer.
    pub fn remembered(&self, producer: ProducerId) -> Vec<Written> {
        let mut own: Vec<Written> = self.written.iter().rev().filter(|w| w.batch.producer_id == producer).take(5).cloned().collect();
        own.reverse();
        own
    }

    /// The epoch and sequence that the producer goes on with.
    pub fn next_sequence(&self, producer: ProducerId) -> (ProducerEpoch, i32) {
        match self.remembered(producer).last() {
            Some(last) => (last.batch.producer_epoch, last.batch.base_sequence + last.batch.count),
            None => (ProducerEpoch(0), 0),
        }
    }

    /// The batch that holds `offset` must be exactly this one.
    pub fn check_batch(&self, batch: &RecordBatch) {
        let index = self.written.partition_point(|w| w.next() <= batch.base_offset.0);
        let expected = self.written.get(index).unwrap_or_else(|| panic!("slot {}: {} was never written", self.index, batch.base_offset));
        assert!(
            expected.batch.bytes() == batch.bytes(),
            "slot {}: the batch at {} is not what was sent: {:?} instead of {:?}",
            self.index,
            expected.first(),
            batch.header(),
            expected.batch.header(),
        );
    }

    /// A start found the log from `start` to `end`. How many batches were lost.
    pub fn take_recovered(&mut self, start: i64, end: i64) -> usize {
        let index = self.index;
        let floor = if self.complete { self.next_offset() } else { self.floor };
        assert!(end >= floor, "slot {index}: acknowledged or served up to {floor}, found only {end}");
        assert!(end <= self.next_offset(), "slot {index}: found up to {end}, written up to {}", self.next_offset());
        let kept = self.written.partition_point(|w| w.next() <= end);
        let lost = self.written.split_off(kept).len();
        assert_eq!(self.next_offset(), end, "slot {index}: the log ends within a batch");
        let allowed = self.log_start_asked.max(self.retention_allows());
        self.recount_sizes();
        let bounds = self.log_start_acknowledged.min(end)..=allowed.min(end);
        assert!(bounds.contains(&start), "slot {index}: log start offset {start}, not in {bounds:?}");
        (self.log_start_acknowledged, self.log_start_asked, self.floor) = (start, start, end);
        lost
    }

    /// Where each leader epoch ends, and which one is the latest.
    pub fn check_epochs(&self, log: &PartitionLog) {
        let Some(last) = self.written.last() else {
            return assert_eq!(log.latest_leader_epoch(), LeaderEpoch::NONE, "slot {}", self.index);
        };
        if self.log_start_asked == self.next_offset() {
            return;
        }
        assert_eq!(log.latest_leader_epoch(), last.batch.leader_epoch, "slot {}", self.index);
        if self.log_start_asked > 0 {
            return;
        }
        for pair in self.written.windows(2) {
            let (epoch, next) = (pair[0].batch.leader_epoch, pair[1].batch.leader_epoch);
            if epoch != next {
                let found = log.end_offset_for_epoch(epoch).expect("an epoch that was written");
                assert_eq!((found.leader_epoch, found.end_offset.0), (epoch, pair[1].first()), "slot {}", self.index);
            }
        }
    }
}
