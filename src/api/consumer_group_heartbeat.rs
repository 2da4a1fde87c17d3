//! ConsumerGroupHeartbeat (68), versions 0-1: members of consumer groups (KIP-848). From version 1 on a member makes its id.

use super::RequestContext;
use crate::controller::{ConfigResource, MetadataImage};
use crate::coordinator::group::{ConsumerAsk, GroupRequest, GroupResponse, TopicDirectory, Topics};
use crate::types::{ErrorCode, TopicId};
use crate::wire::Str;
use crate::wire::api::consumer_group_heartbeat::*;
use std::sync::Arc;

/// From this version on a member makes its id.
const VERSION_OF_MEMBER_IDS: i16 = 1;

impl TopicDirectory for MetadataImage {
    fn version(&self) -> u64 {
        MetadataImage::version(self)
    }

    fn by_name(&self, name: &str) -> Option<(TopicId, i32)> {
        self.topic_by_name(name).map(|topic| (topic.id, topic.partitions.len() as i32))
    }

    fn group_config(&self, group: &str, name: &str) -> Option<i32> {
        self.configs(&ConfigResource::group(group)).get(name)?.parse().ok()
    }

    fn names_after<'a>(&'a self, name: &'a str) -> Box<dyn Iterator<Item = &'a str> + 'a> {
        Box::new(self.topics_from(name).map(|topic| &*topic.name).skip_while(move |found| *found == name))
    }
}

pub async fn handle(context: &RequestContext, mut request: ConsumerGroupHeartbeatRequest) -> ConsumerGroupHeartbeatResponse {
    let (error_code, text) = match check(context, &request) {
        Ok(()) => {
            let group_id = request.group_id.clone();
            request.group_id = group_id.detached();
            let ask = ConsumerAsk {
                request,
                client_id: context.header.client_id.as_ref().map(Str::detached).unwrap_or_default(),
                client_host: format!("/{}", context.session.peer.address.ip()).into(),
                topics: Topics(Arc::clone(&context.shard.image()) as Arc<dyn TopicDirectory>),
            };
            match context.shard.ask_group(&group_id, GroupRequest::ConsumerHeartbeat(Box::new(ask))).await {
                Ok(GroupResponse::ConsumerHeartbeat(response)) => {
                    context.note_error(response.error_code);
                    return response;
                }
                Ok(_) => unreachable!("the coordinator answers what it was asked"),
                Err(error) => (error, None),
            }
        }
        Err((error, text)) => (error, Some(text.into())),
    };
    context.note_error(error_code);
    ConsumerGroupHeartbeatResponse { error_code, error_message: text, ..Default::default() }
}

/// Kafka's checks of a request by itself, in its order.
fn check(context: &RequestContext, request: &ConsumerGroupHeartbeatRequest) -> Result<(), (ErrorCode, String)> {
    let invalid = |text: &str| Err((ErrorCode::InvalidRequest, text.to_string()));
    let is_blank = |text: &Option<Str>| text.as_ref().is_some_and(|text| text.trim().is_empty());
    if request.member_id.trim().is_empty() && (context.version() >= VERSION_OF_MEMBER_IDS || request.member_epoch != 0) {
        return invalid("MemberId can't be empty.");
    }
    if request.group_id.trim().is_empty() {
        return invalid("GroupId can't be empty.");
    }
    if is_blank(&request.instance_id) {
        return invalid("InstanceId can't be empty.");
    }
    if is_blank(&request.rack_id) {
        return invalid("RackId can't be empty.");
    }
    match request.member_epoch {
        0 if request.rebalance_timeout_ms == -1 => return invalid("RebalanceTimeoutMs must be provided in first request."),
        0 if request.topic_partitions.as_ref().is_none_or(|topics| !topics.is_empty()) => {
            return invalid("TopicPartitions must be empty when (re-)joining.");
        }
        0 if request.subscribed_topic_names.is_none() && request.subscribed_topic_regex.is_none() => {
            return invalid("Either SubscribedTopicNames or SubscribedTopicRegex must be non-null when (re-)joining.");
        }
        -2 if request.instance_id.is_none() => return invalid("InstanceId can't be null."),
        ..-2 => return invalid("MemberEpoch is invalid."),
        _ => {}
    }
    let assignors = &context.shard.config.group.consumer_assignors;
    if let Some(name) = request.server_assignor.as_ref().filter(|name| assignors.iter().all(|known| **known != ***name)) {
        let text = format!("ServerAssignor {name} is not supported. Supported assignors: {}.", assignors.join(", "));
        return Err((ErrorCode::UnsupportedAssignor, text));
    }
    Ok(())
}
