//! OffsetFetch (9), versions 1-10: groups' committed offsets; -1 where there is none. One group up to version 7, several from 8 on, topics by id
//! from 10 on.

use super::RequestContext;
use crate::controller::MetadataImage;
use crate::coordinator::group::{GroupRequest, GroupResponse};
use crate::types::{ErrorCode, LeaderEpoch, Offset, PartitionIndex, TopicId};
use crate::wire::Str;
use crate::wire::api::offset_fetch::*;

/// From this version on an error of the whole request has a field of its own.
const VERSION_OF_ERROR: i16 = 2;
/// From this version on several groups are asked for.
const VERSION_OF_SEVERAL_GROUPS: i16 = 8;
/// From this version on topics are named by id.
const VERSION_OF_TOPIC_IDS: i16 = 10;

pub async fn handle(context: &RequestContext, request: OffsetFetchRequest) -> OffsetFetchResponse {
    if context.version() >= VERSION_OF_SEVERAL_GROUPS {
        let mut groups = Vec::with_capacity(request.groups.len());
        for group in request.groups {
            groups.push(fetch(context, group, request.require_stable).await);
        }
        return OffsetFetchResponse { groups, ..Default::default() };
    }
    let topics = request.topics.map(|topics| topics.into_iter().map(several).collect());
    let group = OffsetFetchRequestGroup { group_id: request.group_id, topics, ..Default::default() };
    single(context.version(), fetch(context, group, request.require_stable).await)
}

fn several(topic: OffsetFetchRequestTopic) -> OffsetFetchRequestTopics {
    OffsetFetchRequestTopics { name: topic.name, partition_indexes: topic.partition_indexes, ..Default::default() }
}

/// The response as it was before there were several groups in it.
fn single(version: i16, group: OffsetFetchResponseGroup) -> OffsetFetchResponse {
    let topic = |topic: OffsetFetchResponseTopics| OffsetFetchResponseTopic {
        name: topic.name,
        partitions: topic.partitions.into_iter().map(partition).collect(),
    };
    let error_code = group.error_code;
    let mut topics: Vec<OffsetFetchResponseTopic> = group.topics.into_iter().map(topic).collect();
    if version >= VERSION_OF_ERROR && !error_code.is_none() {
        topics.clear();
    }
    OffsetFetchResponse { topics, error_code, ..Default::default() }
}

fn partition(partition: OffsetFetchResponsePartitions) -> OffsetFetchResponsePartition {
    OffsetFetchResponsePartition {
        partition_index: partition.partition_index,
        committed_offset: partition.committed_offset,
        committed_leader_epoch: partition.committed_leader_epoch,
        metadata: partition.metadata,
        error_code: partition.error_code,
    }
}

fn failed(partition_index: PartitionIndex, error_code: ErrorCode) -> OffsetFetchResponsePartitions {
    OffsetFetchResponsePartitions {
        partition_index,
        committed_offset: Offset::NONE,
        committed_leader_epoch: LeaderEpoch::NONE,
        metadata: Some(Str::new()),
        error_code,
    }
}

async fn fetch(context: &RequestContext, mut group: OffsetFetchRequestGroup, require_stable: bool) -> OffsetFetchResponseGroup {
    let by_id = context.version() >= VERSION_OF_TOPIC_IDS;
    let image = context.shard.image();
    let unknown = if by_id { name_topics(&image, &mut group) } else { Vec::new() };
    let asked = group.clone();
    let ask = GroupRequest::Fetch { group, require_stable };
    let mut response = match context.shard.ask_group(&asked.group_id, ask).await {
        Ok(GroupResponse::Fetch(response)) => response,
        Ok(_) => unreachable!("the coordinator answers what it was asked"),
        Err(error_code) => refused(context.version(), asked, error_code),
    };
    if by_id {
        give_ids(&image, &mut response);
        response.topics.extend(unknown);
    }
    context.note_error(response.error_code);
    response.topics.iter().flat_map(|topic| &topic.partitions).for_each(|partition| context.note_error(partition.error_code));
    response
}

fn refused(version: i16, group: OffsetFetchRequestGroup, error_code: ErrorCode) -> OffsetFetchResponseGroup {
    let topics = if version >= VERSION_OF_ERROR { Vec::new() } else { group.topics.unwrap_or_default() };
    let topics = topics.into_iter().map(|topic| OffsetFetchResponseTopics {
        name: topic.name,
        topic_id: topic.topic_id,
        partitions: topic.partition_indexes.into_iter().map(|index| failed(index, error_code)).collect(),
    });
    OffsetFetchResponseGroup { group_id: group.group_id, topics: topics.collect(), error_code }
}

/// Names the topics that are asked for by id; the answer to those that nobody knows.
fn name_topics(image: &MetadataImage, group: &mut OffsetFetchRequestGroup) -> Vec<OffsetFetchResponseTopics> {
    let mut unknown = Vec::new();
    if let Some(topics) = &mut group.topics {
        topics.retain_mut(|topic| match image.topic(topic.topic_id) {
            Some(found) => {
                topic.name = (&*found.name).into();
                true
            }
            None => {
                let partitions = topic.partition_indexes.iter().map(|index| failed(*index, ErrorCode::UnknownTopicId));
                unknown.push(OffsetFetchResponseTopics {
                    topic_id: topic.topic_id,
                    partitions: partitions.collect(),
                    ..Default::default()
                });
                false
            }
        });
    }
    unknown
}

/// Gives the topics their ids; those that are gone are left out.
fn give_ids(image: &MetadataImage, response: &mut OffsetFetchResponseGroup) {
    response.topics.retain_mut(|topic| {
        if topic.topic_id == TopicId::ZERO {
            topic.topic_id = image.topic_by_name(&topic.name).map_or(TopicId::ZERO, |found| found.id);
        }
        topic.topic_id != TopicId::ZERO
    });
}
