//! Compacted partitions under random produce, deletions of records, crashes at any moment and full disks.
//!
//! The checks, after every start and by a reader all along: every record is what was written at its offset; of every key the last one is there,
//! unless it is a tombstone, or a later one came; and where a tombstone has gone, nothing older of its key is left.

use super::NO_FAULTS;
use super::world;
use bytes::{Bytes, BytesMut};
use ringmill::log::compaction::CleanerConfig;
use ringmill::log::{LogConfig, LogDirs, LogStore, PartitionLog, Slice, TopicLogConfig, recover};
use ringmill::rt::sim::{DiskFaults, Machine, World, for_each_seed};
use ringmill::rt::{self, random_u64};
use ringmill::types::{LeaderEpoch, NodeId, Offset, PartitionIndex, ProducerEpoch, ProducerId, ShardId, Timestamp, TopicId};
use ringmill::wire::records::{BatchBuilder, Codec, Compression, batches};
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::rc::Rc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

/// The cleaner begins so long after a start, which is enough for the check.
const BACKOFF: Duration = Duration::from_millis(300);

#[derive(Clone, PartialEq, Debug)]
struct Written {
    key: String,
    value: Option<String>,
    timestamp: Timestamp,
    /// Its batch's first offset.
    batch: i64,
}

/// What was written, and what of it must be there.
#[derive(Default)]
struct Model {
    records: Vec<Written>,
    acknowledged: i64,
    /// Nothing below can be read.
    log_start_asked: i64,
    /// Batches of the one producer: first offset, as sent.
    produced: Vec<(i64, Bytes)>,
    passes: u64,
    reads: u64,
}

/// What a reader found: offsets of each key's records.
type Found = BTreeMap<String, Vec<i64>>;

fn below(bound: u64) -> u64 {
    random_u64() % bound
}

impl Model {
    fn take_recovered(&mut self, end: i64) {
        assert!(end >= self.acknowledged, "acknowledged up to {}, found {end}", self.acknowledged);
        self.records.truncate(end as usize);
        self.produced.retain(|(first, _)| *first < end);
        self.acknowledged = end;
    }

    /// Checks what was read between the log start and `end`; `quiet`: nothing was compacted meanwhile.
    fn check(&self, found: &Found, start: i64, end: i64, quiet: bool) {
        let mut last: BTreeMap<&str, i64> = BTreeMap::new();
        for (offset, written) in self.records[..end as usize].iter().enumerate().skip(start as usize) {
            last.insert(&written.key, offset as i64);
        }
        for (key, last) in last {
            let offsets = found.get(key).map_or(&[][..], Vec::as_slice);
            let newest = offsets.last().copied().unwrap_or(-1);
            // What came while it was read may have been compacted already.
            let came_again = !quiet && self.records[end as usize..].iter().any(|written| written.key == key);
            if came_again {
                continue;
            }
            if self.records[last as usize].value.is_some() || quiet && newest >= 0 {
                assert!(newest >= last, "{key}: the last is at {last}, read were {offsets:?}");
            }
        }
    }
}

struct Settings {
    log: LogConfig,
    topic: TopicLogConfig,
}

fn settings(world: &World) -> Settings {
    let cleaner = CleanerConfig {
        backoff_ms: BACKOFF.as_millis() as u64,
        dedupe_buffer_bytes: 24 << (3 + world.random_below(8)),
        io_buffer_bytes: 512 << world.random_below(8),
        io_bytes_per_second: if world.random_below(4) == 0 { 200_000.0 } else { f64::MAX },
        ..CleanerConfig::default()
    };
    let log = LogConfig {
        tail_bytes_max: 256 << 10,
        tail_flush_bytes: 2 << 10 << world.random_below(4),
        journal_file_bytes: 64 << 10,
        journal_bytes_initial: 128 << 10,
        journal_bytes_max: 256 << 10,
        open_files_max: 6,
        index_maps_max: 4,
        disk_reserve_bytes: 128 << 10,
        cleaner,
        ..LogConfig::new(vec![PathBuf::from("/data")], NodeId(1))
    };
    let topic = TopicLogConfig {
        segment_bytes: 4 << 10 << world.random_below(3),
        index_interval_bytes: 512,
        cleanup_compact: true,
        cleanup_delete: false,
        min_cleanable_dirty_ratio: 0.01,
        delete_retention_ms: [0, 100, 86_400_000][world.random_below(3) as usize],
        file_delete_delay_ms: world.random_below(100) as i64,
        ..TopicLogConfig::default()
    };
    Settings { log, topic }
}

/// A process with one shard and one compacted partition, until it is killed or told to stop.
struct Process {
    dirs: LogDirs,
    store: Rc<LogStore>,
    log: Rc<PartitionLog>,
}

