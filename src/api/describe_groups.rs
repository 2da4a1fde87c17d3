//! DescribeGroups (15), versions 0-6: classic groups with their members, assignments included. A group that is not there is dead up to version 5,
//! GROUP_ID_NOT_FOUND from 6 on.

use super::RequestContext;
use super::cluster;
use crate::coordinator::group::{GroupRequest, GroupResponse};
use crate::wire::api::describe_groups::*;

pub async fn handle(context: &RequestContext, request: DescribeGroupsRequest) -> DescribeGroupsResponse {
    let mut groups = Vec::with_capacity(request.groups.len());
    for id in request.groups {
        let ask = GroupRequest::Describe { groups: vec![id.clone()], version: context.version() };
        match context.shard.ask_group(&id, ask).await {
            Ok(GroupResponse::Describe(described)) => groups.extend(described),
            Ok(_) => unreachable!("the coordinator answers what it was asked"),
            Err(error_code) => groups.push(DescribedGroup { error_code, group_id: id, ..Default::default() }),
        }
    }
    for group in &mut groups {
        context.note_error(group.error_code);
        if group.error_code.is_none() {
            group.authorized_operations = cluster::operations(request.include_authorized_operations, cluster::GROUP_OPERATIONS);
        }
    }
    DescribeGroupsResponse { groups, ..Default::default() }
}
