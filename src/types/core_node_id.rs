//! The ids that cores have where clients see each core as a broker (`ringmill.core.endpoints`): shard x 1,000,000 + the machine's id.
//!
//! Pure. Shard 0 has the machine's own id: whoever names the machine (an operator, metadata's controller) names a broker that is there.
//! The largest, shard 1023's, stays below half of what an id may be: Java clients count down from the top for their own connections.

use super::ids::{NodeId, ShardId};

impl NodeId {
    /// Where cores are brokers, machines' ids are below this one, so that no core has a machine's id.
    pub const MACHINES_END: NodeId = NodeId(1_000_000);

    /// The id of this machine's core.
    pub fn core(self, shard: ShardId) -> NodeId {
        assert!((0..Self::MACHINES_END.0).contains(&self.0), "{self} is a machine with cores of their own ids");
        NodeId(i32::from(shard.0) * Self::MACHINES_END.0 + self.0)
    }

    /// The machine and the core that an id stands for, where cores are brokers. `None` for what is no id.
    pub fn machine_and_shard(self) -> Option<(NodeId, ShardId)> {
        let shard = ShardId(u16::try_from(self.0.div_euclid(Self::MACHINES_END.0)).ok()?);
        Some((NodeId(self.0 % Self::MACHINES_END.0), shard))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_core_is_told_from_every_machine_and_every_other_core() {
        let mut seen = std::collections::BTreeSet::new();
        for machine in [0, 1, 2, 999, 999_999] {
            for shard in (0..1024).map(ShardId) {
                let id = NodeId(machine).core(shard);
                assert_eq!(id.machine_and_shard(), Some((NodeId(machine), shard)));
                assert!(seen.insert(id), "{id} stands for two");
                assert!(shard.0 == 0 || id >= NodeId::MACHINES_END, "{id} is a machine's");
                assert!(id.0 < i32::MAX / 2);
            }
        }
        assert_eq!(NodeId(7).core(ShardId(0)), NodeId(7));
        assert_eq!(NodeId(7).core(ShardId(2)), NodeId(2_000_007));
    }

    #[test]
    fn nobody_is_no_core() {
        assert_eq!(NodeId(-1).machine_and_shard(), None);
        assert_eq!(NodeId(i32::MAX).machine_and_shard(), Some((NodeId(483_647), ShardId(2147))));
    }
}
