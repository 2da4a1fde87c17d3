//! Broker configurations of topics' creation, quotas, metrics and plugins.

use crate::config::definition::{Definition, definitions};

pub(super) const GENERAL: &[Definition] = definitions! {
    Class "alter.config.policy.class.name" []: "A Java class that approves changes of configurations.";
    Boolean "auto.create.topics.enable" ["true"] acts(): "Whether asking for the metadata of a missing topic creates it.";
    Int "background.threads" ["10"] at_least(1) cluster_wide(): "Threads for background work.";
    Class "client.quota.callback.class" []: "A Java class that decides clients' quotas.";
    List "config.providers" [""] cluster_wide(): "Names of Java classes that fill in variables in configurations.";
    Boolean "controlled.shutdown.enable" ["true"]: "Whether a stopping broker first hands its leaderships over.";
    Class "create.topic.policy.class.name" []: "A Java class that approves new topics.";
    Int "delete.records.purgatory.purge.interval.requests" ["1"]:
        "Waiting delete-records requests after which finished ones are swept out.";
    Boolean "delete.topic.enable" ["true"] acts(): "Whether topics can be deleted.";
    Int "kafka.metrics.polling.interval.secs" ["10"] at_least(1): "Time between reports of kafka.metrics.reporters.";
    List "kafka.metrics.reporters" [""]: "Java classes that report metrics of the older kind.";
    List "metric.reporters" ["org.apache.kafka.common.metrics.JmxReporter"] cluster_wide(): "Java classes that report metrics.";
    Int "metrics.num.samples" ["2"] at_least(1): "Samples kept for a rate.";
    String "metrics.recording.level" ["INFO"]: "Level of detail of Kafka's own metrics.";
    Long "metrics.sample.window.ms" ["30000"] at_least(1): "Length of a sample of a rate.";
    Int "num.partitions" ["1"] at_least(1) acts(): "Partitions of a topic that is made without a number.";
    Int "producer.purgatory.purge.interval.requests" ["1000"]: "Waiting produces after which finished ones are swept out.";
    Int "quota.window.num" ["11"] at_least(1): "Samples kept for clients' quotas.";
    Int "quota.window.size.seconds" ["1"] at_least(1): "Length of a sample for clients' quotas.";
};
