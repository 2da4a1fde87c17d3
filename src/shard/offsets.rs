//! Offsets by time and by leader epoch, on the core that owns the partitions.

use super::Shard;
use super::fetch::check_epoch;
use crate::log::{PartitionLog, ReadError, TimestampOffset};
use crate::types::{ErrorCode, LeaderEpoch, Offset, Timestamp, TopicPartitionId};

/// ListOffsets' special timestamps.
pub mod special {
    pub const LATEST: i64 = -1;
    pub const EARLIEST: i64 = -2;
    pub const MAX_TIMESTAMP: i64 = -3;
    pub const EARLIEST_LOCAL: i64 = -4;
    pub const LATEST_TIERED: i64 = -5;
    pub const EARLIEST_PENDING_UPLOAD: i64 = -6;
}

/// One partition of a ListOffsets request.
#[derive(Clone, Copy, Debug)]
pub struct OffsetQuery {
    pub id: TopicPartitionId,
    /// Milliseconds, or one of [`special`].
    pub timestamp: i64,
    pub current_leader_epoch: LeaderEpoch,
    pub read_committed: bool,
}

/// The offset found; -1 everywhere if there is none.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct OffsetAnswer {
    pub error: ErrorCode,
    pub timestamp: Timestamp,
    pub offset: Offset,
    pub leader_epoch: LeaderEpoch,
}

impl OffsetAnswer {
    pub fn failed(error: ErrorCode) -> OffsetAnswer {
        OffsetAnswer { error, timestamp: Timestamp::NONE, offset: Offset::NONE, leader_epoch: LeaderEpoch::NONE }
    }
}

/// One partition of an OffsetForLeaderEpoch request.
#[derive(Clone, Copy, Debug)]
pub struct EpochEndQuery {
    pub id: TopicPartitionId,
    pub current_leader_epoch: LeaderEpoch,
    pub leader_epoch: LeaderEpoch,
}

/// The largest epoch not above the one asked for, and its end offset (exclusive); -1 if there is none.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct EpochEndAnswer {
    pub error: ErrorCode,
    pub leader_epoch: LeaderEpoch,
    pub end_offset: Offset,
}

impl EpochEndAnswer {
    pub fn failed(error: ErrorCode) -> EpochEndAnswer {
        EpochEndAnswer { error, leader_epoch: LeaderEpoch::NONE, end_offset: Offset::NONE }
    }
}

fn led(shard: &Shard, id: TopicPartitionId, known: LeaderEpoch) -> Result<(std::rc::Rc<PartitionLog>, LeaderEpoch), ErrorCode> {
    let (log, epoch) = shard.led_partition(id)?;
    match check_epoch(known, epoch) {
        ErrorCode::None => Ok((log, epoch)),
        error => Err(error),
    }
}

/// Answers every query, in order.
pub async fn list_all(shard: &Shard, queries: Vec<OffsetQuery>) -> Vec<OffsetAnswer> {
    let mut answers = Vec::with_capacity(queries.len());
    for query in &queries {
        answers.push(list_one(shard, query).await.unwrap_or_else(OffsetAnswer::failed));
    }
    answers
}

async fn list_one(shard: &Shard, query: &OffsetQuery) -> Result<OffsetAnswer, ErrorCode> {
    let (log, leader_epoch) = led(shard, query.id, query.current_leader_epoch)?;
    let readable_end = if query.read_committed { log.last_stable_offset() } else { log.high_watermark() };
    let at = |offset: Offset, leader_epoch: LeaderEpoch| OffsetAnswer {
        error: ErrorCode::None,
        timestamp: Timestamp::NONE,
        offset,
        leader_epoch,
    };
    let found = match query.timestamp {
        special::LATEST => return Ok(at(readable_end, leader_epoch)),
        special::EARLIEST | special::EARLIEST_LOCAL => {
            log.check_epochs().await;
            let start = log.log_start();
            let epoch = log.leader_epoch_at(start);
            // Before the first append the leader's epoch begins there.
            return Ok(at(start, if epoch == LeaderEpoch::NONE { leader_epoch } else { epoch }));
        }
        // Nothing is tiered here: as Apache Kafka without remote storage.
        special::LATEST_TIERED | special::EARLIEST_PENDING_UPLOAD => None,
        special::MAX_TIMESTAMP => log.max_timestamp_offset().await.map_err(|error| failure(shard, &log, error))?,
        timestamp => log.offset_for_timestamp(Timestamp(timestamp)).await.map_err(|error| failure(shard, &log, error))?,
    };
    Ok(match found {
        Some(TimestampOffset { offset, timestamp, leader_epoch }) if offset < readable_end => {
            OffsetAnswer { error: ErrorCode::None, timestamp, offset, leader_epoch }
        }
        _ => OffsetAnswer::failed(ErrorCode::None),
    })
}

/// A log that moved while it was read is another core's.
fn failure(shard: &Shard, log: &std::rc::Rc<PartitionLog>, error: ReadError) -> ErrorCode {
    if shard.leads(log) { error.code() } else { ErrorCode::NotLeaderOrFollower }
}

/// Answers every query, in order.
pub async fn epoch_ends(shard: &Shard, queries: &[EpochEndQuery]) -> Vec<EpochEndAnswer> {
    let mut answers = Vec::with_capacity(queries.len());
    for query in queries {
        answers.push(epoch_end(shard, query).await.unwrap_or_else(EpochEndAnswer::failed));
    }
    answers
}

async fn epoch_end(shard: &Shard, query: &EpochEndQuery) -> Result<EpochEndAnswer, ErrorCode> {
    let (log, current) = led(shard, query.id, query.current_leader_epoch)?;
    if query.leader_epoch == current {
        // The current epoch ends where the log does, also before it wrote anything.
        return Ok(EpochEndAnswer { error: ErrorCode::None, leader_epoch: current, end_offset: log.log_end() });
    }
    log.check_epochs().await;
    Ok(match log.end_offset_for_epoch(query.leader_epoch) {
        Some(end) => EpochEndAnswer { error: ErrorCode::None, leader_epoch: end.leader_epoch, end_offset: end.end_offset },
        None => EpochEndAnswer::failed(ErrorCode::None),
    })
}
