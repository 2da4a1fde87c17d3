//! Which brokers get the replicas of new partitions.
//!
//! Pure. Brokers stand in a ring in which neighbours have different racks as far as possible; partition p takes the run of
//! brokers that begins at a random place plus p. Fenced brokers are passed over while there are enough others.

use super::handler::Refusal;
use super::image::{BrokerImage, MetadataImage};
use super::record::PartitionRecord;
use crate::types::{ErrorCode, LeaderEpoch, NodeId, PartitionIndex, TopicId};
use std::collections::BTreeMap;

/// Replicas of `count` new partitions, the preferred leader first. `random` chooses where on the ring to begin.
pub fn place(image: &MetadataImage, count: usize, replication_factor: i16, random: u64) -> Result<Vec<Vec<NodeId>>, Refusal> {
    let factor = usize::try_from(replication_factor).expect("checked by the caller");
    let refuse = |reason: String| {
        let message = format!("Unable to replicate the partition {replication_factor} time(s): {reason}");
        Err(Refusal::new(ErrorCode::InvalidReplicationFactor, message))
    };
    let registered = image.brokers().count();
    if factor > registered {
        return refuse(format!(
            "The target replication factor of {replication_factor} cannot be reached because only {registered} broker(s) are registered \
             or some brokers have all their log directories cordoned."
        ));
    }
    let active = ring(image.brokers().filter(|broker| !broker.fenced));
    if active.is_empty() {
        return refuse("All brokers are currently fenced.".to_owned());
    }
    let fenced = ring(image.brokers().filter(|broker| broker.fenced));
    let start = (random % active.len() as u64) as usize;
    let run = |partition: usize| -> Vec<NodeId> {
        let first = (0..active.len().min(factor)).map(|r| active[(start + partition + r) % active.len()]);
        first.chain(fenced.iter().copied()).take(factor).collect()
    };
    Ok((0..count).map(run).collect())
}

/// One broker of each rack in turn.
fn ring<'a>(brokers: impl Iterator<Item = &'a BrokerImage>) -> Vec<NodeId> {
    let mut racks: BTreeMap<Option<&str>, Vec<NodeId>> = BTreeMap::new();
    for broker in brokers {
        racks.entry(broker.rack.as_deref()).or_default().push(broker.id);
    }
    let rounds = racks.values().map(Vec::len).max().unwrap_or(0);
    (0..rounds).flat_map(|round| racks.values().filter_map(move |rack| rack.get(round).copied())).collect()
}

/// Checks replicas that a client chose for one partition; `factor` is what the topic's other partitions have.
pub fn check_manual(image: &MetadataImage, replicas: &[NodeId], factor: Option<usize>) -> Result<(), Refusal> {
    let refuse =
        |reason: String| Err(Refusal::new(ErrorCode::InvalidReplicaAssignment, format!("The manual partition assignment {reason}")));
    if replicas.is_empty() {
        return refuse("includes an empty replica list.".to_owned());
    }
    let mut sorted = replicas.to_vec();
    sorted.sort_unstable();
    if let Some(id) = sorted.iter().find(|id| image.broker(**id).is_none()) {
        return refuse(format!("includes broker {id}, but no such broker is registered."));
    }
    if let Some(pair) = sorted.windows(2).find(|pair| pair[0] == pair[1]) {
        return refuse(format!("includes the broker {} more than once.", pair[0]));
    }
    match factor {
        Some(factor) if factor != replicas.len() => refuse(format!(
            "includes a partition with {} replica(s), but this is not consistent with previous partitions, which have {factor} replica(s).",
            replicas.len()
        )),
        _ => Ok(()),
    }
}

/// A new partition's first state: in sync and led by its replicas that are not fenced. `None` if all are.
pub fn first_state(image: &MetadataImage, topic_id: TopicId, index: usize, replicas: Vec<NodeId>) -> Option<PartitionRecord> {
    let is_active = |id: &NodeId| image.broker(*id).is_some_and(|broker| !broker.fenced);
    let isr: Vec<NodeId> = replicas.iter().copied().filter(is_active).collect();
    Some(PartitionRecord {
        topic_id,
        partition: PartitionIndex(i32::try_from(index).ok()?),
        directories: vec![[0; 16]; replicas.len()],
        leader: *isr.first()?,
        isr,
        replicas,
        leader_epoch: LeaderEpoch(0),
        partition_epoch: 0,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::controller::record::{Record, RegisterBrokerRecord};

    fn cluster(brokers: &[(i32, Option<&str>, bool)]) -> MetadataImage {
        let mut image = MetadataImage::default();
        for (id, rack, fenced) in brokers {
            image.replay(&Record::RegisterBroker(RegisterBrokerRecord {
                broker_id: NodeId(*id),
                broker_epoch: 1,
                incarnation_id: [0; 16],
                endpoints: Vec::new(),
                rack: rack.map(Into::into),
                fenced: *fenced,
            }));
        }
        image
    }

    fn placed(image: &MetadataImage, count: usize, factor: i16, random: u64) -> Vec<Vec<i32>> {
        let partitions = place(image, count, factor, random).unwrap();
        partitions.into_iter().map(|replicas| replicas.into_iter().map(|id| id.0).collect()).collect()
    }

    #[test]
    fn replicas_go_round_the_ring() {
        let image = cluster(&[(1, None, false), (2, None, false), (3, None, false)]);
        assert_eq!(placed(&image, 3, 2, 4), [[2, 3], [3, 1], [1, 2]]);
    }

    #[test]
    fn neighbours_have_different_racks() {
        let image = cluster(&[(1, Some("a"), false), (2, Some("a"), false), (3, Some("b"), false), (4, Some("b"), false)]);
        assert_eq!(placed(&image, 2, 2, 0), [[1, 3], [3, 2]]);
    }

    #[test]
    fn fenced_brokers_come_last() {
        let image = cluster(&[(1, None, true), (2, None, false)]);
        assert_eq!(placed(&image, 1, 2, 0), [[2, 1]]);
        let state = first_state(&image, TopicId([1; 16]), 0, vec![NodeId(1), NodeId(2)]).unwrap();
        assert_eq!((state.leader, state.isr), (NodeId(2), vec![NodeId(2)]));
        assert!(first_state(&image, TopicId([1; 16]), 0, vec![NodeId(1)]).is_none());
    }
}
