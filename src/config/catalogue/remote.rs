//! Broker configurations of tiered storage.

use crate::config::definition::{Definition, definitions};

pub(super) const REMOTE: &[Definition] = definitions! {
    Boolean "follower.fetch.last.tiered.offset.enable" ["false"] cluster_wide(): "";
    Int "remote.fetch.max.wait.ms" ["500"] at_least(1) cluster_wide(): "";
    Long "remote.list.offsets.request.timeout.ms" ["30000"] at_least(1) cluster_wide(): "";
    Long "remote.log.index.file.cache.total.size.bytes" ["1073741824"] at_least(1) cluster_wide(): "";
    Int "remote.log.manager.copier.thread.pool.size" ["10"] at_least(1) cluster_wide(): "";
    Long "remote.log.manager.copy.max.bytes.per.second" ["9223372036854775807"] at_least(1) cluster_wide(): "";
    Int "remote.log.manager.copy.quota.window.num" ["11"] at_least(1): "";
    Int "remote.log.manager.copy.quota.window.size.seconds" ["1"] at_least(1): "";
    Int "remote.log.manager.expiration.thread.pool.size" ["10"] at_least(1) cluster_wide(): "";
    Long "remote.log.manager.fetch.max.bytes.per.second" ["9223372036854775807"] at_least(1) cluster_wide(): "";
    Int "remote.log.manager.fetch.quota.window.num" ["11"] at_least(1): "";
    Int "remote.log.manager.fetch.quota.window.size.seconds" ["1"] at_least(1): "";
    Int "remote.log.manager.follower.thread.pool.size" ["2"] at_least(1) cluster_wide(): "";
    Long "remote.log.manager.task.interval.ms" ["30000"] at_least(1): "";
    Int "remote.log.manager.thread.pool.size" ["2"] at_least(1): "";
    Int "remote.log.metadata.custom.metadata.max.bytes" ["128"] at_least(0): "";
    String "remote.log.metadata.manager.class.name" ["org.apache.kafka.server.log.remote.metadata.storage.TopicBasedRemoteLogMetadataManager"] non_empty():
        "";
    String "remote.log.metadata.manager.class.path" []: "";
    String "remote.log.metadata.manager.impl.prefix" ["rlmm.config."] non_empty(): "";
    String "remote.log.metadata.manager.listener.name" [] non_empty(): "";
    Int "remote.log.reader.max.pending.tasks" ["100"] at_least(1): "";
    Int "remote.log.reader.threads" ["10"] at_least(1) cluster_wide(): "";
    String "remote.log.storage.manager.class.name" [] non_empty(): "";
    String "remote.log.storage.manager.class.path" []: "";
    String "remote.log.storage.manager.impl.prefix" ["rsm.config."] non_empty(): "";
    Boolean "remote.log.storage.system.enable" ["false"]: "";
};
