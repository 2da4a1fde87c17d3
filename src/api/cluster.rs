//! What several answers say of the cluster: brokers as one listener's clients reach them, partitions, authorized operations.

use super::RequestContext;
use super::view::View;
use crate::controller::{BrokerImage, MetadataImage, PartitionImage, TopicImage};
use crate::shard::Shard;
use crate::types::{ErrorCode, NodeId, TopicPartitionId};
use crate::wire::Str;

/// Every operation on a topic, as bits: what a client may do where there is no authorizer.
pub const TOPIC_OPERATIONS: i32 = 1 << 3 | 1 << 4 | 1 << 5 | 1 << 6 | 1 << 7 | 1 << 8 | 1 << 10 | 1 << 11;
/// The same for the cluster.
pub const CLUSTER_OPERATIONS: i32 = 1 << 5 | 1 << 7 | 1 << 8 | 1 << 9 | 1 << 10 | 1 << 11 | 1 << 12;
/// The same for a group.
pub const GROUP_OPERATIONS: i32 = 1 << 3 | 1 << 6 | 1 << 8 | 1 << 10 | 1 << 11;
/// Operations that were not asked for.
pub const NOT_ASKED: i32 = i32::MIN;

/// `operations` if they were asked for.
pub fn operations(asked: bool, operations: i32) -> i32 {
    if asked { operations } else { NOT_ASKED }
}

/// A broker's address on the listener that the client came in by.
#[derive(Clone)]
pub struct Address {
    pub id: NodeId,
    pub host: Str,
    pub port: i32,
    pub rack: Option<Str>,
    pub fenced: bool,
}

/// The registered brokers that have the client's listener.
pub fn brokers(context: &RequestContext, image: &MetadataImage) -> Vec<Address> {
    let listener = &context.shard.config.listeners[context.session.peer.entrance.listener].name;
    let view = View::of(context);
    image.brokers().filter_map(|broker| address(broker, listener)).flat_map(|machine| view.brokers(machine)).collect()
}

fn address(broker: &BrokerImage, listener: &str) -> Option<Address> {
    let endpoint = broker.endpoint(listener)?;
    Some(Address {
        id: broker.id,
        host: (&*endpoint.host).into(),
        port: endpoint.port.into(),
        rack: broker.rack.as_deref().map(Str::from),
        fenced: broker.fenced,
    })
}

/// Who leads a partition, if anybody can.
pub struct Leadership {
    /// LEADER_NOT_AVAILABLE without a leader.
    pub error: ErrorCode,
    /// -1: nobody.
    pub leader: NodeId,
    pub replicas: Vec<NodeId>,
    pub isr: Vec<NodeId>,
    pub offline_replicas: Vec<NodeId>,
}

/// Replicas are offline whose broker is not registered, fenced, or, as far as this one is concerned, has lost the log directory.
pub fn leadership(shard: &Shard, view: &View, image: &MetadataImage, id: TopicPartitionId, partition: &PartitionImage) -> Leadership {
    let lost_here = shard.is_unavailable(id);
    let online = |node: &NodeId| image.broker(*node).is_some_and(|b| !b.fenced) && !(lost_here && *node == shard.node_id());
    let leader = if lost_here && partition.leader == shard.node_id() { NodeId(-1) } else { partition.leader };
    // Kafka's controller takes a replica whose log directory failed out of the in-sync replicas, also the last one.
    let isr: Vec<NodeId> = partition.isr.iter().copied().filter(|node| !(lost_here && *node == shard.node_id())).collect();
    Leadership {
        error: if leader.0 < 0 { ErrorCode::LeaderNotAvailable } else { ErrorCode::None },
        leader: view.replica(id, leader),
        replicas: view.replicas(id, &partition.replicas),
        isr: view.replicas(id, &isr),
        offline_replicas: partition.replicas.iter().filter(|node| !online(node)).map(|node| view.replica(id, *node)).collect(),
    }
}

/// A topic's name as a wire string.
pub fn name_of(topic: &TopicImage) -> Str {
    (&*topic.name).into()
}
