//! Stories of compaction on the simulator: small segments, an eager cleaner, and crashes at every step of a pass.

use super::CleanerConfig;
use crate::log::format::{AbortedTransaction, SegmentFileKind};
use crate::log::segment::path;
use crate::log::tests::{Broker, TOPIC, read_all, small_config, start, topic_id, world};
use crate::log::{LogConfig, PartitionLog, TopicLogConfig};
use crate::rt::sim::world::{Machine, World};
use crate::rt::{self, fs};
use crate::types::{LeaderEpoch, Offset, PartitionIndex, ProducerEpoch, ProducerId};
use crate::wire::records::{BatchBuilder, Codec, Compression, RecordBatch, TransactionMarker, end_transaction_marker};
use bytes::Bytes;
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;
use std::time::Duration;

/// Offset, key and value of a record.
type Found = (i64, String, Option<String>);

fn eager() -> LogConfig {
    LogConfig { cleaner: CleanerConfig { backoff_ms: 20, ..CleanerConfig::default() }, ..small_config() }
}

fn compacted() -> TopicLogConfig {
    TopicLogConfig {
        segment_bytes: 4 << 10,
        index_interval_bytes: 512,
        cleanup_compact: true,
        cleanup_delete: false,
        min_cleanable_dirty_ratio: 0.01,
        file_delete_delay_ms: 50,
        ..TopicLogConfig::default()
    }
}

async fn open(broker: &Broker, config: TopicLogConfig) -> Rc<PartitionLog> {
    broker.store.open_partition(topic_id(), TOPIC, PartitionIndex(0), Rc::new(config)).await.expect("the partition opens")
}

fn batch(codec: Codec, records: &[(&str, Option<&str>)]) -> Bytes {
    let mut builder = BatchBuilder::new(Compression::of(codec));
    for (key, value) in records {
        builder.push(rt::wall_clock(), Some(key.as_bytes()), value.map(str::as_bytes), &[]);
    }
    builder.finish().into_bytes()
}

fn append(log: &PartitionLog, records: &Bytes) {
    log.append(records, LeaderEpoch(1), rt::wall_clock()).expect("an append");
}

/// So much that what came before is in sealed segments.
fn roll(log: &PartitionLog) {
    for n in 0..3 {
        append(log, &batch(Codec::None, &[(&format!("filler-{n}"), Some(&"x".repeat(3_000)))]));
    }
}

async fn read(log: &PartitionLog) -> Vec<Found> {
    let mut found = Vec::new();
    for batch in read_all(log, log.log_start(), 10_000).await {
        for record in batch.records().expect("records").map(|record| record.expect("a record")) {
            let text = |bytes: &Bytes| String::from_utf8(bytes.to_vec()).expect("text");
            found.push((record.offset.0, text(record.key.as_ref().expect("a key")), record.value.as_ref().map(text)));
        }
    }
    found
}

async fn read_without_fillers(log: &PartitionLog) -> Vec<Found> {
    read(log).await.into_iter().filter(|(_, key, _)| !key.starts_with("filler")).collect()
}

/// Waits until the cleaner has nothing left to do below the active segment.
async fn wait_compacted(broker: &Broker, log: &PartitionLog) {
    log.wait_durable(log.log_end()).await.expect("durable");
    for _ in 0..1_000 {
        let facts = log.compaction_facts(false).await.expect("facts");
        let active = facts.last().expect("a segment").base;
        let all_sealed = log.all_segment_bases().last() == Some(&active);
        if all_sealed && broker.store.compaction().cleaned_to(log.id()) >= Some(active).filter(|base| *base > Offset(0)) {
            return;
        }
        log.want_flush();
        rt::sleep(Duration::from_millis(10)).await;
    }
    panic!("not compacted within ten seconds");
}

fn story<F: Future<Output = ()> + 'static>(seed: u64, story: impl FnOnce() -> F + 'static) {
    let (world, machine) = world(seed);
    world.block_on(machine, async move { story().await });
}

