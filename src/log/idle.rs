//! Idle tails: what nobody writes to any more goes to its segment, so that it does not stay in the journal until a stop.
//!
//! One task for each shard's part of a log directory looks at all partitions with something unwritten, every `idle_check_interval_ms`, and
//! needs no clock of theirs: a log end that is where it was at the last look is idle. One that is always written to is written out every
//! [`LOOKS_MAX`] looks, if the ring has not asked for it long before.

use super::dir::LogDir;
use super::write_out::{Pace, write_out};
use super::{LogStore, PartitionLog};
use crate::rt;
use crate::types::{Offset, TopicPartitionId};
use std::collections::BTreeMap;
use std::rc::{Rc, Weak};
use std::time::Duration;

/// Looks after which also a busy partition's tail is written: ten minutes' worth.
const LOOKS_MAX: u32 = 20;
/// How often a waiting task looks whether its store has closed.
const NAP_MAX: Duration = Duration::from_secs(5);

/// What the last look saw of a partition.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Seen {
    log_end: Offset,
    looks: u32,
}

/// Looks at the directory's partitions again and again until the store closes.
pub async fn run(store: Weak<LogStore>, dir: Rc<LogDir>) {
    let interval = Duration::from_millis(dir.config.idle_check_interval_ms.max(1) as u64);
    let mut seen = BTreeMap::new();
    let mut next = rt::now() + interval;
    loop {
        rt::sleep((next - rt::now()).min(NAP_MAX)).await;
        let Some(store) = store.upgrade().filter(|store| !store.is_closing()) else { return };
        if dir.health.is_offline() {
            return;
        }
        if rt::now() < next {
            continue;
        }
        next = rt::now() + interval;
        let idle = look(&dir, &mut seen);
        if !idle.is_empty() && !dir.health.is_full() {
            write_out(&store, &dir, idle, Pace::Idle).await;
        }
    }
}

/// The partitions to write out now. What is not dirty any more is forgotten.
fn look(dir: &LogDir, seen: &mut BTreeMap<TopicPartitionId, Seen>) -> Vec<Rc<PartitionLog>> {
    let before = std::mem::take(seen);
    let mut idle = Vec::new();
    for (id, log) in dir.dirty.borrow().iter() {
        match next_seen(before.get(id), log.log_end()) {
            Some(now) => drop(seen.insert(*id, now)),
            None => idle.push(Rc::clone(log)),
        }
    }
    idle
}

/// What to remember; `None`: it is time to write it out.
fn next_seen(before: Option<&Seen>, log_end: Offset) -> Option<Seen> {
    match before {
        None => Some(Seen { log_end, looks: 1 }),
        Some(before) if before.log_end == log_end || before.looks >= LOOKS_MAX => None,
        Some(before) => Some(Seen { log_end, looks: before.looks + 1 }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tail_is_idle_at_the_second_look_that_finds_it_unchanged() {
        let first = next_seen(None, Offset(7)).unwrap();
        assert_eq!(next_seen(Some(&first), Offset(7)), None);
        let second = next_seen(Some(&first), Offset(8)).unwrap();
        assert_eq!(next_seen(Some(&second), Offset(8)), None);
    }

    #[test]
    fn a_busy_tail_is_written_out_now_and_then() {
        let mut seen = next_seen(None, Offset(0));
        let mut looks = 1;
        while let Some(before) = seen {
            seen = next_seen(Some(&before), Offset(i64::from(looks)));
            looks += 1;
        }
        assert_eq!(looks, LOOKS_MAX + 1);
    }
}
