//! Ringmill's own configurations.

use crate::config::definition::{Definition, definitions};

pub(super) const RINGMILL: &[Definition] = definitions! {
    String "ringmill.admin.listener" ["127.0.0.1:9644"] acts(): "address:port of metrics and health over HTTP; empty for none.";
    Boolean "ringmill.balance.enable" ["false"] acts(): "Whether partitions move by themselves from cores that are much busier than others.";
    Long "ringmill.balance.interval.ms" ["10000"] between(100, 3600000) acts():
        "How often cores are compared; a core must be the busiest three times in a row before one of its partitions moves.";
    List "ringmill.core.endpoints" [] acts():
        "FIRST-LAST, or LISTENER:FIRST-LAST separated by commas: each core listens on a port of this range, too, and clients see it as a broker.";
    Long "ringmill.disk.reserve.bytes" ["67108864"] between(0, 1099511627776) acts():
        "Produce is refused while a log directory has less free space than this and all data that is not in segments yet. Everything else goes on.";
    Long "ringmill.journal.bypass.bytes" ["262144"] between(4096, 1099511627776) acts():
        "A partition with so many bytes on their way to the journal writes them straight to its segment, once; at most 4 MiB.";
    Long "ringmill.journal.initial.bytes" ["16777216"] between(1048576, 1099511627776) acts():
        "Size of a new journal, one for each shard and log directory.";
    Long "ringmill.journal.max.bytes" ["1073741824"] between(1048576, 1099511627776) acts(): "Size that a journal may grow to.";
    Long "ringmill.memory.bytes" ["268435456"] between(16777216, 1099511627776) acts():
        "A shard's memory: data not yet in segments, recent data that fetches read, requests and answers under way, compaction.";
    Long "ringmill.request.memory.connection.bytes" ["16777216"] between(65536, 1099511627776) acts():
        "Bytes of requests in flight on one connection; above it the socket is not read. One larger request alone still passes.";
    Long "ringmill.request.memory.reserve.bytes" ["16777216"] between(1048576, 1099511627776) acts():
        "What metadata, replication and admin requests may use on a shard when the rest is full, at most 1/16 of ringmill.memory.bytes.";
    Long "ringmill.request.memory.shard.bytes" ["268435456"] between(1048576, 1099511627776) acts():
        "Bytes of requests in flight on one shard, at most 6/16 of ringmill.memory.bytes; above it no socket of the shard is read.";
    Long "ringmill.response.memory.bytes" ["268435456"] between(1048576, 1099511627776) acts():
        "Bytes of answers on one shard that peers have not read yet, at most 2/16 of ringmill.memory.bytes; above it fetches wait.";
    Int "ringmill.shards" [] between(1, 1024) acts():
        "Cores that own partitions; by default one for each core the process may use, less the controller's where there are four or more.";
};
