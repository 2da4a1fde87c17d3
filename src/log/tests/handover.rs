//! A partition goes from one shard's store to another's and back, and the machine dies at any moment of it.

use super::*;
use crate::log::journal::chain::scan_file;
use crate::log::journal::frame::Frame;
use crate::log::journal::{Change, files};
use crate::log::{ReleaseError, recover_postponed};
use crate::rt::sim::for_each_seed;
use crate::rt::sync::oneshot;
use crate::rt::{AlignedBuffer, File, OpenOptions, Queue};
use crate::types::{ErrorCode, ProducerEpoch, ProducerId, TopicPartitionId};
use std::cell::RefCell;
use std::path::Path;
use std::time::Duration;

/// The stores of a broker's shards, all on one core.
struct Shards {
    dirs: LogDirs,
    stores: Vec<Rc<LogStore>>,
}

async fn start_shards(count: u16) -> Shards {
    let config = small_config();
    let dirs = LogDirs::open(&config).await.expect("the directories open");
    for shard in 0..count {
        let recovered = recover(&config, &dirs.info(), ShardId(shard), count).await.expect("journals replay");
        assert_eq!(recovered.damaged, [], "nothing is damaged by a move or a crash");
    }
    let mut stores = Vec::new();
    for shard in 0..count {
        stores.push(LogStore::open(config.clone(), dirs.info(), ShardId(shard)).await.expect("the store opens"));
    }
    Shards { dirs, stores }
}

impl Shards {
    async fn open(&self, shard: usize) -> Rc<PartitionLog> {
        self.stores[shard].open_partition(topic_id(), TOPIC, PartitionIndex(0), small_topic()).await.expect("the partition opens")
    }

    async fn move_over(&self, from: usize, to: usize) -> Result<Rc<PartitionLog>, ReleaseError> {
        self.stores[from].prepare_release(id()).await;
        let handed = self.stores[from].release_partition(id()).await?;
        Ok(self.stores[to].adopt_partition(handed, small_topic()))
    }
}

fn id() -> TopicPartitionId {
    TopicPartitionId { topic_id: topic_id(), partition: PartitionIndex(0) }
}

fn sequenced(sequence: i32, fill: u8) -> Bytes {
    let mut builder = BatchBuilder::default().producer(ProducerId(7), ProducerEpoch(0), sequence);
    builder.push(Timestamp(1), None, Some(&[fill; 50]), &[]);
    builder.finish().into_bytes()
}

#[test]
fn the_new_shard_knows_what_the_old_one_knew_and_the_old_one_is_out() {
    let (world, machine) = world(1);
    world.block_on(machine, async {
        let shards = start_shards(2).await;
        let old = shards.open(0).await;
        for n in 0..10 {
            old.append(&sequenced(n, n as u8), LeaderEpoch(3), Timestamp(1)).expect("an append");
        }
        old.wait_durable(Offset(10)).await.unwrap();
        old.set_log_start(Offset(4)).await.unwrap();
        let new = shards.move_over(0, 1).await.expect("a move");

        assert_eq!((new.log_start(), new.high_watermark(), new.log_end()), (Offset(4), Offset(10), Offset(10)));
        assert_eq!(new.latest_leader_epoch(), LeaderEpoch(3));
        let again = new.append(&sequenced(9, 9), LeaderEpoch(3), Timestamp(1)).expect("an append");
        assert!(again.duplicate && again.first_offset == Offset(9), "producers' sequences went along");
        let out_of_order = new.append(&sequenced(11, 0), LeaderEpoch(3), Timestamp(1)).map_err(|error| error.code());
        assert_eq!(out_of_order, Err(ErrorCode::OutOfOrderSequenceNumber));
        new.append(&sequenced(10, 10), LeaderEpoch(3), Timestamp(1)).expect("an append");
        new.wait_durable(Offset(11)).await.unwrap();
        assert_eq!(read_all(&new, Offset(4), 1 << 20).await.len(), 7);

        assert_eq!(old.wait_durable(Offset(10)).await, Ok(()), "who waited for the disk has what was promised");
        assert!(old.append(&sequenced(10, 0), LeaderEpoch(3), Timestamp(1)).is_err());
        assert!(old.read(Offset(5), 100, true, Offset(10)).await.is_err());
        assert!(shards.stores[0].partition(id()).is_none());
        assert_eq!(shards.stores[0].stats().tail_cached_bytes, 0, "its memory is the new shard's");
    });
}

