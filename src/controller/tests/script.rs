//! Runs a script of requests and writes down what came of each: the records, with `+`, and the answers.
//!
//! A line is one request, its items parted by `|`, with `?` in front to only validate. Replicas are written `1,2`, those of
//! several partitions parted by `;`.

use crate::config::{BrokerConfig, Sources};
use crate::controller::handler::HandlerContext;
use crate::controller::record::{BrokerEndpoint, ConfigResource, Record, ResourceType};
use crate::controller::{BrokerRegistration, ControllerRequest, ControllerResponse, MetadataImage};
use crate::types::{ErrorCode, NodeId, PartitionIndex, TopicId};
use crate::wire::Str;
use crate::wire::api::alter_configs as old;
use crate::wire::api::create_partitions::{CreatePartitionsAssignment, CreatePartitionsRequest, CreatePartitionsTopic};
use crate::wire::api::create_topics::{CreatableReplicaAssignment, CreatableTopic, CreatableTopicConfig, CreateTopicsRequest};
use crate::wire::api::delete_topics::{DeleteTopicState, DeleteTopicsRequest};
use crate::wire::api::incremental_alter_configs as new;
use crate::wire::api::update_features::{FeatureUpdateKey, UpdateFeaturesRequest};

pub struct Cluster {
    pub image: MetadataImage,
    pub broker: BrokerConfig,
    /// All records, in order.
    pub log: Vec<Record>,
    counter: u64,
}

impl Cluster {
    /// Of brokers 1 to `count`; we are broker 1.
    pub fn new(count: i32, settings: &[&str]) -> Cluster {
        let mut set: Vec<String> = settings.iter().map(|s| s.to_string()).collect();
        set.push("node.id=1".to_owned());
        let broker = BrokerConfig::load(&Sources { set, ..Sources::default() }).unwrap().config;
        let mut cluster = Cluster { image: MetadataImage::default(), broker, log: Vec::new(), counter: 0 };
        for id in 1..=count {
            let endpoints = vec![BrokerEndpoint { listener: "PLAINTEXT".into(), host: "localhost".into(), port: 9092 }];
            let registration = BrokerRegistration { node: NodeId(id), incarnation_id: [id as u8; 16], endpoints, rack: None };
            cluster.submit(ControllerRequest::RegisterBroker(registration));
        }
        cluster
    }

    /// Runs a request and applies its records.
    pub fn submit(&mut self, request: ControllerRequest) -> (Vec<Record>, ControllerResponse) {
        let counter = &mut self.counter;
        let mut random = || {
            *counter += 1;
            *counter
        };
        let (records, response) = request.handle(&mut HandlerContext { image: &self.image, broker: &self.broker, random: &mut random });
        records.iter().for_each(|record| self.image.replay(record));
        self.log.extend(records.clone());
        (records, response)
    }

    /// Runs a script; gives its transcript.
    pub fn run(&mut self, script: &str) -> String {
        let mut transcript = String::new();
        for line in script.lines().map(str::trim).filter(|line| !line.is_empty()) {
            let before = self.image.clone();
            let (records, response) = self.submit(parse(line, &before));
            transcript += &format!("> {line}\n");
            for record in &records {
                transcript += &format!("  + {}\n", show_record(record, &before, &self.image));
            }
            for answer in show_response(&response) {
                transcript += &format!("  {answer}\n");
            }
        }
        transcript
    }
}

/// Runs the lines that begin with `>` and compares what comes of them with the text.
pub fn check(cluster: &mut Cluster, expected: &str) {
    let expected: String = expected
        .trim_start_matches('\n')
        .trim_end()
        .lines()
        .map(|line| format!("{}\n", line.strip_prefix("        ").unwrap_or(line)))
        .collect();
    let script: Vec<&str> = expected.lines().filter_map(|line| line.strip_prefix("> ")).collect();
    let found = cluster.run(&script.join("\n"));
    assert!(found == expected, "the transcript differs; it is now:\n{found}");
}

