//! Broker configurations of consumer and streams groups, their coordinator, committed offsets and client telemetry.

use crate::config::definition::{Definition, definitions};

pub(super) const GROUP: &[Definition] = definitions! {
    Int "group.consumer.assignment.interval.ms" ["1000"] at_least(0) cluster_wide(): "";
    List "group.consumer.assignors" ["uniform,range"] non_empty_list(&[]): "";
    Int "group.consumer.heartbeat.interval.ms" ["5000"] at_least(1): "";
    Int "group.consumer.max.assignment.interval.ms" ["15000"] at_least(0): "";
    Int "group.consumer.max.heartbeat.interval.ms" ["15000"] at_least(1): "";
    Int "group.consumer.max.session.timeout.ms" ["60000"] at_least(1): "";
    Int "group.consumer.max.size" ["2147483647"] at_least(1): "";
    String "group.consumer.migration.policy" ["bidirectional"] one_of_ignoring_case(&["DISABLED", "DOWNGRADE", "UPGRADE", "BIDIRECTIONAL"]):
        "";
    Int "group.consumer.min.assignment.interval.ms" ["0"] at_least(0): "";
    Int "group.consumer.min.heartbeat.interval.ms" ["5000"] at_least(1): "";
    Int "group.consumer.min.session.timeout.ms" ["45000"] at_least(1): "";
    Int "group.consumer.session.timeout.ms" ["45000"] at_least(1): "";
    Int "group.coordinator.append.linger.ms" ["-1"] at_least(-1): "";
    Int "group.coordinator.background.threads" ["2"] at_least(1): "";
    Int "group.coordinator.cached.buffer.max.bytes" ["1048588"] at_least(524288) cluster_wide(): "";
    List "group.coordinator.rebalance.protocols" ["classic,consumer,streams"] non_empty_list(&["consumer", "classic", "share", "streams"]):
        "";
    Int "group.coordinator.threads" ["4"] at_least(1): "";
    Int "group.initial.rebalance.delay.ms" ["3000"]: "";
    Int "group.max.session.timeout.ms" ["1800000"]: "";
    Int "group.max.size" ["2147483647"] at_least(1): "";
    Int "group.min.session.timeout.ms" ["6000"]: "";
    Int "group.streams.assignment.interval.ms" ["1000"] at_least(0) cluster_wide(): "";
    Int "group.streams.heartbeat.interval.ms" ["5000"] at_least(1): "";
    Int "group.streams.initial.rebalance.delay.ms" ["3000"] at_least(0): "";
    Int "group.streams.max.assignment.interval.ms" ["15000"] at_least(0): "";
    Int "group.streams.max.heartbeat.interval.ms" ["15000"] at_least(1): "";
    Int "group.streams.max.session.timeout.ms" ["60000"] at_least(1): "";
    Int "group.streams.max.size" ["2147483647"] at_least(1): "";
    Int "group.streams.max.standby.replicas" ["2"] at_least(0): "";
    Int "group.streams.min.assignment.interval.ms" ["0"] at_least(0): "";
    Int "group.streams.min.heartbeat.interval.ms" ["5000"] at_least(1): "";
    Int "group.streams.min.session.timeout.ms" ["45000"] at_least(1): "";
    Int "group.streams.num.standby.replicas" ["0"] at_least(0): "";
    Int "group.streams.session.timeout.ms" ["45000"] at_least(1): "";
    Int "offset.metadata.max.bytes" ["4096"]: "";
    Int "offsets.commit.timeout.ms" ["5000"] at_least(1): "";
    Int "offsets.load.buffer.size" ["5242880"] at_least(1): "";
    Long "offsets.retention.check.interval.ms" ["600000"] at_least(1): "";
    Int "offsets.retention.minutes" ["10080"] at_least(1): "";
    Int "offsets.topic.compression.codec" ["0"]: "";
    Int "offsets.topic.num.partitions" ["50"] at_least(1): "";
    Short "offsets.topic.replication.factor" ["1"] at_least(1): "";
    Int "offsets.topic.segment.bytes" ["104857600"] at_least(1): "";
    Int "telemetry.max.bytes" ["1048576"] at_least(1): "";
};