#[test]
fn a_partition_between_two_shards_is_whole_after_a_crash() {
    let (world, machine) = world(2);
    world.block_on(machine, async {
        let shards = start_shards(2).await;
        let log = shards.open(0).await;
        (0..20).for_each(|n| _ = append(&log, &batch(n, 1, 500, n as u8)));
        log.wait_durable(Offset(20)).await.unwrap();
        log.set_log_start(Offset(12)).await.unwrap();
        assert!(shards.stores[0].release_partition(id()).await.is_ok());
        // Turns the ring of the old journal over: its checkpoint is written, without the partition's log.
        let other = shards.stores[0].open_partition(topic_id(), TOPIC, PartitionIndex(1), small_topic()).await.unwrap();
        for n in 0..40 {
            let end = append(&other, &batch(n, 1, 20_000, b'x'));
            other.wait_durable(end).await.unwrap();
        }
    });
    for count in [1, 2] {
        world.crash(machine);
        world.block_on(machine, async move {
            let shards = start_shards(count).await;
            let log = shards.open(usize::from(count) - 1).await;
            assert_eq!((log.log_start(), log.log_end()), (Offset(12), Offset(20)));
            assert_eq!(read_all(&log, Offset(12), 1 << 20).await.len(), 8);
        });
    }
}

#[test]
fn a_clean_stop_after_a_move_leaves_nothing_to_recover() {
    (0..20).for_each(move_and_stop);
}

fn move_and_stop(seed: u64) {
    let (world, machine) = world(seed);
    world.block_on(machine, async {
        let shards = start_shards(2).await;
        let log = shards.open(0).await;
        (0..20).for_each(|n| _ = append(&log, &batch(n, 1, 5_000, n as u8)));
        let log = shards.move_over(0, 1).await.expect("a move");
        append(&log, &batch(20, 1, 500, 20));
        let closed = vec![shards.stores[0].close().await, shards.stores[1].close().await];
        assert!(closed.iter().all(|shard| shard.dirs.iter().all(Option::is_some)), "{closed:?}");
        shards.dirs.close(closed).await.expect("a clean stop");
    });
    world.block_on(machine, async {
        let broker = start(small_config()).await;
        assert_eq!(broker.recovered.frames, 0);
        let log = broker.log(0).await;
        assert_eq!(read_all(&log, Offset(0), 1 << 20).await.len(), 21);
    });
}

/// Zeros where the frame with the release entry of shard 0's journal is: nothing can be read of it.
async fn wipe_the_release() {
    let dir = Path::new("/data");
    let epoch = files::read_state(dir, ShardId(0)).await.unwrap().expect("a journal").epoch;
    let mut wiped = 0;
    for number in files::list(dir).await.unwrap().remove(&ShardId(0)).unwrap().into_keys() {
        let path = files::ring_path(dir, ShardId(0), number);
        let file = File::open(&path, OpenOptions { write: true, ..OpenOptions::default() }).await.unwrap();
        let image = file.read_at(0, file.len().await.unwrap() as usize).await.unwrap();
        for place in scan_file(0, &image, epoch) {
            let frame = Frame::read(&image.slice(place.offset as usize..place.offset as usize + place.len), epoch).expect("it verified");
            if frame.entries.iter().any(|entry| matches!(entry.change, Change::Release { .. })) {
                let mut zeros = AlignedBuffer::with_capacity(place.len);
                zeros.extend_from_slice(&vec![0; place.len]);
                file.write_at(place.offset, zeros).await.unwrap();
                wiped += 1;
            }
        }
        file.sync().await.unwrap();
    }
    assert_eq!(wiped, 1);
}

/// Both shards replay side by side, as in a broker.
async fn recover_side_by_side(dirs: &LogDirs) {
    let mut replays = Vec::new();
    for shard in 0..2 {
        let (done, recovered) = oneshot();
        let info = dirs.info();
        crate::rt::spawn(Queue::Foreground, async move { done.send(recover(&small_config(), &info, ShardId(shard), 2).await) });
        replays.push(recovered);
    }
    let mut postponed = false;
    for replay in replays {
        let recovered = replay.await.expect("it ends").expect("journals replay");
        assert_eq!(recovered.damaged, []);
        postponed |= recovered.postponed;
    }
    assert!(postponed, "a frame is lost");
    let recovered = recover_postponed(&small_config(), &dirs.info(), 2).await.expect("journals replay");
    assert_eq!((recovered.damaged, recovered.postponed), (vec![], false));
}

