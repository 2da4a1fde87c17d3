//! Broker configurations of share groups and their coordinator.

use crate::config::definition::{Definition, definitions};

pub(super) const SHARE: &[Definition] = definitions! {
    Int "group.share.assignment.interval.ms" ["1000"] at_least(0) cluster_wide():
        "The shortest time between two assignments of a share group.";
    List "group.share.assignors" ["simple"] non_empty_list(&[]): "Assignors of share groups.";
    Int "group.share.delivery.count.limit" ["5"] between(2, 10): "How often a share group's record is delivered before it is given up.";
    Int "group.share.heartbeat.interval.ms" ["5000"] at_least(1): "Time between heartbeats of a share group's member.";
    Int "group.share.max.assignment.interval.ms" ["15000"] at_least(0): "The longest assignment interval a share group may ask for.";
    Int "group.share.max.delivery.count.limit" ["10"] between(5, 25): "The largest delivery limit a share group may ask for.";
    Int "group.share.max.heartbeat.interval.ms" ["15000"] at_least(1): "The longest heartbeat interval a share group may ask for.";
    Int "group.share.max.partition.max.record.locks" ["4000"] between(2000, 10000):
        "The largest limit on locked records of a partition a share group may ask for.";
    Int "group.share.max.record.lock.duration.ms" ["60000"] between(30000, 3600000):
        "The longest hold on a record a share group may ask for.";
    Int "group.share.max.session.timeout.ms" ["60000"] at_least(1): "The longest session timeout a share group may ask for.";
    Int "group.share.max.share.sessions" ["2000"] at_least(1): "The most share sessions of a broker.";
    Int "group.share.max.size" ["200"] between(1, 1000): "The most members of a share group.";
    Int "group.share.min.assignment.interval.ms" ["0"] at_least(0): "The shortest assignment interval a share group may ask for.";
    Int "group.share.min.delivery.count.limit" ["2"] between(2, 5): "The smallest delivery limit a share group may ask for.";
    Int "group.share.min.heartbeat.interval.ms" ["5000"] at_least(1): "The shortest heartbeat interval a share group may ask for.";
    Int "group.share.min.partition.max.record.locks" ["100"] between(100, 2000):
        "The smallest limit on locked records of a partition a share group may ask for.";
    Int "group.share.min.record.lock.duration.ms" ["15000"] between(1000, 30000):
        "The shortest hold on a record a share group may ask for.";
    Int "group.share.min.session.timeout.ms" ["45000"] at_least(1): "The shortest session timeout a share group may ask for.";
    Int "group.share.partition.max.record.locks" ["2000"] between(100, 10000):
        "The most records of a partition that a share group may hold locked.";
    Int "group.share.record.lock.duration.ms" ["30000"] between(1000, 3600000): "How long a share group's member holds a record.";
    Int "group.share.session.timeout.ms" ["45000"] at_least(1): "Time without a heartbeat after which a share group's member is removed.";
    Int "share.coordinator.append.linger.ms" ["-1"] at_least(-1):
        "How long the share coordinator gathers records before it writes; -1 adapts.";
    Int "share.coordinator.cached.buffer.max.bytes" ["1048588"] at_least(524288) cluster_wide():
        "The largest write buffer the share coordinator keeps for reuse.";
    Int "share.coordinator.load.buffer.size" ["5242880"] at_least(1): "Size of the reads that load share groups' state.";
    Int "share.coordinator.snapshot.update.records.per.snapshot" ["500"] between(0, 500):
        "Updates of a share partition's state between two snapshots.";
    Int "share.coordinator.state.topic.compression.codec" ["0"]: "Codec of __share_group_state, by its number.";
    Short "share.coordinator.state.topic.min.isr" ["1"] at_least(1):
        "In-sync replicas that __share_group_state needs. Ringmill's default is 1, for a single node.";
    Int "share.coordinator.state.topic.num.partitions" ["50"] at_least(1): "Partitions of __share_group_state.";
    Short "share.coordinator.state.topic.replication.factor" ["1"] at_least(1):
        "Replicas of __share_group_state. Ringmill's default is 1, for a single node.";
    Int "share.coordinator.state.topic.segment.bytes" ["104857600"] at_least(1): "Segment size of __share_group_state.";
    Int "share.coordinator.threads" ["1"] at_least(1): "Threads of the share coordinator.";
    Int "share.coordinator.write.timeout.ms" ["5000"] at_least(1): "How long a write of share groups' state may wait for its replicas.";
    Int "share.fetch.purgatory.purge.interval.requests" ["1000"]: "Waiting share fetches after which finished ones are swept out.";
};
