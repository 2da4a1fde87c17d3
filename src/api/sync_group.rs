//! SyncGroup (14), versions 0-5: a member asks for its assignment; the leader brings those of all.

use super::{Handled, RequestContext};
use crate::coordinator::group::{GroupRequest, GroupResponse};
use crate::types::ErrorCode;
use crate::wire::Str;
use crate::wire::api::sync_group::*;

/// From this version on a member must say what it thinks the group agreed on.
const VERSION_OF_PROTOCOL: i16 = 5;

pub async fn handle(mut context: RequestContext) -> Handled {
    let mut request: SyncGroupRequest = match context.decode() {
        Ok(request) => request,
        Err(reason) => return Handled::Refuse(reason),
    };
    context.let_go_of_frame();
    if request.assignments.is_empty() {
        // It may wait for the leader; a leader's assignments stay charged while they are on their way to the disk.
        detach(&mut request);
        context.release_request();
    }
    let response = sync(&context, request).await;
    context.note_error(response.error_code);
    context.encode(&response)
}

async fn sync(context: &RequestContext, request: SyncGroupRequest) -> SyncGroupResponse {
    let refused = |error_code| SyncGroupResponse { error_code, ..Default::default() };
    if request.group_id.is_empty() {
        return refused(ErrorCode::InvalidGroupId);
    }
    if context.version() >= VERSION_OF_PROTOCOL && (request.protocol_type.is_none() || request.protocol_name.is_none()) {
        return refused(ErrorCode::InconsistentGroupProtocol);
    }
    let group = request.group_id.clone();
    match context.shard.ask_group(&group, GroupRequest::Sync(request)).await {
        Ok(GroupResponse::Sync(response)) => response,
        Ok(_) => unreachable!("the coordinator answers what it was asked"),
        // The member is told to look for the coordinator again only where it makes a difference.
        Err(ErrorCode::CoordinatorLoadInProgress) => refused(ErrorCode::RebalanceInProgress),
        Err(error) => refused(error),
    }
}

/// A follower's request in memory of its own, without the frame it came in.
fn detach(request: &mut SyncGroupRequest) {
    request.group_id = request.group_id.detached();
    request.member_id = request.member_id.detached();
    let optional = [&mut request.group_instance_id, &mut request.protocol_type, &mut request.protocol_name];
    optional.into_iter().for_each(|text| *text = text.as_ref().map(Str::detached));
}
