//! ConsumerGroupDescribe (69), versions 0-1: consumer groups with their members, what they own and what they are to own.

use super::RequestContext;
use super::cluster;
use crate::controller::MetadataImage;
use crate::coordinator::group::{GroupRequest, GroupResponse};
use crate::types::ErrorCode;
use crate::wire::api::consumer_group_describe::*;

pub async fn handle(context: &RequestContext, request: ConsumerGroupDescribeRequest) -> ConsumerGroupDescribeResponse {
    let mut groups = Vec::with_capacity(request.group_ids.len());
    for id in request.group_ids {
        if id.is_empty() {
            groups.push(DescribedGroup { error_code: ErrorCode::InvalidGroupId, group_id: id, ..Default::default() });
            continue;
        }
        let ask = GroupRequest::DescribeConsumers { groups: vec![id.clone()] };
        match context.shard.ask_group(&id, ask).await {
            Ok(GroupResponse::DescribeConsumers(described)) => groups.extend(described),
            Ok(_) => unreachable!("the coordinator answers what it was asked"),
            Err(error_code) => groups.push(DescribedGroup { error_code, group_id: id, ..Default::default() }),
        }
    }
    let image = context.shard.image();
    for group in &mut groups {
        context.note_error(group.error_code);
        if group.error_code.is_none() {
            group.authorized_operations = cluster::operations(request.include_authorized_operations, cluster::GROUP_OPERATIONS);
        }
        for member in &mut group.members {
            name_topics(&image, &mut member.assignment);
            name_topics(&image, &mut member.target_assignment);
        }
    }
    ConsumerGroupDescribeResponse { groups, ..Default::default() }
}

/// Topics that are gone are left out.
fn name_topics(image: &MetadataImage, assignment: &mut Assignment) {
    assignment.topic_partitions.retain_mut(|topic| match image.topic(topic.topic_id) {
        Some(found) => {
            topic.topic_name = (&*found.name).into();
            true
        }
        None => false,
    });
}