#[test]
fn of_every_key_the_last_record_stays_where_it_was() {
    for codec in Codec::ALL {
        story(1, move || async move {
            let broker = start(eager()).await;
            let log = open(&broker, compacted()).await;
            for round in 0..40 {
                let value = format!("{round}-{}", "v".repeat(100));
                append(&log, &batch(codec, &[("a", Some(&value)), ("b", Some(&value)), (&format!("once-{round}"), Some("1"))]));
            }
            roll(&log);
            let size = log.size_bytes();
            wait_compacted(&broker, &log).await;
            let found = read_without_fillers(&log).await;
            let offsets: Vec<i64> = found.iter().map(|(offset, ..)| *offset).collect();
            let expected: Vec<i64> = (0..40).map(|round| round * 3 + 2).collect();
            assert!(expected.iter().all(|offset| offsets.contains(offset)), "{offsets:?}");
            assert_eq!(offsets.len(), 42, "{offsets:?}");
            for offset in 0..log.log_end().0 {
                let answer = log.read(Offset(offset), 1, true, log.log_end()).await.expect("a read");
                assert!(answer.bytes > 0, "nothing at {offset}, though there is more behind the gap");
            }
            assert!(found.contains(&(117, "a".into(), Some(format!("39-{}", "v".repeat(100))))));
            assert!(codec != Codec::None || log.size_bytes() < size, "{} of {size} bytes", log.size_bytes());
            broker.stop().await;

            let broker = start(eager()).await;
            let log = open(&broker, compacted()).await;
            assert_eq!(read_without_fillers(&log).await, found, "after a clean stop");
            broker.stop().await;
        });
    }
}

#[test]
fn a_tombstone_stays_until_its_horizon_and_then_goes() {
    story(2, || async {
        let config = TopicLogConfig { delete_retention_ms: 3_000, ..compacted() };
        let broker = start(eager()).await;
        let log = open(&broker, config).await;
        append(&log, &batch(Codec::None, &[("a", Some("1")), ("b", Some("1"))]));
        append(&log, &batch(Codec::None, &[("a", None)]));
        roll(&log);
        wait_compacted(&broker, &log).await;
        let with_tombstone = [(1, "b".into(), Some("1".into())), (2, "a".into(), None)];
        assert_eq!(read_without_fillers(&log).await, with_tombstone);
        roll(&log);
        wait_compacted(&broker, &log).await;
        assert_eq!(read_without_fillers(&log).await, with_tombstone, "its horizon is to come");
        rt::sleep(Duration::from_secs(3)).await;
        roll(&log);
        wait_compacted(&broker, &log).await;
        assert_eq!(read_without_fillers(&log).await, with_tombstone[..1]);
        broker.stop().await;
    });
}

#[test]
fn more_keys_than_memory_holds_take_several_passes() {
    story(3, || async {
        let cleaner = CleanerConfig { dedupe_buffer_bytes: 24 * 20, ..eager().cleaner };
        let broker = start(LogConfig { cleaner, ..eager() }).await;
        let log = open(&broker, compacted()).await;
        for round in 0..4 {
            for key in 0..100 {
                append(&log, &batch(Codec::None, &[(&format!("key-{key}"), Some(&format!("{round}")))]));
            }
        }
        roll(&log);
        wait_compacted(&broker, &log).await;
        let found = read_without_fillers(&log).await;
        let expected: Vec<Found> = (0..100).map(|key| (300 + key, format!("key-{key}"), Some("3".into()))).collect();
        assert_eq!(found, expected);
        assert!(broker.store.stats().compaction.passes > 20, "{:?}", broker.store.stats().compaction);
        broker.stop().await;
    });
}

