//! Power failures and kills at any moment: what was acknowledged is there, and nothing that was served goes away.

use super::*;
use crate::rt;
use std::cell::RefCell;
use std::time::Duration;

/// What the outside was told of one partition.
#[derive(Default, Debug)]
struct Told {
    /// First byte of each record's value by offset, as appended (acknowledged or not).
    appended: Vec<u8>,
    acknowledged: i64,
    /// The highest watermark seen.
    served: i64,
}

async fn produce(log: Rc<PartitionLog>, store: Rc<LogStore>, told: Rc<RefCell<Vec<Told>>>, partition: usize) {
    loop {
        let count = 1 + (rt::random_u64() % 3) as usize;
        let size = match rt::random_u64() % 40 {
            0 => 40_000,
            1..10 => 3_000,
            _ => 100,
        };
        let fill = rt::random_u64() as u8;
        store.room(count * size).await;
        let records = batch(1_000, count, size, fill);
        let Ok(appended) = log.append(&records, LeaderEpoch(1), Timestamp(1)) else { return };
        {
            let told = &mut told.borrow_mut()[partition];
            assert_eq!(appended.first_offset.0 as usize, told.appended.len(), "offsets are dense");
            told.appended.extend(vec![fill; count]);
        }
        let (log, told) = (Rc::clone(&log), Rc::clone(&told));
        let wait = async move {
            if log.wait_durable(appended.last_offset.plus(1)).await.is_ok() {
                let told = &mut told.borrow_mut()[partition];
                told.acknowledged = told.acknowledged.max(appended.last_offset.0 + 1);
            }
            let told = &mut told.borrow_mut()[partition];
            told.served = told.served.max(log.high_watermark().0);
        };
        if rt::random_u64().is_multiple_of(4) {
            wait.await;
        } else {
            rt::spawn(rt::Queue::Foreground, wait);
        }
        if rt::random_u64().is_multiple_of(8) {
            rt::sleep(Duration::from_micros(rt::random_u64() % 3000)).await;
        }
    }
}

async fn check(log: &PartitionLog, told: &mut Told) {
    let end = log.log_end().0;
    assert!(end >= told.acknowledged, "acknowledged up to {}, found {end}", told.acknowledged);
    assert!(log.high_watermark().0 >= told.served, "served up to {}, found {}", told.served, log.high_watermark());
    assert_eq!(log.high_watermark().0, end);
    let mut at = 0;
    for batch in read_all(log, Offset(0), 50_000).await {
        assert_eq!(batch.base_offset.0, at, "dense");
        for record in batch.records().expect("records") {
            let record = record.expect("a record");
            let value = record.value.expect("a value");
            assert_eq!(value[0], told.appended[record.offset.0 as usize], "at {}", record.offset);
        }
        at = batch.next_offset().0;
    }
    assert_eq!(at, end);
    told.appended.truncate(end as usize);
    told.acknowledged = end;
}

fn run(seed: u64, partitions: usize, faults: DiskFaults) {
    let (world, machine) = world(seed);
    run_in(&world, machine, partitions, faults, || {});
}

/// `before_start` runs before each start.
fn run_in(world: &World, machine: Machine, partitions: usize, faults: DiskFaults, before_start: impl Fn()) {
    let told = Rc::new(RefCell::new((0..partitions).map(|_| Told::default()).collect::<Vec<_>>()));
    for round in 0..5 {
        before_start();
        world.set_disk_faults(machine, DiskFaults::default());
        let (opened, seen) = (Rc::new(RefCell::new(None)), Rc::clone(&told));
        let broker = Rc::clone(&opened);
        world.block_on(machine, async move {
            let started = start(small_config()).await;
            assert!(started.recovered.damaged.is_empty(), "{:?}", started.recovered.damaged);
            for partition in 0..partitions {
                let log = started.log(partition as i32).await;
                let mut told = std::mem::take(&mut seen.borrow_mut()[partition]);
                check(&log, &mut told).await;
                seen.borrow_mut()[partition] = told;
            }
            *broker.borrow_mut() = Some(started);
        });
        let broker = opened.borrow_mut().take().expect("it started");
        world.set_disk_faults(machine, faults);
        for partition in 0..partitions {
            let log = broker.store.partitions()[partition].clone();
            world.spawn_on(machine, produce(log, Rc::clone(&broker.store), Rc::clone(&told), partition));
        }
        world.run_steps(500 + world.random_below(6000));
        match world.random_below(4) {
            0 => world.kill(machine),
            1 if faults.write_error_one_in == 0 => {
                world.block_on(machine, broker.stop());
                world.kill(machine);
            }
            _ => world.crash(machine),
        }
        let _ = round;
    }
}

#[test]
fn nothing_acknowledged_or_served_is_lost_by_crashes() {
    let seeds = std::env::var("RINGMILL_SIM_SEED").ok().and_then(|seed| seed.parse().ok()).map_or(1..25, |seed: u64| seed..seed + 1);
    for seed in seeds {
        run(seed, 3, DiskFaults::default());
    }
}

#[test]
fn a_failing_disk_takes_the_directory_offline_and_loses_nothing_acknowledged() {
    for seed in 100..140 {
        run(seed, 2, DiskFaults { write_error_one_in: 300, sync_error_one_in: 100, ..DiskFaults::default() });
    }
}

#[test]
fn many_partitions_go_round_a_small_ring() {
    for seed in 200..204 {
        run(seed, 20, DiskFaults::default());
    }
}

/// A start that may find no space at any step; what came of it.
async fn start_on_a_full_disk(partitions: usize, outcomes: Rc<RefCell<Vec<Result<(), String>>>>) {
    let started = async {
        let config = small_config();
        let dirs = LogDirs::open(&config).await?;
        let recovered = recover(&config, &dirs.info(), ShardId(0), 1).await?;
        assert!(recovered.damaged.is_empty(), "a full disk is no damage: {:?}", recovered.damaged);
        let store = LogStore::open(config, dirs.info(), ShardId(0)).await?;
        for partition in 0..partitions {
            let log = store.open_partition(topic_id(), TOPIC, PartitionIndex(partition as i32), small_topic()).await?;
            read_all(&log, Offset(0), 50_000).await;
        }
        Ok(())
    };
    let started: Result<(), super::super::OpenError> = started.await;
    outcomes.borrow_mut().push(started.map_err(|error| error.to_string()));
}

#[test]
fn a_start_on_a_full_disk_fails_with_the_reason_or_serves_and_loses_nothing() {
    let outcomes = Rc::new(RefCell::new(Vec::new()));
    for seed in 300..330 {
        let (world, machine) = world(seed);
        let attempts = || {
            for _ in 0..world.random_below(4) {
                let space = world.random_below(300 << 10);
                let capacity = Some(world.used_space(machine) + space);
                world.set_disk_faults(machine, DiskFaults { capacity, ..DiskFaults::default() });
                world.spawn_on(machine, start_on_a_full_disk(2, Rc::clone(&outcomes)));
                world.run_for(Duration::from_micros(world.random_below(400_000)));
                if world.random_below(2) == 0 { world.kill(machine) } else { world.crash(machine) }
            }
        };
        run_in(&world, machine, 2, DiskFaults::default(), attempts);
    }
    let outcomes = outcomes.take();
    let failed: Vec<&String> = outcomes.iter().filter_map(|outcome| outcome.as_ref().err()).collect();
    assert!(failed.len() > 5 && failed.len() < outcomes.len(), "{} of {}", failed.len(), outcomes.len());
    assert!(failed.iter().all(|why| why.contains("space") || why.contains("storage full")), "{failed:?}");
}
