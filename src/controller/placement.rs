//! Which shard of this process owns which partition: a view, made anew at each start and never replicated.
//!
//! Pure; `Send`, published with each image. Each new partition goes to the shard with the fewest (the lowest of several), in
//! the order of topic id and partition, so the same images in the same order give the same placement. An owner changes only when
//! the mover says so ([`Placement::relocate`]).

use super::delta::MetadataDelta;
use super::image::TopicImage;
use super::persistent_map::PersistentMap;
use crate::types::{NodeId, ShardId, TopicId, TopicPartitionId};
use std::sync::Arc;

/// See the module's header.
#[derive(Clone, Debug, PartialEq)]
pub struct Placement {
    node: NodeId,
    /// By partition; `None` where this node holds no replica.
    owners: PersistentMap<TopicId, Arc<[Option<ShardId>]>>,
    /// Partitions of each shard.
    counts: Vec<usize>,
}

impl Placement {
    /// Of no partitions yet. `shard_count` > 0.
    pub fn new(node: NodeId, shard_count: usize) -> Placement {
        assert!(shard_count > 0, "there is at least one shard");
        Placement { node, owners: PersistentMap::default(), counts: vec![0; shard_count] }
    }

    /// The owner of a partition that this node has a replica of.
    pub fn shard_of(&self, id: TopicPartitionId) -> Option<ShardId> {
        let owners = self.owners.get(&id.topic_id)?;
        *owners.get(usize::try_from(id.partition.0).ok()?)?
    }

    /// Makes `to` the owner of a partition that has one; false if it has none (its topic was deleted).
    pub fn relocate(&mut self, id: TopicPartitionId, to: ShardId) -> bool {
        let Some(from) = self.shard_of(id) else { return false };
        let owners = self.owners.get_mut(&id.topic_id).expect("a partition with an owner is placed");
        let moved = |(index, owner): (usize, &Option<ShardId>)| if index == id.partition.0 as usize { Some(to) } else { *owner };
        *owners = owners.iter().enumerate().map(moved).collect();
        self.counts[from.0 as usize] -= 1;
        self.counts[to.0 as usize] += 1;
        true
    }

    /// How many partitions each shard owns.
    pub fn counts(&self) -> &[usize] {
        &self.counts
    }

    /// Follows the metadata by one step.
    pub fn apply(&mut self, delta: &MetadataDelta) {
        for topic in &delta.topics_deleted {
            let owners = self.owners.remove(&topic.id).unwrap_or_default();
            owners.iter().flatten().for_each(|shard| self.counts[shard.0 as usize] -= 1);
        }
        for topic in delta.topics_created.iter().chain(&delta.topics_changed) {
            self.place(topic);
        }
    }

    fn place(&mut self, topic: &TopicImage) {
        let old = self.owners.get(&topic.id).cloned().unwrap_or_default();
        let owners: Arc<[Option<ShardId>]> = topic
            .partitions
            .iter()
            .enumerate()
            .map(|(index, partition)| {
                let held = partition.replicas.contains(&self.node);
                let kept = old.get(index).copied().flatten();
                match (held, kept) {
                    (true, None) => Some(self.take_least_loaded()),
                    // A replica that moved away keeps its owner, who still has its log to delete.
                    (_, kept) => kept,
                }
            })
            .collect();
        self.owners.insert(topic.id, owners);
    }

    fn take_least_loaded(&mut self) -> ShardId {
        let shard = (0..self.counts.len()).min_by_key(|&shard| self.counts[shard]).expect("there is at least one shard");
        self.counts[shard] += 1;
        ShardId(shard as u16)
    }
}

#[cfg(test)]
mod tests {
    use super::super::image::PartitionImage;
    use super::*;
    use crate::types::{LeaderEpoch, PartitionIndex};

    fn topic(id: u8, partition_count: usize) -> Arc<TopicImage> {
        let partition = PartitionImage {
            replicas: vec![NodeId(1)],
            isr: vec![NodeId(1)],
            directories: vec![[0; 16]],
            leader: NodeId(1),
            leader_epoch: LeaderEpoch(0),
            partition_epoch: 0,
        };
        let name = format!("topic-{id}").into();
        Arc::new(TopicImage { name, id: TopicId([id; 16]), partitions: vec![partition; partition_count] })
    }

    fn shards(placement: &Placement, topic: &TopicImage) -> Vec<u16> {
        topic.partition_ids().map(|id| placement.shard_of(id).unwrap().0).collect()
    }

    #[test]
    fn partitions_spread_evenly_and_keep_their_owners() {
        let mut placement = Placement::new(NodeId(1), 3);
        placement.apply(&MetadataDelta { topics_created: vec![topic(1, 4), topic(2, 4)], ..Default::default() });
        assert_eq!(placement.counts(), [3, 3, 2]);
        let before = shards(&placement, &topic(1, 4));

        placement.apply(&MetadataDelta { topics_deleted: vec![topic(2, 4)], ..Default::default() });
        placement.apply(&MetadataDelta { topics_changed: vec![topic(1, 9)], ..Default::default() });
        assert_eq!(placement.counts(), [3, 3, 3]);
        assert_eq!(shards(&placement, &topic(1, 9))[..4], before);
        assert_eq!(placement.shard_of(TopicPartitionId { topic_id: TopicId([2; 16]), partition: PartitionIndex(0) }), None);
    }

    #[test]
    fn a_relocated_partition_stays_where_it_was_put() {
        let mut placement = Placement::new(NodeId(1), 2);
        placement.apply(&MetadataDelta { topics_created: vec![topic(1, 4)], ..Default::default() });
        assert_eq!(shards(&placement, &topic(1, 4)), [0, 1, 0, 1]);
        let first = topic(1, 4).partition_ids().next().unwrap();
        assert!(placement.relocate(first, ShardId(1)));
        assert_eq!(shards(&placement, &topic(1, 4)), [1, 1, 0, 1]);

        placement.apply(&MetadataDelta { topics_changed: vec![topic(1, 5)], ..Default::default() });
        assert_eq!(shards(&placement, &topic(1, 5)), [1, 1, 0, 1, 0], "the new one goes where there are fewest");
        placement.apply(&MetadataDelta { topics_deleted: vec![topic(1, 5)], ..Default::default() });
        assert!(!placement.relocate(first, ShardId(0)), "what is gone does not come back");
        assert_eq!(placement.counts(), [0, 0]);
    }

    #[test]
    fn partitions_of_other_nodes_have_no_owner() {
        let mut placement = Placement::new(NodeId(7), 2);
        placement.apply(&MetadataDelta { topics_created: vec![topic(1, 2)], ..Default::default() });
        assert_eq!(placement.shard_of(topic(1, 2).partition_ids().next().unwrap()), None);
        assert_eq!(placement.counts(), [0, 0]);
    }
}
