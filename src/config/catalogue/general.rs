//! Broker configurations of topics' creation, quotas, metrics and plugins.

use crate::config::definition::{Definition, definitions};

pub(super) const GENERAL: &[Definition] = definitions! {
    Class "alter.config.policy.class.name" []: "";
    Boolean "auto.create.topics.enable" ["true"] acts(): "";
    Int "background.threads" ["10"] at_least(1) cluster_wide(): "";
    Class "client.quota.callback.class" []: "";
    List "config.providers" [""] cluster_wide(): "";
    Boolean "controlled.shutdown.enable" ["true"]: "";
    Class "create.topic.policy.class.name" []: "";
    Int "delete.records.purgatory.purge.interval.requests" ["1"]: "";
    Boolean "delete.topic.enable" ["true"] acts(): "";
    Int "kafka.metrics.polling.interval.secs" ["10"] at_least(1): "";
    List "kafka.metrics.reporters" [""]: "";
    List "metric.reporters" ["org.apache.kafka.common.metrics.JmxReporter"] cluster_wide(): "";
    Int "metrics.num.samples" ["2"] at_least(1): "";
    String "metrics.recording.level" ["INFO"]: "";
    Long "metrics.sample.window.ms" ["30000"] at_least(1): "";
    Int "num.partitions" ["1"] at_least(1) acts(): "";
    Int "producer.purgatory.purge.interval.requests" ["1000"]: "";
    Int "quota.window.num" ["11"] at_least(1): "";
    Int "quota.window.size.seconds" ["1"] at_least(1): "";
};
