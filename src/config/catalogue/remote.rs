//! Broker configurations of tiered storage.

use crate::config::definition::{Definition, definitions};

pub(super) const REMOTE: &[Definition] = definitions! {
    Boolean "follower.fetch.last.tiered.offset.enable" ["false"] cluster_wide():
        "Whether a new follower starts from the end of the tiered part of the log.";
    Int "remote.fetch.max.wait.ms" ["500"] at_least(1) cluster_wide(): "How long a fetch waits for remote storage.";
    Long "remote.list.offsets.request.timeout.ms" ["30000"] at_least(1) cluster_wide():
        "How long a look-up of offsets waits for remote storage.";
    Long "remote.log.index.file.cache.total.size.bytes" ["1073741824"] at_least(1) cluster_wide():
        "Disk space for indexes of remote segments.";
    Int "remote.log.manager.copier.thread.pool.size" ["10"] at_least(1) cluster_wide(): "Threads that copy segments to remote storage.";
    Long "remote.log.manager.copy.max.bytes.per.second" ["9223372036854775807"] at_least(1) cluster_wide():
        "Throttle of copies to remote storage.";
    Int "remote.log.manager.copy.quota.window.num" ["11"] at_least(1): "Samples kept for the throttle of copies.";
    Int "remote.log.manager.copy.quota.window.size.seconds" ["1"] at_least(1): "Length of a sample for the throttle of copies.";
    Int "remote.log.manager.expiration.thread.pool.size" ["10"] at_least(1) cluster_wide(): "Threads that delete expired remote segments.";
    Long "remote.log.manager.fetch.max.bytes.per.second" ["9223372036854775807"] at_least(1) cluster_wide():
        "Throttle of reads from remote storage.";
    Int "remote.log.manager.fetch.quota.window.num" ["11"] at_least(1): "Samples kept for the throttle of reads.";
    Int "remote.log.manager.fetch.quota.window.size.seconds" ["1"] at_least(1): "Length of a sample for the throttle of reads.";
    Int "remote.log.manager.follower.thread.pool.size" ["2"] at_least(1) cluster_wide(): "Threads that do followers' part of tiering.";
    Long "remote.log.manager.task.interval.ms" ["30000"] at_least(1): "Time between rounds of tiering.";
    Int "remote.log.manager.thread.pool.size" ["2"] at_least(1): "Threads that plan tiering.";
    Int "remote.log.metadata.custom.metadata.max.bytes" ["128"] at_least(0): "The most custom metadata of a remote segment.";
    String "remote.log.metadata.manager.class.name" ["org.apache.kafka.server.log.remote.metadata.storage.TopicBasedRemoteLogMetadataManager"] non_empty():
        "A Java class that keeps remote segments' metadata.";
    String "remote.log.metadata.manager.class.path" []: "Where the class for remote metadata is found.";
    String "remote.log.metadata.manager.impl.prefix" ["rlmm.config."] non_empty():
        "Prefix of the configurations that go to the class for remote metadata.";
    String "remote.log.metadata.manager.listener.name" [] non_empty(): "The listener that the class for remote metadata connects to.";
    Int "remote.log.reader.max.pending.tasks" ["100"] at_least(1): "Remote reads that may wait.";
    Int "remote.log.reader.threads" ["10"] at_least(1) cluster_wide(): "Threads that read from remote storage.";
    String "remote.log.storage.manager.class.name" [] non_empty(): "A Java class that reaches remote storage.";
    String "remote.log.storage.manager.class.path" []: "Where the storage class is found.";
    String "remote.log.storage.manager.impl.prefix" ["rsm.config."] non_empty():
        "Prefix of the configurations that go to the storage class.";
    Boolean "remote.log.storage.system.enable" ["false"]: "Whether tiered storage runs. Not supported.";
};
