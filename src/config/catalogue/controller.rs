//! Broker configurations of the node's identity, the metadata quorum and its log.

use crate::config::definition::{Definition, definitions};

pub(super) const CONTROLLER: &[Definition] = definitions! {
    Int "broker.heartbeat.interval.ms" ["2000"]: "Time between a broker's heartbeats to the controller.";
    Int "broker.id" ["-1"] acts(): "The older name of node.id.";
    String "broker.rack" [] acts(): "Where the broker stands; replicas are spread over racks.";
    Int "broker.session.timeout.ms" ["9000"]: "Time without a heartbeat after which a broker counts as dead.";
    List "controller.listener.names" ["CONTROLLER"] non_empty_list(&[]) acts(): "Which of the listeners are the controller's.";
    Int "controller.quorum.append.linger.ms" ["25"] at_least(0):
        "How long the leader of the metadata quorum gathers records before it writes.";
    Boolean "controller.quorum.auto.join.enable" ["false"]: "Whether a new controller joins the metadata quorum by itself.";
    List "controller.quorum.bootstrap.servers" [""]: "Addresses at which the metadata quorum is found.";
    Int "controller.quorum.election.backoff.max.ms" ["1000"] at_least(0): "The longest wait after a lost election of the metadata quorum.";
    Int "controller.quorum.election.timeout.ms" ["1000"] at_least(0): "How long an election of the metadata quorum may last.";
    Int "controller.quorum.fetch.max.bytes" ["1048576"] at_least(1): "The most bytes in one fetch from the metadata log.";
    Int "controller.quorum.fetch.snapshot.max.bytes" ["1048576"] at_least(1): "The most bytes in one fetch of a metadata snapshot.";
    Int "controller.quorum.fetch.timeout.ms" ["2000"] at_least(0): "Time without the quorum's leader after which an election begins.";
    Int "controller.quorum.request.timeout.ms" ["2000"] at_least(0): "How long a request within the metadata quorum may take.";
    Int "controller.quorum.retry.backoff.ms" ["20"] at_least(0): "Wait between retries within the metadata quorum.";
    List "controller.quorum.voters" [""]: "Members of the metadata quorum, id@host:port each.";
    Int "controller.quota.window.num" ["11"] at_least(1): "Samples kept for the quota on changes of topics.";
    Int "controller.quota.window.size.seconds" ["1"] at_least(1): "Length of a sample for the quota on changes of topics.";
    Int "controller.socket.timeout.ms" ["30000"]: "How long a broker waits for the controller's answer.";
    Int "initial.broker.registration.timeout.ms" ["60000"]: "How long a starting broker tries to register with the controller.";
    String "metadata.log.dir" []: "Directory of the metadata log; by default the first of log.dirs.";
    Long "metadata.log.max.record.bytes.between.snapshots" ["20971520"] at_least(1):
        "Bytes of metadata records after which a snapshot is made.";
    Long "metadata.log.max.snapshot.interval.ms" ["3600000"] at_least(0): "Time after which a metadata snapshot is made.";
    Int "metadata.log.segment.bytes" ["1073741824"] at_least(8388608): "Size at which a new segment of the metadata log begins.";
    Long "metadata.log.segment.ms" ["604800000"]: "Age at which a new segment of the metadata log begins.";
    Int "metadata.max.idle.interval.ms" ["500"] at_least(0): "Time between empty records that keep the metadata log moving.";
    Long "metadata.max.retention.bytes" ["104857600"]: "Size above which old metadata segments and snapshots are deleted.";
    Long "metadata.max.retention.ms" ["604800000"]: "Age above which old metadata segments and snapshots are deleted.";
    Int "node.id" ["1"] at_least(0) acts(): "This node's number in the cluster. Ringmill's default is 1.";
    List "process.roles" ["broker,controller"] non_empty_list(&["broker", "controller"]) acts():
        "What this node does: broker, controller or both.";
};