#[test]
fn young_records_wait_and_old_ones_do_not() {
    story(4, || async {
        let lag = TopicLogConfig { min_compaction_lag_ms: 5_000, ..compacted() };
        let broker = start(eager()).await;
        let log = open(&broker, lag).await;
        append(&log, &batch(Codec::None, &[("a", Some("1"))]));
        append(&log, &batch(Codec::None, &[("a", Some("2"))]));
        roll(&log);
        rt::sleep(Duration::from_secs(2)).await;
        assert_eq!(read_without_fillers(&log).await.len(), 2, "younger than min.compaction.lag.ms");
        rt::sleep(Duration::from_secs(5)).await;
        assert_eq!(read_without_fillers(&log).await.len(), 1);

        let lazy = TopicLogConfig { min_cleanable_dirty_ratio: 1.0, max_compaction_lag_ms: 10_000, ..compacted() };
        log.set_config(Rc::new(lazy));
        append(&log, &batch(Codec::None, &[("a", Some("3"))]));
        roll(&log);
        rt::sleep(Duration::from_secs(2)).await;
        assert_eq!(read_without_fillers(&log).await.len(), 2, "not dirty enough");
        rt::sleep(Duration::from_secs(5)).await;
        assert_eq!(read_without_fillers(&log).await.len(), 1, "older than max.compaction.lag.ms");
        broker.stop().await;
    });
}

#[test]
fn a_producer_goes_on_where_it_was_though_its_batches_are_gone() {
    story(5, || async {
        let broker = start(eager()).await;
        let log = open(&broker, compacted()).await;
        let of_producer = |sequence| {
            let mut builder = BatchBuilder::default().producer(ProducerId(7), ProducerEpoch(0), sequence);
            builder.push(rt::wall_clock(), Some(b"a"), Some(b"1"), &[]);
            builder.finish().into_bytes()
        };
        (0..3).for_each(|sequence| append(&log, &of_producer(sequence)));
        append(&log, &batch(Codec::None, &[("a", Some("2"))]));
        roll(&log);
        wait_compacted(&broker, &log).await;
        let batches = read_all(&log, Offset(0), 10_000).await;
        let left: Vec<_> = batches.iter().take(2).map(|batch| (batch.base_offset.0, batch.count, batch.base_sequence)).collect();
        assert_eq!(left, [(2, 0, 2), (3, 1, -1)], "its last batch stays, empty");
        broker.stop().await;
        // Without snapshots the sequence is to be had from the segments alone.
        for entry in fs::list_dir(&log.path()).await.expect("a listing") {
            if entry.name.ends_with(".snapshot") {
                fs::remove_file(&log.path().join(entry.name)).await.expect("removed");
            }
        }
        let broker = start(eager()).await;
        let log = open(&broker, compacted()).await;
        assert!(log.append(&of_producer(2), LeaderEpoch(1), rt::wall_clock()).expect("known").duplicate);
        assert!(!log.append(&of_producer(3), LeaderEpoch(1), rt::wall_clock()).expect("the next").duplicate);
        broker.stop().await;
    });
}

fn transactional(producer: i64, base: i64, sequence: i32, key: &str, value: &str) -> RecordBatch {
    let mut builder = BatchBuilder::default().producer(ProducerId(producer), ProducerEpoch(0), sequence).transactional();
    builder.push(rt::wall_clock(), Some(key.as_bytes()), Some(value.as_bytes()), &[]);
    builder.base_offset(Offset(base)).leader_epoch(LeaderEpoch(1)).finish()
}

