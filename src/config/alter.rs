//! Changes to configurations at run time: what CreateTopics, IncrementalAlterConfigs and AlterConfigs check and what they then store.

use super::catalogue;
use super::definition::{ConfigType, Definition, UpdateMode};
use super::error::ConfigError;
use super::layers::{BrokerLayers, ConfigMap};
use super::synonyms::listener_base;
use super::topic::effective;
use super::value::Value;

/// What IncrementalAlterConfigs does to one key.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum AlterOperation {
    Set,
    Delete,
    Append,
    Subtract,
}

impl AlterOperation {
    /// The operation by its number on the wire.
    pub fn from_code(code: i8) -> Option<AlterOperation> {
        Some(match code {
            0 => AlterOperation::Set,
            1 => AlterOperation::Delete,
            2 => AlterOperation::Append,
            3 => AlterOperation::Subtract,
            _ => return None,
        })
    }

    const fn name(self) -> &'static str {
        match self {
            AlterOperation::Set => "SET",
            AlterOperation::Delete => "DELETE",
            AlterOperation::Append => "APPEND",
            AlterOperation::Subtract => "SUBTRACT",
        }
    }
}

/// One requested change.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ConfigChange {
    pub name: String,
    pub operation: AlterOperation,
    /// Not looked at for [`AlterOperation::Delete`].
    pub value: Option<String>,
}

/// What to store, by name: the new value, or `None` to remove the key.
pub type ConfigDelta = Vec<(String, Option<String>)>;

/// Which broker a change is for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum BrokerScope {
    /// One broker (resource BROKER, its id).
    Broker,
    /// All brokers (resource BROKER, empty name).
    Cluster,
}

/// Checks a topic's overrides as a whole, as CreateTopics needs it.
pub fn validate_topic(overrides: &ConfigMap, broker: BrokerLayers) -> Result<(), ConfigError> {
    for name in overrides.keys() {
        if catalogue::topic(name).is_none() {
            return Err(ConfigError::UnknownTopicConfig { name: name.clone() });
        }
    }
    for (name, text) in overrides {
        if let Some(definition) = catalogue::topic(name) {
            Value::parse(definition, text)?;
        }
    }
    validate_together(overrides, broker)
}

/// Rules between configurations, over the values that would be in force.
fn validate_together(overrides: &ConfigMap, broker: BrokerLayers) -> Result<(), ConfigError> {
    let (low, high) = ("min.compaction.lag.ms", "max.compaction.lag.ms");
    if let (Some(Value::Integer(low_value)), Some(Value::Integer(high_value))) =
        (effective(low, overrides, broker), effective(high, overrides, broker))
        && low_value > high_value
    {
        return Err(ConfigError::Conflict { low, low_value, high, high_value });
    }
    if effective("remote.storage.enable", overrides, broker) == Some(Value::Boolean(true)) {
        return Err(ConfigError::TieredStorage);
    }
    Ok(())
}

/// IncrementalAlterConfigs for a topic whose overrides are `current`.
pub fn alter_topic(current: &ConfigMap, changes: &[ConfigChange], broker: BrokerLayers) -> Result<ConfigDelta, ConfigError> {
    let delta = resolve_changes(current, changes, catalogue::topic)?;
    validate_topic(&applied(current, &delta), broker)?;
    Ok(delta)
}

/// AlterConfigs (the older request) for a topic: `wanted` replaces all overrides.
pub fn replace_topic(current: &ConfigMap, wanted: &ConfigMap, broker: BrokerLayers) -> Result<ConfigDelta, ConfigError> {
    validate_topic(wanted, broker)?;
    Ok(replacement(current, wanted))
}

/// IncrementalAlterConfigs for a broker or the cluster's default, where `current` is what was set at run time.
pub fn alter_broker(current: &ConfigMap, changes: &[ConfigChange], scope: BrokerScope) -> Result<ConfigDelta, ConfigError> {
    let delta = resolve_changes(current, changes, catalogue::broker)?;
    validate_broker(&applied(current, &delta), scope)?;
    Ok(delta)
}

/// AlterConfigs for a broker or the cluster's default: `wanted` replaces all that was set at run time.
pub fn replace_broker(current: &ConfigMap, wanted: &ConfigMap, scope: BrokerScope) -> Result<ConfigDelta, ConfigError> {
    validate_broker(wanted, scope)?;
    Ok(replacement(current, wanted))
}

