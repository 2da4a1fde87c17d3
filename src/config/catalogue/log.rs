//! Broker configurations of logs: retention, segments, flush, compaction, compression; most are the defaults of topic configurations.

use crate::config::definition::{Definition, definitions};

pub(super) const LOG: &[Definition] = definitions! {
    Int "compression.gzip.level" ["-1"] gzip_level() cluster_wide() acts():
        "gzip's effort when the broker compresses: 1 is fastest, 9 smallest, -1 the codec's own choice.";
    Int "compression.lz4.level" ["9"] between(1, 17) cluster_wide() acts(): "lz4's effort when the broker compresses.";
    String "compression.type" ["producer"] one_of(&["uncompressed", "zstd", "lz4", "snappy", "gzip", "producer"]) cluster_wide() acts():
        "How batches are stored: as the producer sent them, or recompressed to this codec.";
    Int "compression.zstd.level" ["3"] between(-131072, 22) cluster_wide() acts(): "zstd's effort when the broker compresses.";
    List "cordoned.log.dirs" [""] per_broker(): "Log directories that get no new partitions.";
    Long "log.cleaner.backoff.ms" ["15000"] at_least(0) cluster_wide() acts(): "How long compaction sleeps when there is nothing to compact.";
    Long "log.cleaner.dedupe.buffer.size" ["134217728"] cluster_wide() acts(): "Memory of compaction for keys.";
    Long "log.cleaner.delete.retention.ms" ["86400000"] at_least(0) cluster_wide() acts(): "Default of topics' delete.retention.ms.";
    Boolean "log.cleaner.enable" ["true"] acts(): "Whether compaction runs.";
    Double "log.cleaner.io.buffer.load.factor" ["0.9"] cluster_wide() acts(): "How full compaction's memory for keys may get.";
    Int "log.cleaner.io.buffer.size" ["524288"] at_least(0) cluster_wide() acts(): "Memory of compaction for reading and writing.";
    Double "log.cleaner.io.max.bytes.per.second" ["1.7976931348623157E308"] cluster_wide() acts(): "Throttle of compaction's reads and writes.";
    Long "log.cleaner.max.compaction.lag.ms" ["9223372036854775807"] at_least(1) cluster_wide() acts():
        "Default of topics' max.compaction.lag.ms.";
    Double "log.cleaner.min.cleanable.ratio" ["0.5"] between(0, 1) cluster_wide() acts(): "Default of topics' min.cleanable.dirty.ratio.";
    Long "log.cleaner.min.compaction.lag.ms" ["0"] at_least(0) cluster_wide() acts(): "Default of topics' min.compaction.lag.ms.";
    Int "log.cleaner.threads" ["1"] at_least(0) cluster_wide(): "Threads that compact.";
    List "log.cleanup.policy" ["delete"] one_of(&["compact", "delete"]) cluster_wide() acts(): "Default of topics' cleanup.policy.";
    List "log.dir" ["./ringmill-data"] non_empty_list(&[]) acts():
        "The directory for data when log.dirs is not set. Ringmill's default is ./ringmill-data.";
    Long "log.dir.failure.timeout.ms" ["30000"] at_least(1):
        "How long a broker with a failed directory runs when it can't tell the controller.";
    List "log.dirs" [] non_empty_list(&[]) acts(): "Directories for data, separated by commas; without it log.dir.";
    Long "log.flush.interval.messages" ["1"] at_least(1) cluster_wide() acts():
        "Default of topics' flush.messages. Ringmill's is 1, unlike Kafka's: an ack means on disk.";
    Long "log.flush.interval.ms" [] at_least(0) cluster_wide() acts():
        "Default of topics' flush.ms; without it log.flush.scheduler.interval.ms.";
    Int "log.flush.offset.checkpoint.interval.ms" ["60000"] at_least(0): "Time between checkpoints of what is flushed.";
    Long "log.flush.scheduler.interval.ms" ["9223372036854775807"] at_least(0) acts():
        "Time between looks for logs to flush; default of topics' flush.ms.";
    Int "log.flush.start.offset.checkpoint.interval.ms" ["60000"] at_least(0): "Time between checkpoints of logs' start offsets.";
    Int "log.index.interval.bytes" ["4096"] at_least(0) cluster_wide() acts(): "Default of topics' index.interval.bytes.";
    Int "log.index.size.max.bytes" ["10485760"] at_least(4) cluster_wide() acts(): "Default of topics' segment.index.bytes.";
    Long "log.local.retention.bytes" ["-2"] at_least(-2) cluster_wide(): "Default of topics' local.retention.bytes.";
    Long "log.local.retention.ms" ["-2"] at_least(-2) cluster_wide(): "Default of topics' local.retention.ms.";
    Long "log.message.timestamp.after.max.ms" ["3600000"] at_least(0) cluster_wide() acts():
        "Default of topics' message.timestamp.after.max.ms.";
    Long "log.message.timestamp.before.max.ms" ["9223372036854775807"] at_least(0) cluster_wide() acts():
        "Default of topics' message.timestamp.before.max.ms.";
    String "log.message.timestamp.type" ["CreateTime"] one_of(&["CreateTime", "LogAppendTime"]) cluster_wide() acts():
        "Default of topics' message.timestamp.type.";
    Boolean "log.preallocate" ["false"] cluster_wide(): "Default of topics' preallocate.";
    Long "log.retention.bytes" ["-1"] cluster_wide() acts(): "Default of topics' retention.bytes.";
    Long "log.retention.check.interval.ms" ["300000"] at_least(1) acts(): "Time between looks for segments to delete.";
    Int "log.retention.hours" ["168"] positive_or_unlimited() acts():
        "Default of topics' retention.ms, in hours; the weakest of the three.";
    Int "log.retention.minutes" [] positive_or_unlimited() acts():
        "Default of topics' retention.ms, in minutes; without it log.retention.hours.";
    Long "log.retention.ms" [] positive_or_unlimited() cluster_wide() acts():
        "Default of topics' retention.ms; without it log.retention.minutes.";
    Int "log.roll.hours" ["168"] at_least(1) acts(): "Default of topics' segment.ms, in hours.";
    Int "log.roll.jitter.hours" ["0"] at_least(0) acts(): "Default of topics' segment.jitter.ms, in hours.";
    Long "log.roll.jitter.ms" [] at_least(0) cluster_wide() acts():
        "Default of topics' segment.jitter.ms; without it log.roll.jitter.hours.";
    Long "log.roll.ms" [] at_least(1) cluster_wide() acts(): "Default of topics' segment.ms; without it log.roll.hours.";
    Int "log.segment.bytes" ["1073741824"] at_least(1048576) cluster_wide() acts(): "Default of topics' segment.bytes.";
    Long "log.segment.delete.delay.ms" ["60000"] at_least(0) cluster_wide() acts(): "Default of topics' file.delete.delay.ms.";
    Int "message.max.bytes" ["1048588"] at_least(0) cluster_wide() acts(): "Default of topics' max.message.bytes.";
    Int "min.insync.replicas" ["1"] at_least(1) cluster_wide() acts():
        "In-sync replicas that must exist for a produce with acks=all to be accepted.";
    Int "num.recovery.threads.per.data.dir" ["2"] at_least(1) cluster_wide(): "Threads that recover one log directory at start.";
};
