//! The cluster as the clients of one listener see it: machines, or, with `ringmill.core.endpoints`, each core of this machine as a broker that
//! leads the partitions it owns (docs/decisions/ 12 says why).
//!
//! On the connection's core, made for each answer. Only answers have cores' ids; where a request names one it is turned into the
//! machine's before anything acts on it. The machine's own id is its first core's, so the controller is a broker that is listed. A request that comes to another core than the view says is served all the same.

use super::RequestContext;
use super::cluster::Address;
use crate::config::CoreEndpoints;
use crate::controller::Placement;
use crate::types::{NodeId, ShardId, TopicPartitionId};
use crate::wire::Str;
use std::sync::Arc;

/// See the module.
pub struct View<'a> {
    /// This machine.
    node: NodeId,
    shard_count: usize,
    placement: Arc<Placement>,
    /// `None`: clients see machines.
    cores: Option<&'a CoreEndpoints>,
}

impl View<'_> {
    /// The view of the client that sent a request, as of now.
    pub fn of(context: &RequestContext) -> View<'_> {
        let shard = &context.shard;
        View {
            node: shard.node_id(),
            shard_count: shard.shard_count,
            placement: shard.placement(),
            cores: shard.config.core_endpoints(context.session.peer.entrance.listener),
        }
    }

    /// By which id clients know a replica of a partition: of one of ours, the core's that owns it.
    pub fn replica(&self, id: TopicPartitionId, machine: NodeId) -> NodeId {
        if self.cores.is_none() || machine != self.node {
            return machine;
        }
        self.placement.shard_of(id).map_or(machine, |shard| machine.core(shard))
    }

    /// As [`View::replica`], for all of a partition's.
    pub fn replicas(&self, id: TopicPartitionId, machines: &[NodeId]) -> Vec<NodeId> {
        machines.iter().map(|machine| self.replica(id, *machine)).collect()
    }

    /// The brokers that stand for a machine.
    pub fn brokers(&self, machine: Address) -> Vec<Address> {
        match self.cores {
            Some(cores) if machine.id == self.node => (0..self.shard_count)
                .map(|shard| ShardId(shard as u16))
                .map(|shard| Address { id: machine.id.core(shard), port: cores.port(shard).into(), ..machine.clone() })
                .collect(),
            _ => vec![machine],
        }
    }

    /// The machine that a client means by a broker's id: of one of our cores this one, else the id itself.
    pub fn machine(&self, broker: NodeId) -> NodeId {
        match broker.machine_and_shard() {
            Some((machine, shard)) if self.cores.is_some() && machine == self.node && usize::from(shard.0) < self.shard_count => machine,
            _ => broker,
        }
    }

    /// As [`View::machine`], for a broker's id as the name of a resource.
    pub fn machine_name(&self, broker: &Str) -> Str {
        match broker.parse().map(NodeId) {
            Ok(id) if self.machine(id) != id => self.machine(id).to_string().into(),
            _ => broker.clone(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::controller::{MetadataDelta, PartitionImage, TopicImage};
    use crate::types::{LeaderEpoch, PartitionIndex, TopicId};

    const HERE: NodeId = NodeId(7);
    const OTHER: NodeId = NodeId(8);

    fn id(partition: i32) -> TopicPartitionId {
        TopicPartitionId { topic_id: TopicId([1; 16]), partition: PartitionIndex(partition) }
    }

    /// Of a machine with three shards, which own partitions 0, 1 and 2; partition 3 is on another machine alone.
    fn view(cores: Option<&CoreEndpoints>) -> View<'_> {
        let partition = |machine| PartitionImage {
            replicas: vec![machine],
            isr: vec![machine],
            directories: vec![[0; 16]],
            leader: machine,
            leader_epoch: LeaderEpoch(0),
            partition_epoch: 0,
        };
        let partitions = [HERE, HERE, HERE, OTHER].map(partition).to_vec();
        let topic = TopicImage { name: "orders".into(), id: TopicId([1; 16]), partitions };
        let mut placement = Placement::new(HERE, 3);
        placement.apply(&MetadataDelta { topics_created: vec![Arc::new(topic)], ..Default::default() });
        View { node: HERE, shard_count: 3, placement: Arc::new(placement), cores }
    }

    fn endpoints() -> CoreEndpoints {
        CoreEndpoints { listener: "PLAINTEXT".into(), ports: 9100..=9107 }
    }

    fn address(machine: NodeId) -> Address {
        Address { id: machine, host: "broker.example".into(), port: 9092, rack: Some("r1".into()), fenced: false }
    }

    fn shown(addresses: Vec<Address>) -> Vec<(i32, String, i32, Option<String>)> {
        let one = |a: Address| (a.id.0, a.host.to_string(), a.port, a.rack.map(|rack| rack.to_string()));
        addresses.into_iter().map(one).collect()
    }

    #[test]
    fn a_core_is_a_broker_on_the_machines_host_and_rack_that_has_what_it_owns() {
        let endpoints = endpoints();
        let view = view(Some(&endpoints));
        let on = |id, port| (id, "broker.example".to_string(), port, Some("r1".to_string()));
        assert_eq!(shown(view.brokers(address(HERE))), [on(7, 9100), on(1_000_007, 9101), on(2_000_007, 9102)]);
        assert_eq!((0..3).map(|p| view.replica(id(p), HERE).0).collect::<Vec<_>>(), [7, 1_000_007, 2_000_007]);
        assert_eq!(view.replicas(id(2), &[OTHER, HERE]), [OTHER, NodeId(2_000_007)]);
    }

    #[test]
    fn other_machines_are_shown_as_they_are() {
        let endpoints = endpoints();
        let view = view(Some(&endpoints));
        assert_eq!(shown(view.brokers(address(OTHER))), [(8, "broker.example".to_string(), 9092, Some("r1".to_string()))]);
        assert_eq!(view.replica(id(3), OTHER), OTHER);
        assert_eq!(view.machine(NodeId(1_000_008)), NodeId(1_000_008), "whose cores only they know");
    }

    #[test]
    fn what_a_client_calls_a_core_is_the_machine_to_everything_else() {
        let endpoints = endpoints();
        let view = view(Some(&endpoints));
        for core in [7, 1_000_007, 2_000_007] {
            assert_eq!(view.machine(NodeId(core)), HERE);
            assert_eq!(view.machine_name(&core.to_string().into()), Str::from("7"));
        }
        for unknown in [-1, 0, 3_000_007, 1_000_000, i32::MAX] {
            assert_eq!(view.machine(NodeId(unknown)), NodeId(unknown));
        }
        assert_eq!(view.machine_name(&"nonsense".into()), Str::from("nonsense"));
    }

    #[test]
    fn without_ports_of_their_own_cores_are_nobodys_business() {
        let view = view(None);
        assert_eq!(shown(view.brokers(address(HERE))), [(7, "broker.example".to_string(), 9092, Some("r1".to_string()))]);
        assert_eq!(view.replica(id(1), HERE), HERE);
        assert_eq!(view.machine(NodeId(1_000_007)), NodeId(1_000_007));
    }
}
