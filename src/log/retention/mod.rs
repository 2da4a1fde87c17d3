//! Retention: the log start offset moves up past segments that have had their time, and what lies wholly below it leaves the disk.
//!
//! One task for each shard's part of a log directory looks at its partitions every `log.retention.check.interval.ms`; configs are those of
//! the moment. Decisions are `rules.rs`'s (pure). For each partition: roll the active segment if it is due as a whole, flush, move the log
//! start offset (durable in the journal), then take the segments below it out of the list. A crash between any two steps leaves
//! a log that is whole, and the next look goes on.

mod clock;
mod partition;
mod rules;

use super::dir::LogDir;
use super::tasks::for_each;
use super::{LogStore, PartitionLog};
use crate::rt::{self, Queue};
use clock::RetentionClock;
use std::rc::{Rc, Weak};
use std::time::Duration;

/// Kafka's `log.initial.task.delay.ms`: a start has better things to do.
const FIRST_CHECK_MAX: Duration = Duration::from_secs(30);
/// Partitions worked on side by side: deletions wait for the journal and for the blocking pool, not for the core.
const PARTITIONS_AT_ONCE: u64 = 4;
/// How often a waiting task looks whether its store has closed.
const NAP_MAX: Duration = Duration::from_secs(5);

/// Looks at the directory's partitions again and again until the store closes.
pub async fn run(store: Weak<LogStore>, dir: Rc<LogDir>) {
    let interval = Duration::from_millis(dir.config.retention_check_interval_ms.max(1) as u64);
    let mut clock = RetentionClock::new(rt::now(), rt::wall_clock());
    let mut next = rt::now() + interval.min(FIRST_CHECK_MAX);
    loop {
        rt::sleep((next - rt::now()).min(NAP_MAX)).await;
        let Some(store) = store.upgrade().filter(|store| !store.is_closing()) else { return };
        if dir.health.is_offline() {
            return;
        }
        let now = clock.look(rt::now(), rt::wall_clock());
        if rt::now() < next {
            continue;
        }
        next = rt::now() + interval;
        let logs: Vec<Rc<PartitionLog>> = store.partitions().into_iter().filter(|log| Rc::ptr_eq(log.dir(), &dir)).collect();
        drop(store);
        for_each(Queue::Background, logs, PARTITIONS_AT_ONCE, move |log| async move {
            // What fails took the directory offline, or the partition was deleted.
            let _ = log.retain(now).await;
        })
        .await;
    }
}
