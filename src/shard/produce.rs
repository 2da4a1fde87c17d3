//! Appending on the core that owns the partitions. Records were checked where they came in; sequences are checked here.

use super::Shard;
use super::admission::Applicant;
use crate::log::{AppendError, PartitionLog};
use crate::rt;
use crate::types::{ErrorCode, Offset, Timestamp, TopicPartitionId};
use bytes::Bytes;
use std::rc::Rc;

/// Valid batches for one partition.
pub struct PartitionAppend {
    pub id: TopicPartitionId,
    pub records: Bytes,
    /// Of records in a transaction.
    pub transaction: Option<Admitted>,
}

/// The producer of a transaction's records, and by what it was let in.
#[derive(Clone, Copy, Debug)]
pub struct Admitted {
    pub applicant: Applicant,
    pub admission: Option<u64>,
}

/// What became of a [`PartitionAppend`]; offsets are -1 on an error.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct AppendOutcome {
    pub error: ErrorCode,
    pub base_offset: Offset,
    pub log_append_time: Timestamp,
    pub log_start_offset: Offset,
}

impl AppendOutcome {
    pub fn failed(error: ErrorCode) -> AppendOutcome {
        AppendOutcome { error, base_offset: Offset::NONE, log_append_time: Timestamp::NONE, log_start_offset: Offset::NONE }
    }
}

/// An append's outcome so far, and what it waits for: the log, and the end offset (exclusive) that must be durable.
type Begun = (AppendOutcome, Option<(Rc<PartitionLog>, Offset)>);

/// Appends that are in memory and on their way to the disk.
pub struct PendingAppends {
    outcomes: Vec<Begun>,
}

impl PendingAppends {
    /// The outcomes, once every append is on stable storage (or refused).
    pub async fn durable(self) -> Vec<AppendOutcome> {
        let mut outcomes = Vec::with_capacity(self.outcomes.len());
        for (mut outcome, waiting) in self.outcomes {
            if let Some((log, end)) = waiting
                && let Err(error) = log.wait_durable(end).await
            {
                outcome = AppendOutcome::failed(error);
            }
            outcomes.push(outcome);
        }
        outcomes
    }

    /// The outcomes as of now: what `acks=0` is content with.
    pub fn now(self) -> Vec<AppendOutcome> {
        self.outcomes.into_iter().map(|(outcome, _)| outcome).collect()
    }
}

/// Appends in order; waits only for memory. Partitions are this shard's, or answered NOT_LEADER_OR_FOLLOWER.
pub async fn append_all(shard: &Shard, appends: Vec<PartitionAppend>) -> PendingAppends {
    // What is refused anyway does not wait for memory, which may be short just because its disk is full.
    let refused = |append: &PartitionAppend| shard.led_partition(append.id).map_or(true, |(log, _)| log.refuses_appends());
    let taken = appends.iter().filter(|append| !refused(append)).map(|append| append.records.len()).sum();
    if taken > 0 {
        shard.logs().room(taken).await;
    }
    let now = rt::wall_clock();
    let outcomes = appends.into_iter().map(|append| append_one(shard, append, now)).collect();
    PendingAppends { outcomes }
}

fn append_one(shard: &Shard, append: PartitionAppend, now: Timestamp) -> Begun {
    let (log, leader_epoch) = match shard.led_partition(append.id) {
        Ok(led) => led,
        Err(error) => return (AppendOutcome::failed(error), None),
    };
    let size = append.records.len();
    if append.transaction.is_some_and(|of| !shard.admits(&of.applicant, of.admission)) {
        return (AppendOutcome::failed(ErrorCode::InvalidTxnState), None);
    }
    match log.append_owned(append.records, leader_epoch, now) {
        Ok(appended) => {
            log.count_traffic(size);
            if !appended.duplicate {
                let records = appended.last_offset.0 - appended.first_offset.0 + 1;
                shard.metrics.borrow_mut().produced(log.topic(), records as u64, size as u64);
            }
            let outcome = AppendOutcome {
                error: ErrorCode::None,
                base_offset: appended.first_offset,
                log_append_time: appended.log_append_time,
                log_start_offset: appended.log_start_offset,
            };
            (outcome, Some((log, appended.last_offset.plus(1))))
        }
        Err(error) => {
            shard.metrics.borrow_mut().produce_failed(log.topic());
            // As in Kafka, who is told that a record is wrong is told where the log starts; who is told that the log is wrong is not.
            let log_start_offset = match error {
                AppendError::Rejected(_) => log.log_start(),
                _ => Offset::NONE,
            };
            (AppendOutcome { log_start_offset, ..AppendOutcome::failed(error.code()) }, None)
        }
    }
}
