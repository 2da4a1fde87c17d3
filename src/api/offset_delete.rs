//! OffsetDelete (47), version 0: takes a group's offsets away, of topics that its members do not subscribe to.

use super::RequestContext;
use crate::coordinator::group::{GroupRequest, GroupResponse};
use crate::types::{ErrorCode, PartitionIndex};
use crate::wire::api::offset_delete::*;

pub async fn handle(context: &RequestContext, mut request: OffsetDeleteRequest) -> OffsetDeleteResponse {
    let response = delete(context, &mut request).await;
    context.note_error(response.error_code);
    response.topics.iter().flat_map(|topic| &topic.partitions).for_each(|partition| context.note_error(partition.error_code));
    response
}

async fn delete(context: &RequestContext, request: &mut OffsetDeleteRequest) -> OffsetDeleteResponse {
    if request.group_id.is_empty() {
        return OffsetDeleteResponse { error_code: ErrorCode::InvalidGroupId, ..Default::default() };
    }
    let unknown = take_unknown(context, request);
    let asked = request.clone();
    match context.shard.ask_group(&asked.group_id, GroupRequest::DeleteOffsets(asked.clone())).await {
        Ok(GroupResponse::DeleteOffsets(mut response)) => {
            for topic in unknown {
                match response.topics.iter_mut().find(|known| known.name == topic.name) {
                    Some(known) => known.partitions.extend(topic.partitions),
                    None => response.topics.push(topic),
                }
            }
            response
        }
        Ok(_) => unreachable!("the coordinator answers what it was asked"),
        Err(error_code) => OffsetDeleteResponse { error_code, ..Default::default() },
    }
}

/// Takes partitions that do not exist out of the request; their answer.
fn take_unknown(context: &RequestContext, request: &mut OffsetDeleteRequest) -> Vec<OffsetDeleteResponseTopic> {
    let image = context.shard.image();
    let mut unknown = Vec::new();
    for topic in &mut request.topics {
        let found = image.topic_by_name(&topic.name);
        let exists = |index: PartitionIndex| found.is_some_and(|found| found.partition(index).is_some());
        let missing = topic.partitions.iter().filter(|partition| !exists(partition.partition_index));
        let missing = missing.map(|partition| OffsetDeleteResponsePartition {
            partition_index: partition.partition_index,
            error_code: ErrorCode::UnknownTopicOrPartition,
        });
        let partitions: Vec<OffsetDeleteResponsePartition> = missing.collect();
        if !partitions.is_empty() {
            unknown.push(OffsetDeleteResponseTopic { name: topic.name.clone(), partitions });
        }
        topic.partitions.retain(|partition| exists(partition.partition_index));
    }
    request.topics.retain(|topic| !topic.partitions.is_empty());
    unknown
}
