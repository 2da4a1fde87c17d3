//! The log on real files: an append into memory, a turn of the journal (append until durable), a read from the tail.
//!
//! Files go to a directory under TMPDIR; where that is a tmpfs the journal's figures say nothing about a disk.

#![allow(clippy::disallowed_types)]

use bytes::Bytes;
use ringmill::log::{LogConfig, LogDirs, LogStore, PartitionLog, TopicLogConfig, recover};
use ringmill::rt::{CoreSpec, uring};
use ringmill::types::{LeaderEpoch, NodeId, Offset, PartitionIndex, ShardId, Timestamp, TopicId};
use ringmill::wire::records::BatchBuilder;
use std::hint::black_box;
use std::path::PathBuf;
use std::rc::Rc;
use std::time::{Duration, Instant};

fn main() {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let path = dir.path().to_path_buf();
    let main = Box::new(move || Box::pin(on_core(path)) as ringmill::rt::task::LocalFuture<()>);
    uring::run(vec![CoreSpec { name: "bench".into(), cpu: None, main }]).expect("io_uring").join();
}

async fn on_core(path: PathBuf) {
    let config = LogConfig::new(vec![path], NodeId(1));
    let dirs = LogDirs::open(&config).await.expect("a log directory");
    recover(&config, &dirs.info(), ShardId(0), 1).await.expect("nothing to recover");
    let store = LogStore::open(config, dirs.info(), ShardId(0)).await.expect("a store");
    let topic = Rc::new(TopicLogConfig::default());
    let open = |partition| store.open_partition(TopicId([1; 16]), "bench", PartitionIndex(partition), Rc::clone(&topic));
    let log = open(0).await.expect("a partition");
    for (name, size) in [("1 KiB", 1000), ("16 KiB", 16_000), ("256 KiB", 256_000)] {
        appends(&store, &log, name, &batch(size)).await;
        turns(&log, name, &batch(size)).await;
    }
    let many: Vec<Rc<PartitionLog>> = {
        let mut many = Vec::new();
        for partition in 1..=1000 {
            many.push(open(partition).await.expect("a partition"));
        }
        many
    };
    turn_of_many(&many, &batch(1000)).await;
    tail_reads(&log).await;
    dirs.close(vec![store.close().await]).await.expect("a clean stop");
}

fn batch(size: usize) -> Bytes {
    let mut builder = BatchBuilder::default();
    for _ in 0..size.div_ceil(1000) {
        builder.push(Timestamp(1), None, Some(&vec![b'v'; size.min(1000) - 80]), &[]);
    }
    builder.finish().into_bytes()
}

fn append(log: &PartitionLog, records: &Bytes) -> Offset {
    log.append(records, LeaderEpoch(0), Timestamp(1)).expect("an append").last_offset.plus(1)
}

/// Prints the median and the fastest of `times`.
fn report(name: &str, mut times: Vec<Duration>) {
    times.sort();
    println!("{name:<48} {:>12.1?} median {:>12.1?} min {:>10} samples", times[times.len() / 2], times[0], times.len());
}

async fn appends(store: &LogStore, log: &PartitionLog, name: &str, records: &Bytes) {
    let mut times = Vec::new();
    for _ in 0..200 {
        store.room(16 * records.len()).await;
        let start = Instant::now();
        let mut end = Offset(0);
        for _ in 0..16 {
            end = append(log, records);
        }
        times.push(start.elapsed() / 16);
        log.wait_durable(end).await.expect("durable");
    }
    report(&format!("log/append {name}"), times);
}

async fn turns(log: &PartitionLog, name: &str, records: &Bytes) {
    let mut times = Vec::new();
    for _ in 0..300 {
        let start = Instant::now();
        let end = append(log, records);
        log.wait_durable(end).await.expect("durable");
        times.push(start.elapsed());
    }
    report(&format!("log/journal turn {name}"), times);
}

async fn turn_of_many(logs: &[Rc<PartitionLog>], records: &Bytes) {
    let mut times = Vec::new();
    for _ in 0..20 {
        let start = Instant::now();
        let ends: Vec<Offset> = logs.iter().map(|log| append(log, records)).collect();
        for (log, end) in logs.iter().zip(ends) {
            log.wait_durable(end).await.expect("durable");
        }
        times.push(start.elapsed());
    }
    report(&format!("log/journal turn 1 KiB to each of {}", logs.len()), times);
}

async fn tail_reads(log: &PartitionLog) {
    let mut times = Vec::new();
    let from = log.log_end().plus(-1000);
    for _ in 0..1000 {
        let start = Instant::now();
        black_box(log.read(from, 1 << 20, true, log.high_watermark()).await.expect("a read"));
        times.push(start.elapsed());
    }
    report("log/read 1 MiB from the tail", times);
}
