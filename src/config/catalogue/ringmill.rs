//! Ringmill's own configurations.

use crate::config::definition::{Definition, definitions};

pub(super) const RINGMILL: &[Definition] = definitions! {
    String "ringmill.admin.listener" ["127.0.0.1:9644"] acts(): "";
    Long "ringmill.journal.initial.bytes" ["16777216"] between(1048576, 1099511627776) acts(): "";
    Long "ringmill.journal.max.bytes" ["1073741824"] between(1048576, 1099511627776) acts(): "";
    Long "ringmill.memory.bytes" ["134217728"] between(16777216, 1099511627776) acts(): "";
    Long "ringmill.request.memory.connection.bytes" ["16777216"] between(65536, 1099511627776) acts(): "";
    Long "ringmill.request.memory.reserve.bytes" ["16777216"] between(1048576, 1099511627776) acts(): "";
    Long "ringmill.request.memory.shard.bytes" ["268435456"] between(1048576, 1099511627776) acts(): "";
    Int "ringmill.shards" [] between(1, 1024) acts(): "";
};
