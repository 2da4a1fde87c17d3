//! Many partitions with a little each: a longer journal first, then lots that are spread over its room.

use super::*;
use crate::rt;
use std::time::Duration;

const PARTITIONS: i32 = 20;
/// One batch for each frame of the journal, which is a block.
const FRAMES_PER_FILE: usize = 16;

async fn logs(broker: &Broker) -> Vec<Rc<PartitionLog>> {
    let mut logs = Vec::new();
    for partition in 0..PARTITIONS {
        logs.push(broker.log(partition).await);
    }
    logs
}

/// A batch to each partition in turn, so many in all, each durable before the next.
async fn append_frames(logs: &[Rc<PartitionLog>], begin: usize, count: usize) {
    for n in begin..begin + count {
        let log = &logs[n % logs.len()];
        let end = append(log, &batch(n as i64, 1, 100, n as u8));
        log.wait_durable(end).await.expect("an ack");
    }
}

fn synced(logs: &[Rc<PartitionLog>]) -> Vec<usize> {
    (0..logs.len()).filter(|&n| logs[n].synced_end() > Offset(0)).collect()
}

#[test]
fn many_small_tails_make_the_journal_longer_before_they_are_written_out() {
    let (world, machine) = world(31);
    world.block_on(machine, async {
        let broker = start(small_config()).await;
        let logs = logs(&broker).await;
        assert_eq!(broker.store.stats().journal_size_bytes, 128 << 10);
        append_frames(&logs, 0, FRAMES_PER_FILE + 4).await;
        rt::sleep(Duration::from_millis(200)).await;
        assert_eq!(broker.store.stats().journal_size_bytes, 192 << 10, "a file for the one that was filled");
        assert_eq!(synced(&logs), [], "there was no need");
        append_frames(&logs, FRAMES_PER_FILE + 4, 10 * FRAMES_PER_FILE).await;
        assert_eq!(broker.store.stats().journal_size_bytes, 256 << 10, "as long as it may be");
        assert_eq!(synced(&logs).len(), logs.len(), "then they are written out");
        broker.stop().await;

        let broker = start(small_config()).await;
        let mut found = 0;
        for partition in 0..PARTITIONS {
            found += read_all(&*broker.log(partition).await, Offset(0), 1000).await.len();
        }
        assert_eq!(found, 11 * FRAMES_PER_FILE + 4);
        broker.stop().await;
    });
}

#[test]
fn tails_are_written_out_lot_by_lot_the_oldest_first_as_the_journal_fills() {
    let (world, machine) = world(32);
    world.block_on(machine, async {
        let config = LogConfig { journal_bytes_initial: 1 << 20, journal_bytes_max: 1 << 20, write_out_lot: 2, ..small_config() };
        let broker = start(config).await;
        let logs = logs(&broker).await;
        // Nine files of sixteen.
        append_frames(&logs, 0, 8 * FRAMES_PER_FILE + 4).await;
        rt::sleep(Duration::from_millis(100)).await;
        assert_eq!(synced(&logs), [0, 1], "one lot, then a pause");
        // Nine lots in half of what seven files take.
        append_frames(&logs, 8 * FRAMES_PER_FILE + 4, FRAMES_PER_FILE / 2).await;
        rt::sleep(Duration::from_millis(100)).await;
        assert_eq!(synced(&logs), [0, 1, 2, 3]);
        for n in 0..6 * FRAMES_PER_FILE {
            append_frames(&logs, 8 * FRAMES_PER_FILE + 4 + FRAMES_PER_FILE / 2 + n, 1).await;
            rt::sleep(Duration::from_millis(10)).await;
        }
        assert_eq!(synced(&logs).len(), logs.len());
        broker.stop().await;
    });
}

#[test]
fn a_journal_that_nobody_writes_to_is_freed_all_the_same_and_a_stop_does_not_wait_for_it() {
    let (world, machine) = world(33);
    world.block_on(machine, async {
        let config = LogConfig { journal_bytes_initial: 1 << 20, journal_bytes_max: 1 << 20, write_out_lot: 2, ..small_config() };
        let broker = start(config.clone()).await;
        append_frames(&logs(&broker).await, 0, 8 * FRAMES_PER_FILE + 4).await;
        rt::sleep(Duration::from_secs(30)).await;
        assert_eq!(synced(&logs(&broker).await).len(), PARTITIONS as usize);
        append_frames(&logs(&broker).await, 0, 16 * FRAMES_PER_FILE).await;
        let began = rt::now();
        broker.stop().await;
        assert!(rt::now() - began < Duration::from_millis(500), "virtual time: {:?}", rt::now() - began);
    });
}
