//! What retention takes and what it leaves, also when the power fails; and tails that nobody writes to any more.

use super::*;
use crate::log::ReadError;
use crate::rt::{fs, sleep};
use crate::types::ErrorCode;
use std::path::Path;
use std::time::Duration;

/// Twenty batches of 5 KB, a second apart from `from_ms` on: three segments of 9, 9 and 2 batches.
async fn three_segments(broker: &Broker, log: &PartitionLog, from_ms: i64) -> Offset {
    let mut end = log.log_end();
    for n in 0..20 {
        broker.store.room(6000).await;
        end = append(log, &batch(from_ms + 1000 * n, 1, 5000, n as u8));
    }
    log.wait_durable(end).await.unwrap();
    end
}

fn with(change: impl FnOnce(&mut TopicLogConfig)) -> Rc<TopicLogConfig> {
    let mut config = TopicLogConfig { retention_ms: -1, file_delete_delay_ms: 0, ..(*small_topic()).clone() };
    change(&mut config);
    Rc::new(config)
}

fn bases(log: &PartitionLog) -> Vec<i64> {
    log.segment_list().iter().map(|segment| segment.base.0).collect()
}

#[test]
fn by_size_whole_segments_go_from_the_oldest_on_and_stay_gone() {
    let (world, machine) = world(60);
    world.block_on(machine, async {
        let broker = start(small_config()).await;
        let log = broker.log(0).await;
        log.set_config(with(|_| {}));
        three_segments(&broker, &log, 0).await;
        log.retain(Some(Timestamp(i64::MAX))).await.unwrap();
        assert_eq!(bases(&log), [0, 9, 18], "no limits");
        log.set_config(with(|config| config.retention_bytes = log.size_bytes() as i64 - 10_000));
        log.retain(None).await.unwrap();
        assert_eq!((bases(&log), log.log_start()), (vec![0, 9, 18], Offset(0)), "less than a segment too much");
        log.set_config(with(|config| config.retention_bytes = 20_000));
        log.retain(None).await.unwrap();
        assert_eq!((bases(&log), log.log_start()), (vec![9, 18], Offset(9)), "at least the limit stays");
        assert_eq!(log.read(Offset(8), 1, true, Offset(20)).await.err(), Some(ReadError::OutOfRange));
        assert_eq!(broker.store.dirs()[0].partitions[0].1, log.size_bytes());
    });
    world.crash(machine);
    world.block_on(machine, async {
        let broker = start(small_config()).await;
        let log = broker.log(0).await;
        assert_eq!((log.log_start(), log.log_end()), (Offset(9), Offset(20)));
        assert_eq!(read_all(&log, Offset(9), 10_000).await.len(), 11);
        broker.stop().await;
    });
}

#[test]
fn when_everything_is_expired_the_active_segment_goes_too_and_offsets_go_on() {
    for seed in 61..75 {
        let (world, machine) = world(seed);
        world.block_on(machine, async {
            let broker = start(small_config()).await;
            let log = broker.log(0).await;
            three_segments(&broker, &log, 100_000).await;
            log.set_config(with(|config| config.retention_ms = 5_000));
            log.retain(Some(Timestamp(116_000))).await.unwrap();
            assert_eq!(bases(&log), [9, 18], "the first one ends at 108 s, the second at 117 s");
            log.retain(Some(Timestamp(124_001))).await.unwrap();
            assert_eq!((bases(&log), log.log_start(), log.size_bytes()), (vec![20], Offset(20), 0));
            log.retain(Some(Timestamp(i64::MAX))).await.unwrap();
            assert_eq!(bases(&log), [20], "an empty one stays");
            assert_eq!(log.latest_leader_epoch(), LeaderEpoch(3));
        });
        world.crash(machine);
        world.block_on(machine, async move {
            let broker = start(small_config()).await;
            assert!(broker.recovered.damaged.is_empty(), "{:?}", broker.recovered.damaged);
            let log = broker.log(0).await;
            assert_eq!((log.log_start(), log.log_end()), (Offset(20), Offset(20)), "seed {seed}");
            let end = append(&log, &batch(200_000, 1, 10, b'n'));
            log.wait_durable(end).await.unwrap();
            assert_eq!((end, read_all(&log, Offset(20), 10).await.len()), (Offset(21), 1));
            broker.stop().await;
        });
    }
}

