//! One partition's log, owned by one shard: append, read, offsets by time and by leader epoch.

use super::{AppendError, ReadError, TimestampType, TopicLogConfig};
use crate::rt;
use crate::rt::sync::{Event, EventListener};
use crate::types::{ErrorCode, LeaderEpoch, Offset, Timestamp, TopicPartitionId};
use bytes::{Bytes, BytesMut};
use std::cell::{Cell, RefCell};
use std::rc::Rc;

/// What an append did; offsets are inclusive.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Appended {
    pub first_offset: Offset,
    pub last_offset: Offset,
    /// The broker's time for topics with LogAppendTime, else [`Timestamp::NONE`].
    pub log_append_time: Timestamp,
    pub log_start_offset: Offset,
    /// The producer had sent this batch before: the offsets are the first append's and nothing was added.
    pub duplicate: bool,
}

/// A run of bytes of a fetch's answer: whole batches when joined in order.
#[derive(Clone)]
pub enum Slice {
    Memory(Bytes),
    File { file: rt::SharedFile, offset: u64, len: u32 },
}

impl Slice {
    pub fn len(&self) -> usize {
        match self {
            Slice::Memory(bytes) => bytes.len(),
            Slice::File { len, .. } => *len as usize,
        }
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// The answer of [`PartitionLog::read`]: whole batches, the first of which holds the offset asked for.
#[derive(Clone, Default)]
pub struct FetchedRecords {
    pub parts: Vec<Slice>,
    /// The sum of the parts' lengths.
    pub bytes: usize,
}

/// The answer of a look-up by time: a record's offset, its timestamp, and the leader epoch of its batch.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct TimestampOffset {
    pub offset: Offset,
    pub timestamp: Timestamp,
    pub leader_epoch: LeaderEpoch,
}

/// The answer of [`PartitionLog::end_offset_for_epoch`]: the largest epoch not above the one asked for, and where it ends (exclusive).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct EpochEnd {
    pub leader_epoch: LeaderEpoch,
    pub end_offset: Offset,
}

struct MemoryBatch {
    base: i64,
    end: i64,
    max_timestamp: i64,
    epoch: i32,
    bytes: Bytes,
}

/// See the module.
pub struct PartitionLog {
    id: TopicPartitionId,
    topic: Rc<str>,
    config: RefCell<Rc<TopicLogConfig>>,
    batches: RefCell<Vec<MemoryBatch>>,
    end: Cell<i64>,
    advanced: Event,
}

impl PartitionLog {
    pub(crate) fn new(id: TopicPartitionId, topic: &str, config: Rc<TopicLogConfig>) -> PartitionLog {
        PartitionLog {
            id,
            topic: topic.into(),
            config: RefCell::new(config),
            batches: RefCell::default(),
            end: Cell::new(0),
            advanced: Event::default(),
        }
    }

    pub fn id(&self) -> TopicPartitionId {
        self.id
    }

    pub fn topic(&self) -> &Rc<str> {
        &self.topic
    }

    pub fn config(&self) -> Rc<TopicLogConfig> {
        Rc::clone(&self.config.borrow())
    }

    /// Takes effect with the next append.
    pub fn set_config(&self, config: Rc<TopicLogConfig>) {
        *self.config.borrow_mut() = config;
    }

    /// Appends one or more valid version-2 batches (whole, checked by the caller: CRC, counts, offsets from zero) as the leader.
    /// Assigns offsets and the epoch, checks idempotent producers' sequences; all or nothing. In memory only: see [`Self::wait_durable`].
    pub fn append(&self, records: &[u8], leader_epoch: LeaderEpoch, now: Timestamp) -> Result<Appended, AppendError> {
        let config = self.config();
        let append_time = config.message_timestamp_type == TimestampType::LogAppendTime;
        if records.len() < 61 {
            return Err(AppendError::Rejected(ErrorCode::CorruptMessage));
        }
        let first = self.end.get();
        let mut rest = records;
        while rest.len() >= 61 {
            let len = 12 + i32::from_be_bytes([rest[8], rest[9], rest[10], rest[11]]) as usize;
            if len as u64 > config.max_message_bytes {
                return Err(AppendError::Rejected(ErrorCode::MessageTooLarge));
            }
            let last_delta = i32::from_be_bytes([rest[23], rest[24], rest[25], rest[26]]) as i64;
            let mut bytes = BytesMut::from(&rest[..len]);
            bytes[..8].copy_from_slice(&self.end.get().to_be_bytes());
            bytes[12..16].copy_from_slice(&leader_epoch.0.to_be_bytes());
            let end = self.end.get() + last_delta + 1;
            let max_timestamp = i64::from_be_bytes(rest[35..43].try_into().expect("eight bytes"));
            self.batches.borrow_mut().push(MemoryBatch {
                base: self.end.get(),
                end,
                max_timestamp,
                epoch: leader_epoch.0,
                bytes: bytes.freeze(),
            });
            self.end.set(end);
            rest = &rest[len..];
        }
        self.advanced.notify();
        Ok(Appended {
            first_offset: Offset(first),
            last_offset: Offset(self.end.get() - 1),
            log_append_time: if append_time { now } else { Timestamp::NONE },
            log_start_offset: self.log_start(),
            duplicate: false,
        })
    }

