//! CreateTopics, and the topics that Metadata requests create.
//!
//! Pure. A topic that is refused does not keep the others from being made. A request for too many partitions is refused as a whole.

use super::handler::{HandlerContext, Refusal, duplicates};
use super::internal_topics;
use super::record::{ConfigRecord, ConfigResource, PartitionRecord, Record, TopicRecord};
use super::replica_placement::{check_manual, first_state, place};
use crate::config::limits::{CONFIG_VALUE_BYTES_MAX, PARTITIONS_PER_REQUEST_MAX};
use crate::config::{ConfigMap, describe_topic, validate_topic};
use crate::types::{ErrorCode, NodeId, TopicId, check_topic_name, topic_collision_key};
use crate::wire::Str;
use crate::wire::api::create_topics::{
    CreatableTopic, CreatableTopicConfigs, CreatableTopicResult, CreateTopicsRequest, CreateTopicsResponse,
};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

pub fn create_topics(cx: &mut HandlerContext, request: &CreateTopicsRequest) -> (Vec<Record>, CreateTopicsResponse) {
    let repeated = duplicates(request.topics.iter().map(|topic| &*topic.name));
    let too_many = too_many_partitions(cx, request);
    let mut created = Created::default();
    let mut answered = BTreeSet::new();
    let mut results = Vec::with_capacity(request.topics.len());
    for topic in &request.topics {
        if !answered.insert(&*topic.name) {
            continue;
        }
        let result = if repeated.contains(&*topic.name) {
            Err(Refusal::new(ErrorCode::InvalidRequest, "Duplicate topic name."))
        } else if &*topic.name == internal_topics::CLUSTER_METADATA_TOPIC {
            let message = format!("Creation of internal topic {} is prohibited.", internal_topics::CLUSTER_METADATA_TOPIC);
            Err(Refusal::new(ErrorCode::InvalidRequest, message))
        } else if too_many {
            Err(Refusal::new(ErrorCode::PolicyViolation, "Excessively large number of partitions per request."))
        } else {
            created.add(cx, topic)
        };
        results.push(result.unwrap_or_else(|refusal| refused(&topic.name, &refusal)));
    }
    let records = if request.validate_only { Vec::new() } else { created.records };
    (records, CreateTopicsResponse { throttle_time_ms: 0, topics: results })
}

/// Makes topics with the default partition count and replication factor. Gives, for each name, why it is not there afterwards.
pub fn auto_create_topics(cx: &mut HandlerContext, names: &[Str]) -> (Vec<Record>, Vec<(Str, ErrorCode)>) {
    let topics = names.iter().map(|name| CreatableTopic {
        name: name.clone(),
        num_partitions: -1,
        replication_factor: -1,
        ..CreatableTopic::default()
    });
    let request = CreateTopicsRequest { topics: topics.collect(), ..CreateTopicsRequest::default() };
    let (records, response) = create_topics(cx, &request);
    let outcomes = response.topics.into_iter().map(|result| match result.error_code {
        // Somebody was quicker.
        ErrorCode::TopicAlreadyExists => (result.name, ErrorCode::None),
        code => (result.name, code),
    });
    (records, outcomes.collect())
}

/// Bounded by what is asked for, before anything is made of it.
fn too_many_partitions(cx: &HandlerContext, request: &CreateTopicsRequest) -> bool {
    let of_topic = |topic: &CreatableTopic| match (topic.assignments.len(), topic.num_partitions) {
        (0, -1) => i64::from(cx.broker.num_partitions),
        (0, count) => i64::from(count.max(0)),
        (assigned, _) => assigned as i64,
    };
    request.topics.iter().map(of_topic).sum::<i64>() > PARTITIONS_PER_REQUEST_MAX as i64
}

fn refused(name: &Str, refusal: &Refusal) -> CreatableTopicResult {
    CreatableTopicResult {
        name: name.clone(),
        error_code: refusal.code,
        error_message: refusal.message(),
        configs: Some(Vec::new()),
        ..CreatableTopicResult::default()
    }
}

