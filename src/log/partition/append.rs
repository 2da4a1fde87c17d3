//! Appending: checks, offsets, one copy into the tail, the way to the disk. Synchronous.

use super::PartitionLog;
use super::state::TailBatch;
use crate::config::limits;
use crate::log::producer::Verdict;
use crate::log::{AppendError, TimestampType, TopicLogConfig};
use crate::rt::random_u64;
use crate::types::{ErrorCode, LeaderEpoch, Offset, Timestamp};
use crate::wire::records::{self, BatchHeader, RecordBatch, frame};
use bytes::{Bytes, BytesMut};
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

impl PartitionLog {
    /// Appends one or more valid version-2 batches (whole, checked by the caller: CRC, counts, offsets from zero) as the leader.
    /// Assigns offsets and the epoch, checks idempotent producers' sequences; all or nothing. In memory only: see [`Self::wait_durable`].
    pub fn append(&self, records: &[u8], leader_epoch: LeaderEpoch, now: Timestamp) -> Result<Appended, AppendError> {
        self.append_owned(Bytes::copy_from_slice(records), leader_epoch, now)
    }

    /// The same, and where nobody else holds on to the memory of a large batch it becomes the tail's as it is.
    pub fn append_owned(&self, records: Bytes, leader_epoch: LeaderEpoch, now: Timestamp) -> Result<Appended, AppendError> {
        self.check_appendable()?;
        let config = self.config();
        let headers = parse(&records, config.max_message_bytes, config.segment_bytes)?;
        match self.check_producers(&headers)? {
            Some(duplicate) => Ok(duplicate),
            None => Ok(self.append_checked(records, headers, leader_epoch, now)),
        }
    }

    /// What the broker itself writes, whatever `max.message.bytes` lets clients send; producers' epochs and sequences are its own affair.
    pub fn append_of_broker(&self, records: Bytes, leader_epoch: LeaderEpoch, now: Timestamp) -> Result<Appended, AppendError> {
        self.check_appendable()?;
        let headers = parse(&records, u64::MAX, self.config().segment_bytes)?;
        Ok(self.append_checked(records, headers, leader_epoch, now))
    }

    /// Ends a producer's transaction, unless its epoch or its coordinator's is old.
    pub fn append_marker(
        &self,
        marker: RecordBatch,
        coordinator_epoch: i32,
        leader_epoch: LeaderEpoch,
        now: Timestamp,
    ) -> Result<Appended, AppendError> {
        if let Verdict::Refuse(code) = self.state.borrow().producers.check_marker(marker.header(), coordinator_epoch) {
            return Err(AppendError::Rejected(code));
        }
        self.append_of_broker(marker.into_bytes(), leader_epoch, now)
    }

    fn append_checked(&self, records: Bytes, headers: Vec<(BatchHeader, usize)>, leader_epoch: LeaderEpoch, now: Timestamp) -> Appended {
        let config = self.config();
        // Several batches would keep each other's memory.
        let mut own = if headers.len() == 1 && records.len() >= limits::FRAME_OF_ITS_OWN_BYTES {
            records.try_into_mut().unwrap_or_else(|shared| BytesMut::from(&shared[..]))
        } else {
            BytesMut::from(&records[..])
        };
        let log_append_time = match config.message_timestamp_type {
            TimestampType::LogAppendTime => now,
            TimestampType::CreateTime => Timestamp::NONE,
        };
        let first_offset = self.log_end();
        let mut base = first_offset;
        for (mut header, size) in headers {
            let mut batch = own.split_to(size);
            header.base_offset = base;
            header.leader_epoch = leader_epoch;
            if log_append_time != Timestamp::NONE {
                stamp_append_time(&mut header, &mut batch, now);
            }
            records::stamp(&mut batch, base, leader_epoch);
            base = header.next_offset();
            self.take_batch(&header, batch.freeze(), now, &config);
        }
        self.after_append(&config);
        Appended { first_offset, last_offset: base.plus(-1), log_append_time, log_start_offset: self.log_start(), duplicate: false }
    }

    /// Begins a new segment at the log's end. The active one must hold something.
    pub(in crate::log) fn roll(&self, now: Timestamp) {
        let mut state = self.state.borrow_mut();
        let end = state.log_end;
        state.roll(end, now, random_u64());
        self.touched.set(true);
    }

    /// Appends a batch that has its offsets and epoch, as replay finds it in the journal. It must begin at or above the log end.
    pub(in crate::log) fn append_replayed(&self, header: &BatchHeader, batch: Bytes, now: Timestamp) {
        assert!(header.base_offset >= self.log_end(), "replay goes upwards");
        let config = self.config();
        self.take_batch(header, batch, now, &config);
        self.after_append(&config);
    }

