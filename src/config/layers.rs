//! Where a broker configuration's value comes from: what was set for this broker at run time, for all brokers at run time,
//! at its start, or nowhere.

use super::catalogue;
use super::definition::Definition;
use super::synonyms::{Synonym, topic_synonyms};
use super::value::Value;
use std::collections::BTreeMap;

/// Configurations by name, as somebody wrote them.
pub type ConfigMap = BTreeMap<String, String>;

/// Where an entry's value comes from, numbered as DescribeConfigs does on the wire.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(i8)]
pub enum ConfigSource {
    Topic = 1,
    DynamicBroker = 2,
    DynamicDefaultBroker = 3,
    StaticBroker = 4,
    Default = 5,
    Group = 8,
}

impl ConfigSource {
    /// The number on the wire.
    pub const fn code(self) -> i8 {
        self as i8
    }
}

/// One broker's configuration in layers, the strongest first.
#[derive(Clone, Copy, Debug)]
pub struct BrokerLayers<'a> {
    /// Set at run time for this broker (resource BROKER, its id).
    pub dynamic: &'a ConfigMap,
    /// Set at run time for all brokers (resource BROKER, empty name).
    pub dynamic_default: &'a ConfigMap,
    /// Given at the start: file, environment, command line.
    pub fixed: &'a ConfigMap,
}

impl<'a> BrokerLayers<'a> {
    /// The layers that hold what somebody set, the strongest first.
    pub(super) fn sources(self) -> [(ConfigSource, &'a ConfigMap); 3] {
        [
            (ConfigSource::DynamicBroker, self.dynamic),
            (ConfigSource::DynamicDefaultBroker, self.dynamic_default),
            (ConfigSource::StaticBroker, self.fixed),
        ]
    }

    /// The value in force for a broker configuration of the catalogue; `None`: not set. A layer's value that does not parse
    /// (written by another version) counts as not set.
    pub fn value(self, name: &str) -> Option<Value> {
        let definition = catalogue::broker(name)?;
        let set = self.sources().into_iter().find_map(|(_, layer)| parse_in(layer, definition));
        set.or_else(|| default_of(definition))
    }

    /// The value that topics without an override of `topic_config` get.
    pub(super) fn topic_default(self, topic_config: &Definition) -> Option<Value> {
        let synonyms = topic_synonyms(topic_config.name);
        for (_, layer) in self.sources() {
            let set = synonyms.iter().find_map(|s| Some(scaled(parse_in(layer, catalogue::broker(s.name)?)?, s)));
            if set.is_some() {
                return set;
            }
        }
        let default = synonyms.iter().find_map(|s| Some(scaled(default_of(catalogue::broker(s.name)?)?, s)));
        default.or_else(|| default_of(topic_config))
    }
}

fn parse_in(layer: &ConfigMap, definition: &Definition) -> Option<Value> {
    Value::parse(definition, layer.get(definition.name)?).ok()
}

fn default_of(definition: &Definition) -> Option<Value> {
    Value::parse(definition, definition.default?).ok()
}

/// Into the topic configuration's unit; every negative time means "unlimited".
fn scaled(value: Value, synonym: &Synonym) -> Value {
    match value {
        Value::Integer(number) if synonym.scale != 1 && number < 0 => Value::Integer(-1),
        Value::Integer(number) => Value::Integer(number.saturating_mul(synonym.scale)),
        other => other,
    }
}
