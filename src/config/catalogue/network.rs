//! Broker configurations of listeners, connections and requests.

use crate::config::definition::{Definition, definitions};

pub(super) const NETWORK: &[Definition] = definitions! {
    List "advertised.listeners" [] non_empty_list(&[]) acts():
        "What clients are told to connect to, NAME://host:port each; by default what listeners says.";
    Long "connections.max.idle.ms" ["600000"] acts(): "Time without traffic after which a connection is closed.";
    List "early.start.listeners" []: "Listeners that open before authorization is ready.";
    Int "fetch.max.bytes" ["57671680"] at_least(1024) acts():
        "The most bytes of records in one fetch answer; a first batch above it is still sent whole.";
    Int "fetch.purgatory.purge.interval.requests" ["1000"]: "Waiting fetches after which finished ones are swept out.";
    String "inter.broker.listener.name" []: "The listener that brokers use among themselves.";
    String "listener.security.protocol.map" ["SASL_SSL:SASL_SSL,PLAINTEXT:PLAINTEXT,SSL:SSL,SASL_PLAINTEXT:SASL_PLAINTEXT"] per_broker() acts():
        "The security protocol of each listener, NAME:PROTOCOL each.";
    List "listeners" ["PLAINTEXT://127.0.0.1:9092"] non_empty_list(&[]) per_broker() acts():
        "Addresses to listen on, NAME://host:port each; an empty host means every interface.";
    Int "max.connection.creation.rate" ["2147483647"] at_least(0) cluster_wide(): "New connections per second that are accepted.";
    Int "max.connections" ["2147483647"] at_least(0) cluster_wide() acts(): "Connections that the broker keeps at once.";
    Int "max.connections.per.ip" ["2147483647"] at_least(0) cluster_wide() acts():
        "Connections from one address that the broker keeps at once.";
    String "max.connections.per.ip.overrides" [""] cluster_wide() acts():
        "Limits for single addresses in place of max.connections.per.ip, address:count each.";
    Int "max.incremental.fetch.session.cache.slots" ["1000"] at_least(0) acts(): "Incremental fetch sessions that are kept.";
    Int "max.request.partition.size.limit" ["2000"] at_least(1) acts():
        "The most partitions in one answer that describes topics' partitions.";
    Int "num.io.threads" ["8"] at_least(1) cluster_wide(): "Threads that handle requests. Ringmill's shards do that: see ringmill.shards.";
    Int "num.network.threads" ["3"] at_least(1) cluster_wide():
        "Threads that serve sockets. Ringmill's shards do that: see ringmill.shards.";
    Long "queued.max.request.bytes" ["-1"]: "Bytes of requests that may wait for a handler.";
    Int "queued.max.requests" ["500"] at_least(1): "Requests that may wait for a handler.";
    Long "socket.connection.setup.timeout.max.ms" ["30000"]: "The longest that a broker's own connection may take to open.";
    Long "socket.connection.setup.timeout.ms" ["10000"]: "The first limit on the time a broker's own connection takes to open.";
    Int "socket.listen.backlog.size" ["50"] at_least(1): "Connections that may wait to be accepted. Ringmill always allows 4096.";
    Int "socket.receive.buffer.bytes" ["102400"]: "Receive buffer of clients' sockets.";
    Int "socket.request.max.bytes" ["104857600"] at_least(1) acts(): "The largest request that is accepted.";
    Int "socket.send.buffer.bytes" ["102400"]: "Send buffer of clients' sockets.";
};