async fn start(settings: &Settings) -> Process {
    let dirs = LogDirs::open(&settings.log).await.expect("the directories open");
    let recovered = recover(&settings.log, &dirs.info(), ShardId(0), 1).await.expect("journals replay");
    assert!(recovered.damaged.is_empty(), "taken for damage: {:?}", recovered.damaged);
    let store = LogStore::open(settings.log.clone(), dirs.info(), ShardId(0)).await.expect("the store opens");
    let topic = Rc::new(settings.topic.clone());
    let log = store.open_partition(TopicId([5; 16]), "compacted", PartitionIndex(0), topic).await.expect("the partition opens");
    Process { dirs, store, log }
}

/// Reads all below `end` (exclusive), comparing every record; `None` if the log went offline, or records were deleted meanwhile.
async fn read(log: &PartitionLog, model: &RefCell<Model>, end: Offset) -> Option<Found> {
    let (mut found, mut at, mut next) = (Found::new(), log.log_start(), 0);
    while at < end {
        let fetched = match log.read(at, 1 + below(20_000) as usize, true, end).await {
            Ok(fetched) => fetched,
            Err(_) if log.is_offline() || log.log_start() > at => return None,
            Err(error) => panic!("reading {at}: {error:?}"),
        };
        if fetched.bytes == 0 {
            // Nothing is left between here and the end.
            break;
        }
        let mut bytes = BytesMut::new();
        for part in &fetched.parts {
            match part {
                Slice::Memory(part) => bytes.extend_from_slice(part),
                Slice::File { file, offset, len } => {
                    if below(6) == 0 {
                        rt::sleep(Duration::from_micros(below(30_000))).await;
                    }
                    bytes.extend_from_slice(&file.read_at(*offset, *len as usize).await.ok()?);
                }
            }
        }
        assert_eq!(bytes.len(), fetched.bytes);
        for batch in batches(bytes.freeze()) {
            let batch = batch.expect("whole batches");
            batch.check_crc().expect("intact batches");
            assert!(batch.next_offset() > at, "a batch below {at}");
            for record in batch.records().expect("records") {
                let record = record.expect("a record");
                let text = |bytes: &Bytes| String::from_utf8(bytes.to_vec()).expect("text");
                let (key, value) = (text(record.key.as_ref().expect("a key")), record.value.as_ref().map(text));
                let model = model.borrow();
                let here = Written { key, value, timestamp: record.timestamp, batch: batch.base_offset.0 };
                assert_eq!(model.records[record.offset.0 as usize], here, "at {}", record.offset);
                assert!(record.offset.0 >= next, "offsets ascend");
                next = record.offset.0 + 1;
                found.entry(here.key).or_default().push(record.offset.0);
            }
            at = batch.next_offset();
        }
    }
    Some(found)
}

async fn consume(process: Rc<Process>, model: Rc<RefCell<Model>>) {
    while !process.log.is_offline() {
        let (start, end) = (process.log.log_start(), process.log.high_watermark());
        {
            let model = &mut *model.borrow_mut();
            model.acknowledged = model.acknowledged.max(end.0);
            model.passes = model.passes.max(process.store.stats().compaction.passes);
        }
        if let Some(found) = read(&process.log, &model, end).await
            && process.log.log_start() == start
        {
            let model = &mut *model.borrow_mut();
            model.check(&found, start.0, end.0, false);
            model.reads += 1;
        }
        rt::sleep(Duration::from_micros(below(40_000))).await;
    }
}

async fn produce(process: Rc<Process>, model: Rc<RefCell<Model>>) {
    while !process.log.is_offline() {
        let codec = if below(8) == 0 { Codec::ALL[below(5) as usize] } else { Codec::None };
        let mut builder = BatchBuilder::new(Compression::of(codec));
        let idempotent = below(3) == 0;
        let producer = ProducerId(process.log.log_end().0 / 50);
        if idempotent {
            builder = builder.producer(producer, ProducerEpoch(0), 0);
        }
        let first = process.log.log_end().0;
        let mut records = Vec::new();
        for _ in 0..1 + below(5) {
            let key = format!("key-{}", below(25));
            let value = (below(6) > 0).then(|| format!("{}-{}", random_u64(), "v".repeat(below(400) as usize)));
            builder.push(rt::wall_clock(), Some(key.as_bytes()), value.as_deref().map(str::as_bytes), &[]);
            records.push(Written { key, value, timestamp: rt::wall_clock(), batch: first });
        }
        let bytes = builder.finish().into_bytes();
        process.store.room(bytes.len()).await;
        let known = idempotent && model.borrow().produced.iter().any(|(at, _)| at / 50 == producer.0);
        if known || process.log.log_end().0 != first {
            continue;
        }
        let Ok(appended) = process.log.append(&bytes, LeaderEpoch(0), rt::wall_clock()) else {
            rt::sleep(Duration::from_millis(20)).await;
            continue;
        };
        assert_eq!(appended.first_offset.0, first);
        model.borrow_mut().records.extend(records);
        if idempotent {
            model.borrow_mut().produced.push((first, bytes));
        }
        if below(3) == 0 && process.log.wait_durable(appended.last_offset.plus(1)).await.is_ok() {
            let model = &mut *model.borrow_mut();
            model.acknowledged = model.acknowledged.max(appended.last_offset.0 + 1);
        }
        rt::sleep(Duration::from_micros(below(4_000))).await;
    }
}