    /// Refuses batches whose producer's epoch or sequence is wrong; the first append's answer for one that was appended before.
    fn check_producers(&self, headers: &[(BatchHeader, usize)]) -> Result<Option<Appended>, AppendError> {
        let state = self.state.borrow();
        for (header, _) in headers.iter().filter(|(header, _)| header.has_producer_id()) {
            match state.producers.check(header) {
                Verdict::Accept => {}
                Verdict::Refuse(code) => return Err(AppendError::Rejected(code)),
                Verdict::Duplicate { first_offset, last_offset, timestamp } => {
                    return Ok(Some(Appended {
                        first_offset,
                        last_offset,
                        // Whatever the topic's timestamp type, as in Kafka.
                        log_append_time: timestamp,
                        log_start_offset: state.log_start,
                        duplicate: true,
                    }));
                }
            }
        }
        Ok(None)
    }

    /// Appends are refused: the log is offline, or its directory is out of space.
    pub fn refuses_appends(&self) -> bool {
        self.is_offline() || self.dir.health.is_full()
    }

    fn check_appendable(&self) -> Result<(), AppendError> {
        if self.refuses_appends() { Err(AppendError::Storage) } else { Ok(()) }
    }

    /// Puts a stamped batch at the log's end: segment and index, tail, journal.
    fn take_batch(&self, header: &BatchHeader, bytes: Bytes, now: Timestamp, config: &TopicLogConfig) {
        let mut guard = self.state.borrow_mut();
        let state = &mut *guard;
        let (base, end, size) = (header.base_offset, header.next_offset(), bytes.len());
        if state.active().is_full_for(config, header, size, now) {
            state.roll(base, now, random_u64());
        }
        let segment = state.active();
        segment.append(header, size, config.index_interval_bytes);
        let segment_base = segment.base;
        if state.epochs.assign(header.leader_epoch, base) {
            self.epochs_changed.set(true);
        }
        if let Ok(batch) = RecordBatch::split_from(&mut bytes.clone()) {
            let ended = state.producers.record(&batch);
            if let Some(aborted) = ended.and_then(|ended| ended.aborted_transaction()) {
                state.active().aborted.push(aborted);
                self.has_aborted.set(true);
            }
        }
        state.tail.push_back(TailBatch { base, end, segment: segment_base, bytes });
        state.log_end = end;
        state.unwritten_bytes += size as u64;
        drop(guard);
        self.make_durable(base, end, size);
        self.dir.memory.add(self, size);
        self.dir.appended(size as u64);
    }

    fn after_append(&self, config: &TopicLogConfig) {
        self.touched.set(true);
        let Some(this) = self.this.upgrade() else { return };
        self.dir.dirty.borrow_mut().entry(self.id).or_insert_with(|| Rc::clone(&this));
        let state = self.state.borrow();
        let rolled = state.segments.len() > 1 && !state.segments[state.segments.len() - 2].sealed;
        // A run is a flush already.
        let wanted = (state.unwritten_bytes >= self.dir.config.tail_flush_bytes || rolled) && !state.bypass.is_running();
        drop(state);
        if wanted {
            self.want_flush();
        }
        if !config.is_durable() {
            self.advanced.notify();
        }
    }
}

/// The headers and sizes of the batches in `records`, all of them acceptable.
fn parse(records: &[u8], size_max: u64, segment_bytes: u64) -> Result<Vec<(BatchHeader, usize)>, AppendError> {
    let mut headers = Vec::with_capacity(1);
    let mut rest = records;
    while !rest.is_empty() {
        let (header, size) = frame(rest).map_err(|_| AppendError::Rejected(ErrorCode::CorruptMessage))?;
        if size as u64 > size_max {
            return Err(AppendError::Rejected(ErrorCode::MessageTooLarge));
        }
        if size as u64 > segment_bytes {
            return Err(AppendError::Rejected(ErrorCode::RecordListTooLarge));
        }
        if header.last_offset_delta < 0 {
            return Err(AppendError::Rejected(ErrorCode::CorruptMessage));
        }
        headers.push((header, size));
        rest = &rest[size..];
    }
    if headers.is_empty() { Err(AppendError::Rejected(ErrorCode::CorruptMessage)) } else { Ok(headers) }
}

/// Kafka's way: type and time in the header, records as they came, a new CRC.
fn stamp_append_time(header: &mut BatchHeader, batch: &mut [u8], now: Timestamp) {
    header.max_timestamp = now;
    header.attributes = header.attributes.with_timestamp_type(records::TimestampType::LogAppendTime);
    batch[..records::HEADER_SIZE].copy_from_slice(&header.to_bytes());
    // The CRC covers everything from the attributes on, 4 bytes behind its own field.
    header.crc = crc32c::crc32c(&batch[21..]);
    batch[..records::HEADER_SIZE].copy_from_slice(&header.to_bytes());
}
