//! Moving a partition from one shard's store to another's, the log's side of it; who decides and who waits is `shard::moving`'s.
//!
//! A crash before the release entry is durable leaves the partition to the old journal; after it, segments have everything, and
//! only what the new shard then appends is in a journal, its own. Replay passes over what a journal holds of a partition
//! before its last release (`recovery::summary`).

use super::checkpoint::Checkpoint;
use super::format::PartitionDirectory;
use super::partition::{Handed, KeepReason};
use super::{LogStore, PartitionLog, TopicLogConfig};
use crate::config::limits;
use crate::rt::sync::oneshot;
use crate::rt::{self, Queue};
use crate::types::{Offset, TopicPartitionId};
use std::path::PathBuf;
use std::rc::Rc;

/// A partition between two shards: on no shard until one adopts it. `Send`.
pub struct HandedOver {
    dir: PathBuf,
    handed: Handed,
    /// The end (exclusive) of what is compacted.
    cleaned_to: Option<Offset>,
}

impl HandedOver {
    pub fn id(&self) -> TopicPartitionId {
        self.handed.id
    }
}

/// Why [`LogStore::release_partition`] kept the partition, which is as it was.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ReleaseError {
    /// It is not open here.
    NotHere,
    /// Its tail did not get to the disk in time.
    Slow,
    /// The log directory is offline or full, or the store closes.
    Storage,
}

impl LogStore {
    /// Writes the partition's tail and syncs it while appends go on, so that a release has little left to do.
    pub async fn prepare_release(&self, id: TopicPartitionId) {
        if let Some(log) = self.partition(id) {
            // What fails here fails in the release.
            let _ = log.flush(true).await;
        }
    }

    /// Gives the partition up, durably. Appends to it must have ended; reads under way end well.
    pub async fn release_partition(&self, id: TopicPartitionId) -> Result<HandedOver, ReleaseError> {
        let log = self.partition(id).ok_or(ReleaseError::NotHere)?;
        drain(&log).await?;
        // Two cleaners would write the same files.
        self.compaction().leave(id).await;
        let handed = log.hand_over().await.map_err(|reason| match reason {
            KeepReason::Busy => ReleaseError::Slow,
            KeepReason::Storage => ReleaseError::Storage,
        });
        let cleaned_to = self.compaction().cleaned_to(id);
        self.compaction().left(id, handed.is_ok());
        let handed = handed?;
        self.forget_released(&log);
        Ok(HandedOver { dir: log.dir().health.path().to_path_buf(), handed, cleaned_to })
    }

    /// Goes on with what another store released.
    pub fn adopt_partition(&self, handed: HandedOver, config: Rc<TopicLogConfig>) -> Rc<PartitionLog> {
        let HandedOver { dir, handed, cleaned_to } = handed;
        self.compaction().note(handed.id, cleaned_to);
        let index = self.log_dirs().iter().position(|found| found.health.path() == dir).expect("every shard has every log directory");
        let name = PartitionDirectory::live(&*handed.topic, handed.id.partition).to_string();
        self.note_adopted(name, index, handed.id);
        let log = PartitionLog::take_over(Rc::clone(&self.log_dirs()[index]), handed, config);
        self.put_partition(Rc::clone(&log));
        log
    }

    /// Whether it makes sense to give this store a partition.
    pub fn can_adopt(&self) -> bool {
        !self.is_closing() && self.log_dirs().iter().all(|dir| !dir.health.is_offline() && !dir.health.is_full())
    }
}

async fn drain(log: &Rc<PartitionLog>) -> Result<(), ReleaseError> {
    let (done, drained) = oneshot();
    let flushing = Rc::clone(log);
    // In a task of its own, since a flush is never cancelled half-way.
    rt::spawn(Queue::Foreground, async move { done.send(flushing.flush(true).await) });
    match rt::timeout(limits::MOVE_DRAIN_MAX, drained).await {
        Some(Ok(Ok(()))) => Ok(()),
        Some(_) => Err(ReleaseError::Storage),
        None => Err(ReleaseError::Slow),
    }
}

/// What a shard's checkpoint file goes on saying of a partition that it released: values only grow, and the new owner's file may
/// not have them before a crash.
pub(super) fn departed(log: &PartitionLog) -> Checkpoint {
    Checkpoint { recovery_point: log.synced_end(), log_start: log.log_start() }
}
