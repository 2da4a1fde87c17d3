//! Broker configurations of consumer and streams groups, their coordinator, committed offsets and client telemetry.

use crate::config::definition::{Definition, definitions};

pub(super) const GROUP: &[Definition] = definitions! {
    Int "group.consumer.assignment.interval.ms" ["1000"] at_least(0) cluster_wide():
        "The shortest time between two assignments of a consumer group.";
    List "group.consumer.assignors" ["uniform,range"] non_empty_list(&[]) acts(): "Assignors of consumer groups, the default first.";
    Int "group.consumer.heartbeat.interval.ms" ["5000"] at_least(1) acts(): "Time between heartbeats of a consumer group's member.";
    Int "group.consumer.max.assignment.interval.ms" ["15000"] at_least(0): "The longest assignment interval a consumer group may ask for.";
    Int "group.consumer.max.heartbeat.interval.ms" ["15000"] at_least(1): "The longest heartbeat interval a consumer group may ask for.";
    Int "group.consumer.max.session.timeout.ms" ["60000"] at_least(1): "The longest session timeout a consumer group may ask for.";
    Int "group.consumer.max.size" ["2147483647"] at_least(1) acts(): "The most members of a consumer group.";
    String "group.consumer.migration.policy" ["bidirectional"] one_of_ignoring_case(&["DISABLED", "DOWNGRADE", "UPGRADE", "BIDIRECTIONAL"]) acts():
        "Which ways a group may change between the classic and the consumer protocol.";
    Int "group.consumer.min.assignment.interval.ms" ["0"] at_least(0): "The shortest assignment interval a consumer group may ask for.";
    Int "group.consumer.min.heartbeat.interval.ms" ["5000"] at_least(1): "The shortest heartbeat interval a consumer group may ask for.";
    Int "group.consumer.min.session.timeout.ms" ["45000"] at_least(1): "The shortest session timeout a consumer group may ask for.";
    Int "group.consumer.session.timeout.ms" ["45000"] at_least(1) acts():
        "Time without a heartbeat after which a consumer group's member is removed.";
    Int "group.coordinator.append.linger.ms" ["-1"] at_least(-1):
        "How long the group coordinator gathers records before it writes; -1 adapts.";
    Int "group.coordinator.background.threads" ["2"] at_least(1): "Threads for the group coordinator's background work.";
    Int "group.coordinator.cached.buffer.max.bytes" ["1048588"] at_least(524288) cluster_wide():
        "The largest write buffer the group coordinator keeps for reuse.";
    List "group.coordinator.rebalance.protocols" ["classic,consumer,streams"] non_empty_list(&["consumer", "classic", "share", "streams"]):
        "Group protocols that are offered.";
    Int "group.coordinator.threads" ["4"] at_least(1): "Threads of the group coordinator.";
    Int "group.initial.rebalance.delay.ms" ["3000"] acts(): "How long the first rebalance of an empty classic group waits for more members.";
    Int "group.max.session.timeout.ms" ["1800000"] acts(): "The longest session timeout a member of a classic group may ask for.";
    Int "group.max.size" ["2147483647"] at_least(1) acts(): "The most members of a classic group.";
    Int "group.min.session.timeout.ms" ["6000"] acts(): "The shortest session timeout a member of a classic group may ask for.";
    Int "group.streams.assignment.interval.ms" ["1000"] at_least(0) cluster_wide():
        "The shortest time between two assignments of a streams group.";
    Int "group.streams.heartbeat.interval.ms" ["5000"] at_least(1): "Time between heartbeats of a streams group's member.";
    Int "group.streams.initial.rebalance.delay.ms" ["3000"] at_least(0):
        "How long the first assignment of a streams group waits for more members.";
    Int "group.streams.max.assignment.interval.ms" ["15000"] at_least(0): "The longest assignment interval a streams group may ask for.";
    Int "group.streams.max.heartbeat.interval.ms" ["15000"] at_least(1): "The longest heartbeat interval a streams group may ask for.";
    Int "group.streams.max.session.timeout.ms" ["60000"] at_least(1): "The longest session timeout a streams group may ask for.";
    Int "group.streams.max.size" ["2147483647"] at_least(1): "The most members of a streams group.";
    Int "group.streams.max.standby.replicas" ["2"] at_least(0): "The most standby replicas a streams group may ask for.";
    Int "group.streams.min.assignment.interval.ms" ["0"] at_least(0): "The shortest assignment interval a streams group may ask for.";
    Int "group.streams.min.heartbeat.interval.ms" ["5000"] at_least(1): "The shortest heartbeat interval a streams group may ask for.";
    Int "group.streams.min.session.timeout.ms" ["45000"] at_least(1): "The shortest session timeout a streams group may ask for.";
    Int "group.streams.num.standby.replicas" ["0"] at_least(0): "Standby replicas of a streams group's tasks.";
    Int "group.streams.session.timeout.ms" ["45000"] at_least(1):
        "Time without a heartbeat after which a streams group's member is removed.";
    Int "offset.metadata.max.bytes" ["4096"] acts(): "The longest note that may come with a committed offset.";
    Int "offsets.commit.timeout.ms" ["5000"] at_least(1) acts(): "How long a commit of offsets may wait for its replicas.";
    Int "offsets.load.buffer.size" ["5242880"] at_least(1) acts(): "Size of the reads that load committed offsets.";
    Long "offsets.retention.check.interval.ms" ["600000"] at_least(1) acts(): "Time between looks for expired offsets.";
    Int "offsets.retention.minutes" ["10080"] at_least(1) acts(): "How long offsets of a group without members are kept.";
    Int "offsets.topic.compression.codec" ["0"] acts(): "Codec of __consumer_offsets, by its number.";
    Int "offsets.topic.num.partitions" ["50"] at_least(1) acts(): "Partitions of __consumer_offsets.";
    Short "offsets.topic.replication.factor" ["1"] at_least(1) acts():
        "Replicas of __consumer_offsets. Ringmill's default is 1, for a single node.";
    Int "offsets.topic.segment.bytes" ["104857600"] at_least(1) acts(): "Segment size of __consumer_offsets.";
    Int "telemetry.max.bytes" ["1048576"] at_least(1): "The most bytes of metrics in one push of a client.";
};
