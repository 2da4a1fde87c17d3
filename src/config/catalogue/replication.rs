//! Broker configurations of replication, leadership and its quotas.

use crate::config::definition::{Definition, definitions};

pub(super) const REPLICATION: &[Definition] = definitions! {
    Int "alter.log.dirs.replication.quota.window.num" ["11"] at_least(1): "Samples kept for the quota on moves between log directories.";
    Int "alter.log.dirs.replication.quota.window.size.seconds" ["1"] at_least(1):
        "Length of a sample for the quota on moves between log directories.";
    Boolean "auto.leader.rebalance.enable" ["true"]: "Whether leadership goes back to preferred replicas by itself.";
    Int "default.replication.factor" ["1"] at_least(1) acts(): "Replicas of a topic that is made without a number.";
    Long "follower.replication.throttled.rate" ["9223372036854775807"] at_least(0) cluster_wide() hidden_until_set():
        "Bytes per second that followers fetch for throttled replicas.";
    Long "leader.imbalance.check.interval.seconds" ["300"] at_least(1):
        "Time between looks for partitions not led by their preferred replica.";
    Long "leader.replication.throttled.rate" ["9223372036854775807"] at_least(0) cluster_wide() hidden_until_set():
        "Bytes per second that leaders send to throttled replicas.";
    Int "num.replica.alter.log.dirs.threads" []: "Threads that move replicas between log directories.";
    Int "num.replica.fetchers" ["1"] at_least(1) cluster_wide(): "Threads that fetch from one leader.";
    Long "replica.alter.log.dirs.io.max.bytes.per.second" ["9223372036854775807"] at_least(0) cluster_wide() hidden_until_set():
        "Bytes per second for moves between log directories.";
    Int "replica.fetch.backoff.ms" ["1000"] at_least(0): "Wait of a follower after a failed fetch.";
    Int "replica.fetch.max.bytes" ["1048576"] at_least(0): "Bytes of one partition that a follower asks for.";
    Int "replica.fetch.min.bytes" ["1"]: "Bytes that a follower's fetch waits for.";
    Int "replica.fetch.response.max.bytes" ["10485760"] at_least(0): "Bytes in all that a follower asks for.";
    Int "replica.fetch.wait.max.ms" ["500"]: "How long a follower's fetch waits for bytes.";
    Long "replica.high.watermark.checkpoint.interval.ms" ["5000"]: "Time between checkpoints of high watermarks.";
    Long "replica.lag.time.max.ms" ["30000"]: "How long a follower may lag before it leaves the in-sync replicas.";
    String "replica.selector.class" []: "A Java class that picks the replica a consumer reads from.";
    Int "replica.socket.receive.buffer.bytes" ["65536"]: "Receive buffer of followers' sockets.";
    Int "replica.socket.timeout.ms" ["30000"]: "How long a follower waits for an answer.";
    Int "replication.quota.window.num" ["11"] at_least(1): "Samples kept for the throttle of replication.";
    Int "replication.quota.window.size.seconds" ["1"] at_least(1): "Length of a sample for the throttle of replication.";
    Int "request.timeout.ms" ["30000"]: "How long a broker's own request waits for its answer.";
    Boolean "unclean.leader.election.enable" ["false"] cluster_wide():
        "Whether a replica that is not in sync may lead when no other is left; acknowledged records may be lost.";
};
