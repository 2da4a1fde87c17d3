//! The way to a coordinator of any kind, whichever core of this machine its partition is on.

use super::Shard;
use super::message::{Reply, Request};
use super::publication::Owner;
use crate::coordinator::partition_for;
use crate::types::{ErrorCode, TopicPartitionId};
use std::rc::Rc;

impl Shard {
    /// Asks a coordinator on the core that owns its partition; where the partition moves meanwhile, again at its new core.
    pub(super) async fn ask_owner<T>(
        self: &Rc<Self>,
        id: TopicPartitionId,
        here: impl AsyncFn() -> Result<T, ErrorCode>,
        request: impl Fn() -> Request,
        answer_of: impl Fn(Reply) -> Result<T, ErrorCode>,
    ) -> Result<T, ErrorCode> {
        loop {
            let asked = self.owner_of(id);
            let answer = match asked {
                Owner::Here => here().await,
                Owner::Shard(owner) => answer_of(self.calls.call(owner.0 as usize, request()).await),
                Owner::Nobody => return Err(ErrorCode::NotCoordinator),
            };
            let is_refused = matches!(answer, Err(ErrorCode::NotCoordinator));
            if !is_refused || self.is_stopping() || !self.is_elsewhere(id, asked) {
                return answer;
            }
            self.moving.settled(id).await;
        }
    }

    /// The partition of a coordinators' topic that a key is on; `None` as long as there is no such topic.
    pub(super) fn coordinator_partition(&self, topic: &str, key: &str) -> Option<TopicPartitionId> {
        let image = self.image();
        let topic = image.topic_by_name(topic)?;
        Some(TopicPartitionId { topic_id: topic.id, partition: partition_for(key, topic.partitions.len()) })
    }

    /// All partitions of a coordinators' topic.
    pub(super) fn coordinator_partitions(&self, topic: &str) -> Vec<TopicPartitionId> {
        let image = self.image();
        image.topic_by_name(topic).map(|topic| topic.partition_ids().collect()).unwrap_or_default()
    }
}
