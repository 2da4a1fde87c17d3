//! What IncrementalAlterConfigs and AlterConfigs share: which resource is meant, whether it may be changed, and the records.
//!
//! Pure.

use super::create_topics::value_too_long;
use super::handler::{HandlerContext, Refusal};
use super::record::{ConfigRecord, ConfigResource, Record, ResourceType};
use crate::config::limits::{CONFIG_VALUE_BYTES_MAX, CONFIGS_PER_RESOURCE_MAX, CONFIGURED_GROUPS_MAX};
use crate::config::{BrokerScope, ConfigDelta};
use crate::types::{ErrorCode, check_topic_name};
use crate::wire::Str;

/// A resource that exists and may be changed here.
pub struct Target {
    pub resource: ConfigResource,
    /// For broker resources.
    pub scope: BrokerScope,
}

/// The resource that a request means, by its number and name on the wire.
pub fn target(cx: &HandlerContext, resource_type: i8, name: &str) -> Result<Target, Refusal> {
    if resource_type == ResourceType::Topic as i8 {
        check_topic(cx, name)?;
        return Ok(Target { resource: ConfigResource::topic(name), scope: BrokerScope::Cluster });
    }
    if resource_type == ResourceType::Group as i8 {
        if name.is_empty() {
            return Err(Refusal::new(ErrorCode::InvalidRequest, "Default group resources are not allowed."));
        }
        let resource = ConfigResource::group(name);
        check_room(cx, &resource)?;
        return Ok(Target { resource, scope: BrokerScope::Cluster });
    }
    if resource_type != ResourceType::Broker as i8 {
        return Err(Refusal::new(ErrorCode::InvalidRequest, format!("Unknown resource type {resource_type}")));
    }
    if name.is_empty() {
        return Ok(Target { resource: ConfigResource::cluster_default(), scope: BrokerScope::Cluster });
    }
    check_broker(cx, name)?;
    Ok(Target { resource: ConfigResource::broker(cx.broker.node_id), scope: BrokerScope::Broker })
}

/// There need be no such group, as in Kafka: so many may be made up.
fn check_room(cx: &HandlerContext, group: &ConfigResource) -> Result<(), Refusal> {
    let groups = cx.image.configured_resources().filter(|(resource, _)| resource.resource_type == ResourceType::Group);
    if cx.image.configs(group).is_empty() && groups.count() >= CONFIGURED_GROUPS_MAX {
        let message = format!("No more than {CONFIGURED_GROUPS_MAX} groups may have configurations.");
        return Err(Refusal::new(ErrorCode::PolicyViolation, message));
    }
    Ok(())
}

fn check_topic(cx: &HandlerContext, name: &str) -> Result<(), Refusal> {
    if name.is_empty() {
        return Err(Refusal::new(ErrorCode::InvalidRequest, "Default topic resources are not allowed."));
    }
    check_topic_name(name).map_err(|reason| Refusal::new(ErrorCode::InvalidTopicException, reason))?;
    match cx.image.topic_by_name(name) {
        Some(_) => Ok(()),
        None => Err(Refusal::new(ErrorCode::UnknownTopicOrPartition, format!("The topic '{name}' does not exist."))),
    }
}

/// A broker's configs are checked against what it was started with, which only that broker knows.
fn check_broker(cx: &HandlerContext, name: &str) -> Result<(), Refusal> {
    let expected = cx.broker.node_id;
    let refuse = |message: String| Err(Refusal::new(ErrorCode::InvalidRequest, message));
    match name.parse::<i32>() {
        Err(_) => refuse(format!("Node id must be an integer, but it is: {name}")),
        Ok(id) if id != expected.0 => refuse(format!("Unexpected broker id, expected {expected}, but received {name}")),
        Ok(_) => Ok(()),
    }
}

/// The records that make a checked change.
pub fn records(cx: &HandlerContext, resource: &ConfigResource, delta: ConfigDelta) -> Result<Vec<Record>, Refusal> {
    let is_long = |(name, value): &(String, Option<String>)| {
        name.len() > CONFIG_VALUE_BYTES_MAX || value.as_ref().is_some_and(|value| value.len() > CONFIG_VALUE_BYTES_MAX)
    };
    if delta.iter().any(is_long) {
        return Err(value_too_long());
    }
    let current = cx.image.configs(resource);
    let added = delta.iter().filter(|(name, value)| value.is_some() && !current.contains_key(name)).count();
    if current.len() + added > CONFIGS_PER_RESOURCE_MAX {
        let message = format!("A resource may have no more than {CONFIGS_PER_RESOURCE_MAX} configurations.");
        return Err(Refusal::new(ErrorCode::InvalidConfig, message));
    }
    let records = delta
        .into_iter()
        .map(|(name, value)| Record::Config(ConfigRecord { resource: resource.clone(), name: name.into(), value: value.map(Into::into) }));
    Ok(records.collect())
}

/// Changes the resources of a request, `change` by their position: all records, and for each resource its error code and message. A
/// resource that is named twice is refused both times; validation alone gives no records.
pub fn change_each(
    named: &[(i8, &str)],
    validate_only: bool,
    mut change: impl FnMut(usize) -> Result<Vec<Record>, Refusal>,
) -> (Vec<Record>, Vec<(ErrorCode, Option<Str>)>) {
    let mut records = Vec::new();
    let mut outcomes = Vec::with_capacity(named.len());
    for (position, is_repeated) in repeated(named).into_iter().enumerate() {
        let repetition = || Refusal::new(ErrorCode::InvalidRequest, "Each resource must appear at most once.");
        match if is_repeated { Err(repetition()) } else { change(position) } {
            Ok(more) => {
                records.extend(more);
                outcomes.push((ErrorCode::None, None));
            }
            Err(refusal) => outcomes.push((refusal.code, refusal.message())),
        }
    }
    if validate_only {
        records.clear();
    }
    (records, outcomes)
}

/// For each resource, whether another one is the same.
fn repeated(named: &[(i8, &str)]) -> Vec<bool> {
    let mut counts = std::collections::BTreeMap::new();
    for resource in named {
        *counts.entry(resource).or_insert(0) += 1;
    }
    named.iter().map(|resource| counts[resource] > 1).collect()
}
