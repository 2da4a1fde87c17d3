//! Which broker configurations stand behind a topic's, and which broker configurations are the same thing in other units.

/// A broker configuration that gives a topic's its value, `scale` times (minutes and hours into milliseconds).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Synonym {
    pub name: &'static str,
    pub scale: i64,
}

const MINUTE: i64 = 60_000;
const HOUR: i64 = 60 * MINUTE;

macro_rules! synonyms {
    ($($topic:literal => $($broker:literal $(* $scale:ident)?),+;)*) => {
        const TOPIC_SYNONYMS: &[(&str, &[Synonym])] = &[
            $(($topic, &[$(Synonym { name: $broker, scale: synonyms!(@scale $($scale)?) }),+])),*
        ];
    };
    (@scale) => { 1 };
    (@scale $scale:ident) => { $scale };
}

// The first that is set counts.
synonyms! {
    "cleanup.policy" => "log.cleanup.policy";
    "compression.gzip.level" => "compression.gzip.level";
    "compression.lz4.level" => "compression.lz4.level";
    "compression.type" => "compression.type";
    "compression.zstd.level" => "compression.zstd.level";
    "delete.retention.ms" => "log.cleaner.delete.retention.ms";
    "file.delete.delay.ms" => "log.segment.delete.delay.ms";
    "flush.messages" => "log.flush.interval.messages";
    "flush.ms" => "log.flush.interval.ms", "log.flush.scheduler.interval.ms";
    "index.interval.bytes" => "log.index.interval.bytes";
    "local.retention.bytes" => "log.local.retention.bytes";
    "local.retention.ms" => "log.local.retention.ms";
    "max.compaction.lag.ms" => "log.cleaner.max.compaction.lag.ms";
    "max.message.bytes" => "message.max.bytes";
    "message.timestamp.after.max.ms" => "log.message.timestamp.after.max.ms";
    "message.timestamp.before.max.ms" => "log.message.timestamp.before.max.ms";
    "message.timestamp.type" => "log.message.timestamp.type";
    "min.cleanable.dirty.ratio" => "log.cleaner.min.cleanable.ratio";
    "min.compaction.lag.ms" => "log.cleaner.min.compaction.lag.ms";
    "min.insync.replicas" => "min.insync.replicas";
    "preallocate" => "log.preallocate";
    "retention.bytes" => "log.retention.bytes";
    "retention.ms" => "log.retention.ms", "log.retention.minutes" * MINUTE, "log.retention.hours" * HOUR;
    "segment.bytes" => "log.segment.bytes";
    "segment.index.bytes" => "log.index.size.max.bytes";
    "segment.jitter.ms" => "log.roll.jitter.ms", "log.roll.jitter.hours" * HOUR;
    "segment.ms" => "log.roll.ms", "log.roll.hours" * HOUR;
    "unclean.leader.election.enable" => "unclean.leader.election.enable";
}

/// The broker configurations behind a topic configuration, the strongest first; empty if there is none.
pub fn topic_synonyms(topic_config: &str) -> &'static [Synonym] {
    TOPIC_SYNONYMS.iter().find(|(name, _)| *name == topic_config).map_or(&[], |(_, synonyms)| synonyms)
}

/// The configurations that DescribeConfigs searches for a broker configuration, the strongest first.
pub fn broker_synonyms(name: &str) -> Vec<&str> {
    match name {
        "log.roll.ms" | "log.roll.hours" => vec!["log.roll.ms", "log.roll.hours"],
        "log.roll.jitter.ms" | "log.roll.jitter.hours" => vec!["log.roll.jitter.ms", "log.roll.jitter.hours"],
        "log.flush.interval.ms" => vec!["log.flush.interval.ms", "log.flush.scheduler.interval.ms"],
        "log.retention.ms" | "log.retention.minutes" | "log.retention.hours" => {
            vec!["log.retention.ms", "log.retention.minutes", "log.retention.hours"]
        }
        _ => match listener_base(name) {
            Some(base) => vec![name, base],
            None => vec![name],
        },
    }
}

/// `ssl.keystore.type` of `listener.name.external.ssl.keystore.type`.
pub fn listener_base(name: &str) -> Option<&str> {
    let (_, base) = name.strip_prefix("listener.name.")?.split_once('.')?;
    Some(base)
}