    /// Waits until all below `end` is on stable storage (at once for topics with relaxed `flush.messages`).
    pub async fn wait_durable(&self, _end: Offset) -> Result<(), ErrorCode> {
        Ok(())
    }

    /// Exclusive; what a fetch may see.
    pub fn high_watermark(&self) -> Offset {
        Offset(self.end.get())
    }

    /// Exclusive; what a read_committed fetch may see.
    pub fn last_stable_offset(&self) -> Offset {
        self.high_watermark()
    }

    /// Exclusive.
    pub fn log_end(&self) -> Offset {
        Offset(self.end.get())
    }

    /// The first offset that can be read.
    pub fn log_start(&self) -> Offset {
        Offset(0)
    }

    /// Moves the log start offset up, durably (DeleteRecords); lower values change nothing.
    pub async fn set_log_start(&self, _offset: Offset) -> Result<(), ErrorCode> {
        Ok(())
    }

    /// Completes when the high watermark next advances, or the log goes offline or is deleted. Listen, look, then await.
    pub fn listen_high_watermark(&self) -> EventListener {
        self.advanced.listen()
    }

    /// Whole batches from the one that holds `from`, below `upto` (exclusive, at most the log end), at most `max_bytes`, except that
    /// the first batch is given though larger if `min_one_batch`. Empty if `from` is `upto` or more, up to the log end.
    pub async fn read(&self, from: Offset, max_bytes: usize, min_one_batch: bool, upto: Offset) -> Result<FetchedRecords, ReadError> {
        if from < self.log_start() || from > self.log_end() {
            return Err(ReadError::OutOfRange);
        }
        let mut fetched = FetchedRecords::default();
        for batch in self.batches.borrow().iter().filter(|b| b.end > from.0 && b.end <= upto.0) {
            let fits = fetched.bytes + batch.bytes.len() <= max_bytes || (fetched.bytes == 0 && min_one_batch);
            if !fits {
                break;
            }
            fetched.bytes += batch.bytes.len();
            fetched.parts.push(Slice::Memory(batch.bytes.clone()));
        }
        Ok(fetched)
    }

    /// The first record with a timestamp of at least `timestamp`.
    pub async fn offset_for_timestamp(&self, timestamp: Timestamp) -> Result<Option<TimestampOffset>, ReadError> {
        let batches = self.batches.borrow();
        let found = batches.iter().find(|b| b.max_timestamp >= timestamp.0);
        Ok(found.map(MemoryBatch::last))
    }

    /// The record with the largest timestamp (the first of them).
    pub async fn max_timestamp_offset(&self) -> Result<Option<TimestampOffset>, ReadError> {
        let batches = self.batches.borrow();
        let found = batches.iter().rev().max_by_key(|b| b.max_timestamp);
        Ok(found.map(MemoryBatch::last))
    }

    /// The leader epoch of the batch at `offset`, of the last batch for the log end; `NONE` for an empty log.
    pub fn leader_epoch_at(&self, offset: Offset) -> LeaderEpoch {
        let batches = self.batches.borrow();
        LeaderEpoch(batches.iter().rev().find(|b| b.base <= offset.0).map_or(-1, |b| b.epoch))
    }

    /// The latest leader epoch that wrote to this log; `NONE` for an empty one.
    pub fn latest_leader_epoch(&self) -> LeaderEpoch {
        self.leader_epoch_at(self.log_end())
    }

    /// OffsetForLeaderEpoch: `None` if no epoch that is at most `epoch` wrote here (answer -1, -1).
    pub fn end_offset_for_epoch(&self, epoch: LeaderEpoch) -> Option<EpochEnd> {
        let batches = self.batches.borrow();
        let last = batches.iter().rev().find(|b| b.epoch <= epoch.0)?;
        Some(EpochEnd { leader_epoch: LeaderEpoch(last.epoch), end_offset: Offset(last.end) })
    }

    /// Bytes of all segments, padding left out.
    pub fn size_bytes(&self) -> u64 {
        self.batches.borrow().iter().map(|b| b.bytes.len() as u64).sum()
    }

    /// True once the log directory failed or the partition was deleted.
    pub fn is_offline(&self) -> bool {
        false
    }
}

impl MemoryBatch {
    fn last(&self) -> TimestampOffset {
        TimestampOffset { offset: Offset(self.end - 1), timestamp: Timestamp(self.max_timestamp), leader_epoch: LeaderEpoch(self.epoch) }
    }
}
