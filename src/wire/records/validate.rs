//! The check of a produced batch: what Apache Kafka's broker refuses, with its error codes, and what its consumers could not read.
//!
//! Order, as in Kafka: framing (exactly one batch of magic 2), codec against request version, base offset 0, size, CRC, header
//! consistency, then every record. Stricter than Kafka in three ways, each keeping out batches that break consumers: offsets of
//! uncompressed records must be dense too, lengths inside compressed batches must add up to the end, and expansion is bounded. Where
//! Kafka answers UNKNOWN_SERVER_ERROR (unknown codec, gaps in compressed batches, damaged compression) a code says what is wrong.
//! A check may be driven in steps, so that one large compressed batch does not hold a core.

use super::compression::{Compression, CompressionError, Decompressor};
use super::refusal::{Faults, ProduceRefusal};
use super::walk::{RecordHead, Walk};
use super::{BatchError, Codec, RecordBatch, TimestampType};
use crate::types::{ErrorCode, PartitionIndex, Timestamp};
use bytes::Bytes;

/// What a topic and a request ask of a batch.
#[derive(Clone, Copy, Debug)]
pub struct ProduceRules<'a> {
    /// For messages only.
    pub topic: &'a str,
    pub partition: PartitionIndex,
    /// Version of the Produce request, 3 or more.
    pub api_version: i16,
    pub now: Timestamp,
    /// `max.message.bytes`, for the batch with its header.
    pub max_message_bytes: usize,
    /// `cleanup.policy` contains `compact`.
    pub compacted: bool,
    /// `message.timestamp.type`.
    pub timestamp_type: TimestampType,
    /// `message.timestamp.before.max.ms` and `.after.max.ms`.
    pub timestamp_before_max_ms: i64,
    pub timestamp_after_max_ms: i64,
    /// `compression.type`; `None` for `producer`.
    pub compression: Option<Compression>,
}

/// A batch that may be appended once base offset, leader epoch and sequence are settled.
#[derive(Clone, Debug)]
pub struct ValidatedBatch {
    /// The bytes that came in, unless the topic's configuration or a wrong max timestamp made a rewrite necessary.
    pub batch: RecordBatch,
    /// Set for topics with LogAppendTime, and for the response.
    pub log_append_time: Option<Timestamp>,
}

/// First to last step at once. See [`ProduceCheck`].
pub fn validate_produce(records: Bytes, rules: &ProduceRules<'_>) -> Result<ValidatedBatch, ProduceRefusal> {
    let mut check = ProduceCheck::begin(records, rules)?;
    while !check.advance(rules, usize::MAX)? {}
    check.finish(rules)
}

/// A check in progress: [`ProduceCheck::begin`], [`ProduceCheck::advance`] until true, [`ProduceCheck::finish`]; always with the same rules.
pub struct ProduceCheck {
    batch: RecordBatch,
    decompressor: Decompressor,
    walk: Walk,
    max_timestamp: Timestamp,
    faults: Faults,
    /// The first record whose offset is not its place.
    misplaced: Option<usize>,
}

impl ProduceCheck {
    /// Everything but the records.
    pub fn begin(records: Bytes, rules: &ProduceRules<'_>) -> Result<ProduceCheck, ProduceRefusal> {
        let batch = only_batch(records, rules)?;
        let codec = check_header(&batch, rules)?;
        let decompressor = Decompressor::new(codec, batch.payload()).map_err(refuse_compression)?;
        let walk = Walk::new(usize::try_from(batch.count).unwrap_or(0));
        Ok(ProduceCheck { batch, decompressor, walk, max_timestamp: Timestamp::NONE, faults: Faults::default(), misplaced: None })
    }

    /// Walks on until `budget` (decompressed) bytes are exceeded; true at the end of the records. Uncompressed batches take one step.
    pub fn advance(&mut self, rules: &ProduceRules<'_>, budget: usize) -> Result<bool, ProduceRefusal> {
        let ProduceCheck { batch, decompressor, walk, max_timestamp, faults, misplaced } = self;
        let client_log_append_time = batch.attributes.timestamp_type() == TimestampType::LogAppendTime;
        let mut on_record = |index: usize, head: RecordHead| {
            let timestamp = if client_log_append_time {
                batch.max_timestamp
            } else {
                Timestamp(batch.base_timestamp.0.wrapping_add(head.timestamp_delta))
            };
            *max_timestamp = timestamp.max(*max_timestamp);
            if head.offset_delta as usize != index && misplaced.is_none() {
                *misplaced = Some(index);
            }
            if rules.compacted && !head.has_key {
                faults.no_key(index);
            } else if rules.timestamp_type == TimestampType::CreateTime && timestamp != Timestamp::NONE {
                if !rules.allows(timestamp) {
                    faults.bad_timestamp(index, timestamp);
                }
            } else if client_log_append_time {
                faults.bad_timestamp_type(index, timestamp);
            }
        };
        let mut walked = 0;
        while walked <= budget {
            let Some(chunk) = decompressor.next_chunk().map_err(refuse_compression)? else {
                walk.finish().map_err(ProduceRefusal::invalid_record)?;
                return Ok(true);
            };
            walked = walked.saturating_add(chunk.len());
            walk.feed(chunk, &mut on_record).map_err(ProduceRefusal::invalid_record)?;
        }
        Ok(false)
    }

