//! What several answers say of the cluster: brokers as one listener's clients reach them, partitions, authorized operations.

use super::RequestContext;
use crate::controller::{BrokerImage, MetadataImage, PartitionImage, TopicImage};
use crate::types::{ErrorCode, NodeId};
use crate::wire::Str;

/// Every operation on a topic, as bits: what a client may do where there is no authorizer.
pub const TOPIC_OPERATIONS: i32 = 1 << 3 | 1 << 4 | 1 << 5 | 1 << 6 | 1 << 7 | 1 << 8 | 1 << 10 | 1 << 11;
/// The same for the cluster.
pub const CLUSTER_OPERATIONS: i32 = 1 << 5 | 1 << 7 | 1 << 8 | 1 << 9 | 1 << 10 | 1 << 11 | 1 << 12;
/// Operations that were not asked for.
pub const NOT_ASKED: i32 = i32::MIN;

/// `operations` if they were asked for.
pub fn operations(asked: bool, operations: i32) -> i32 {
    if asked { operations } else { NOT_ASKED }
}

/// A broker's address on the listener that the client came in by.
pub struct Address {
    pub id: NodeId,
    pub host: Str,
    pub port: i32,
    pub rack: Option<Str>,
    pub fenced: bool,
}

/// The registered brokers that have the client's listener.
pub fn brokers(context: &RequestContext, image: &MetadataImage) -> Vec<Address> {
    let listener = &context.shard.config.listeners[context.session.peer.listener].name;
    image.brokers().filter_map(|broker| address(broker, listener)).collect()
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

/// A partition without a leader is LEADER_NOT_AVAILABLE.
pub fn partition_error(partition: &PartitionImage) -> ErrorCode {
    if partition.leader.0 < 0 { ErrorCode::LeaderNotAvailable } else { ErrorCode::None }
}

/// Replicas whose broker is not registered or fenced.
pub fn offline_replicas(image: &MetadataImage, partition: &PartitionImage) -> Vec<NodeId> {
    let online = |id: &NodeId| image.broker(*id).is_some_and(|b| !b.fenced);
    partition.replicas.iter().filter(|id| !online(id)).copied().collect()
}

/// A topic's name as a wire string.
pub fn name_of(topic: &TopicImage) -> Str {
    (&*topic.name).into()
}
