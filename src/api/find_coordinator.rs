//! FindCoordinator (10), versions 0-6: who coordinates groups and transactions. One key up to version 3, several from 4 on.
//!
//! The topic that they live in is made with the first question. Deviates from Kafka: the answer waits for it, where Kafka says
//! COORDINATOR_NOT_AVAILABLE and is asked again. Share groups have no coordinator yet.

use super::RequestContext;
use super::cluster;
use super::view::View;
use crate::controller::{ControllerRequest, ControllerResponse};
use crate::shard::groups::OFFSETS_TOPIC;
use crate::shard::transactions::TRANSACTIONS_TOPIC;
use crate::types::{ErrorCode, NodeId, TopicPartitionId};
use crate::wire::Str;
use crate::wire::api::create_topics::{CreatableTopic, CreatableTopicConfig, CreateTopicsRequest};
use crate::wire::api::find_coordinator::*;

/// From this version on several keys are asked for.
const VERSION_OF_SEVERAL_KEYS: i16 = 4;

const GROUP: i8 = 0;
const TRANSACTION: i8 = 1;

pub async fn handle(context: &RequestContext, request: FindCoordinatorRequest) -> FindCoordinatorResponse {
    let kind = request.key_type;
    if context.version() < VERSION_OF_SEVERAL_KEYS {
        let found = find(context, kind, request.key).await;
        return FindCoordinatorResponse {
            error_message: found.error_message,
            error_code: found.error_code,
            node_id: found.node_id,
            host: found.host,
            port: found.port,
            ..Default::default()
        };
    }
    let mut coordinators = Vec::with_capacity(request.coordinator_keys.len());
    for key in request.coordinator_keys {
        coordinators.push(find(context, kind, key).await);
    }
    FindCoordinatorResponse { coordinators, ..Default::default() }
}

async fn find(context: &RequestContext, kind: i8, key: Str) -> Coordinator {
    let found = match kind {
        GROUP => group_coordinator(context, &key).await,
        TRANSACTION => transaction_coordinator(context, &key).await,
        _ => Err(ErrorCode::InvalidRequest),
    };
    match found {
        Ok(node) => Coordinator { key, node_id: node.id, host: node.host, port: node.port, ..Default::default() },
        Err(error) => {
            context.note_error(error);
            Coordinator { key, node_id: NodeId(-1), port: -1, error_code: error, ..Default::default() }
        }
    }
}

async fn group_coordinator(context: &RequestContext, group: &str) -> Result<cluster::Address, ErrorCode> {
    ensure_offsets_topic(context, group).await?;
    owner(context, context.shard.group_partition(group))
}

async fn transaction_coordinator(context: &RequestContext, transactional_id: &str) -> Result<cluster::Address, ErrorCode> {
    if context.shard.transaction_partition(transactional_id).is_none() {
        let config = &context.shard.config.transaction;
        let configs = vec![
            set("cleanup.policy", "compact".into()),
            set("compression.type", "uncompressed".into()),
            set("min.insync.replicas", "1".into()),
            set("segment.bytes", config.state_topic_segment_bytes.to_string()),
            set("unclean.leader.election.enable", "false".into()),
        ];
        create(context, TRANSACTIONS_TOPIC, config.state_topic_num_partitions, config.state_topic_replication_factor, configs).await?;
    }
    owner(context, context.shard.transaction_partition(transactional_id))
}

fn owner(context: &RequestContext, id: Option<TopicPartitionId>) -> Result<cluster::Address, ErrorCode> {
    let shard = &context.shard;
    let id = id.ok_or(ErrorCode::CoordinatorNotAvailable)?;
    let image = shard.image();
    let partition = image.topic(id.topic_id).and_then(|topic| topic.partition(id.partition));
    let leader = partition.map(|partition| partition.leader).filter(|_| !shard.is_unavailable(id));
    let leader = View::of(context).replica(id, leader.ok_or(ErrorCode::CoordinatorNotAvailable)?);
    let broker = cluster::brokers(context, &image).into_iter().find(|broker| broker.id == leader && !broker.fenced);
    broker.ok_or(ErrorCode::CoordinatorNotAvailable)
}

/// The topic that this group lives in is there, or made now.
pub(super) async fn ensure_offsets_topic(context: &RequestContext, group: &str) -> Result<(), ErrorCode> {
    if context.shard.group_partition(group).is_some() {
        return Ok(());
    }
    let config = &context.shard.config.group;
    let configs = vec![
        set("compression.type", "producer".into()),
        set("cleanup.policy", "compact".into()),
        set("segment.bytes", config.offsets_topic_segment_bytes.to_string()),
    ];
    create(context, OFFSETS_TOPIC, config.offsets_topic_num_partitions, config.offsets_topic_replication_factor, configs).await
}

fn set(name: &'static str, value: String) -> CreatableTopicConfig {
    CreatableTopicConfig { name: name.into(), value: Some(value.into()) }
}

async fn create(
    context: &RequestContext,
    name: &'static str,
    num_partitions: i32,
    replication_factor: i16,
    configs: Vec<CreatableTopicConfig>,
) -> Result<(), ErrorCode> {
    let topic = CreatableTopic { name: name.into(), num_partitions, replication_factor, configs, ..Default::default() };
    let request = CreateTopicsRequest { topics: vec![topic], ..Default::default() };
    let ControllerResponse::CreateTopics(response) = context.shard.ask_controller(ControllerRequest::CreateTopics(request)).await else {
        unreachable!("the controller answers what it was asked")
    };
    match response.topics.first().map(|topic| topic.error_code) {
        Some(ErrorCode::None | ErrorCode::TopicAlreadyExists) => Ok(()),
        other => {
            let error = other.unwrap_or(ErrorCode::UnknownServerError);
            tracing::error!(topic = name, %error, "the topic of coordinators cannot be made");
            Err(ErrorCode::CoordinatorNotAvailable)
        }
    }
}
