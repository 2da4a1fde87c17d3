//! DescribeConfigs: every configuration of a topic or a broker with its value, where the value comes from, and what else was set.

use super::catalogue;
use super::definition::{ConfigType, Definition, UpdateMode};
use super::layers::{BrokerLayers, ConfigMap, ConfigSource};
use super::synonyms::{broker_synonyms, listener_base, topic_synonyms};
use super::topic::effective;
use super::value::Value;

/// One entry of the answer. The caller leaves out synonyms and documentation that were not asked for.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ConfigEntry {
    pub name: String,
    /// `None`: not set, or a secret.
    pub value: Option<String>,
    pub read_only: bool,
    pub source: ConfigSource,
    pub sensitive: bool,
    /// What was set for it anywhere, the strongest first, and the default last.
    pub synonyms: Vec<ConfigSynonym>,
    pub config_type: ConfigType,
    pub documentation: Option<&'static str>,
}

impl ConfigEntry {
    /// True if nobody set it.
    pub fn is_default(&self) -> bool {
        self.source == ConfigSource::Default
    }
}

/// One value that was set, under the name it was set by.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ConfigSynonym {
    pub name: String,
    pub value: Option<String>,
    pub source: ConfigSource,
}

/// All configurations of a topic, by name.
pub fn describe_topic(overrides: &ConfigMap, broker: BrokerLayers) -> Vec<ConfigEntry> {
    catalogue::topics().iter().map(|definition| topic_entry(definition, overrides, broker)).collect()
}

/// All configurations of a broker (resource BROKER, its id), by name, with those that were set though nobody knows them.
pub fn describe_broker(broker: BrokerLayers) -> Vec<ConfigEntry> {
    let is_set = |name: &str| broker.sources().iter().any(|(_, layer)| layer.contains_key(name));
    let listed = catalogue::brokers().filter(|definition| !definition.hidden_until_set || is_set(definition.name));
    let mut entries: Vec<ConfigEntry> = listed.map(|definition| broker_entry(definition.name, broker)).collect();
    let mut unknown: Vec<&String> = broker.sources().iter().flat_map(|(_, layer)| layer.keys()).collect();
    unknown.retain(|name| catalogue::broker(name).is_none());
    unknown.sort();
    unknown.dedup();
    entries.extend(unknown.into_iter().map(|name| broker_entry(name, broker)));
    entries.sort_by(|a, b| a.name.cmp(&b.name));
    entries
}

/// What was set at run time for all brokers (resource BROKER, empty name), by name.
pub fn describe_cluster(broker: BrokerLayers) -> Vec<ConfigEntry> {
    let entry = |(name, text): (&String, &String)| {
        let mut entry = broker_entry(name, broker);
        entry.value = if entry.sensitive { None } else { Some(shown(definition_of(name), text)) };
        entry.synonyms.retain(|synonym| synonym.source == ConfigSource::DynamicDefaultBroker);
        entry.source = ConfigSource::DynamicDefaultBroker;
        entry
    };
    broker.dynamic_default.iter().map(entry).collect()
}

fn topic_entry(definition: &'static Definition, overrides: &ConfigMap, broker: BrokerLayers) -> ConfigEntry {
    let name = definition.name;
    let value = effective(name, overrides, broker).map(|value| value.to_string());
    let mut synonyms = match topic_synonyms(name).first() {
        Some(synonym) => synonyms_of(synonym.name, broker),
        None => Vec::new(),
    };
    if overrides.contains_key(name) {
        synonyms.insert(0, ConfigSynonym { name: name.to_string(), value: value.clone(), source: ConfigSource::Topic });
    }
    ConfigEntry {
        name: name.to_string(),
        value,
        read_only: false,
        source: synonyms.first().map_or(ConfigSource::Default, |synonym| synonym.source),
        sensitive: definition.is_sensitive(),
        synonyms,
        config_type: definition.config_type,
        documentation: Some(definition.documentation),
    }
}

fn broker_entry(name: &str, broker: BrokerLayers) -> ConfigEntry {
    let definition = catalogue::broker(name);
    let config_type = definition_of(name).map_or(ConfigType::Unknown, |definition| definition.config_type);
    let sensitive = config_type.is_sensitive();
    let synonyms = synonyms_of(name, broker);
    let value = match definition {
        Some(_) => broker.value(name).map(|value| value.to_string()),
        None => synonyms.first().and_then(|synonym| synonym.value.clone()),
    };
    ConfigEntry {
        name: name.to_string(),
        value: value.filter(|_| !sensitive),
        read_only: definition.is_none_or(|definition| definition.update == UpdateMode::ReadOnly),
        source: synonyms.first().map_or(ConfigSource::Default, |synonym| synonym.source),
        sensitive,
        synonyms,
        config_type,
        documentation: definition.map(|definition| definition.documentation),
    }
}

/// The row of a broker configuration, or of what follows a listener's prefix.
fn definition_of(name: &str) -> Option<&'static Definition> {
    catalogue::broker(name).or_else(|| catalogue::broker(listener_base(name)?))
}

/// What the layers and the defaults hold for a broker configuration. What stands before the first entry under its own name is
/// left out: so Kafka answers, and an unset `log.retention.ms` is "default" even where `log.retention.hours` is set.
pub(super) fn synonyms_of(name: &str, broker: BrokerLayers) -> Vec<ConfigSynonym> {
    let names = broker_synonyms(name);
    let hidden = definition_of(name).is_none_or(Definition::is_sensitive);
    let synonym =
        |name: &str, text: &str, source| ConfigSynonym { name: name.to_string(), value: (!hidden).then(|| text.to_string()), source };
    let mut found = Vec::new();
    for (source, layer) in broker.sources() {
        found.extend(names.iter().filter_map(|n| Some(synonym(n, layer.get(*n)?, source))));
    }
    found.extend(names.iter().filter_map(|n| Some(synonym(n, catalogue::broker(n)?.default?, ConfigSource::Default))));
    found.into_iter().skip_while(|s| s.name != name).collect()
}

fn shown(definition: Option<&Definition>, text: &str) -> String {
    match definition.map(|definition| Value::parse(definition, text)) {
        Some(Ok(value)) => value.to_string(),
        _ => text.to_string(),
    }
}
