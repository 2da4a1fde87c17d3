//! The answer to a batch that is refused: error code, and the faulty records with Kafka's messages.

use super::{BatchError, ProduceRules};
use crate::config::limits::RECORD_ERRORS_MAX;
use crate::types::{ErrorCode, Timestamp};
use std::fmt::Display;

/// The length of a record of magic 0 with neither key nor value.
const LENGTH_MIN_EVER: i32 = 14;

/// Why a produced batch is not appended.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ProduceRefusal {
    pub code: ErrorCode,
    /// For the log.
    pub reason: String,
    /// The response's `error_message`, where Kafka sends one: with `record_errors`, and for bytes that are no batch.
    pub message: Option<String>,
    /// The response's `record_errors` (version 8 and above).
    pub record_errors: Vec<RecordFault>,
}

/// One entry of `record_errors`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct RecordFault {
    /// The record's place in its batch, from 0.
    pub batch_index: i32,
    pub message: String,
}

impl ProduceRefusal {
    pub(super) fn new(code: ErrorCode, reason: impl Display) -> ProduceRefusal {
        ProduceRefusal { code, reason: reason.to_string(), message: None, record_errors: Vec::new() }
    }

    /// Bytes that are no batch, in Kafka's words where it has any.
    pub(super) fn corrupt(error: BatchError) -> ProduceRefusal {
        let message = match error {
            BatchError::BadMagic(magic) => Some(format!("Invalid magic found in record: {magic}")),
            BatchError::BadLength(length) if length < LENGTH_MIN_EVER => {
                Some(format!("Record size {length} is less than the minimum record overhead ({LENGTH_MIN_EVER})"))
            }
            _ => None,
        };
        ProduceRefusal { message, ..ProduceRefusal::new(ErrorCode::CorruptMessage, error) }
    }

    pub(super) fn invalid_record(reason: impl Display) -> ProduceRefusal {
        ProduceRefusal::new(ErrorCode::InvalidRecord, reason)
    }
}

/// Faulty records, counted; the first `limits::RECORD_ERRORS_MAX` are kept.
#[derive(Debug, Default)]
pub(super) struct Faults {
    count: usize,
    bad_timestamps: usize,
    kept: Vec<(usize, Fault)>,
}

#[derive(Debug)]
enum Fault {
    NoKey,
    BadTimestamp(Timestamp),
    BadTimestampType(Timestamp),
}

impl Faults {
    pub(super) fn no_key(&mut self, record: usize) {
        self.add(record, Fault::NoKey);
    }

    pub(super) fn bad_timestamp(&mut self, record: usize, timestamp: Timestamp) {
        self.bad_timestamps += 1;
        self.add(record, Fault::BadTimestamp(timestamp));
    }

    pub(super) fn bad_timestamp_type(&mut self, record: usize, timestamp: Timestamp) {
        self.bad_timestamps += 1;
        self.add(record, Fault::BadTimestampType(timestamp));
    }

    fn add(&mut self, record: usize, fault: Fault) {
        self.count += 1;
        if self.kept.len() < RECORD_ERRORS_MAX {
            self.kept.push((record, fault));
        }
    }

    /// One bad timestamp makes the whole answer INVALID_TIMESTAMP.
    pub(super) fn refuse(&self, rules: &ProduceRules<'_>) -> Result<(), ProduceRefusal> {
        if self.count == 0 {
            return Ok(());
        }
        let record_errors: Vec<_> = self.kept.iter().map(|(record, fault)| fault.describe(*record, rules)).collect();
        let (code, message) = if self.bad_timestamps > 0 {
            (ErrorCode::InvalidTimestamp, "One or more records have been rejected due to invalid timestamp".to_owned())
        } else {
            (ErrorCode::InvalidRecord, self.summary(&record_errors))
        };
        Err(ProduceRefusal { code, reason: message.clone(), message: Some(message), record_errors })
    }

    fn summary(&self, record_errors: &[RecordFault]) -> String {
        let shown: Vec<_> = record_errors
            .iter()
            .take(3)
            .map(|fault| format!("RecordError(batchIndex={}, message='{}')", fault.batch_index, fault.message))
            .collect();
        format!(
            "One or more records have been rejected due to {} record errors in total, and only showing the first three errors at most: [{}]",
            self.count,
            shown.join(", ")
        )
    }
}

impl Fault {
    fn describe(&self, record: usize, rules: &ProduceRules<'_>) -> RecordFault {
        let message = match self {
            Fault::NoKey => {
                format!("Compacted topic cannot accept message without key in topic partition {}-{}", rules.topic, rules.partition)
            }
            Fault::BadTimestamp(timestamp) => {
                let earliest = rules.now.0.saturating_sub(rules.timestamp_before_max_ms);
                let latest = rules.now.0.saturating_add(rules.timestamp_after_max_ms);
                format!(
                    "Timestamp {timestamp} of message with offset {record} is out of range. \
                     The timestamp should be within [{earliest}, {latest}]"
                )
            }
            Fault::BadTimestampType(timestamp) => format!(
                "Invalid timestamp type in message with offset {record} and timestamp {timestamp}. \
                 Producer should not set timestamp type to LogAppendTime."
            ),
        };
        RecordFault { batch_index: record as i32, message }
    }
}