#[test]
fn a_release_that_is_lost_with_its_frame_costs_no_record() {
    for_each_seed(20, |seed| {
        let (world, machine) = world(seed);
        world.block_on(machine, async {
            let shards = start_shards(2).await;
            // Its first frame is needed as long as it is in no segment, so what comes behind it is looked at.
            let other = shards.stores[0].open_partition(topic_id(), TOPIC, PartitionIndex(1), small_topic()).await.unwrap();
            append(&other, &batch(0, 1, 100, 0));
            let log = shards.open(0).await;
            (0..20).for_each(|n| _ = append(&log, &batch(n, 1, 500, n as u8)));
            log.wait_durable(Offset(20)).await.unwrap();
            let log = shards.move_over(0, 1).await.expect("a move");
            (20..60).for_each(|n| _ = append(&log, &batch(n, 1, 500, n as u8)));
            log.wait_durable(Offset(60)).await.unwrap();
            // Later frames say that the release's had been durable.
            for n in 0..3 {
                let end = append(&other, &batch(n, 1, 100, n as u8));
                other.wait_durable(end).await.unwrap();
            }
        });
        world.crash(machine);
        world.block_on(machine, async {
            wipe_the_release().await;
            let dirs = LogDirs::open(&small_config()).await.expect("the directories open");
            recover_side_by_side(&dirs).await;
            let store = LogStore::open(small_config(), dirs.info(), ShardId(1)).await.expect("the store opens");
            let log = store.open_partition(topic_id(), TOPIC, PartitionIndex(0), small_topic()).await.expect("the partition opens");
            assert_eq!((log.log_start(), log.log_end()), (Offset(0), Offset(60)));
            for (offset, batch) in read_all(&log, Offset(0), 1 << 20).await.iter().enumerate() {
                let value = batch.records().unwrap().next().unwrap().unwrap().value.unwrap();
                assert_eq!((batch.base_offset, value[0]), (Offset(offset as i64), offset as u8));
            }
        });
    });
}

/// What the outside was told.
#[derive(Default)]
struct Told {
    acknowledged: i64,
    appended: i64,
    moves: u64,
}

/// Appends and moves for ever. Each record's value is its offset's lowest byte.
async fn append_and_move(told: Rc<RefCell<Told>>, count: u16) {
    let shards = start_shards(count).await;
    let mut at = (crate::rt::random_u64() % u64::from(count)) as usize;
    let mut log = shards.open(at).await;
    check(&log, &told.borrow());
    told.borrow_mut().appended = log.log_end().0;
    loop {
        for _ in 0..crate::rt::random_u64() % 6 {
            let size = [100, 1_000, 30_000][(crate::rt::random_u64() % 3) as usize];
            shards.stores[at].room(size).await;
            let end = append(&log, &batch(1, 1, size, log.log_end().0 as u8));
            told.borrow_mut().appended = end.0;
            if crate::rt::random_u64().is_multiple_of(2) {
                log.wait_durable(end).await.expect("a disk without faults");
                told.borrow_mut().acknowledged = end.0;
            }
        }
        let to = (crate::rt::random_u64() % u64::from(count)) as usize;
        if to != at {
            log = shards.move_over(at, to).await.expect("nothing is in the way");
            at = to;
            told.borrow_mut().moves += 1;
        }
    }
}

fn check(log: &PartitionLog, told: &Told) {
    let end = log.log_end().0;
    assert!(
        end >= told.acknowledged && end <= told.appended,
        "acknowledged {}, appended {}, found {end}",
        told.acknowledged,
        told.appended
    );
}

fn move_and_crash(seed: u64) -> u64 {
    let (world, machine) = world(seed);
    let told = Rc::new(RefCell::new(Told::default()));
    for _ in 0..4 {
        let count = 1 + world.random_below(3) as u16;
        world.spawn_on(machine, append_and_move(Rc::clone(&told), count));
        world.run_for(Duration::from_micros(world.random_below(60_000)));
        if world.random_below(3) == 0 { world.kill(machine) } else { world.crash(machine) }
    }
    let found = Rc::clone(&told);
    world.block_on(machine, async move {
        let log = start_shards(1).await.open(0).await;
        check(&log, &found.borrow());
        for (offset, batch) in read_all(&log, Offset(0), 1 << 20).await.iter().enumerate() {
            assert_eq!(batch.base_offset, Offset(offset as i64), "offsets are dense");
            let value = batch.records().unwrap().next().unwrap().unwrap().value.unwrap();
            assert_eq!(value[0], offset as u8, "the record at {offset}");
        }
    });
    told.borrow().moves
}

#[test]
fn nothing_acknowledged_is_lost_by_crashes_at_any_step_of_a_move() {
    let moves = std::sync::atomic::AtomicU64::new(0);
    let ran = for_each_seed(40, |seed| {
        moves.fetch_add(move_and_crash(seed), std::sync::atomic::Ordering::Relaxed);
    });
    ran.must_have_seen(moves.into_inner() > 0, &"a move");
}
