//! Broker configurations of listeners, connections and requests.

use crate::config::definition::{Definition, definitions};

pub(super) const NETWORK: &[Definition] = definitions! {
    List "advertised.listeners" [] non_empty_list(&[]) acts(): "";
    Long "connections.max.idle.ms" ["600000"] acts(): "";
    List "early.start.listeners" []: "";
    Int "fetch.max.bytes" ["57671680"] at_least(1024) acts(): "";
    Int "fetch.purgatory.purge.interval.requests" ["1000"]: "";
    String "inter.broker.listener.name" []: "";
    String "listener.security.protocol.map" ["SASL_SSL:SASL_SSL,PLAINTEXT:PLAINTEXT,SSL:SSL,SASL_PLAINTEXT:SASL_PLAINTEXT"] per_broker() acts():
        "";
    List "listeners" ["PLAINTEXT://127.0.0.1:9092"] non_empty_list(&[]) per_broker() acts(): "";
    Int "max.connection.creation.rate" ["2147483647"] at_least(0) cluster_wide(): "";
    Int "max.connections" ["2147483647"] at_least(0) cluster_wide() acts(): "";
    Int "max.connections.per.ip" ["2147483647"] at_least(0) cluster_wide() acts(): "";
    String "max.connections.per.ip.overrides" [""] cluster_wide() acts(): "";
    Int "max.incremental.fetch.session.cache.slots" ["1000"] at_least(0) acts(): "";
    Int "max.request.partition.size.limit" ["2000"] at_least(1) acts(): "";
    Int "num.io.threads" ["8"] at_least(1) cluster_wide(): "";
    Int "num.network.threads" ["3"] at_least(1) cluster_wide(): "";
    Long "queued.max.request.bytes" ["-1"]: "";
    Int "queued.max.requests" ["500"] at_least(1): "";
    Long "socket.connection.setup.timeout.max.ms" ["30000"]: "";
    Long "socket.connection.setup.timeout.ms" ["10000"]: "";
    Int "socket.listen.backlog.size" ["50"] at_least(1): "";
    Int "socket.receive.buffer.bytes" ["102400"]: "";
    Int "socket.request.max.bytes" ["104857600"] at_least(1) acts(): "";
    Int "socket.send.buffer.bytes" ["102400"]: "";
};
