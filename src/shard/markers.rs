//! Transactions' markers: sent to the cores that own the partitions, and written there.
//!
//! A marker travels in the same queue as appends do, so that a move of its partition waits for it as for them. Markers for offsets go through the
//! coordinator of the partition's groups, which writes that log alone.

use super::Shard;
use super::message::{Reply, Request};
use super::publication::Owner;
use crate::config::limits;
use crate::coordinator::group::GroupRequest;
use crate::coordinator::machine::Ending;
use crate::coordinator::transaction::EPOCH_FOR_EACH;
use crate::log::{AppendError, PartitionLog};
use crate::rt;
use crate::shard::groups::OFFSETS_TOPIC;
use crate::types::{ErrorCode, Offset, ShardId, TopicPartitionId};
use crate::wire::records::{TransactionMarker, end_transaction_marker};
use std::collections::BTreeMap;
use std::rc::Rc;

/// One marker for one partition.
#[derive(Clone, Copy, Debug)]
pub struct MarkerWrite {
    pub id: TopicPartitionId,
    pub ending: Ending,
    /// The version of transactions that the producer spoke: from 2 on it is in the marker's epoch only after the marker.
    pub client_version: i16,
}

/// A marker that was begun.
enum Begun {
    Refused(ErrorCode),
    /// In the log, and to be durable up to this offset.
    Appended(Rc<PartitionLog>, Offset),
    /// The partition's groups take it.
    Groups(MarkerWrite),
}

/// Markers that were begun on their partitions' core.
pub struct PendingMarkers(Vec<Begun>);

impl PendingMarkers {
    /// What became of each, once it is on stable storage.
    pub async fn durable(self, shard: &Rc<Shard>) -> Vec<ErrorCode> {
        let mut outcomes = Vec::with_capacity(self.0.len());
        for begun in self.0 {
            outcomes.push(match begun {
                Begun::Refused(error) => error,
                Begun::Appended(log, end) => log.wait_durable(end).await.err().unwrap_or_default(),
                Begun::Groups(write) => {
                    let ended = shard.groups.ask(write.id, GroupRequest::EndTransaction(write.ending)).await;
                    match ended.err().unwrap_or_default() {
                        ErrorCode::NotCoordinator => ErrorCode::NotLeaderOrFollower,
                        other => other,
                    }
                }
            });
        }
        outcomes
    }
}

/// Begins all; waits only for memory.
pub async fn begin_all(shard: &Rc<Shard>, writes: Vec<MarkerWrite>) -> PendingMarkers {
    shard.logs().room(writes.len() * limits::MARKER_BYTES).await;
    PendingMarkers(writes.into_iter().map(|write| begin(shard, write)).collect())
}

fn begin(shard: &Rc<Shard>, write: MarkerWrite) -> Begun {
    let MarkerWrite { id, ending, client_version } = write;
    let (log, leader_epoch) = match shard.led_partition(id) {
        Ok(led) => led,
        Err(error) => return Begun::Refused(error),
    };
    // Whoever was let in before is late now; not so the next transaction's first records, which may wait for this marker already.
    let next_may_wait = client_version >= EPOCH_FOR_EACH;
    shard.admissions.forget_up_to(id, ending.producer_id, ending.producer_epoch, !next_may_wait);
    if &**log.topic() == OFFSETS_TOPIC {
        return Begun::Groups(write);
    }
    let now = rt::wall_clock();
    let marker = if ending.committed { TransactionMarker::Commit } else { TransactionMarker::Abort };
    let batch = end_transaction_marker(marker, ending.producer_id, ending.producer_epoch, ending.coordinator_epoch, now);
    match log.append_marker(batch, ending.coordinator_epoch, leader_epoch, now) {
        Ok(appended) => Begun::Appended(log, appended.last_offset.plus(1)),
        Err(AppendError::Rejected(error)) => Begun::Refused(error),
        Err(error) => Begun::Refused(error.code()),
    }
}

impl Shard {
    /// Writes markers wherever their partitions are; what became of each.
    pub async fn write_markers(self: &Rc<Self>, writes: Vec<MarkerWrite>) -> Vec<ErrorCode> {
        let mut outcomes = vec![ErrorCode::NotLeaderOrFollower; writes.len()];
        let beginning = self.moving.begin(writes.iter().map(|write| write.id)).await;
        let mut by_owner: BTreeMap<Option<ShardId>, (Vec<usize>, Vec<MarkerWrite>)> = BTreeMap::new();
        for (place, write) in writes.into_iter().enumerate() {
            let owner = match self.owner_of(write.id) {
                Owner::Here => None,
                Owner::Shard(owner) => Some(owner),
                Owner::Nobody => continue,
            };
            let (places, writes) = by_owner.entry(owner).or_default();
            places.push(place);
            writes.push(write);
        }
        let (mut here, mut there) = (None, Vec::new());
        for (owner, (places, writes)) in by_owner {
            match owner {
                None => here = Some((places, begin_all(self, writes).await)),
                Some(owner) => there.push((places, self.calls.begin(owner.0 as usize, Request::WriteMarkers(writes)).await)),
            }
        }
        drop(beginning);
        let mut answers = Vec::new();
        if let Some((places, begun)) = here {
            answers.push((places, begun.durable(self).await));
        }
        for (places, call) in there {
            match call.reply().await {
                Reply::Markers(errors) => answers.push((places, errors)),
                _ => unreachable!("WriteMarkers is answered with an outcome for each"),
            }
        }
        for (place, error) in answers.into_iter().flat_map(|(places, errors)| places.into_iter().zip(errors)) {
            outcomes[place] = error;
        }
        outcomes
    }
}