pub(super) fn resolve_changes(
    current: &ConfigMap,
    changes: &[ConfigChange],
    definition_of: fn(&str) -> Option<&'static Definition>,
) -> Result<ConfigDelta, ConfigError> {
    if has_duplicates(changes) {
        return Err(ConfigError::DuplicateKey);
    }
    let nulls: Vec<&str> =
        changes.iter().filter(|c| c.operation != AlterOperation::Delete && c.value.is_none()).map(|c| &*c.name).collect();
    if !nulls.is_empty() {
        return Err(ConfigError::NullValue { name: nulls.join(",") });
    }
    let mut delta = ConfigDelta::new();
    for change in changes {
        let value = new_value(current.get(&change.name), change, definition_of(&change.name))?;
        if value.as_ref() != current.get(&change.name) {
            delta.push((change.name.clone(), value));
        }
    }
    delta.sort();
    Ok(delta)
}

fn has_duplicates(changes: &[ConfigChange]) -> bool {
    let mut names: Vec<&str> = changes.iter().map(|change| &*change.name).collect();
    names.sort_unstable();
    names.windows(2).any(|pair| pair[0] == pair[1])
}

fn new_value(current: Option<&String>, change: &ConfigChange, definition: Option<&Definition>) -> Result<Option<String>, ConfigError> {
    match change.operation {
        AlterOperation::Set => Ok(change.value.clone()),
        AlterOperation::Delete => Ok(None),
        AlterOperation::Append | AlterOperation::Subtract => {
            let Some(definition) = definition.filter(|d| d.config_type == ConfigType::List) else {
                return Err(ConfigError::NotAList { operation: change.operation.name(), name: change.name.clone() });
            };
            // Without a value of its own the key starts from the catalogue's default, as in Kafka, not from the value in force.
            let old = current.map(String::as_str).or(definition.default).unwrap_or_default();
            Ok(Some(edit_list(old, change)))
        }
    }
}

fn edit_list(old: &str, change: &ConfigChange) -> String {
    let mut elements: Vec<&str> = old.split(',').filter(|element| !element.is_empty()).collect();
    for element in change.value.as_deref().unwrap_or_default().split(',') {
        let position = elements.iter().position(|known| *known == element);
        match (change.operation, position) {
            (AlterOperation::Append, None) => elements.push(element),
            (AlterOperation::Subtract, Some(position)) => drop(elements.remove(position)),
            _ => {}
        }
    }
    elements.join(",")
}

pub(super) fn applied(current: &ConfigMap, delta: &ConfigDelta) -> ConfigMap {
    let mut result = current.clone();
    for (name, value) in delta {
        match value {
            Some(value) => drop(result.insert(name.clone(), value.clone())),
            None => drop(result.remove(name)),
        }
    }
    result
}

pub(super) fn replacement(current: &ConfigMap, wanted: &ConfigMap) -> ConfigDelta {
    let removed = current.keys().filter(|name| !wanted.contains_key(*name)).map(|name| (name.clone(), None));
    let set = wanted.iter().filter(|(name, value)| current.get(*name) != Some(value)).map(|(n, v)| (n.clone(), Some(v.clone())));
    let mut delta: ConfigDelta = removed.chain(set).collect();
    delta.sort();
    delta
}

/// Checks all that is set at run time for a broker or the cluster. Unknown keys are stored, as Kafka does: they may be a plugin's.
fn validate_broker(overrides: &ConfigMap, scope: BrokerScope) -> Result<(), ConfigError> {
    let names_where = |wanted: &dyn Fn(&str, Option<&Definition>) -> bool| -> Vec<String> {
        overrides.keys().filter(|name| wanted(name, catalogue::broker(name))).cloned().collect()
    };
    let names = names_where(&|_, definition| definition.is_some_and(|d| d.update == UpdateMode::ReadOnly));
    if !names.is_empty() {
        return Err(ConfigError::NotDynamic { names });
    }
    let names = names_where(&|name, definition| name.starts_with("ssl.") && definition.is_some());
    if !names.is_empty() {
        return Err(ConfigError::NeedsListenerPrefix { names });
    }
    for (name, text) in overrides {
        if let Some(definition) = catalogue::broker(listener_base(name).unwrap_or(name)) {
            Value::parse(definition, text).map_err(|error| ConfigError::InBroker(Box::new(error)))?;
        }
    }
    let names =
        names_where(&|name, definition| listener_base(name).is_some() || definition.is_some_and(|d| d.update == UpdateMode::PerBroker));
    if scope == BrokerScope::Cluster && !names.is_empty() {
        return Err(ConfigError::PerBroker { names });
    }
    Ok(())
}
