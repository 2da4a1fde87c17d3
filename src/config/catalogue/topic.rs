//! Topic configurations.

use crate::config::definition::{Definition, definitions};

pub(super) const TOPIC: &[Definition] = definitions! {
    List "cleanup.policy" ["delete"] one_of(&["compact", "delete"]): "";
    Int "compression.gzip.level" ["-1"] gzip_level(): "";
    Int "compression.lz4.level" ["9"] between(1, 17): "";
    String "compression.type" ["producer"] one_of(&["uncompressed", "zstd", "lz4", "snappy", "gzip", "producer"]): "";
    Int "compression.zstd.level" ["3"] between(-131072, 22): "";
    Long "delete.retention.ms" ["86400000"] at_least(0): "";
    Long "file.delete.delay.ms" ["60000"] at_least(0): "";
    Long "flush.messages" ["1"] at_least(1): "";
    Long "flush.ms" ["9223372036854775807"] at_least(0): "";
    List "follower.replication.throttled.replicas" [""] throttled_replicas(): "";
    Int "index.interval.bytes" ["4096"] at_least(0): "";
    List "leader.replication.throttled.replicas" [""] throttled_replicas(): "";
    Long "local.retention.bytes" ["-2"] at_least(-2): "";
    Long "local.retention.ms" ["-2"] at_least(-2): "";
    Long "max.compaction.lag.ms" ["9223372036854775807"] at_least(1): "";
    Int "max.message.bytes" ["1048588"] at_least(0): "";
    Long "message.timestamp.after.max.ms" ["3600000"] at_least(0): "";
    Long "message.timestamp.before.max.ms" ["9223372036854775807"] at_least(0): "";
    String "message.timestamp.type" ["CreateTime"] one_of(&["CreateTime", "LogAppendTime"]): "";
    Double "min.cleanable.dirty.ratio" ["0.5"] between(0, 1): "";
    Long "min.compaction.lag.ms" ["0"] at_least(0): "";
    Int "min.insync.replicas" ["1"] at_least(1): "";
    Boolean "preallocate" ["false"]: "";
    Boolean "remote.log.copy.disable" ["false"]: "";
    Boolean "remote.log.delete.on.disable" ["false"]: "";
    Boolean "remote.storage.enable" ["false"]: "";
    Long "retention.bytes" ["-1"]: "";
    Long "retention.ms" ["604800000"] at_least(-1): "";
    Int "segment.bytes" ["1073741824"] at_least(1048576): "";
    Int "segment.index.bytes" ["10485760"] at_least(4): "";
    Long "segment.jitter.ms" ["0"] at_least(0): "";
    Long "segment.ms" ["604800000"] at_least(1): "";
    Boolean "unclean.leader.election.enable" ["false"]: "";
};
