//! What a log does while nothing goes wrong.

use super::*;
use crate::log::{AppendError, ReadError, TimestampType};
use crate::rt::fs;
use crate::types::{ErrorCode, ProducerEpoch, ProducerId};
use std::path::Path;

#[test]
fn an_append_is_read_back_from_memory_once_it_is_durable() {
    let (world, machine) = world(1);
    world.block_on(machine, async {
        let broker = start(small_config()).await;
        let log = broker.log(0).await;
        let end = append(&log, &batch(100, 3, 10, b'a'));
        assert_eq!((end, log.log_end(), log.high_watermark()), (Offset(3), Offset(3), Offset(0)));
        assert!(log.read(Offset(0), 1000, true, log.high_watermark()).await.unwrap().parts.is_empty(), "not yet durable");
        log.wait_durable(end).await.unwrap();
        assert_eq!(log.high_watermark(), Offset(3));
        let fetched = log.read(Offset(1), 1, true, log.high_watermark()).await.unwrap();
        assert!(matches!(fetched.parts[..], [Slice::Memory(_)]), "the whole batch that holds the offset");
        assert!(log.read(Offset(1), 1, false, log.high_watermark()).await.unwrap().parts.is_empty());
        assert_eq!(log.read(Offset(4), 1, true, Offset(9)).await.err(), Some(ReadError::OutOfRange));
        assert_eq!(log.leader_epoch_at(Offset(0)), LeaderEpoch(3));
        broker.stop().await;
    });
}

#[test]
fn a_log_of_many_segments_is_read_from_files_and_memory_before_and_after_a_clean_stop() {
    let (world, machine) = world(2);
    world.block_on(machine, async {
        let broker = start(small_config()).await;
        let log = broker.log(0).await;
        let mut written = Vec::new();
        for n in 0..400 {
            broker.store.room(2000).await;
            let end = append(&log, &batch(1000 * n, 1 + n as usize % 4, 300 + n as usize, n as u8));
            written.push(end);
        }
        let end = *written.last().unwrap();
        log.wait_durable(end).await.unwrap();
        let read = read_all(&log, Offset(0), 5000).await;
        assert_eq!(read.iter().map(|batch| batch.next_offset()).collect::<Vec<_>>(), written);
        assert!(broker.store.stats().tail_cached_bytes <= 256 << 10);
        let size = log.size_bytes();
        broker.stop().await;

        let broker = start(small_config()).await;
        assert_eq!(broker.recovered.frames, 0, "a clean stop leaves nothing to replay");
        let log = broker.log(0).await;
        assert_eq!((log.log_end(), log.high_watermark(), log.size_bytes()), (end, end, size));
        for max_bytes in [1, 3000, 1 << 20] {
            let read = read_all(&log, Offset(0), max_bytes).await;
            assert_eq!(read.iter().map(|batch| batch.next_offset()).collect::<Vec<_>>(), written);
        }
        let after = append(&log, &batch(9_000_000, 1, 10, b'z'));
        log.wait_durable(after).await.unwrap();
        assert_eq!(read_all(&log, end, 100).await.len(), 1);
        broker.stop().await;
    });
}

#[test]
fn after_a_clean_stop_the_directory_is_what_kafka_leaves() {
    let (world, machine) = world(3);
    world.block_on(machine, async {
        let broker = start(small_config()).await;
        let log = broker.log(7).await;
        let mut bytes = 0;
        for n in 0..100 {
            let records = batch(n, 1, 900, b'x');
            bytes += records.len() as u64;
            append(&log, &records);
        }
        broker.stop().await;
        let listing = fs::list_dir(Path::new("/data/orders-7")).await.unwrap();
        let logs: Vec<_> = listing.iter().filter(|entry| entry.name.ends_with(".log")).collect();
        assert_eq!(logs.iter().map(|entry| entry.len).sum::<u64>(), bytes, "no padding");
        assert_eq!(logs[0].name, "00000000000000000000.log");
        assert_eq!(logs.len(), 2);
        for log in &logs {
            let index = log.name.replace(".log", ".index");
            assert!(listing.iter().any(|entry| entry.name == index && entry.len > 0), "{index}");
        }
        for name in ["leader-epoch-checkpoint", "partition.metadata", "00000000000000000100.snapshot"] {
            assert!(listing.iter().any(|entry| entry.name == name), "{name}");
        }
        let root = fs::list_dir(Path::new("/data")).await.unwrap();
        for name in ["meta.properties", "recovery-point-offset-checkpoint", "replication-offset-checkpoint", ".kafka_cleanshutdown"] {
            assert!(root.iter().any(|entry| entry.name == name), "{name}");
        }
        let recovery = fs::read_file(Path::new("/data/recovery-point-offset-checkpoint"), 100).await.unwrap();
        assert_eq!(&recovery[..], b"0\n1\norders 7 100\n");
        assert!(root.iter().filter(|entry| entry.is_dir).all(|entry| entry.name == "orders-7"), "no foreign directory");
    });
}

