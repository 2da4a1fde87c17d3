//! Record batches: CRC alone, the whole check of a produced batch by codec, rewrites.
//!
//! GiB/s are of uncompressed records, so that codecs compare. Values are text-like: they compress about 4 to 1.

use crate::timing;
use ringmill::types::{LeaderEpoch, Offset, PartitionIndex, Timestamp};
use ringmill::wire::records::{BatchBuilder, Codec, Compression, ProduceRules, RecordBatch, TimestampType, validate_produce};

const NOW: i64 = 1_700_000_000_000;
const BATCH_SIZE: usize = 1 << 20;

fn rules() -> ProduceRules<'static> {
    ProduceRules {
        topic: "bench",
        partition: PartitionIndex(0),
        api_version: 11,
        now: Timestamp(NOW),
        max_message_bytes: 2 << 20,
        compacted: true,
        timestamp_type: TimestampType::CreateTime,
        timestamp_before_max_ms: i64::MAX,
        timestamp_after_max_ms: 3_600_000,
        compression: None,
    }
}

/// About 1 MiB of records with values of `size` bytes.
fn batch(codec: Codec, size: usize) -> RecordBatch {
    let mut builder = BatchBuilder::new(Compression::of(codec));
    let mut state = 1u64;
    while builder.size_uncompressed() + size + 32 < BATCH_SIZE {
        let value: Vec<u8> = (0..size).map(|_| next_letter(&mut state)).collect();
        builder.push(Timestamp(NOW), Some(b"key-00000001"), Some(&value), &[]);
    }
    builder.finish()
}

fn next_letter(state: &mut u64) -> u8 {
    *state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
    b"eeeeeeeetttttaaaaooonnniiis  \n"[(*state >> 33) as usize % 30]
}

pub fn run() {
    let plain = batch(Codec::None, 1_000);
    timing::throughput("crc32c, 1 MiB", plain.size(), || plain.check_crc());
    for size in [100, 1_000] {
        for codec in Codec::ALL {
            let batch = batch(codec, size);
            let name = format!("check 1 MiB of {size}-byte records, {}", codec.name());
            timing::throughput(&name, BATCH_SIZE, || validate_produce(batch.bytes().clone(), &rules()));
        }
    }
    timing::throughput("stamp base offset and epoch (copy), 1 MiB", plain.size(), || plain.stamped(Offset(7), LeaderEpoch(1)));
    timing::throughput("append time with new CRC (copy), 1 MiB", plain.size(), || {
        plain.clone().with_timestamps(TimestampType::LogAppendTime, Timestamp(NOW + 1))
    });
    for codec in [Codec::Gzip, Codec::Snappy, Codec::Lz4, Codec::Zstd] {
        let name = format!("compress 1 MiB, {}", codec.name());
        timing::throughput(&name, BATCH_SIZE, || plain.clone().recompressed(Compression::of(codec)));
    }
}
