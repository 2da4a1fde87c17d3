//! ListGroups (16), versions 0-5: all groups of this broker, by state from version 4 on, by type from 5 on.

use super::RequestContext;
use crate::coordinator::group::{GroupRequest, GroupResponse};
use crate::types::ErrorCode;
use crate::wire::api::list_groups::*;

pub async fn handle(context: &RequestContext, request: ListGroupsRequest) -> ListGroupsResponse {
    let mut groups = Vec::new();
    for id in context.shard.group_partitions() {
        let ask = GroupRequest::List { states: request.states_filter.clone(), types: request.types_filter.clone() };
        match context.shard.ask_groups_of(id, ask).await {
            Ok(GroupResponse::List(more)) => groups.extend(more),
            Ok(_) => unreachable!("the coordinator answers what it was asked"),
            // As in Kafka: its groups are not this broker's.
            Err(ErrorCode::NotCoordinator) => {}
            Err(error_code) => {
                context.note_error(error_code);
                return ListGroupsResponse { error_code, ..Default::default() };
            }
        }
    }
    ListGroupsResponse { groups, ..Default::default() }
}
