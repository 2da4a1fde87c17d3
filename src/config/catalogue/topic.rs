//! Topic configurations.

use crate::config::definition::{Definition, definitions};

pub(super) const TOPIC: &[Definition] = definitions! {
    List "cleanup.policy" ["delete"] one_of(&["compact", "delete"]):
        "What happens to old segments: delete them by time and size, compact them by key, both, or nothing when empty.";
    Int "compression.gzip.level" ["-1"] gzip_level():
        "gzip's effort when the broker compresses: 1 is fastest, 9 smallest, -1 the codec's own choice.";
    Int "compression.lz4.level" ["9"] between(1, 17): "lz4's effort when the broker compresses.";
    String "compression.type" ["producer"] one_of(&["uncompressed", "zstd", "lz4", "snappy", "gzip", "producer"]):
        "How batches are stored: as the producer sent them, or recompressed to this codec.";
    Int "compression.zstd.level" ["3"] between(-131072, 22): "zstd's effort when the broker compresses.";
    Long "delete.retention.ms" ["86400000"] at_least(0):
        "How long a compacted topic keeps tombstones, so that readers from the start can see the deletion.";
    Long "file.delete.delay.ms" ["60000"] at_least(0): "How long the files of a deleted segment stay on disk.";
    Long "flush.messages" ["1"] at_least(1):
        "Records after which data is forced to disk. Ringmill's default is 1, unlike Kafka's: an ack means on disk. More lets acks come from memory.";
    Long "flush.ms" ["9223372036854775807"] at_least(0):
        "Time after which data is forced to disk, for topics whose flush.messages is above 1.";
    List "follower.replication.throttled.replicas" [""] throttled_replicas():
        "Replicas whose incoming replication is throttled: partition:broker pairs, or * for all.";
    Int "index.interval.bytes" ["4096"] at_least(0): "Bytes of log between two entries of the offset index.";
    List "leader.replication.throttled.replicas" [""] throttled_replicas():
        "Replicas whose outgoing replication is throttled: partition:broker pairs, or * for all.";
    Long "local.retention.bytes" ["-2"] at_least(-2): "Size of the local part of a tiered log; -2 takes retention.bytes.";
    Long "local.retention.ms" ["-2"] at_least(-2): "Age of the local part of a tiered log; -2 takes retention.ms.";
    Long "max.compaction.lag.ms" ["9223372036854775807"] at_least(1): "The longest that a record may stay uncompacted.";
    Int "max.message.bytes" ["1048588"] at_least(0): "The largest record batch that is accepted, compressed.";
    Long "message.timestamp.after.max.ms" ["3600000"] at_least(0):
        "How far ahead of the broker's clock a record's timestamp may be; further is refused.";
    Long "message.timestamp.before.max.ms" ["9223372036854775807"] at_least(0):
        "How far behind the broker's clock a record's timestamp may be; further is refused.";
    String "message.timestamp.type" ["CreateTime"] one_of(&["CreateTime", "LogAppendTime"]):
        "Whether a record carries the producer's time or the time of its append.";
    Double "min.cleanable.dirty.ratio" ["0.5"] between(0, 1): "The part of a log that must be uncompacted before it is compacted again.";
    Long "min.compaction.lag.ms" ["0"] at_least(0): "How long a record stays uncompacted at least.";
    Int "min.insync.replicas" ["1"] at_least(1): "In-sync replicas that must exist for a produce with acks=all to be accepted.";
    Boolean "preallocate" ["false"]: "Whether a segment's file gets its full size when it is made.";
    Boolean "remote.log.copy.disable" ["false"]: "Whether a tiered topic stops copying segments to remote storage.";
    Boolean "remote.log.delete.on.disable" ["false"]: "Whether switching tiering off deletes what is remote.";
    Boolean "remote.storage.enable" ["false"]: "Whether the topic's log is tiered. Not supported.";
    Long "retention.bytes" ["-1"]: "Size of a partition's log above which its oldest segments are deleted; -1 is unlimited.";
    Long "retention.ms" ["604800000"] at_least(-1): "Age above which segments are deleted; -1 is unlimited.";
    Int "segment.bytes" ["1073741824"] at_least(1048576): "Size at which a new segment begins.";
    Int "segment.index.bytes" ["10485760"] at_least(4): "Size of a segment's offset index.";
    Long "segment.jitter.ms" ["0"] at_least(0): "Random time taken off segment.ms, so that segments do not roll all at once.";
    Long "segment.ms" ["604800000"] at_least(1): "Age at which a new segment begins, though the old one is not full.";
    Boolean "unclean.leader.election.enable" ["false"]:
        "Whether a replica that is not in sync may lead when no other is left; acknowledged records may be lost.";
};
