//! What the broker does when log directories fail: every shard is told of each, and of all partitions that nobody can serve. When
//! the first directory fails, which has the cluster's metadata, or the metadata log itself, the process ends, as Apache Kafka's does.
//! On the controller's core.

use crate::log::DirFailure;
use crate::rt::sync::Event;
use crate::shard::calls::Calls;
use crate::shard::message::Request;
use crate::types::{ShardId, TopicPartitionId};
use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::rc::Rc;
use std::sync::Arc;

pub struct Failures {
    dirs: Vec<PathBuf>,
    failed: RefCell<BTreeMap<usize, DirFailure>>,
    /// By shard, as each said last.
    partitions: RefCell<BTreeMap<ShardId, Vec<TopicPartitionId>>>,
    changed: Event,
}

impl Failures {
    pub fn new(dirs: Vec<PathBuf>) -> Failures {
        Failures { dirs, failed: RefCell::default(), partitions: RefCell::default(), changed: Event::default() }
    }

    /// A shard says what it cannot serve.
    pub fn note(&self, shard: ShardId, dirs: Vec<DirFailure>, partitions: Vec<TopicPartitionId>) {
        for dir in dirs {
            self.failed.borrow_mut().entry(dir.index).or_insert(dir);
        }
        self.partitions.borrow_mut().insert(shard, partitions);
        self.changed.notify();
    }

    /// Tells all shards, again whenever something is new; for ever.
    pub async fn spread(self: Rc<Self>, calls: Rc<Calls>, shard_count: usize) {
        let mut told = BTreeSet::new();
        loop {
            let changed = self.changed.listen();
            let new: Vec<DirFailure> = self.failed.borrow().values().filter(|dir| told.insert(dir.index)).cloned().collect();
            let unavailable: Arc<BTreeSet<TopicPartitionId>> = Arc::new(self.partitions.borrow().values().flatten().copied().collect());
            for shard in 0..shard_count {
                for failure in &new {
                    calls.tell(shard, Request::DirFailed(failure.clone())).await;
                }
                calls.tell(shard, Request::Unavailable(Arc::clone(&unavailable))).await;
            }
            changed.await;
        }
    }

    /// Completes, with the reason, when the broker cannot go on.
    pub async fn fatal(&self) -> String {
        loop {
            let changed = self.changed.listen();
            if let Some(reason) = self.reason_to_end() {
                return reason;
            }
            changed.await;
        }
    }

    fn reason_to_end(&self) -> Option<String> {
        let failed = self.failed.borrow();
        let first = failed.get(&0)?;
        let dir = self.dirs[0].display();
        Some(match self.dirs.len() {
            1 => format!("the log directory {dir} has failed: {}", first.reason),
            count if failed.len() == count => format!("all log directories have failed; {dir}: {}", first.reason),
            _ => format!("the log directory {dir}, which has the metadata, has failed: {}", first.reason),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn failure(index: usize) -> DirFailure {
        DirFailure { index, reason: "journal write: I/O error".into() }
    }

    #[test]
    fn the_broker_goes_on_without_any_directory_but_the_first() {
        let failures = Failures::new(vec!["/a".into(), "/b".into(), "/c".into()]);
        failures.note(ShardId(0), vec![failure(1), failure(2)], Vec::new());
        assert_eq!(failures.reason_to_end(), None);
        failures.note(ShardId(1), vec![failure(0)], Vec::new());
        assert_eq!(failures.reason_to_end().unwrap(), "all log directories have failed; /a: journal write: I/O error");
    }

    #[test]
    fn without_the_metadata_it_ends() {
        let failures = Failures::new(vec!["/a".into(), "/b".into()]);
        failures.note(ShardId(0), vec![failure(0)], Vec::new());
        let reason = failures.reason_to_end().unwrap();
        assert_eq!(reason, "the log directory /a, which has the metadata, has failed: journal write: I/O error");
    }
}