/// Now and then deletes records.
async fn delete_records(process: Rc<Process>, model: Rc<RefCell<Model>>) {
    loop {
        rt::sleep(Duration::from_millis(below(3_000))).await;
        if process.log.is_offline() {
            return;
        }
        let (start, end) = (process.log.log_start().0, process.log.high_watermark().0);
        let offset = start + below((end - start) as u64 / 2 + 1) as i64;
        model.borrow_mut().log_start_asked = offset;
        let _ = process.log.set_log_start(Offset(offset)).await;
    }
}

/// What is there after a start, before anything is compacted; and every producer's last batch is known still.
async fn check_after_start(process: &Process, model: &RefCell<Model>) {
    let (start, end) = (process.log.log_start(), process.log.log_end());
    assert!(start.0 <= model.borrow().log_start_asked);
    model.borrow_mut().take_recovered(end.0);
    let found = read(&process.log, model, end).await.expect("all of it can be read");
    let quiet = process.store.stats().compaction.passes == 0;
    model.borrow().check(&found, start.0, end.0, quiet);
    let produced = model.borrow().produced.clone();
    for (first, bytes) in produced.iter().rev().take(3) {
        let answer = process.log.append(bytes, LeaderEpoch(0), rt::wall_clock()).expect("known");
        assert!(answer.duplicate && answer.first_offset.0 == *first, "the batch at {first} was appended again");
    }
}

fn live(world: &World, machine: Machine, settings: &Rc<Settings>, model: &Rc<RefCell<Model>>) {
    let running: Rc<RefCell<Option<Rc<Process>>>> = Rc::default();
    let (settings, shared, slot) = (Rc::clone(settings), Rc::clone(model), Rc::clone(&running));
    let run = async move {
        let process = Rc::new(start(&settings).await);
        check_after_start(&process, &shared).await;
        rt::spawn(rt::Queue::Foreground, consume(Rc::clone(&process), Rc::clone(&shared)));
        rt::spawn(rt::Queue::Foreground, produce(Rc::clone(&process), Rc::clone(&shared)));
        rt::spawn(rt::Queue::Background, delete_records(Rc::clone(&process), Rc::clone(&shared)));
        *slot.borrow_mut() = Some(process);
    };
    if world.random_below(5) == 0 {
        // A crash at any moment of the start.
        world.spawn_on(machine, run);
        world.run_steps(world.random_below(500));
        return world.crash(machine);
    }
    world.block_on(machine, run);
    if world.random_below(6) == 0 {
        let capacity = Some(world.used_space(machine) + world.random_below(200 << 10));
        world.set_disk_faults(machine, DiskFaults { capacity, ..NO_FAULTS });
    }
    world.run_for(Duration::from_millis(world.random_below(1_500)));
    world.run_steps(world.random_below(2_000));
    let process = running.borrow_mut().take().expect("it runs");
    match world.random_below(5) {
        0 => world.kill(machine),
        1 => {
            world.set_disk_faults(machine, NO_FAULTS);
            let stopped = world.block_on(machine, async move {
                let closed = process.store.close().await;
                let Process { dirs, .. } = Rc::try_unwrap(process).ok()?;
                dirs.close(vec![closed]).await.ok()
            });
            let _ = stopped;
            world.kill(machine);
        }
        _ => world.crash(machine),
    }
    world.set_disk_faults(machine, NO_FAULTS);
}

fn run(seed: u64) -> (u64, u64) {
    let (world, machine) = world(seed);
    let settings = Rc::new(settings(&world));
    let model = Rc::new(RefCell::new(Model::default()));
    let mut passes = 0;
    for _ in 0..4 {
        live(&world, machine, &settings, &model);
        passes += std::mem::take(&mut model.borrow_mut().passes);
    }
    let reads = model.borrow().reads;
    (passes, reads)
}

#[test]
fn compaction_loses_no_key_whenever_it_is_interrupted() {
    let (passes, reads) = (AtomicU64::new(0), AtomicU64::new(0));
    let ran = for_each_seed(60, |seed| {
        let (more_passes, more_reads) = run(seed);
        passes.fetch_add(more_passes, Relaxed);
        reads.fetch_add(more_reads, Relaxed);
    });
    println!("{passes:?} passes, {reads:?} reads of everything");
    ran.must_have_seen(passes.load(Relaxed) > 0 && reads.load(Relaxed) > 0, &"a pass, or a read of everything");
}
