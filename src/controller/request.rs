//! What the controller is asked and what it answers: plain values that cross cores.

use super::alter_configs::alter_configs;
use super::broker_registration::{BrokerRegistration, register_broker};
use super::create_partitions::create_partitions;
use super::create_topics::{auto_create_topics, create_topics};
use super::delete_topics::delete_topics;
use super::features::update_features;
use super::handler::HandlerContext;
use super::incremental_alter_configs::incremental_alter_configs;
use super::producer_ids::{ProducerIdBlock, allocate_producer_ids};
use super::record::Record;
use crate::types::{ErrorCode, NodeId};
use crate::wire::Str;
use crate::wire::api::alter_configs::{AlterConfigsRequest, AlterConfigsResponse};
use crate::wire::api::create_partitions::{CreatePartitionsRequest, CreatePartitionsResponse};
use crate::wire::api::create_topics::{CreateTopicsRequest, CreateTopicsResponse};
use crate::wire::api::delete_topics::{DeleteTopicsRequest, DeleteTopicsResponse};
use crate::wire::api::incremental_alter_configs::{IncrementalAlterConfigsRequest, IncrementalAlterConfigsResponse};
use crate::wire::api::update_features::{UpdateFeaturesRequest, UpdateFeaturesResponse};

#[derive(Clone, PartialEq, Debug)]
pub enum ControllerRequest {
    CreateTopics(CreateTopicsRequest),
    DeleteTopics(DeleteTopicsRequest),
    CreatePartitions(CreatePartitionsRequest),
    AlterConfigs(AlterConfigsRequest),
    IncrementalAlterConfigs(IncrementalAlterConfigsRequest),
    UpdateFeatures(UpdateFeaturesRequest),
    /// Topics that a Metadata request names and that are to be there, with default counts.
    AutoCreateTopics(Vec<Str>),
    /// A block of producer ids for a registered broker.
    AllocateProducerIds(NodeId),
    RegisterBroker(BrokerRegistration),
}

/// The answer to the request of the same name.
#[derive(Clone, PartialEq, Debug)]
pub enum ControllerResponse {
    CreateTopics(CreateTopicsResponse),
    DeleteTopics(DeleteTopicsResponse),
    CreatePartitions(CreatePartitionsResponse),
    AlterConfigs(AlterConfigsResponse),
    IncrementalAlterConfigs(IncrementalAlterConfigsResponse),
    UpdateFeatures(UpdateFeaturesResponse),
    /// For each name: no error if the topic is there now.
    AutoCreateTopics(Vec<(Str, ErrorCode)>),
    AllocateProducerIds(Result<ProducerIdBlock, ErrorCode>),
    /// The broker's new epoch, or why it is not registered.
    RegisterBroker(Result<i64, ErrorCode>),
}

/// An answer, and what must be known before it may be given to a client.
#[derive(Clone, PartialEq, Debug)]
pub struct ControllerReply {
    /// The image that holds what was asked for: a client may rely on it at once, so every shard must have it first.
    pub version: u64,
    pub response: ControllerResponse,
}

impl ControllerRequest {
    /// Runs the request's handler.
    pub fn handle(self, cx: &mut HandlerContext) -> (Vec<Record>, ControllerResponse) {
        match self {
            ControllerRequest::CreateTopics(request) => reply(create_topics(cx, &request), ControllerResponse::CreateTopics),
            ControllerRequest::DeleteTopics(request) => reply(delete_topics(cx, &request), ControllerResponse::DeleteTopics),
            ControllerRequest::CreatePartitions(request) => reply(create_partitions(cx, &request), ControllerResponse::CreatePartitions),
            ControllerRequest::AlterConfigs(request) => reply(alter_configs(cx, &request), ControllerResponse::AlterConfigs),
            ControllerRequest::IncrementalAlterConfigs(request) => {
                reply(incremental_alter_configs(cx, &request), ControllerResponse::IncrementalAlterConfigs)
            }
            ControllerRequest::UpdateFeatures(request) => reply(update_features(cx, &request), ControllerResponse::UpdateFeatures),
            ControllerRequest::AutoCreateTopics(names) => reply(auto_create_topics(cx, &names), ControllerResponse::AutoCreateTopics),
            ControllerRequest::AllocateProducerIds(node) => reply(allocate_producer_ids(cx, node), ControllerResponse::AllocateProducerIds),
            ControllerRequest::RegisterBroker(registration) => {
                let (records, epoch) = register_broker(cx, registration);
                (records, ControllerResponse::RegisterBroker(Ok(epoch)))
            }
        }
    }
}

fn reply<T>((records, response): (Vec<Record>, T), wrap: fn(T) -> ControllerResponse) -> (Vec<Record>, ControllerResponse) {
    (records, wrap(response))
}

impl ControllerResponse {
    /// The same answer with `code` for every topic and resource that was to be changed: the records could not be made durable.
    pub fn refused(self, code: ErrorCode) -> ControllerResponse {
        match self {
            ControllerResponse::CreateTopics(mut response) => {
                for topic in response.topics.iter_mut().filter(|topic| topic.error_code.is_none()) {
                    (topic.error_code, topic.error_message) = (code, None);
                }
                ControllerResponse::CreateTopics(response)
            }
            ControllerResponse::DeleteTopics(mut response) => {
                response.responses.iter_mut().for_each(|topic| replace_none(&mut topic.error_code, code));
                ControllerResponse::DeleteTopics(response)
            }
            ControllerResponse::CreatePartitions(mut response) => {
                response.results.iter_mut().for_each(|topic| replace_none(&mut topic.error_code, code));
                ControllerResponse::CreatePartitions(response)
            }
            ControllerResponse::AlterConfigs(mut response) => {
                response.responses.iter_mut().for_each(|resource| replace_none(&mut resource.error_code, code));
                ControllerResponse::AlterConfigs(response)
            }
            ControllerResponse::IncrementalAlterConfigs(mut response) => {
                response.responses.iter_mut().for_each(|resource| replace_none(&mut resource.error_code, code));
                ControllerResponse::IncrementalAlterConfigs(response)
            }
            ControllerResponse::UpdateFeatures(mut response) => {
                replace_none(&mut response.error_code, code);
                response.results.clear();
                ControllerResponse::UpdateFeatures(response)
            }
            ControllerResponse::AutoCreateTopics(mut outcomes) => {
                outcomes.iter_mut().for_each(|(_, outcome)| replace_none(outcome, code));
                ControllerResponse::AutoCreateTopics(outcomes)
            }
            ControllerResponse::AllocateProducerIds(outcome) => ControllerResponse::AllocateProducerIds(outcome.and(Err(code))),
            ControllerResponse::RegisterBroker(outcome) => ControllerResponse::RegisterBroker(outcome.and(Err(code))),
        }
    }
}

fn replace_none(outcome: &mut ErrorCode, code: ErrorCode) {
    if outcome.is_none() {
        *outcome = code;
    }
}
