//! Record batches of format version 2 (magic 2): views over their bytes, checks, codecs, builders.
//!
//! Pure: bytes in, values out; runs on whichever shard holds the bytes. A batch is never re-encoded unless a topic's
//! configuration asks for it (`compression.type`, LogAppendTime). Nothing here allocates by a number a peer sent without
//! a bound from `config::limits`. Start reading at `batch.rs`; the layout of a batch is in `header.rs`, that of a record in `walk.rs`.
//! Source: the "Record Batch" chapter of Apache Kafka's documentation, KIP-98.

mod batch;
mod build;
mod compression;
mod header;
mod lookup;
mod record;
mod refusal;
mod snappy;
mod stamp;
mod validate;
mod varint;
mod walk;

#[cfg(test)]
mod tests;

pub use batch::{BatchError, Batches, RecordBatch, batches, check_crc, frame, stamp};
pub use build::{BatchBuilder, TransactionMarker, end_transaction_marker};
pub use compression::{Compression, CompressionError, decompress};
pub use header::{Attributes, BatchHeader, Codec, HEADER_SIZE, LENGTH_PREFIX_SIZE, MAGIC, TimestampType, advance_sequence};
pub use record::{Expansion, ReadError, Record, RecordHeader, Records};
pub use refusal::{ProduceRefusal, RecordFault};
pub use validate::{ProduceCheck, ProduceRules, ValidatedBatch, validate_produce};
pub use walk::RecordsError;