/// The topics of one request that are to be made.
#[derive(Default)]
struct Created {
    records: Vec<Record>,
    /// Names by their collision keys.
    collision_keys: BTreeMap<String, String>,
    /// What came of checking and resolving configs: most topics of a large request have the same.
    checked_configs: BTreeMap<ConfigMap, Result<Vec<CreatableTopicConfigs>, Refusal>>,
}

impl Created {
    fn add(&mut self, cx: &mut HandlerContext, topic: &CreatableTopic) -> Result<CreatableTopicResult, Refusal> {
        self.check_name(cx, &topic.name)?;
        let configs = configs_of(topic)?;
        let shown = self.check_configs(cx, &configs)?;
        let topic_id = cx.new_topic_id();
        let partitions =
            if topic.assignments.is_empty() { placed_partitions(cx, topic, topic_id)? } else { assigned_partitions(cx, topic, topic_id)? };
        let result = CreatableTopicResult {
            name: topic.name.clone(),
            topic_id,
            num_partitions: partitions.len() as i32,
            replication_factor: partitions[0].replicas.len() as i16,
            configs: Some(shown),
            ..CreatableTopicResult::default()
        };
        self.push(&topic.name, topic_id, partitions, configs);
        Ok(result)
    }

    fn check_name(&self, cx: &HandlerContext, name: &str) -> Result<(), Refusal> {
        if cx.image.topic_by_name(name).is_some() {
            return Err(Refusal::new(ErrorCode::TopicAlreadyExists, format!("Topic '{name}' already exists.")));
        }
        check_topic_name(name).map_err(|reason| Refusal::new(ErrorCode::InvalidTopicException, reason))?;
        let Some(key) = topic_collision_key(name) else { return Ok(()) };
        let in_request = self.collision_keys.get(&*key).map(String::as_str);
        match cx.image.colliding_topic(name).or(in_request) {
            Some(other) => {
                let message = format!("Topic '{name}' collides with existing topic: {other}");
                Err(Refusal::new(ErrorCode::InvalidTopicException, message))
            }
            None => Ok(()),
        }
    }

    fn check_configs(&mut self, cx: &HandlerContext, configs: &ConfigMap) -> Result<Vec<CreatableTopicConfigs>, Refusal> {
        if let Some(checked) = self.checked_configs.get(configs) {
            return checked.clone();
        }
        let checked = validate_topic(configs, cx.layers()).map(|()| shown_configs(cx, configs)).map_err(Refusal::from);
        self.checked_configs.insert(configs.clone(), checked.clone());
        checked
    }

    fn push(&mut self, name: &str, topic_id: TopicId, partitions: Vec<PartitionRecord>, configs: ConfigMap) {
        if let Some(key) = topic_collision_key(name) {
            self.collision_keys.insert(key.into_owned(), name.to_owned());
        }
        let name: Arc<str> = name.into();
        self.records.push(Record::Topic(TopicRecord { name: Arc::clone(&name), topic_id }));
        self.records.extend(partitions.into_iter().map(Record::Partition));
        self.records.extend(configs.into_iter().map(|(key, value)| {
            let resource = ConfigResource::topic(&name);
            Record::Config(ConfigRecord { resource, name: key.into(), value: Some(value.into()) })
        }));
    }
}

fn configs_of(topic: &CreatableTopic) -> Result<ConfigMap, Refusal> {
    let nulls: Vec<&str> = topic.configs.iter().filter(|config| config.value.is_none()).map(|config| &*config.name).collect();
    if !nulls.is_empty() {
        let message = format!("Null value not supported for topic configs: {}", nulls.join(","));
        return Err(Refusal::new(ErrorCode::InvalidConfig, message));
    }
    let values = topic.configs.iter().map(|config| (config.name.to_string(), config.value.as_deref().unwrap_or_default().to_owned()));
    let configs: ConfigMap = values.collect();
    match configs.values().any(|value| value.len() > CONFIG_VALUE_BYTES_MAX) {
        true => Err(value_too_long()),
        false => Ok(configs),
    }
}