#[test]
fn aborted_records_go_and_markers_when_nothing_of_their_transactions_is_left() {
    story(6, || async {
        let broker = start(eager()).await;
        let log = open(&broker, TopicLogConfig { delete_retention_ms: 2_000, ..compacted() }).await;
        let marker = |producer, base, marker| {
            let batch = end_transaction_marker(marker, ProducerId(producer), ProducerEpoch(0), 0, rt::wall_clock());
            batch.stamped(Offset(base), LeaderEpoch(1))
        };
        let batches = [
            transactional(1, 0, 0, "a", "committed"),
            transactional(2, 1, 0, "a", "aborted"),
            marker(2, 2, TransactionMarker::Abort),
            marker(1, 3, TransactionMarker::Commit),
            // Their last batches are elsewhere, so that these say nothing of producers.
            transactional(1, 4, 1, "z", "1"),
            marker(1, 5, TransactionMarker::Commit),
            transactional(2, 6, 1, "y", "1"),
            marker(2, 7, TransactionMarker::Commit),
        ];
        batches.iter().for_each(|batch| log.append_replayed(batch.header(), batch.bytes().clone(), rt::wall_clock()));
        let aborted = AbortedTransaction {
            producer_id: ProducerId(2),
            first_offset: Offset(1),
            last_offset: Offset(2),
            last_stable_offset: Offset(0),
        };
        fs::write_file(&path(&log.path(), Offset(0), SegmentFileKind::TxnIndex), &aborted.to_bytes()).await.expect("written");
        roll(&log);
        wait_compacted(&broker, &log).await;
        let offsets = async |log: &PartitionLog| -> Vec<i64> {
            let found = read_all(log, Offset(0), 10_000).await;
            found.iter().map(|batch| batch.base_offset.0).filter(|offset| *offset < 8).collect()
        };
        assert_eq!(offsets(&log).await, [0, 2, 3, 4, 5, 6, 7], "the aborted record is gone, its marker waits");
        append(&log, &batch(Codec::None, &[("a", Some("later"))]));
        roll(&log);
        wait_compacted(&broker, &log).await;
        assert_eq!(offsets(&log).await, [2, 3, 4, 5, 6, 7], "nothing is left of the first transaction but its marker");
        rt::sleep(Duration::from_secs(2)).await;
        roll(&log);
        wait_compacted(&broker, &log).await;
        assert_eq!(offsets(&log).await, [3, 4, 5, 6, 7], "this pass was the first to find nothing of the other transaction");
        rt::sleep(Duration::from_secs(2)).await;
        roll(&log);
        wait_compacted(&broker, &log).await;
        assert_eq!(offsets(&log).await, [4, 5, 6, 7]);
        broker.stop().await;
    });
}

#[test]
fn the_transaction_index_of_the_new_segment_has_what_readers_must_skip() {
    story(7, || async {
        let broker = start(eager()).await;
        let log = open(&broker, compacted()).await;
        let marker = end_transaction_marker(TransactionMarker::Abort, ProducerId(2), ProducerEpoch(0), 0, rt::wall_clock());
        let batches = [transactional(2, 0, 0, "a", "aborted"), marker.stamped(Offset(1), LeaderEpoch(1))];
        batches.iter().for_each(|batch| log.append_replayed(batch.header(), batch.bytes().clone(), rt::wall_clock()));
        let aborted = AbortedTransaction {
            producer_id: ProducerId(2),
            first_offset: Offset(0),
            last_offset: Offset(1),
            last_stable_offset: Offset(2),
        };
        let index = path(&log.path(), Offset(0), SegmentFileKind::TxnIndex);
        fs::write_file(&index, &aborted.to_bytes()).await.expect("written");
        roll(&log);
        wait_compacted(&broker, &log).await;
        // The producer's last batch stays, empty, so the marker does too, and the entry with it.
        assert_eq!(&fs::read_file(&index, 1 << 10).await.expect("an index")[..], aborted.to_bytes());
        broker.stop().await;
    });
}

/// What was written, by offset, and how far it was acknowledged.
#[derive(Default)]
struct Written {
    records: Vec<(String, Option<String>)>,
    acknowledged: usize,
}

impl Written {
    /// Whether `found` is what compaction may have left of it: nothing that was not written there, of every key the last record or a later one.
    fn check(&self, found: &[Found]) {
        assert!(found.windows(2).all(|pair| pair[0].0 < pair[1].0), "offsets ascend: {found:?}");
        let mut last: BTreeMap<&str, i64> = BTreeMap::new();
        for (offset, key, value) in found {
            let (written_key, written_value) = &self.records[*offset as usize];
            assert_eq!((key, value), (written_key, written_value), "at {offset}");
            last.insert(key, *offset);
        }
        let mut expected: BTreeMap<&str, usize> = BTreeMap::new();
        for (offset, (key, _)) in self.records[..self.acknowledged].iter().enumerate() {
            expected.insert(key, offset);
        }
        for (key, offset) in expected {
            assert!(last.get(key).is_some_and(|found| *found >= offset as i64), "{key} at {offset} is lost: {found:?}");
        }
    }
}

