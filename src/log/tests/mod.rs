//! Stories on the simulator: one machine, one shard (or two), small files.

mod crashes;
mod damage;
mod handover;
mod indexes;
mod memory;
mod real_files;
mod removal;
mod retention;
mod stops;
mod stories;
mod write_out;

use super::{LogConfig, LogDirs, LogStore, PartitionLog, Recovered, ShardClosed, Slice, TopicLogConfig, recover};
use crate::rt::sim::world::{Machine, World};
use crate::rt::sim::{DiskFaults, Options, Span};
use crate::types::{LeaderEpoch, NodeId, Offset, PartitionIndex, ShardId, Timestamp, TopicId};
use crate::wire::records::{BatchBuilder, RecordBatch, batches};
use bytes::{Bytes, BytesMut};
use std::path::PathBuf;
use std::rc::Rc;

/// Small enough that a few hundred batches go round the ring and roll segments.
pub fn small_config() -> LogConfig {
    LogConfig {
        tail_bytes_max: 256 << 10,
        tail_flush_bytes: 16 << 10,
        journal_file_bytes: 64 << 10,
        journal_bytes_initial: 128 << 10,
        journal_bytes_max: 256 << 10,
        open_files_max: 6,
        index_maps_max: 4,
        disk_reserve_bytes: 0,
        ..LogConfig::new(vec![PathBuf::from("/data")], NodeId(1))
    }
}

pub fn small_topic() -> Rc<TopicLogConfig> {
    Rc::new(TopicLogConfig { segment_bytes: 48 << 10, index_interval_bytes: 1024, retention_ms: -1, ..TopicLogConfig::default() })
}

pub const TOPIC: &str = "orders";

pub fn topic_id() -> TopicId {
    TopicId([9; 16])
}

/// A disk that is quick, so that runs are short; order and tearing are as bad as ever.
pub fn world(seed: u64) -> (World, Machine) {
    let quick = Options {
        disk_read: Span::us(5, 100),
        disk_write: Span::us(10, 400),
        disk_sync: Span::us(10, 800),
        blocking: Span::us(5, 200),
        ..Options::default()
    };
    let world = World::new(seed, quick);
    let machine = world.add_machine();
    (world, machine)
}

/// One shard's store and what it takes to stop it.
pub struct Broker {
    pub dirs: LogDirs,
    pub store: Rc<LogStore>,
    pub recovered: Recovered,
}

pub async fn start(config: LogConfig) -> Broker {
    let dirs = LogDirs::open(&config).await.expect("the directories open");
    let recovered = recover(&config, &dirs.info(), ShardId(0), 1).await.expect("journals replay");
    let store = LogStore::open(config, dirs.info(), ShardId(0)).await.expect("the store opens");
    Broker { dirs, store, recovered }
}

impl Broker {
    pub async fn log(&self, partition: i32) -> Rc<PartitionLog> {
        self.store.open_partition(topic_id(), TOPIC, PartitionIndex(partition), small_topic()).await.expect("the partition opens")
    }

    pub async fn stop(self) {
        let closed: ShardClosed = self.store.close().await;
        self.dirs.close(vec![closed]).await.expect("a clean stop");
    }
}

/// `count` records whose values are `size` bytes of `fill`.
pub fn batch(timestamp: i64, count: usize, size: usize, fill: u8) -> Bytes {
    let mut builder = BatchBuilder::default();
    for n in 0..count {
        builder.push(Timestamp(timestamp + n as i64), None, Some(&vec![fill; size]), &[]);
    }
    builder.finish().into_bytes()
}

pub fn append(log: &PartitionLog, records: &Bytes) -> Offset {
    log.append(records, LeaderEpoch(3), Timestamp(1_000_000)).expect("an append").last_offset.plus(1)
}

/// Everything from `from` up to the high watermark.
pub async fn read_all(log: &PartitionLog, from: Offset, max_bytes: usize) -> Vec<RecordBatch> {
    let (mut at, mut found) = (from, Vec::new());
    while at < log.high_watermark() {
        let fetched = log.read(at, max_bytes, true, log.high_watermark()).await.expect("a read");
        assert!(fetched.bytes > 0, "nothing at {at} below the high watermark {}", log.high_watermark());
        let mut bytes = BytesMut::new();
        for part in &fetched.parts {
            match part {
                Slice::Memory(part) => bytes.extend_from_slice(part),
                Slice::File { file, offset, len } => bytes.extend_from_slice(&file.read_at(*offset, *len as usize).await.expect("a range")),
            }
        }
        assert_eq!(bytes.len(), fetched.bytes);
        for batch in batches(bytes.freeze()) {
            let batch = batch.expect("whole batches");
            batch.check_crc().expect("intact batches");
            assert!(batch.next_offset() > at, "a batch that was not asked for");
            at = batch.next_offset();
            found.push(batch);
        }
    }
    found
}
