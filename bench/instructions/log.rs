//! The log on the simulator: appends into memory, appends until durable, reads from the tail.

use crate::timing::once;
use crate::world::{batch, calm};
use bytes::Bytes;
use ringmill::log::{LogConfig, LogDirs, LogStore, PartitionLog, TopicLogConfig, recover};
use ringmill::types::{LeaderEpoch, NodeId, Offset, PartitionIndex, ShardId, Timestamp, TopicId};
use std::hint::black_box;
use std::path::PathBuf;
use std::rc::Rc;

const APPENDS: u64 = 16;
const TURNS: u64 = 32;
const READS: u64 = 100;

pub fn run() {
    let world = calm();
    let machine = world.add_machine();
    let (dirs, store, log) = world.block_on(machine, open());
    for (name, size) in [("1 KiB", 1_000), ("16 KiB", 16_000), ("256 KiB", 256_000)] {
        let records = batch(size);
        world.block_on(machine, turns(Rc::clone(&log), records.clone(), 1));
        once(&format!("log/append {name}"), APPENDS, || {
            let (log, records) = (Rc::clone(&log), records.clone());
            world.block_on(machine, async move { (0..APPENDS).for_each(|_| assert!(append(&log, &records) > Offset(0))) });
        });
        world.block_on(machine, turns(Rc::clone(&log), records.clone(), 1));
        once(&format!("log/append {name} until durable"), TURNS, || {
            world.block_on(machine, turns(Rc::clone(&log), records.clone(), TURNS))
        });
    }
    once("log/read 1 MiB from the tail", READS, || world.block_on(machine, reads(Rc::clone(&log))));
    drop(log);
    world.block_on(machine, async move { dirs.close(vec![store.close().await]).await.expect("a clean stop") });
}

async fn open() -> (LogDirs, Rc<LogStore>, Rc<PartitionLog>) {
    let config = LogConfig::new(vec![PathBuf::from("/data")], NodeId(1));
    let dirs = LogDirs::open(&config).await.expect("a log directory");
    recover(&config, &dirs.info(), ShardId(0), 1).await.expect("nothing to recover");
    let store = LogStore::open(config, dirs.info(), ShardId(0)).await.expect("a store");
    let topic = Rc::new(TopicLogConfig::default());
    let log = store.open_partition(TopicId([1; 16]), "bench", PartitionIndex(0), topic).await.expect("a partition");
    (dirs, store, log)
}

fn append(log: &PartitionLog, records: &Bytes) -> Offset {
    log.append(records, LeaderEpoch(0), Timestamp(1)).expect("an append").last_offset.plus(1)
}

async fn turns(log: Rc<PartitionLog>, records: Bytes, count: u64) {
    for _ in 0..count {
        let end = append(&log, &records);
        log.wait_durable(end).await.expect("durable");
    }
}

async fn reads(log: Rc<PartitionLog>) {
    let from = log.log_end().plus(-1000);
    for _ in 0..READS {
        black_box(log.read(from, 1 << 20, true, log.high_watermark()).await.expect("a read"));
    }
}