    /// Refuses what the records did wrong, else rewrites as the topic asks.
    pub fn finish(self, rules: &ProduceRules<'_>) -> Result<ValidatedBatch, ProduceRefusal> {
        self.faults.refuse(rules)?;
        if let Some(index) = self.misplaced {
            return Err(ProduceRefusal::invalid_record(format!("record {index} does not have offset {index} within its batch")));
        }
        let log_append_time = (rules.timestamp_type == TimestampType::LogAppendTime).then_some(rules.now);
        let mut batch = self.batch;
        if let Some(compression) = rules.compression.filter(|to| Some(to.codec) != batch.attributes.codec()) {
            batch = batch.recompressed(compression).map_err(ProduceRefusal::invalid_record)?;
            check_size(&batch, rules)?;
        }
        let batch = batch.with_timestamps(rules.timestamp_type, log_append_time.unwrap_or(self.max_timestamp));
        Ok(ValidatedBatch { batch, log_append_time })
    }
}

impl ProduceRules<'_> {
    fn allows(&self, timestamp: Timestamp) -> bool {
        let age = i128::from(self.now.0) - i128::from(timestamp.0);
        age <= i128::from(self.timestamp_before_max_ms) && -age <= i128::from(self.timestamp_after_max_ms)
    }
}

/// The one batch of magic 2 that a request's partition must hold. Bytes behind it that are too few for a batch are cut, as Kafka does.
fn only_batch(mut records: Bytes, rules: &ProduceRules<'_>) -> Result<RecordBatch, ProduceRefusal> {
    let version = rules.api_version;
    let batch = RecordBatch::split_from(&mut records).map_err(|error| match error {
        BatchError::Truncated { .. } => ProduceRefusal::invalid_record("no whole record batch"),
        BatchError::BadMagic(0 | 1) => ProduceRefusal::invalid_record("only magic 2 is allowed"),
        other => ProduceRefusal::corrupt(other),
    })?;
    if version < 7 && batch.attributes.codec() == Some(Codec::Zstd) {
        return Err(ProduceRefusal::new(ErrorCode::UnsupportedCompressionType, format_args!("zstd in Produce version {version}")));
    }
    match RecordBatch::split_from(&mut records) {
        Ok(_) | Err(BatchError::BadMagic(0 | 1)) => Err(ProduceRefusal::invalid_record("more than one record batch")),
        Err(BatchError::Truncated { .. }) => Ok(batch),
        Err(error) => Err(ProduceRefusal::corrupt(error)),
    }
}

fn check_header(batch: &RecordBatch, rules: &ProduceRules<'_>) -> Result<Codec, ProduceRefusal> {
    if batch.base_offset.0 != 0 {
        return Err(ProduceRefusal::invalid_record(format_args!("base offset {} instead of 0", batch.base_offset)));
    }
    check_size(batch, rules)?;
    batch.check_crc().map_err(ProduceRefusal::corrupt)?;
    let codec = batch.attributes.codec();
    let codec = codec.ok_or_else(|| ProduceRefusal::new(ErrorCode::UnsupportedCompressionType, "unknown codec"))?;
    if batch.count <= 0 || i64::from(batch.last_offset_delta) + 1 != i64::from(batch.count) {
        let (count, delta) = (batch.count, batch.last_offset_delta);
        return Err(ProduceRefusal::invalid_record(format_args!("{count} records, last offset delta {delta}")));
    }
    if batch.attributes.is_control() {
        return Err(ProduceRefusal::invalid_record("clients may not write control records"));
    }
    if batch.has_producer_id() && batch.base_sequence < 0 {
        return Err(ProduceRefusal::invalid_record(format_args!("producer id with sequence {}", batch.base_sequence)));
    }
    Ok(codec)
}

fn check_size(batch: &RecordBatch, rules: &ProduceRules<'_>) -> Result<(), ProduceRefusal> {
    if batch.size() <= rules.max_message_bytes {
        return Ok(());
    }
    let (size, limit) = (batch.size(), rules.max_message_bytes);
    Err(ProduceRefusal::new(ErrorCode::MessageTooLarge, format_args!("batch of {size} bytes, {limit} are allowed")))
}

fn refuse_compression(error: CompressionError) -> ProduceRefusal {
    let code = match error {
        // Under a right CRC it came like this: CORRUPT_MESSAGE would make clients send it again. Kafka answers UNKNOWN_SERVER_ERROR.
        CompressionError::Damaged { .. } => ErrorCode::InvalidRecord,
        // Java's producer answers this code by splitting the batch.
        CompressionError::TooLarge { .. } => ErrorCode::MessageTooLarge,
    };
    ProduceRefusal::new(code, error)
}
