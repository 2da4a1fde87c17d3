//! LeaveGroup (13), versions 0-5: members go. One by its id up to version 2, several from 3 on, static ones by their instance ids too.

use super::RequestContext;
use crate::coordinator::group::{GroupRequest, GroupResponse};
use crate::types::ErrorCode;
use crate::wire::api::leave_group::*;

/// From this version on several members are named.
const VERSION_OF_SEVERAL_MEMBERS: i16 = 3;

pub async fn handle(context: &RequestContext, request: LeaveGroupRequest) -> LeaveGroupResponse {
    let mut response = leave(context, request).await;
    if context.version() < VERSION_OF_SEVERAL_MEMBERS && response.error_code.is_none() {
        response.error_code = response.members.first().map_or(ErrorCode::None, |member| member.error_code);
    }
    if context.version() < VERSION_OF_SEVERAL_MEMBERS {
        response.members.clear();
    }
    context.note_error(response.error_code);
    response
}

async fn leave(context: &RequestContext, request: LeaveGroupRequest) -> LeaveGroupResponse {
    if request.group_id.is_empty() {
        return LeaveGroupResponse { error_code: ErrorCode::InvalidGroupId, ..Default::default() };
    }
    let members = match context.version() {
        ..VERSION_OF_SEVERAL_MEMBERS => vec![MemberIdentity { member_id: request.member_id, ..Default::default() }],
        _ => request.members,
    };
    let ask = GroupRequest::Leave { group: request.group_id.clone(), members: members.clone() };
    match context.shard.ask_group(&request.group_id, ask).await {
        Ok(GroupResponse::Leave(response)) => response,
        Ok(_) => unreachable!("the coordinator answers what it was asked"),
        Err(ErrorCode::UnknownMemberId) => {
            let unknown = |member: MemberIdentity| MemberResponse {
                member_id: member.member_id,
                group_instance_id: member.group_instance_id,
                error_code: ErrorCode::UnknownMemberId,
            };
            LeaveGroupResponse { members: members.into_iter().map(unknown).collect(), ..Default::default() }
        }
        Err(error_code) => LeaveGroupResponse { error_code, ..Default::default() },
    }
}
