//! The shard's budget of memory under partitions that the disk holds up.

use super::*;
use crate::rt::{self, Queue};
use std::cell::Cell;
use std::time::Duration;

#[test]
fn the_cache_gives_way_while_the_oldest_batch_waits_for_the_disk() {
    let (world, machine) = world(1);
    world.block_on(machine, async {
        let broker = start(small_config()).await;
        let (held_up, busy) = (broker.log(0).await, broker.log(1).await);
        let lock = held_up.lock_segments().await.expect("the lock");
        append(&held_up, &batch(0, 1, 2_000, 1));
        for n in 0..60 {
            append(&busy, &batch(n, 10, 1_000, 2));
            busy.flush(false).await.expect("a flush");
            let stats = broker.store.stats();
            assert!(stats.tail_unwritten_bytes + stats.tail_cached_bytes <= 256 << 10, "{stats:?}");
        }
        assert!(broker.store.stats().tail_cached_bytes > 128 << 10, "what is left of it is used");
        drop(lock);
        broker.stop().await;
    });
}

#[test]
fn tails_leave_alone_what_requests_may_take_at_any_time() {
    let (world, machine) = world(2);
    world.block_on(machine, async {
        let broker = start(small_config()).await;
        let log = broker.log(0).await;
        broker.store.memory().expect_reservations(200 << 10);
        let lock = log.lock_segments().await.expect("the lock");
        append(&log, &batch(0, 45, 1_000, 1));
        let (store, appended) = (Rc::clone(&broker.store), Rc::new(Cell::new(false)));
        let noting = Rc::clone(&appended);
        rt::spawn(Queue::Foreground, async move {
            store.room(20_000).await;
            noting.set(true);
        });
        rt::sleep(Duration::from_secs(1)).await;
        assert!(!appended.get(), "56 KiB are for tails, and 45 are taken");
        let requests = broker.store.memory().reserve(200 << 10);
        let stats = broker.store.stats();
        assert!(stats.tail_unwritten_bytes + requests.bytes() <= 256 << 10, "{stats:?}");
        drop(lock);
        log.flush(false).await.expect("a flush");
        rt::sleep(Duration::from_secs(1)).await;
        assert!(appended.get(), "it goes on when the tail is written");
        drop(requests);
        broker.stop().await;
    });
}
