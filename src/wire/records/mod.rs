//! Record batches of format version 2 (magic 2): views over their bytes, checks, codecs, builders.
//!
//! Pure: bytes in, values out; runs on whichever shard holds the bytes. A batch is never re-encoded unless a topic's
//! configuration asks for it (`compression.type`, LogAppendTime). Nothing here allocates by a number a peer sent without
//! a bound from `config::limits`. Start reading at `batch.rs`; the layout in bytes is in `header.rs`.
//! Source: the "Record Batch" chapter of Apache Kafka's documentation, KIP-98.

mod batch;
mod header;

pub use batch::{BatchError, Batches, RecordBatch, batches, check_crc, frame, stamp};
pub use header::{Attributes, BatchHeader, Codec, HEADER_SIZE, LENGTH_PREFIX_SIZE, MAGIC, TimestampType, advance_sequence};