/// Kafka's words for a config value that its metadata cannot hold.
pub fn value_too_long() -> Refusal {
    let message =
        format!("The configuration value cannot be added because it exceeds the maximum value size of {CONFIG_VALUE_BYTES_MAX} bytes.");
    Refusal::new(ErrorCode::InvalidConfig, message)
}

fn assigned_partitions(cx: &HandlerContext, topic: &CreatableTopic, topic_id: TopicId) -> Result<Vec<PartitionRecord>, Refusal> {
    let manual = |what: &str| {
        let message = format!("A manual partition assignment was specified, but {what} was not set to -1.");
        Err(Refusal::new(ErrorCode::InvalidRequest, message))
    };
    if topic.replication_factor != -1 {
        return manual("replication factor");
    }
    if topic.num_partitions != -1 {
        return manual("numPartitions");
    }
    let mut partitions: BTreeMap<i32, PartitionRecord> = BTreeMap::new();
    let mut factor = None;
    for assignment in &topic.assignments {
        let index = assignment.partition_index.0;
        if partitions.contains_key(&index) {
            return Err(bad_assignment(format!("Found multiple manual partition assignments for partition {index}")));
        }
        check_manual(cx.image, &assignment.broker_ids, factor)?;
        factor = Some(assignment.broker_ids.len());
        // The numbers are checked to be 0, 1, ... below.
        let state = assigned_state(cx, topic_id, usize::try_from(index).unwrap_or(0), index, &assignment.broker_ids)?;
        partitions.insert(index, state);
    }
    if !partitions.keys().copied().eq(0..partitions.len() as i32) {
        return Err(bad_assignment("partitions should be a consecutive 0-based integer sequence"));
    }
    Ok(partitions.into_values().collect())
}

fn assigned_state(
    cx: &HandlerContext,
    topic_id: TopicId,
    position: usize,
    index: i32,
    replicas: &[NodeId],
) -> Result<PartitionRecord, Refusal> {
    first_state(cx.image, topic_id, position, replicas.to_vec()).ok_or_else(|| {
        bad_assignment(format!(
            "All brokers specified in the manual partition assignment for partition {index} are fenced or in controlled shutdown."
        ))
    })
}

fn bad_assignment(message: impl Into<String>) -> Refusal {
    Refusal::new(ErrorCode::InvalidReplicaAssignment, message)
}

fn placed_partitions(cx: &mut HandlerContext, topic: &CreatableTopic, topic_id: TopicId) -> Result<Vec<PartitionRecord>, Refusal> {
    let factor = match topic.replication_factor {
        -1 => cx.broker.default_replication_factor,
        factor if factor <= 0 => {
            let message = "Replication factor must be larger than 0, or -1 to use the default value.";
            return Err(Refusal::new(ErrorCode::InvalidReplicationFactor, message));
        }
        factor => factor,
    };
    let count = match topic.num_partitions {
        -1 => cx.broker.num_partitions,
        count if count <= 0 => {
            return Err(Refusal::new(ErrorCode::InvalidPartitions, "Number of partitions was set to an invalid non-positive value."));
        }
        count => count,
    };
    let placed = place(cx.image, count as usize, factor, (cx.random)())?;
    let states = placed.into_iter().enumerate().map(|(index, replicas)| {
        first_state(cx.image, topic_id, index, replicas).expect("the first replica of a placed partition is not fenced")
    });
    Ok(states.collect())
}

fn shown_configs(cx: &HandlerContext, configs: &ConfigMap) -> Vec<CreatableTopicConfigs> {
    let shown = describe_topic(configs, cx.layers()).into_iter().map(|entry| CreatableTopicConfigs {
        name: entry.name.into(),
        value: entry.value.map(Str::from),
        read_only: entry.read_only,
        config_source: entry.source.code(),
        is_sensitive: entry.sensitive,
    });
    shown.collect()
}
