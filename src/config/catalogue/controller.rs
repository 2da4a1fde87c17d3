//! Broker configurations of the node's identity, the metadata quorum and its log.

use crate::config::definition::{Definition, definitions};

pub(super) const CONTROLLER: &[Definition] = definitions! {
    Int "broker.heartbeat.interval.ms" ["2000"]: "";
    Int "broker.id" ["-1"] acts(): "";
    String "broker.rack" [] acts(): "";
    Int "broker.session.timeout.ms" ["9000"]: "";
    List "controller.listener.names" ["CONTROLLER"] non_empty_list(&[]) acts(): "";
    Int "controller.quorum.append.linger.ms" ["25"] at_least(0): "";
    Boolean "controller.quorum.auto.join.enable" ["false"]: "";
    List "controller.quorum.bootstrap.servers" [""]: "";
    Int "controller.quorum.election.backoff.max.ms" ["1000"] at_least(0): "";
    Int "controller.quorum.election.timeout.ms" ["1000"] at_least(0): "";
    Int "controller.quorum.fetch.max.bytes" ["1048576"] at_least(1): "";
    Int "controller.quorum.fetch.snapshot.max.bytes" ["1048576"] at_least(1): "";
    Int "controller.quorum.fetch.timeout.ms" ["2000"] at_least(0): "";
    Int "controller.quorum.request.timeout.ms" ["2000"] at_least(0): "";
    Int "controller.quorum.retry.backoff.ms" ["20"] at_least(0): "";
    List "controller.quorum.voters" [""]: "";
    Int "controller.quota.window.num" ["11"] at_least(1): "";
    Int "controller.quota.window.size.seconds" ["1"] at_least(1): "";
    Int "controller.socket.timeout.ms" ["30000"]: "";
    Int "initial.broker.registration.timeout.ms" ["60000"]: "";
    String "metadata.log.dir" []: "";
    Long "metadata.log.max.record.bytes.between.snapshots" ["20971520"] at_least(1): "";
    Long "metadata.log.max.snapshot.interval.ms" ["3600000"] at_least(0): "";
    Int "metadata.log.segment.bytes" ["1073741824"] at_least(8388608): "";
    Long "metadata.log.segment.ms" ["604800000"]: "";
    Int "metadata.max.idle.interval.ms" ["500"] at_least(0): "";
    Long "metadata.max.retention.bytes" ["104857600"]: "";
    Long "metadata.max.retention.ms" ["604800000"]: "";
    Int "node.id" ["1"] at_least(0) acts(): "";
    List "process.roles" ["broker,controller"] non_empty_list(&["broker", "controller"]) acts(): "";
};