fn parse(line: &str, image: &MetadataImage) -> ControllerRequest {
    let (validate_only, line) = line.strip_prefix("? ").map_or((false, line), |line| (true, line));
    let (verb, rest) = line.split_once(' ').unwrap_or((line, ""));
    let items = || rest.split('|').map(|item| item.trim().split(' ').collect::<Vec<&str>>());
    match verb {
        "create" => ControllerRequest::CreateTopics(CreateTopicsRequest {
            topics: items().map(|words| creatable(&words)).collect(),
            validate_only,
            ..Default::default()
        }),
        "delete" => ControllerRequest::DeleteTopics(DeleteTopicsRequest {
            topics: items().map(|words| to_delete(words[0], image)).collect(),
            ..Default::default()
        }),
        "partitions" => ControllerRequest::CreatePartitions(CreatePartitionsRequest {
            topics: items().map(|words| growth(&words)).collect(),
            validate_only,
            ..Default::default()
        }),
        "alter" => ControllerRequest::IncrementalAlterConfigs(new::IncrementalAlterConfigsRequest {
            resources: items().map(|words| altered(&words)).collect(),
            validate_only,
        }),
        "replace" => ControllerRequest::AlterConfigs(old::AlterConfigsRequest {
            resources: items().map(|words| replaced(&words)).collect(),
            validate_only,
        }),
        "features" => ControllerRequest::UpdateFeatures(UpdateFeaturesRequest {
            feature_updates: items().map(|words| level(&words)).collect(),
            validate_only,
            ..Default::default()
        }),
        "auto-create" => ControllerRequest::AutoCreateTopics(rest.split(' ').map(Str::from).collect()),
        "producer-ids" => ControllerRequest::AllocateProducerIds(NodeId(rest.parse().unwrap())),
        _ => panic!("no such request: {line}"),
    }
}

/// `name partitions factor [key=value]...` or `name @replicas [key=value]...`; `_` is the empty name, a key alone has no value.
fn creatable(words: &[&str]) -> CreatableTopic {
    let name = if words[0] == "_" { Str::new() } else { words[0].replace('~', " ").into() };
    let (mut topic, configs) = match words[1].strip_prefix('@') {
        Some(assignments) => (assigned(assignments), &words[2..]),
        None => {
            let (num_partitions, replication_factor) = (words[1].parse().unwrap(), words[2].parse().unwrap());
            (CreatableTopic { num_partitions, replication_factor, ..Default::default() }, &words[3..])
        }
    };
    topic.name = name;
    topic.configs = configs.iter().map(|word| pair(word)).map(|(name, value)| CreatableTopicConfig { name, value }).collect();
    topic
}

fn assigned(assignments: &str) -> CreatableTopic {
    let one = |(position, text): (usize, &str)| {
        // `3:1,2` names the partition.
        let (index, replicas) =
            text.split_once(':').map_or((position as i32, text), |(index, replicas)| (index.parse().unwrap(), replicas));
        CreatableReplicaAssignment { partition_index: PartitionIndex(index), broker_ids: nodes(replicas) }
    };
    let assignments = assignments.split(';').enumerate().map(one).collect();
    CreatableTopic { num_partitions: -1, replication_factor: -1, assignments, ..Default::default() }
}

fn nodes(text: &str) -> Vec<NodeId> {
    text.split(',').filter(|id| !id.is_empty()).map(|id| NodeId(id.parse().unwrap())).collect()
}

fn pair(word: &str) -> (Str, Option<Str>) {
    word.split_once('=').map_or((word.into(), None), |(name, value)| (name.into(), Some(value.into())))
}

/// A name, `#name` for the id of that topic, `#?` for an id nobody has, `!` for neither.
fn to_delete(word: &str, image: &MetadataImage) -> DeleteTopicState {
    let by_id = |topic_id| DeleteTopicState { name: None, topic_id };
    match word.strip_prefix('#') {
        Some("?") => by_id(TopicId([9; 16])),
        Some(name) => by_id(image.topic_by_name(name).unwrap().id),
        None if word == "!" => by_id(TopicId::ZERO),
        None => DeleteTopicState { name: Some(word.into()), topic_id: TopicId::ZERO },
    }
}

/// `name level [type of upgrade]`
fn level(words: &[&str]) -> FeatureUpdateKey {
    let upgrade_type = words.get(2).map_or(1, |word| word.parse().unwrap());
    FeatureUpdateKey { feature: words[0].into(), max_version_level: words[1].parse().unwrap(), upgrade_type, ..Default::default() }
}

/// `name count [@replicas]`
fn growth(words: &[&str]) -> CreatePartitionsTopic {
    let assignments = words.get(2).map(|text| {
        let texts = text.trim_start_matches('@').split(';');
        texts.map(|text| CreatePartitionsAssignment { broker_ids: nodes(text) }).collect()
    });
    CreatePartitionsTopic { name: words[0].into(), count: words[1].parse().unwrap(), assignments }
}

/// `topic:name`, `broker:id`, `cluster` or `number:name`.
fn resource(word: &str) -> (i8, Str) {
    match word.split_once(':') {
        Some(("topic", name)) => (ResourceType::Topic as i8, name.into()),
        Some(("broker", name)) => (ResourceType::Broker as i8, name.into()),
        Some((number, name)) => (number.parse().unwrap(), name.into()),
        None => (ResourceType::Broker as i8, Str::new()),
    }
}

