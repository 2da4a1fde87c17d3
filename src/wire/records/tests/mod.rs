//! Tests of the folder as a whole: against an independent codec (`kafka-protocol`), as properties, as stories of produced batches.

mod codecs;
mod produce;
mod walking;

use super::{BatchBuilder, Codec, Compression, RecordBatch};
use crate::types::Timestamp;
use proptest::collection::vec;
use proptest::prelude::*;

/// A record as tests write it down.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Plain {
    pub(super) timestamp: i64,
    pub(super) key: Option<Vec<u8>>,
    pub(super) value: Option<Vec<u8>>,
    pub(super) headers: Vec<(Vec<u8>, Option<Vec<u8>>)>,
}

impl Plain {
    pub(super) fn new(timestamp: i64, value: &str) -> Plain {
        Plain { timestamp, key: Some(b"key".to_vec()), value: Some(value.as_bytes().to_vec()), headers: Vec::new() }
    }

    pub(super) fn without_key(mut self) -> Plain {
        self.key = None;
        self
    }
}

pub(super) fn push_all(builder: &mut BatchBuilder, records: &[Plain]) {
    for record in records {
        let headers: Vec<_> = record.headers.iter().map(|(key, value)| (&key[..], value.as_deref())).collect();
        builder.push(Timestamp(record.timestamp), record.key.as_deref(), record.value.as_deref(), &headers);
    }
}

pub(super) fn batch_of(codec: Codec, records: &[Plain]) -> RecordBatch {
    let mut builder = BatchBuilder::new(Compression::of(codec));
    push_all(&mut builder, records);
    builder.finish()
}

/// What a batch holds, read back.
pub(super) fn read_back(batch: &RecordBatch) -> Vec<Plain> {
    let read = batch.records().unwrap().map(|record| {
        let record = record.unwrap();
        let headers = record.headers.iter().map(|header| (header.key.to_vec(), header.value.as_ref().map(|value| value.to_vec())));
        Plain {
            timestamp: record.timestamp.0,
            key: record.key.as_ref().map(|key| key.to_vec()),
            value: record.value.as_ref().map(|value| value.to_vec()),
            headers: headers.collect(),
        }
    });
    read.collect()
}

pub(super) fn codec() -> impl Strategy<Value = Codec> {
    prop::sample::select(&Codec::ALL[..])
}

pub(super) fn record() -> impl Strategy<Value = Plain> {
    let bytes = || prop_oneof![9 => vec(any::<u8>(), 0..40), 1 => vec(0u8..3, 0..3_000)];
    let headers = vec((prop::sample::select(vec![b"a".to_vec(), b"trace".to_vec(), Vec::new()]), prop::option::of(bytes())), 0..3);
    (0i64..1_000, prop::option::of(bytes()), prop::option::of(bytes()), headers).prop_map(|(timestamp, key, value, headers)| Plain {
        timestamp: 1_700_000_000_000 + timestamp,
        key,
        value,
        headers,
    })
}

pub(super) fn records() -> impl Strategy<Value = Vec<Plain>> {
    vec(record(), 1..40)
}
