//! OffsetCommit (8), versions 2-10: a group's offsets, durable when answered. Topics by name up to version 9, by id from 10 on.
//!
//! Partitions that do not exist are UNKNOWN_TOPIC_OR_PARTITION (or UNKNOWN_TOPIC_ID) each; the others are committed all the same.

use super::RequestContext;
use crate::controller::{MetadataImage, TopicImage};
use crate::coordinator::group::{GroupRequest, GroupResponse};
use crate::rt::timeout;
use crate::types::{ErrorCode, PartitionIndex};
use crate::wire::Str;
use crate::wire::api::offset_commit::*;
use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

/// From this version on topics are named by id.
const VERSION_OF_TOPIC_IDS: i16 = 10;

pub async fn handle(context: &RequestContext, mut request: OffsetCommitRequest) -> OffsetCommitResponse {
    let image = context.shard.image();
    let topics = std::mem::take(&mut request.topics);
    let mut response = Vec::with_capacity(topics.len());
    for topic in topics {
        let (answer, known) = check(context, &image, topic);
        response.push(answer);
        request.topics.extend(known.filter(|topic| !topic.partitions.is_empty()));
    }
    if !request.topics.is_empty() {
        let mut outcomes = commit(context, request).await;
        for partition in response.iter_mut().flat_map(|topic| &mut topic.partitions).filter(|partition| partition.error_code.is_none()) {
            partition.error_code = outcomes.next();
        }
    }
    response.iter().flat_map(|topic| &topic.partitions).for_each(|partition| context.note_error(partition.error_code));
    OffsetCommitResponse { topics: response, ..Default::default() }
}

/// The topic's answer as far as it is known, and what is left to commit.
fn check(
    context: &RequestContext,
    image: &MetadataImage,
    mut topic: OffsetCommitRequestTopic,
) -> (OffsetCommitResponseTopic, Option<OffsetCommitRequestTopic>) {
    let by_id = context.version() >= VERSION_OF_TOPIC_IDS;
    let found: Option<&Arc<TopicImage>> = if by_id { image.topic(topic.topic_id) } else { image.topic_by_name(&topic.name) };
    let missing = if by_id { ErrorCode::UnknownTopicId } else { ErrorCode::UnknownTopicOrPartition };
    let error = |index: PartitionIndex| match found {
        None => missing,
        Some(found) if found.partition(index).is_none() => ErrorCode::UnknownTopicOrPartition,
        Some(_) => ErrorCode::None,
    };
    let partitions = topic.partitions.iter().map(|partition| OffsetCommitResponsePartition {
        partition_index: partition.partition_index,
        error_code: error(partition.partition_index),
    });
    let answer = OffsetCommitResponseTopic { name: topic.name.clone(), topic_id: topic.topic_id, partitions: partitions.collect() };
    topic.partitions.retain(|partition| error(partition.partition_index).is_none());
    let known = found.map(|found| {
        if by_id {
            topic.name = (&*found.name).into();
        }
        topic
    });
    (answer, known)
}

/// The coordinator's answers, in the order of the request.
enum Outcomes {
    All(ErrorCode),
    Each(VecDeque<ErrorCode>),
}

impl Outcomes {
    fn next(&mut self) -> ErrorCode {
        match self {
            Outcomes::All(error) => *error,
            Outcomes::Each(errors) => errors.pop_front().unwrap_or(ErrorCode::UnknownServerError),
        }
    }
}

async fn commit(context: &RequestContext, request: OffsetCommitRequest) -> Outcomes {
    let group: Str = request.group_id.clone();
    let at_most = Duration::from_millis(context.shard.config.group.offsets_commit_timeout_ms.max(1) as u64);
    let ask = context.shard.ask_group(&group, GroupRequest::Commit { request, version: context.version() });
    match timeout(at_most, ask).await {
        Some(Ok(GroupResponse::Commit(response))) => {
            Outcomes::Each(response.topics.iter().flat_map(|topic| &topic.partitions).map(|partition| partition.error_code).collect())
        }
        Some(Ok(_)) => unreachable!("the coordinator answers what it was asked"),
        Some(Err(error)) => Outcomes::All(error),
        // Kafka's answer to a commit whose replicas do not come.
        None => Outcomes::All(ErrorCode::CoordinatorNotAvailable),
    }
}