/// `resource [key=value | key+=value | key-=value | key!]...`
fn altered(words: &[&str]) -> new::AlterConfigsResource {
    let (resource_type, resource_name) = resource(words[0]);
    let config = |word: &&str| {
        let (name, value) = pair(word);
        let (name, config_operation) = match (name.strip_suffix('+'), name.strip_suffix('-'), name.strip_suffix('!')) {
            (Some(name), _, _) => (name.into(), 2),
            (_, Some(name), _) => (name.into(), 3),
            (_, _, Some(name)) => (name.into(), 1),
            _ => (name.clone(), 0),
        };
        new::AlterableConfig { name, config_operation, value }
    };
    new::AlterConfigsResource { resource_type, resource_name, configs: words[1..].iter().map(config).collect() }
}

fn replaced(words: &[&str]) -> old::AlterConfigsResource {
    let (resource_type, resource_name) = resource(words[0]);
    let configs = words[1..].iter().map(|word| pair(word)).map(|(name, value)| old::AlterableConfig { name, value });
    old::AlterConfigsResource { resource_type, resource_name, configs: configs.collect() }
}

fn show_record(record: &Record, before: &MetadataImage, after: &MetadataImage) -> String {
    let name = |id: TopicId| before.topic(id).or(after.topic(id)).map_or("?".to_owned(), |topic| topic.name.to_string());
    let ids = |nodes: &[NodeId]| nodes.iter().map(NodeId::to_string).collect::<Vec<_>>().join(",");
    match record {
        Record::Topic(r) => format!("topic {}", r.name),
        Record::Partition(r) => {
            format!("partition {}-{} replicas={} isr={} leader={}", name(r.topic_id), r.partition, ids(&r.replicas), ids(&r.isr), r.leader)
        }
        Record::RemoveTopic(r) => format!("remove {}", name(r.topic_id)),
        Record::Config(r) => match &r.value {
            Some(value) => format!("config {} {}={value}", show_resource(&r.resource), r.name),
            None => format!("config {} {} unset", show_resource(&r.resource), r.name),
        },
        Record::FeatureLevel(r) => format!("feature {}={}", r.name, r.level),
        Record::ProducerIds(r) => format!("producer ids broker={} next={}", r.broker_id, r.next_producer_id),
        other => format!("{other:?}"),
    }
}

fn show_resource(resource: &ConfigResource) -> String {
    match (resource.resource_type, &*resource.name) {
        (ResourceType::Broker, "") => "cluster".to_owned(),
        (ResourceType::Broker, id) => format!("broker:{id}"),
        (ResourceType::Topic, name) => format!("topic:{name}"),
        (ResourceType::Group, name) => format!("group:{name}"),
    }
}

fn outcome(what: &str, code: ErrorCode, message: Option<&Str>) -> String {
    match message {
        _ if code.is_none() => format!("{what}: ok"),
        Some(message) => format!("{what}: {code} {message}"),
        None => format!("{what}: {code}"),
    }
}

fn show_response(response: &ControllerResponse) -> Vec<String> {
    match response {
        ControllerResponse::CreateTopics(r) => r
            .topics
            .iter()
            .map(|t| {
                let made = format!(" partitions={} factor={}", t.num_partitions, t.replication_factor);
                outcome(&t.name, t.error_code, t.error_message.as_ref()) + if t.error_code.is_none() { &made } else { "" }
            })
            .collect(),
        ControllerResponse::DeleteTopics(r) => {
            let name = |t: &Option<Str>| t.as_deref().unwrap_or("(no name)").to_owned();
            r.responses.iter().map(|t| outcome(&name(&t.name), t.error_code, t.error_message.as_ref())).collect()
        }
        ControllerResponse::CreatePartitions(r) => {
            r.results.iter().map(|t| outcome(&t.name, t.error_code, t.error_message.as_ref())).collect()
        }
        ControllerResponse::AlterConfigs(r) => {
            r.responses.iter().map(|r| outcome(&r.resource_name, r.error_code, r.error_message.as_ref())).collect()
        }
        ControllerResponse::IncrementalAlterConfigs(r) => {
            r.responses.iter().map(|r| outcome(&r.resource_name, r.error_code, r.error_message.as_ref())).collect()
        }
        ControllerResponse::UpdateFeatures(r) => {
            let all = outcome("all", r.error_code, r.error_message.as_ref());
            let each = r.results.iter().map(|f| outcome(&f.feature, f.error_code, None));
            std::iter::once(all).chain(each).collect()
        }
        ControllerResponse::AutoCreateTopics(outcomes) => outcomes.iter().map(|(name, code)| outcome(name, *code, None)).collect(),
        ControllerResponse::AllocateProducerIds(result) => vec![format!("{result:?}")],
        ControllerResponse::RegisterBroker(result) => vec![format!("{result:?}")],
    }
}
