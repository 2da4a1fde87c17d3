//! Configurations of single groups (resource type GROUP): what may be set, in which bounds of the broker's, and how they are shown.

use super::alter::{ConfigChange, ConfigDelta, applied, replacement, resolve_changes};
use super::catalogue;
use super::describe::{ConfigEntry, ConfigSynonym, synonyms_of};
use super::error::ConfigError;
use super::layers::{BrokerLayers, ConfigMap, ConfigSource};
use super::value::Value;

const SESSION: &str = "consumer.session.timeout.ms";
const HEARTBEAT: &str = "consumer.heartbeat.interval.ms";

/// In the order of Kafka's checks.
const BOUNDED: [&str; 3] = [HEARTBEAT, SESSION, "consumer.assignment.interval.ms"];

fn integer(value: Option<Value>) -> Option<i64> {
    match value {
        Some(Value::Integer(number)) => Some(number),
        _ => None,
    }
}

fn set(overrides: &ConfigMap, name: &str) -> Option<i64> {
    integer(Value::parse(catalogue::group(name)?, overrides.get(name)?).ok())
}

/// The broker's own, or with `what` one of its bounds: `group.consumer.min.session.timeout.ms`.
fn broker_name(name: &str, what: &str) -> String {
    name.replacen("consumer.", &format!("group.consumer.{what}"), 1)
}

fn validate(overrides: &ConfigMap, broker: BrokerLayers) -> Result<(), ConfigError> {
    if let Some(name) = overrides.keys().find(|name| catalogue::group(name).is_none()) {
        return Err(ConfigError::OfGroup { text: format!("Unknown group config name: {name}") });
    }
    for (name, text) in overrides {
        if let Some(definition) = catalogue::group(name) {
            Value::parse(definition, text)?;
        }
    }
    for name in BOUNDED {
        let Some(value) = set(overrides, name) else { continue };
        for (what, which) in [("min.", "greater"), ("max.", "less")] {
            let bound = broker_name(name, what);
            let limit = integer(broker.value(&bound));
            if limit.is_some_and(|limit| if what == "min." { value < limit } else { value > limit }) {
                return Err(ConfigError::OfGroup { text: format!("{name} must be {which} than or equal to {bound}") });
            }
        }
    }
    let in_force = |name: &str| set(overrides, name).or_else(|| integer(broker.value(&broker_name(name, ""))));
    if in_force(SESSION) <= in_force(HEARTBEAT) {
        return Err(ConfigError::OfGroup { text: format!("{SESSION} must be greater than {HEARTBEAT}") });
    }
    Ok(())
}

/// IncrementalAlterConfigs for a group whose overrides are `current`.
pub fn alter_group(current: &ConfigMap, changes: &[ConfigChange], broker: BrokerLayers) -> Result<ConfigDelta, ConfigError> {
    let delta = resolve_changes(current, changes, catalogue::group)?;
    validate(&applied(current, &delta), broker)?;
    Ok(delta)
}

/// AlterConfigs (the older request) for a group: `wanted` replaces all overrides.
pub fn replace_group(current: &ConfigMap, wanted: &ConfigMap, broker: BrokerLayers) -> Result<ConfigDelta, ConfigError> {
    validate(wanted, broker)?;
    Ok(replacement(current, wanted))
}

/// All configurations of a group, by name; there need be no such group.
pub fn describe_group(overrides: &ConfigMap, broker: BrokerLayers) -> Vec<ConfigEntry> {
    let entry = |definition: &'static super::definition::Definition| {
        let name = definition.name;
        let own = overrides.get(name);
        let of_broker = broker_name(name, "");
        let mut synonyms = synonyms_of(&of_broker, broker);
        if let Some(value) = own {
            synonyms.insert(0, ConfigSynonym { name: name.to_string(), value: Some(value.clone()), source: ConfigSource::Group });
        }
        ConfigEntry {
            name: name.to_string(),
            value: own.cloned().or_else(|| broker.value(&of_broker).map(|value| value.to_string())),
            read_only: false,
            source: synonyms.first().map_or(ConfigSource::Default, |synonym| synonym.source),
            sensitive: false,
            synonyms,
            config_type: definition.config_type,
            documentation: Some(definition.documentation),
        }
    };
    catalogue::groups().iter().map(entry).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::AlterOperation;

    fn alter(current: &ConfigMap, name: &str, value: &str) -> Result<ConfigDelta, String> {
        let nothing = ConfigMap::new();
        let broker = BrokerLayers { dynamic: &nothing, dynamic_default: &nothing, fixed: &nothing };
        let change = ConfigChange { name: name.into(), operation: AlterOperation::Set, value: Some(value.into()) };
        alter_group(current, &[change], broker).map_err(|error| error.to_string())
    }

    #[test]
    fn what_is_set_is_in_the_brokers_bounds() {
        let nothing = ConfigMap::new();
        assert_eq!(alter(&nothing, SESSION, "50000"), Ok(vec![(SESSION.into(), Some("50000".into()))]));
        let refused = |name, value| alter(&nothing, name, value).unwrap_err();
        assert_eq!(
            refused(SESSION, "1000"),
            "consumer.session.timeout.ms must be greater than or equal to group.consumer.min.session.timeout.ms"
        );
        assert_eq!(
            refused(SESSION, "100000"),
            "consumer.session.timeout.ms must be less than or equal to group.consumer.max.session.timeout.ms"
        );
        assert_eq!(
            refused(HEARTBEAT, "20000"),
            "consumer.heartbeat.interval.ms must be less than or equal to group.consumer.max.heartbeat.interval.ms"
        );
        assert_eq!(refused(SESSION, "abc"), "Invalid value abc for configuration consumer.session.timeout.ms: Not a number of type INT");
        assert_eq!(refused("no.such", "1"), "Unknown group config name: no.such");
    }

    #[test]
    fn a_groups_own_value_comes_before_the_brokers() {
        let nothing = ConfigMap::new();
        let fixed = ConfigMap::from([("group.consumer.heartbeat.interval.ms".to_string(), "7000".to_string())]);
        let broker = BrokerLayers { dynamic: &nothing, dynamic_default: &nothing, fixed: &fixed };
        let own = ConfigMap::from([(SESSION.to_string(), "50000".to_string())]);
        let shown: Vec<_> = describe_group(&own, broker).into_iter().map(|e| (e.value.unwrap(), e.source, e.synonyms.len())).collect();
        let expected = [("1000", ConfigSource::Default, 1), ("7000", ConfigSource::StaticBroker, 2), ("50000", ConfigSource::Group, 2)];
        assert_eq!(shown, expected.map(|(value, source, synonyms)| (value.to_string(), source, synonyms)));
    }
}