async fn produce(log: &PartitionLog, written: &RefCell<Written>, count: usize) {
    for n in 0..count {
        let key = format!("key-{}", rt::random_u64() % 12);
        let value = (!rt::random_u64().is_multiple_of(5)).then(|| format!("{n}-{}", "v".repeat((rt::random_u64() % 300) as usize)));
        written.borrow_mut().records.push((key.clone(), value.clone()));
        append(log, &batch(if n % 10 == 0 { Codec::Snappy } else { Codec::None }, &[(&key, value.as_deref())]));
    }
    log.wait_durable(log.log_end()).await.expect("durable");
    let mut written = written.borrow_mut();
    written.acknowledged = written.records.len();
}

#[test]
fn a_throttle_that_is_lifted_counts_in_the_pass_under_way() {
    story(6, || async move {
        let crawling = CleanerConfig { io_bytes_per_second: 1.0, ..eager().cleaner };
        let broker = start(LogConfig { cleaner: crawling, ..eager() }).await;
        let log = open(&broker, compacted()).await;
        for round in 0..40 {
            append(&log, &batch(Codec::None, &[("a", Some(&format!("{round}-{}", "v".repeat(300))))]));
        }
        roll(&log);
        log.wait_durable(log.log_end()).await.expect("durable");
        log.want_flush();
        rt::sleep(Duration::from_secs(60)).await;
        assert_eq!((broker.store.stats().compaction.passes, read_without_fillers(&log).await.len()), (0, 40));
        broker.store.reconfigure_cleaner(eager().cleaner);
        wait_compacted(&broker, &log).await;
        assert!(read_without_fillers(&log).await.len() < 40);
        broker.stop().await;
    });
}

/// A machine on which some segments wait to be compacted; what is in them.
fn dirty_machine(seed: u64) -> (World, Machine, Rc<RefCell<Written>>) {
    let (world, machine) = world(seed);
    let written = Rc::new(RefCell::new(Written::default()));
    let shared = Rc::clone(&written);
    world.block_on(machine, async move {
        let broker = start(LogConfig { cleaner: CleanerConfig { enable: false, ..CleanerConfig::default() }, ..eager() }).await;
        let log = open(&broker, compacted()).await;
        produce(&log, &shared, 120).await;
        broker.stop().await;
    });
    (world, machine, written)
}

/// The same run again and again, each time with a power failure one step later.
#[test]
fn a_crash_at_any_step_of_a_pass_loses_nothing() {
    let (mut finished, mut interrupted) = (0, 0);
    for step in (0u64..2_400).step_by(60) {
        let (world, machine, written) = dirty_machine(step / 300);
        let passes = Rc::new(RefCell::new(0));
        let (shared, counted) = (Rc::clone(&written), Rc::clone(&passes));
        world.spawn_on(machine, async move {
            let broker = start(eager()).await;
            let log = open(&broker, compacted()).await;
            loop {
                let found = read(&log).await;
                shared.borrow().check(&found);
                *counted.borrow_mut() = broker.store.stats().compaction.passes;
                rt::sleep(Duration::from_millis(4)).await;
            }
        });
        world.run_steps(step + 200);
        world.crash(machine);
        world.block_on(machine, async move {
            let broker = start(eager()).await;
            let log = open(&broker, compacted()).await;
            let found = read(&log).await;
            written.borrow().check(&found);
            for entry in fs::list_dir(&log.path()).await.expect("a listing") {
                assert!(!entry.name.ends_with(".cleaned") && !entry.name.ends_with(".swap"), "{}", entry.name);
            }
            produce(&log, &written, 30).await;
            wait_compacted(&broker, &log).await;
            let found = read(&log).await;
            written.borrow().check(&found);
            broker.stop().await;
        });
        if *passes.borrow() > 0 { finished += 1 } else { interrupted += 1 }
    }
    assert!(finished > 5 && interrupted > 5, "{finished} crashes after the first pass, {interrupted} before its end");
}
