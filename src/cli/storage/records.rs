//! Batches and records as lines of text, with the names that Kafka's own dump uses.

use crate::types::Offset;
use crate::wire::records::{BatchHeader, Record, RecordBatch, TimestampType};
use bytes::Bytes;

/// One line for a batch; `position` is in its file.
pub fn batch_line(batch: &RecordBatch, position: Option<u64>, valid: bool) -> String {
    let header: &BatchHeader = batch;
    let codec = header.attributes.codec().map_or("unknown", |codec| codec.name());
    let time = match header.attributes.timestamp_type() {
        TimestampType::CreateTime => "CreateTime",
        TimestampType::LogAppendTime => "LogAppendTime",
    };
    let place = position.map_or(String::new(), |position| format!(" position: {position}"));
    format!(
        "baseOffset: {} lastOffset: {} count: {} baseSequence: {} lastSequence: {} producerId: {} producerEpoch: {} \
         partitionLeaderEpoch: {} isTransactional: {} isControl: {}{place} {time}: {} size: {} magic: {} compresscodec: {codec} crc: {} isvalid: {valid}",
        header.base_offset,
        header.last_offset(),
        header.count,
        header.base_sequence,
        header.last_sequence(),
        header.producer_id,
        header.producer_epoch,
        header.leader_epoch,
        header.attributes.is_transactional(),
        header.attributes.is_control(),
        header.max_timestamp,
        batch.size(),
        header.magic,
        header.crc,
    )
}

/// Prints the batch's records from `from` on.
pub fn print_records(batch: &RecordBatch, from: Offset) {
    if let Some((marker, coordinator_epoch, _)) = batch.end_transaction() {
        println!("| offset: {} endTxnMarker: {marker:?} coordinatorEpoch: {coordinator_epoch}", batch.base_offset);
        return;
    }
    let records = match batch.records() {
        Ok(records) => records,
        Err(error) => return println!("| the records cannot be read: {error}"),
    };
    for record in records {
        match record {
            Ok(record) if record.offset >= from => println!("{}", record_line(&record)),
            Ok(_) => {}
            Err(error) => println!("| {error}"),
        }
    }
}

fn record_line(record: &Record) -> String {
    let size = |bytes: &Option<Bytes>| bytes.as_ref().map_or(-1, |bytes| bytes.len() as i64);
    let headers: Vec<String> = record.headers.iter().map(|header| format!("{}={}", text(&header.key), optional(&header.value))).collect();
    format!(
        "| offset: {} timestamp: {} keySize: {} valueSize: {} headers: [{}] key: {} payload: {}",
        record.offset,
        record.timestamp,
        size(&record.key),
        size(&record.value),
        headers.join(", "),
        optional(&record.key),
        optional(&record.value),
    )
}

fn optional(bytes: &Option<Bytes>) -> String {
    bytes.as_ref().map_or("null".into(), |bytes| text(bytes))
}

/// As it is where it is readable text, else with escapes.
pub fn text(bytes: &[u8]) -> String {
    match std::str::from_utf8(bytes) {
        Ok(text) if !text.chars().any(char::is_control) => text.to_owned(),
        _ => bytes.escape_ascii().to_string(),
    }
}