#[test]
fn duplicates_are_answered_with_their_first_offsets_also_after_a_restart() {
    let (world, machine) = world(4);
    world.block_on(machine, async {
        let from = |sequence| {
            let mut builder = BatchBuilder::default().producer(ProducerId(5), ProducerEpoch(0), sequence);
            builder.push(crate::rt::wall_clock(), None, Some(b"v"), &[]);
            builder.finish().into_bytes()
        };
        let broker = start(small_config()).await;
        let log = broker.log(0).await;
        append(&log, &from(0));
        append(&log, &from(1));
        let again = log.append(&from(0), LeaderEpoch(3), Timestamp(1)).unwrap();
        assert_eq!((again.duplicate, again.first_offset, log.log_end()), (true, Offset(0), Offset(2)));
        let skipped = log.append(&from(5), LeaderEpoch(3), Timestamp(1));
        assert_eq!(skipped, Err(AppendError::Rejected(ErrorCode::OutOfOrderSequenceNumber)));
        broker.stop().await;

        let broker = start(small_config()).await;
        let log = broker.log(0).await;
        let again = log.append(&from(1), LeaderEpoch(3), Timestamp(1)).unwrap();
        assert_eq!((again.duplicate, again.first_offset), (true, Offset(1)));
        assert_eq!(append(&log, &from(2)), Offset(3));
        broker.stop().await;
    });
}

#[test]
fn offsets_are_found_by_time_in_files_and_in_memory() {
    let (world, machine) = world(5);
    world.block_on(machine, async {
        let broker = start(small_config()).await;
        let log = broker.log(0).await;
        // Two records a batch, at 1000 n and 1000 n + 1; offsets 2 n and 2 n + 1.
        for n in 0..300 {
            broker.store.room(2000).await;
            append(&log, &batch(1000 * n, 2, 400, n as u8));
        }
        log.wait_durable(Offset(600)).await.unwrap();
        for _ in 0..2 {
            let log = broker.log(0).await;
            for n in [0, 1, 17, 120, 299] {
                let found = log.offset_for_timestamp(Timestamp(1000 * n)).await.unwrap().unwrap();
                assert_eq!((found.offset, found.timestamp, found.leader_epoch), (Offset(2 * n), Timestamp(1000 * n), LeaderEpoch(3)));
                let found = log.offset_for_timestamp(Timestamp(1000 * n + 1)).await.unwrap().unwrap();
                assert_eq!((found.offset, found.timestamp), (Offset(2 * n + 1), Timestamp(1000 * n + 1)));
            }
            assert_eq!(log.offset_for_timestamp(Timestamp(300_000)).await.unwrap(), None);
            let max = log.max_timestamp_offset().await.unwrap().unwrap();
            assert_eq!((max.offset, max.timestamp), (Offset(599), Timestamp(299_001)));
        }
        broker.stop().await;

        let broker = start(small_config()).await;
        let log = broker.log(0).await;
        let found = log.offset_for_timestamp(Timestamp(150_001)).await.unwrap().unwrap();
        assert_eq!(found.offset, Offset(301));
        assert_eq!(log.max_timestamp_offset().await.unwrap().unwrap().offset, Offset(599));
        broker.stop().await;
    });
}

#[test]
fn log_append_time_is_stamped_and_the_crc_still_holds() {
    let (world, machine) = world(6);
    world.block_on(machine, async {
        let broker = start(small_config()).await;
        let log = broker.log(0).await;
        log.set_config(Rc::new(TopicLogConfig { message_timestamp_type: TimestampType::LogAppendTime, ..(*small_topic()).clone() }));
        let appended = log.append(&batch(5, 2, 10, b'a'), LeaderEpoch(3), Timestamp(777)).unwrap();
        assert_eq!(appended.log_append_time, Timestamp(777));
        log.wait_durable(Offset(2)).await.unwrap();
        let read = read_all(&log, Offset(0), 1000).await;
        assert_eq!(read[0].max_timestamp, Timestamp(777));
        broker.stop().await;
    });
}