#[test]
fn a_compacted_topic_keeps_everything_but_what_lies_below_its_start() {
    let (world, machine) = world(76);
    world.block_on(machine, async {
        let broker = start(small_config()).await;
        let log = broker.log(0).await;
        three_segments(&broker, &log, 0).await;
        let limits = |config: &mut TopicLogConfig| (config.retention_bytes, config.retention_ms) = (0, 0);
        log.set_config(with(|config| {
            limits(config);
            (config.cleanup_delete, config.cleanup_compact) = (false, true);
        }));
        log.retain(Some(Timestamp(i64::MAX))).await.unwrap();
        assert_eq!(bases(&log), [0, 9, 18]);
        log.flush(true).await.unwrap();
        log.set_log_start(Offset(12)).await.unwrap();
        log.retain(Some(Timestamp(i64::MAX))).await.unwrap();
        assert_eq!((bases(&log), log.log_start()), (vec![9, 18], Offset(12)));
        log.set_config(with(limits));
        log.retain(None).await.unwrap();
        assert_eq!((bases(&log), log.log_start()), (vec![20], Offset(20)), "the policy was changed at run time");
        broker.stop().await;
    });
}

#[test]
fn records_of_the_future_stay_and_so_does_what_is_behind_them() {
    let (world, machine) = world(77);
    world.block_on(machine, async {
        let broker = start(small_config()).await;
        let log = broker.log(0).await;
        append(&log, &batch(i64::MAX - 10, 1, 10, b'f'));
        three_segments(&broker, &log, 0).await;
        log.flush(true).await.unwrap();
        log.set_config(with(|config| config.retention_ms = 1_000));
        for now in [-86_400_000, 0, 86_400_000, i64::MAX / 2] {
            log.retain(Some(Timestamp(now))).await.unwrap();
            assert_eq!(log.log_start(), Offset(0), "at {now}");
        }
        broker.stop().await;
        let broker = start(small_config()).await;
        let log = broker.log(0).await;
        log.set_config(with(|config| config.retention_ms = 1_000));
        log.retain(Some(Timestamp(86_400_000))).await.unwrap();
        assert_eq!(log.log_start(), Offset(0), "its time index says so after a restart");
        broker.stop().await;
    });
}

#[test]
fn the_task_deletes_by_itself_and_files_go() {
    let (world, machine) = world(78);
    world.block_on(machine, async {
        let config = LogConfig { retention_check_interval_ms: 1_000, ..small_config() };
        let broker = start(config).await;
        let log = broker.log(0).await;
        log.set_config(with(|config| config.retention_bytes = 20_000));
        three_segments(&broker, &log, 0).await;
        sleep(Duration::from_secs(3)).await;
        assert_eq!((bases(&log), log.log_start()), (vec![9, 18], Offset(9)));
        let names: Vec<String> = fs::list_dir(Path::new("/data/orders-0")).await.unwrap().into_iter().map(|entry| entry.name).collect();
        assert!(names.iter().all(|name| !name.ends_with(".deleted") && !name.starts_with("00000000000000000000.")), "{names:?}");
        broker.stop().await;
    });
}

#[test]
fn a_start_inside_a_batch_that_only_the_journal_has_loses_nothing_behind_it() {
    let (world, machine) = world(79);
    world.block_on(machine, async {
        let broker = start(small_config()).await;
        let log = broker.log(0).await;
        for n in 0..5 {
            append(&log, &batch(n, 10, 10, n as u8));
        }
        log.wait_durable(Offset(50)).await.unwrap();
        assert_eq!(log.set_log_start(Offset(51)).await, Err(ErrorCode::OffsetOutOfRange));
        log.set_log_start(Offset(25)).await.unwrap();
    });
    for _ in 0..2 {
        world.crash(machine);
        world.block_on(machine, async {
            let broker = start(small_config()).await;
            let log = broker.log(0).await;
            assert_eq!((log.log_start(), log.log_end()), (Offset(25), Offset(50)));
            let read = read_all(&log, Offset(25), 10_000).await;
            assert_eq!(read.iter().map(|batch| batch.base_offset.0).collect::<Vec<_>>(), [20, 30, 40]);
        });
    }
}

