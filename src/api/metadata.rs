//! Metadata (3), versions 0-13: brokers, controller, topics; creates missing topics when asked to and allowed.
//!
//! - Deviates from Kafka: an auto-created topic is in the very answer that created it (Kafka answers UNKNOWN_TOPIC_OR_PARTITION
//!   and the client asks again).
//! - Topic ids are refused below version 12, as in Kafka.

use super::RequestContext;
use super::cluster::{self, name_of};
use super::view::View;
use crate::controller::{ControllerRequest, ControllerResponse, MetadataImage, TopicImage, is_internal_topic};
use crate::shard::Shard;
use crate::types::{ErrorCode, HashSet, TopicId, check_topic_name};
use crate::wire::Str;
use crate::wire::api::metadata::*;

pub async fn handle(context: &RequestContext, request: MetadataRequest) -> MetadataResponse {
    let version = context.version();
    let topics = match &request.topics {
        Some(topics) if !(version == 0 && topics.is_empty()) => topics,
        _ => return respond(context, &request, |seen| seen.image.topics().map(|t| seen.topic(t)).collect()),
    };
    if version < 12 && topics.iter().any(|t| t.name.is_none() || t.topic_id != TopicId::ZERO) {
        return refuse(context, topics);
    }
    let by_id = topics.iter().any(|t| t.topic_id != TopicId::ZERO);
    if by_id {
        return respond(context, &request, |seen| {
            topics.iter().filter(|t| t.topic_id != TopicId::ZERO).map(|t| seen.topic_by_id(t.topic_id)).collect()
        });
    }
    let mut seen = HashSet::default();
    let names: Vec<Str> = topics.iter().filter_map(|t| t.name.clone()).filter(|n| seen.insert(n.clone())).collect();
    let create = request.allow_auto_topic_creation && context.shard.config.auto_create_topics_enable;
    let failed = if create { create_missing(context, &names).await } else { Vec::new() };
    respond(context, &request, |seen| names.iter().map(|name| seen.topic_by_name(name, &failed)).collect())
}

/// Creates the topics that are not there; returns those that could not be, with the reason.
async fn create_missing(context: &RequestContext, names: &[Str]) -> Vec<(Str, ErrorCode)> {
    let image = context.shard.image();
    let missing: Vec<Str> =
        names.iter().filter(|n| image.topic_by_name(n).is_none() && check_topic_name(n).is_ok()).map(Str::detached).collect();
    if missing.is_empty() {
        return Vec::new();
    }
    match context.shard.ask_controller(ControllerRequest::AutoCreateTopics(missing)).await {
        ControllerResponse::AutoCreateTopics(results) => results.into_iter().filter(|(_, error)| !error.is_none()).collect(),
        _ => unreachable!("the controller answers what it was asked"),
    }
}

/// The cluster as of now, as the client sees it.
struct Seen<'a> {
    shard: &'a Shard,
    view: View<'a>,
    image: &'a MetadataImage,
}

impl Seen<'_> {
    fn topic_by_name(&self, name: &Str, failed: &[(Str, ErrorCode)]) -> MetadataResponseTopic {
        if let Some(topic) = self.image.topic_by_name(name) {
            return self.topic(topic);
        }
        let error = if check_topic_name(name).is_err() {
            ErrorCode::InvalidTopicException
        } else {
            failed.iter().find(|(n, _)| n == name).map_or(ErrorCode::UnknownTopicOrPartition, |(_, error)| *error)
        };
        // A topic that appeared meanwhile is reported by the client's next request.
        let error = if error == ErrorCode::TopicAlreadyExists { ErrorCode::LeaderNotAvailable } else { error };
        MetadataResponseTopic { error_code: error, name: Some(name.clone()), is_internal: is_internal_topic(name), ..Default::default() }
    }

    fn topic_by_id(&self, id: TopicId) -> MetadataResponseTopic {
        match self.image.topic(id) {
            Some(topic) => self.topic(topic),
            None => MetadataResponseTopic { error_code: ErrorCode::UnknownTopicId, topic_id: id, ..Default::default() },
        }
    }

    fn topic(&self, topic: &TopicImage) -> MetadataResponseTopic {
        let partitions = topic.partition_ids().zip(&topic.partitions).map(|(id, partition)| {
            let leadership = cluster::leadership(self.shard, &self.view, self.image, id, partition);
            MetadataResponsePartition {
                error_code: leadership.error,
                partition_index: id.partition,
                leader_id: leadership.leader,
                leader_epoch: partition.leader_epoch,
                replica_nodes: leadership.replicas,
                isr_nodes: leadership.isr,
                offline_replicas: leadership.offline_replicas,
            }
        });
        MetadataResponseTopic {
            error_code: ErrorCode::None,
            name: Some(name_of(topic)),
            topic_id: topic.id,
            is_internal: topic.is_internal(),
            partitions: partitions.collect(),
            topic_authorized_operations: cluster::NOT_ASKED,
        }
    }
}

fn respond(
    context: &RequestContext,
    request: &MetadataRequest,
    topics: impl FnOnce(&Seen) -> Vec<MetadataResponseTopic>,
) -> MetadataResponse {
    let image = context.shard.image();
    let mut topics = topics(&Seen { shard: &context.shard, view: View::of(context), image: &image });
    for topic in &mut topics {
        context.note_error(topic.error_code);
        if topic.error_code.is_none() {
            topic.topic_authorized_operations = cluster::operations(request.include_topic_authorized_operations, cluster::TOPIC_OPERATIONS);
        }
    }
    let brokers = cluster::brokers(context, &image).into_iter().filter(|b| !b.fenced);
    MetadataResponse {
        brokers: brokers.map(|b| MetadataResponseBroker { node_id: b.id, host: b.host, port: b.port, rack: b.rack }).collect(),
        cluster_id: Some(image.cluster_id().into()),
        controller_id: context.shard.node_id(),
        topics,
        cluster_authorized_operations: cluster::operations(request.include_cluster_authorized_operations, cluster::CLUSTER_OPERATIONS),
        ..Default::default()
    }
}

/// Kafka's answer to topic ids in versions that do not know them: every topic with INVALID_REQUEST, and no brokers.
fn refuse(context: &RequestContext, topics: &[MetadataRequestTopic]) -> MetadataResponse {
    context.note_error(ErrorCode::InvalidRequest);
    let refused = topics.iter().map(|topic| MetadataResponseTopic {
        error_code: ErrorCode::InvalidRequest,
        name: Some(topic.name.clone().unwrap_or_default()),
        topic_id: topic.topic_id,
        ..Default::default()
    });
    MetadataResponse { topics: refused.collect(), error_code: ErrorCode::InvalidRequest, ..Default::default() }
}
