//! DeleteGroups (42), versions 0-2: groups without members, and their offsets. Of a group named twice there is one answer.

use super::RequestContext;
use crate::coordinator::group::{GroupRequest, GroupResponse};
use crate::types::HashSet;
use crate::wire::api::delete_groups::*;

pub async fn handle(context: &RequestContext, request: DeleteGroupsRequest) -> DeleteGroupsResponse {
    let mut results = Vec::with_capacity(request.groups_names.len());
    let mut seen = HashSet::default();
    for group_id in request.groups_names.into_iter().filter(|id| seen.insert(id.clone())) {
        match context.shard.ask_group(&group_id, GroupRequest::Delete { groups: vec![group_id.clone()] }).await {
            Ok(GroupResponse::Delete(deleted)) => results.extend(deleted),
            Ok(_) => unreachable!("the coordinator answers what it was asked"),
            Err(error_code) => results.push(DeletableGroupResult { group_id, error_code }),
        }
    }
    results.iter().for_each(|result| context.note_error(result.error_code));
    DeleteGroupsResponse { results, ..Default::default() }
}