#[test]
fn a_tail_that_nobody_writes_to_goes_to_its_segment() {
    let (world, machine) = world(80);
    world.block_on(machine, async {
        let config = LogConfig { idle_check_interval_ms: 1_000, ..small_config() };
        let broker = start(config).await;
        let logs = [broker.log(0).await, broker.log(1).await];
        for log in &logs {
            let end = append(log, &batch(0, 1, 100, b'i'));
            log.wait_durable(end).await.unwrap();
        }
        assert!(logs.iter().all(|log| log.unwritten_bytes() > 0));
        sleep(Duration::from_secs(4)).await;
        assert!(logs.iter().all(|log| log.unwritten_bytes() == 0 && log.held_frame().is_none()), "nothing needs the journal any more");
    });
    world.kill(machine);
    world.block_on(machine, async {
        let broker = start(small_config()).await;
        assert_eq!((broker.recovered.batches, broker.log(1).await.log_end()), (0, Offset(1)));
        broker.stop().await;
    });
}

#[test]
fn flushes_that_meet_a_deletion_do_not_stop_the_flusher() {
    let (world, machine) = world(81);
    world.block_on(machine, async {
        let broker = start(small_config()).await;
        for n in 0..8 {
            let log = broker.log(n).await;
            append(&log, &batch(0, 1, 20_000, b'd'));
            let again = Rc::clone(&log);
            crate::rt::spawn(crate::rt::Queue::Background, async move {
                for _ in 0..20 {
                    again.want_flush();
                    sleep(Duration::from_micros(100)).await;
                }
            });
            broker.store.delete_partition(topic_id(), TOPIC, PartitionIndex(n)).await.unwrap();
        }
        sleep(Duration::from_millis(100)).await;
        let log = broker.log(9).await;
        append(&log, &batch(0, 1, 20_000, b'w'));
        sleep(Duration::from_secs(1)).await;
        assert_eq!(log.unwritten_bytes(), 0, "somebody still writes tails");
        broker.stop().await;
    });
}

#[test]
fn a_clock_that_is_set_a_day_off_deletes_nothing_until_it_has_kept_steady() {
    const HOUR: Duration = Duration::from_secs(3600);
    let (world, machine) = world(82);
    let broker = Rc::new(std::cell::RefCell::new(None));
    let opened = Rc::clone(&broker);
    world.block_on(machine, async move {
        let config = LogConfig { retention_check_interval_ms: 60_000, ..small_config() };
        let broker = start(config).await;
        let log = broker.log(0).await;
        let twelve_hours = 12 * 3_600_000;
        log.set_config(with(|config| config.retention_ms = twelve_hours));
        three_segments(&broker, &log, crate::rt::wall_clock().0).await;
        *opened.borrow_mut() = Some((broker, log));
    });
    let start_at = || broker.borrow().as_ref().map(|(_, log): &(Broker, Rc<PartitionLog>)| log.log_start().0);
    world.run_for(HOUR);
    for day_ms in [86_400_000, -86_400_000, -86_400_000, 86_400_000] {
        world.move_wall_clock(machine, day_ms);
        world.run_for(HOUR / 2);
        assert_eq!(start_at(), Some(0), "half an hour after the clock moved by {day_ms} ms");
    }
    world.run_for(HOUR * 2);
    assert_eq!(start_at(), Some(0), "the clock is right again");
    world.move_wall_clock(machine, 86_400_000);
    world.run_for(HOUR * 2);
    assert_eq!(start_at(), Some(20), "it stayed a day ahead, so that is the time now");
}
