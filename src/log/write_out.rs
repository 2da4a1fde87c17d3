//! Bringing the tails of many partitions into durable segments without holding up acks: some partitions at a time, those with the oldest
//! journal frames first, each lot synced before the next is written.
//!
//! All at once would be a burst of small writes and metadata as long as there are partitions, and the journal's writes would wait behind it in
//! the device's queue. Lots are spread over what the journal still has room for, so they come no faster than they must.
//! Runs on the shard that owns the partitions.

use super::dir::LogDir;
use super::journal::Journal;
use super::tasks::for_each;
use super::{LogStore, PartitionLog, maintenance};
use crate::rt::{self, Queue};
use std::rc::Rc;
use std::time::Duration;

const FLUSHES_AT_ONCE: u64 = 8;
/// From so many files on, one sync of the file system is cheaper than one for each.
const SINGLE_SYNCS_MAX: usize = 16;
/// A lot is so many times larger where the journal is short of room: it is over sooner.
const URGENT_LOT: usize = 16;
/// Between two lots that nobody waits for.
const IDLE_PAUSE: Duration = Duration::from_millis(50);
/// The longest pause, however slowly the journal fills.
const PAUSE_MAX: Duration = Duration::from_secs(1);
const PAUSE_STEP: Duration = Duration::from_millis(5);

/// How fast it has to be.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Pace {
    /// Before the journal runs out of the room that it has left.
    Journal,
    /// There is time.
    Idle,
}

/// Makes all that these partitions have durable in segments, and writes the checkpoints. Without effect once the store closes, which does
/// the same at once.
pub async fn write_out(store: &LogStore, dir: &Rc<LogDir>, mut logs: Vec<Rc<PartitionLog>>, pace: Pace) {
    let lot = dir.config.write_out_lot.max(1);
    if logs.len() <= SINGLE_SYNCS_MAX.min(lot) {
        write(logs, true).await;
    } else {
        logs.sort_by_key(|log| log.held_frame());
        let mut left = &logs[..];
        while !left.is_empty() && !is_over(store, dir) {
            let size = if dir.is_short_of_journal() { lot * URGENT_LOT } else { lot };
            let (next, rest) = left.split_at(size.min(left.len()));
            let began = dir.journal.as_ref().map_or(0, |journal| journal.bytes_written.get());
            write(next.to_vec(), false).await;
            maintenance::sync_together(dir, next).await;
            left = rest;
            match &dir.journal {
                Some(journal) if !left.is_empty() => pause(store, dir, journal, pace, (began, left.len().div_ceil(lot) as u64)).await,
                _ => {}
            }
        }
    }
    if !is_over(store, dir) {
        maintenance::write_checkpoints(store, dir).await;
    }
}

fn is_over(store: &LogStore, dir: &LogDir) -> bool {
    store.is_closing() || dir.health.is_offline()
}

async fn write(logs: Vec<Rc<PartitionLog>>, sync: bool) {
    for_each(Queue::Flush, logs, FLUSHES_AT_ONCE, move |log| async move {
        // What fails took the directory offline, or stays in the journal until there is space.
        let _ = log.flush(sync).await;
    })
    .await;
}

/// Until the journal has written this lot's share since it had written `began` bytes.
async fn pause(store: &LogStore, dir: &LogDir, journal: &Journal, pace: Pace, (began, lots_left): (u64, u64)) {
    if pace == Pace::Idle {
        if !dir.is_short_of_journal() {
            rt::sleep(IDLE_PAUSE).await;
        }
        return;
    }
    let until = rt::now() + PAUSE_MAX;
    while rt::now() < until && !is_over(store, dir) {
        let share = journal.spare_bytes() / 2 / lots_left;
        if journal.bytes_written.get() - began >= share {
            return;
        }
        rt::sleep(PAUSE_STEP).await;
    }
}
