//! Damage is told from a torn tail, named with file and place, and nothing is cut.

use super::*;
use crate::log::OpenError;
use crate::rt::{AlignedBuffer, File, OpenOptions, fs};
use std::path::Path;

async fn flip(path: &Path, offset: u64) {
    let file = File::open(path, OpenOptions { write: true, ..OpenOptions::default() }).await.unwrap();
    let mut bytes = file.read_at(offset, 1).await.unwrap().to_vec();
    bytes[0] ^= 0x55;
    let mut buffer = AlignedBuffer::with_capacity(1);
    buffer.extend_from_slice(&bytes);
    file.write_at(offset, buffer).await.unwrap();
    file.sync().await.unwrap();
}

async fn fill(broker: &Broker, partition: i32, count: i64) -> Offset {
    let log = broker.log(partition).await;
    let mut end = Offset(0);
    for n in 0..count {
        broker.store.room(1000).await;
        end = append(&log, &batch(n, 1, 500, n as u8));
        log.wait_durable(end).await.unwrap();
    }
    end
}

#[test]
fn a_flipped_byte_in_durable_segment_data_keeps_only_that_partition_offline() {
    let (world, machine) = world(20);
    let log_path = Path::new("/data/orders-0/00000000000000000000.log");
    world.block_on(machine, async {
        let broker = start(small_config()).await;
        // Enough for the ring to have gone round: what is damaged is in no journal any more.
        fill(&broker, 1, 30).await;
        fill(&broker, 0, 60).await;
        fill(&broker, 2, 600).await;
    });
    world.crash(machine);
    world.block_on(machine, async move {
        flip(log_path, 700).await;
        let size = fs::list_dir(Path::new("/data/orders-0")).await.unwrap().iter().find(|e| e.name.ends_with(".log")).unwrap().len;
        for _ in 0..2 {
            let broker = start(small_config()).await;
            let opened = broker.store.open_partition(topic_id(), TOPIC, PartitionIndex(0), small_topic()).await;
            let Err(OpenError::Damaged(_, why)) = opened else { panic!("damage is not seen") };
            assert!(why.contains("00000000000000000000.log at position 5"), "{why}");
            assert_eq!(broker.log(1).await.log_end(), Offset(30), "others are not touched");
            let now = fs::list_dir(Path::new("/data/orders-0")).await.unwrap().iter().find(|e| e.name.ends_with(".log")).unwrap().len;
            assert_eq!(now, size, "nothing is cut");
            broker.stop().await;
        }
    });
}

#[test]
fn a_lost_journal_frame_keeps_its_partition_offline_and_the_others_whole() {
    let (world, machine) = world(21);
    world.block_on(machine, async {
        let broker = start(small_config()).await;
        // Few enough that no checkpoint brings them into segments.
        for n in 0..6 {
            for partition in 0..2 {
                let log = broker.log(partition).await;
                let end = append(&log, &batch(n, 1, 500, n as u8));
                log.wait_durable(end).await.unwrap();
            }
        }
    });
    world.crash(machine);
    world.block_on(machine, async {
        // Frames are one block each: frame 8 is partition 0's fifth append.
        flip(Path::new("/data/ringmill-journal-0-0"), 8 * 4096 + 300).await;
        let broker = start(small_config()).await;
        assert_eq!(broker.recovered.damaged.len(), 1, "{:?}", broker.recovered);
        let opened = broker.store.open_partition(topic_id(), TOPIC, PartitionIndex(0), small_topic()).await;
        assert!(matches!(opened, Err(OpenError::Damaged(..))));
        assert_eq!(broker.log(1).await.log_end(), Offset(6));
        let kept = fs::list_dir(Path::new("/data")).await.unwrap();
        assert!(kept.iter().any(|entry| entry.name.starts_with("ringmill-damaged-")), "the journal is kept aside");
        broker.stop().await;
    });
}

#[test]
fn missing_and_wrong_indexes_do_not_matter() {
    let (world, machine) = world(22);
    world.block_on(machine, async {
        let broker = start(small_config()).await;
        fill(&broker, 0, 300).await;
        broker.stop().await;
        let dir = Path::new("/data/orders-0");
        let listing = fs::list_dir(dir).await.unwrap();
        for (n, entry) in listing.iter().filter(|entry| entry.name.ends_with("index")).enumerate() {
            match n % 3 {
                0 => fs::remove_file(&dir.join(&entry.name)).await.unwrap(),
                1 => fs::write_file(&dir.join(&entry.name), &[0x7f; 48]).await.unwrap(),
                _ => {}
            }
        }
        let broker = start(small_config()).await;
        let log = broker.log(0).await;
        assert_eq!(log.log_end(), Offset(300));
        assert_eq!(read_all(&log, Offset(0), 2000).await.len(), 300);
        assert_eq!(log.offset_for_timestamp(Timestamp(250)).await.unwrap().unwrap().offset, Offset(250));
        broker.stop().await;
    });
}

#[test]
fn foreign_and_locked_directories_are_refused_with_a_reason() {
    let (world, machine) = world(23);
    world.block_on(machine, async {
        let broker = start(small_config()).await;
        let Err(OpenError::Locked(_)) = LogDirs::open(&small_config()).await else { panic!("the directory is in use") };
        broker.stop().await;
        let other_node = LogConfig { node_id: NodeId(2), ..small_config() };
        let Err(error) = LogDirs::open(&other_node).await else { panic!("another node's directory") };
        assert_eq!(error.to_string(), "/data: the log directory belongs to node 1, but node.id is 2");
        let other_cluster = LogConfig { cluster_id: Some("AAAAAAAAAAAAAAAAAAAAAA".into()), ..small_config() };
        let Err(OpenError::Foreign(_, why)) = LogDirs::open(&other_cluster).await else { panic!("another cluster's directory") };
        assert!(why.contains("belongs to cluster"), "{why}");
    });
}