#[test]
fn a_batch_larger_than_a_journal_file_goes_straight_to_its_segment_in_order() {
    let (world, machine) = world(7);
    world.block_on(machine, async {
        let broker = start(small_config()).await;
        let log = broker.log(0).await;
        log.set_config(Rc::new(TopicLogConfig { segment_bytes: 1 << 30, ..(*small_topic()).clone() }));
        append(&log, &batch(1, 1, 10, b'a'));
        append(&log, &batch(2, 1, 200_000, b'b'));
        let end = append(&log, &batch(3, 1, 10, b'c'));
        log.wait_durable(end).await.unwrap();
        assert_eq!(read_all(&log, Offset(0), 1000).await.len(), 3);
    });
    world.crash(machine);
    world.block_on(machine, async {
        let broker = start(small_config()).await;
        let log = broker.log(0).await;
        assert_eq!(log.log_end(), Offset(3));
        assert_eq!(read_all(&log, Offset(0), 1000).await.len(), 3);
        broker.stop().await;
    });
}

#[test]
fn a_relaxed_topic_serves_what_is_in_memory() {
    let (world, machine) = world(8);
    world.block_on(machine, async {
        let broker = start(small_config()).await;
        let log = broker.log(0).await;
        log.set_config(Rc::new(TopicLogConfig { flush_messages: 1000, ..(*small_topic()).clone() }));
        let end = append(&log, &batch(1, 1, 10, b'a'));
        assert_eq!(log.high_watermark(), end);
        log.wait_durable(end).await.unwrap();
        broker.stop().await;
    });
}

#[test]
fn a_deleted_partition_is_gone_and_its_name_can_be_used_again() {
    let (world, machine) = world(9);
    world.block_on(machine, async {
        let broker = start(small_config()).await;
        let log = broker.log(0).await;
        let end = append(&log, &batch(1, 1, 10, b'a'));
        log.wait_durable(end).await.unwrap();
        broker.store.delete_partition(topic_id(), TOPIC, PartitionIndex(0)).await.unwrap();
        assert_eq!(log.append(&batch(1, 1, 10, b'a'), LeaderEpoch(3), Timestamp(1)), Err(AppendError::Storage));
        assert_eq!(log.wait_durable(Offset(9)).await, Err(ErrorCode::KafkaStorageError));
        let again = broker.store.open_partition(TopicId([8; 16]), TOPIC, PartitionIndex(0), small_topic()).await.unwrap();
        assert_eq!(again.log_end(), Offset(0));
        let end = append(&again, &batch(1, 1, 10, b'n'));
        again.wait_durable(end).await.unwrap();
    });
    world.crash(machine);
    world.block_on(machine, async {
        let broker = start(small_config()).await;
        let again = broker.store.open_partition(TopicId([8; 16]), TOPIC, PartitionIndex(0), small_topic()).await.unwrap();
        assert_eq!(again.log_end(), Offset(1), "replay does not mix the two");
        broker.stop().await;
    });
}

#[test]
fn the_log_start_offset_survives_a_crash() {
    let (world, machine) = world(10);
    world.block_on(machine, async {
        let broker = start(small_config()).await;
        let log = broker.log(0).await;
        for n in 0..20 {
            append(&log, &batch(n, 1, 10, b'a'));
        }
        log.wait_durable(Offset(20)).await.unwrap();
        assert_eq!(log.set_log_start(Offset(21)).await, Err(ErrorCode::OffsetOutOfRange));
        log.set_log_start(Offset(12)).await.unwrap();
    });
    for _ in 0..2 {
        world.crash(machine);
        world.block_on(machine, async {
            let broker = start(small_config()).await;
            let log = broker.log(0).await;
            assert_eq!((log.log_start(), log.log_end()), (Offset(12), Offset(20)));
            assert_eq!(log.read(Offset(11), 10, true, Offset(20)).await.err(), Some(ReadError::OutOfRange));
        });
    }
}
