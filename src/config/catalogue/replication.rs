//! Broker configurations of replication, leadership and its quotas.

use crate::config::definition::{Definition, definitions};

pub(super) const REPLICATION: &[Definition] = definitions! {
    Int "alter.log.dirs.replication.quota.window.num" ["11"] at_least(1): "";
    Int "alter.log.dirs.replication.quota.window.size.seconds" ["1"] at_least(1): "";
    Boolean "auto.leader.rebalance.enable" ["true"]: "";
    Int "default.replication.factor" ["1"] at_least(1) acts(): "";
    Long "follower.replication.throttled.rate" ["9223372036854775807"] at_least(0) cluster_wide() hidden_until_set(): "";
    Long "leader.imbalance.check.interval.seconds" ["300"] at_least(1): "";
    Long "leader.replication.throttled.rate" ["9223372036854775807"] at_least(0) cluster_wide() hidden_until_set(): "";
    Int "num.replica.alter.log.dirs.threads" []: "";
    Int "num.replica.fetchers" ["1"] at_least(1) cluster_wide(): "";
    Long "replica.alter.log.dirs.io.max.bytes.per.second" ["9223372036854775807"] at_least(0) cluster_wide() hidden_until_set(): "";
    Int "replica.fetch.backoff.ms" ["1000"] at_least(0): "";
    Int "replica.fetch.max.bytes" ["1048576"] at_least(0): "";
    Int "replica.fetch.min.bytes" ["1"]: "";
    Int "replica.fetch.response.max.bytes" ["10485760"] at_least(0): "";
    Int "replica.fetch.wait.max.ms" ["500"]: "";
    Long "replica.high.watermark.checkpoint.interval.ms" ["5000"]: "";
    Long "replica.lag.time.max.ms" ["30000"]: "";
    String "replica.selector.class" []: "";
    Int "replica.socket.receive.buffer.bytes" ["65536"]: "";
    Int "replica.socket.timeout.ms" ["30000"]: "";
    Int "replication.quota.window.num" ["11"] at_least(1): "";
    Int "replication.quota.window.size.seconds" ["1"] at_least(1): "";
    Int "request.timeout.ms" ["30000"]: "";
    Boolean "unclean.leader.election.enable" ["false"] cluster_wide(): "";
};
