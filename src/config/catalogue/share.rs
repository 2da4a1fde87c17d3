//! Broker configurations of share groups and their coordinator.

use crate::config::definition::{Definition, definitions};

pub(super) const SHARE: &[Definition] = definitions! {
    Int "group.share.assignment.interval.ms" ["1000"] at_least(0) cluster_wide(): "";
    List "group.share.assignors" ["simple"] non_empty_list(&[]): "";
    Int "group.share.delivery.count.limit" ["5"] between(2, 10): "";
    Int "group.share.heartbeat.interval.ms" ["5000"] at_least(1): "";
    Int "group.share.max.assignment.interval.ms" ["15000"] at_least(0): "";
    Int "group.share.max.delivery.count.limit" ["10"] between(5, 25): "";
    Int "group.share.max.heartbeat.interval.ms" ["15000"] at_least(1): "";
    Int "group.share.max.partition.max.record.locks" ["4000"] between(2000, 10000): "";
    Int "group.share.max.record.lock.duration.ms" ["60000"] between(30000, 3600000): "";
    Int "group.share.max.session.timeout.ms" ["60000"] at_least(1): "";
    Int "group.share.max.share.sessions" ["2000"] at_least(1): "";
    Int "group.share.max.size" ["200"] between(1, 1000): "";
    Int "group.share.min.assignment.interval.ms" ["0"] at_least(0): "";
    Int "group.share.min.delivery.count.limit" ["2"] between(2, 5): "";
    Int "group.share.min.heartbeat.interval.ms" ["5000"] at_least(1): "";
    Int "group.share.min.partition.max.record.locks" ["100"] between(100, 2000): "";
    Int "group.share.min.record.lock.duration.ms" ["15000"] between(1000, 30000): "";
    Int "group.share.min.session.timeout.ms" ["45000"] at_least(1): "";
    Int "group.share.partition.max.record.locks" ["2000"] between(100, 10000): "";
    Int "group.share.record.lock.duration.ms" ["30000"] between(1000, 3600000): "";
    Int "group.share.session.timeout.ms" ["45000"] at_least(1): "";
    Int "share.coordinator.append.linger.ms" ["-1"] at_least(-1): "";
    Int "share.coordinator.cached.buffer.max.bytes" ["1048588"] at_least(524288) cluster_wide(): "";
    Int "share.coordinator.load.buffer.size" ["5242880"] at_least(1): "";
    Int "share.coordinator.snapshot.update.records.per.snapshot" ["500"] between(0, 500): "";
    Int "share.coordinator.state.topic.compression.codec" ["0"]: "";
    Short "share.coordinator.state.topic.min.isr" ["1"] at_least(1): "";
    Int "share.coordinator.state.topic.num.partitions" ["50"] at_least(1): "";
    Short "share.coordinator.state.topic.replication.factor" ["1"] at_least(1): "";
    Int "share.coordinator.state.topic.segment.bytes" ["104857600"] at_least(1): "";
    Int "share.coordinator.threads" ["1"] at_least(1): "";
    Int "share.coordinator.write.timeout.ms" ["5000"] at_least(1): "";
    Int "share.fetch.purgatory.purge.interval.requests" ["1000"]: "";
};
