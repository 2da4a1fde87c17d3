//! Segments leave the list: readers keep what they have, files go later, a start clears what is left.

use super::*;
use crate::log::segment::SegmentId;
use crate::rt::{fs, sleep};
use std::path::Path;
use std::time::Duration;

async fn names(partition: i32) -> Vec<String> {
    let dir = PathBuf::from(format!("/data/{TOPIC}-{partition}"));
    fs::list_dir(&dir).await.unwrap().into_iter().map(|entry| entry.name).collect()
}

fn count(names: &[String], suffix: &str) -> usize {
    names.iter().filter(|name| name.ends_with(suffix)).count()
}

/// About 100 batches of one record in segments of 48 KiB, all in segments.
async fn filled(broker: &Broker) -> Rc<PartitionLog> {
    let log = broker.log(0).await;
    for n in 0..100 {
        broker.store.room(3000).await;
        append(&log, &batch(1000 * n, 1, 2000, n as u8));
    }
    log.wait_durable(Offset(100)).await.unwrap();
    log.flush(true).await.unwrap();
    log
}

fn first_segments(log: &PartitionLog, count: usize) -> Vec<SegmentId> {
    log.segment_list()[..count].iter().map(|segment| segment.id).collect()
}

#[test]
fn a_reader_of_a_segment_that_is_removed_reads_on_while_its_file_goes() {
    let (world, machine) = world(30);
    world.block_on(machine, async {
        let broker = start(small_config()).await;
        let log = filled(&broker).await;
        log.set_config(Rc::new(TopicLogConfig { file_delete_delay_ms: 1_000, ..(*small_topic()).clone() }));
        // The cache is smaller than the log, so the first batches are in files alone.
        log.evict(Offset(90), u64::MAX);
        let fetched = log.read(Offset(0), 1 << 20, true, Offset(100)).await.unwrap();
        assert!(matches!(fetched.parts[..], [Slice::File { .. }]));
        let removed = first_segments(&log, 2);
        let next = log.segment_list()[2].base;
        let size = log.size_bytes();

        log.set_log_start(next).await.unwrap();
        let lock = log.lock_segments().await.unwrap();
        log.remove_segments(&lock, &removed).await.unwrap();
        drop(lock);
        assert!(log.size_bytes() < size);
        assert_eq!((count(&names(0).await, ".log.deleted"), count(&names(0).await, ".index.deleted")), (2, 2));
        assert!(log.read(Offset(0), 1, true, Offset(100)).await.is_err());
        assert_eq!(read_all(&log, next, 5000).await.len() as i64, 100 - next.0);

        sleep(Duration::from_secs(2)).await;
        assert_eq!(count(&names(0).await, ".deleted"), 0, "unlinked after the delay");
        let Slice::File { file, offset, len } = &fetched.parts[0] else { unreachable!() };
        let bytes = file.read_at(*offset, *len as usize).await.unwrap();
        assert!(batches(bytes).all(|batch| batch.unwrap().check_crc().is_ok()), "a slow reader still has the whole answer");
        broker.stop().await;
    });
}

#[test]
fn what_is_left_of_removed_segments_goes_at_the_next_start() {
    let (world, machine) = world(31);
    world.block_on(machine, async {
        let broker = start(small_config()).await;
        let log = filled(&broker).await;
        let removed = first_segments(&log, 2);
        log.set_log_start(log.segment_list()[2].base).await.unwrap();
        let lock = log.lock_segments().await.unwrap();
        log.remove_segments(&lock, &removed).await.unwrap();
        fs::sync_dir(Path::new("/data/orders-0")).await.unwrap();
        assert!(count(&names(0).await, ".deleted") > 2, "the delay is a minute");
    });
    world.crash(machine);
    world.block_on(machine, async {
        let broker = start(small_config()).await;
        let log = broker.log(0).await;
        sleep(Duration::from_secs(1)).await;
        assert_eq!(count(&names(0).await, ".deleted"), 0);
        assert_eq!(log.log_end(), Offset(100));
        assert_eq!(log.log_start(), log.segment_list()[0].base);
        assert_eq!(read_all(&log, log.log_start(), 5000).await.len() as i64, 100 - log.log_start().0);
        broker.stop().await;
    });
}

#[test]
fn a_read_that_meets_a_removal_looks_again() {
    for seed in 40..80 {
        let (world, machine) = world(seed);
        world.block_on(machine, async {
            let broker = start(small_config()).await;
            let log = filled(&broker).await;
            log.evict(Offset(60), u64::MAX);
            let removed = first_segments(&log, 1);
            let start = log.segment_list()[1].base;
            let reader = {
                let log = Rc::clone(&log);
                async move {
                    for n in 0..40 {
                        let at = Offset(n % start.0);
                        match log.read(at, 1000, true, Offset(100)).await {
                            Ok(fetched) => assert!(fetched.bytes > 0),
                            Err(error) => assert_eq!((error, log.log_start()), (crate::log::ReadError::OutOfRange, start)),
                        }
                        log.offset_for_timestamp(Timestamp(0)).await.unwrap();
                    }
                }
            };
            let (done, ended) = crate::rt::sync::oneshot();
            crate::rt::spawn(crate::rt::Queue::Foreground, async move {
                reader.await;
                done.send(());
            });
            crate::rt::sleep(Duration::from_micros(crate::rt::random_u64() % 2000)).await;
            log.set_log_start(start).await.unwrap();
            let lock = log.lock_segments().await.unwrap();
            log.remove_segments(&lock, &removed).await.unwrap();
            drop(lock);
            ended.await.unwrap();
            broker.stop().await;
        });
    }
}

#[test]
fn leader_epochs_of_a_log_that_begins_within_a_batch_are_not_made_anew() {
    let (world, machine) = world(36);
    world.block_on(machine, async {
        let broker = start(small_config()).await;
        let log = broker.log(0).await;
        for epoch in 3..6 {
            log.append(&batch(1000, 10, 50, 1), LeaderEpoch(epoch), Timestamp(1)).expect("an append");
        }
        log.wait_durable(Offset(30)).await.unwrap();
        log.set_log_start(Offset(15)).await.unwrap();
        broker.stop().await;
    });
    world.block_on(machine, async {
        let broker = start(small_config()).await;
        let log = broker.log(0).await;
        let checkpoint = log.path().join("leader-epoch-checkpoint");
        let written = fs::read_file(&checkpoint, 1 << 10).await.unwrap();
        assert_eq!(written, "0\n2\n4 15\n5 20\n");
        // Would come back if it were made anew.
        fs::remove_file(&checkpoint).await.unwrap();
        log.check_epochs().await;
        assert!(fs::read_file(&checkpoint, 1 << 10).await.is_err(), "it was right as it was");
        assert_eq!(log.end_offset_for_epoch(LeaderEpoch(4)).map(|end| end.end_offset), Some(Offset(20)));
    });
}
