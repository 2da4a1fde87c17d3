//! Heartbeat (12), versions 0-4: a member is there, and hears whether it must join again.

use super::RequestContext;
use crate::coordinator::group::{GroupRequest, GroupResponse};
use crate::types::ErrorCode;
use crate::wire::api::heartbeat::*;

pub async fn handle(context: &RequestContext, request: HeartbeatRequest) -> HeartbeatResponse {
    let error_code = heartbeat(context, request).await;
    context.note_error(error_code);
    HeartbeatResponse { error_code, ..Default::default() }
}

async fn heartbeat(context: &RequestContext, request: HeartbeatRequest) -> ErrorCode {
    if request.group_id.is_empty() {
        return ErrorCode::InvalidGroupId;
    }
    let group = request.group_id.clone();
    match context.shard.ask_group(&group, GroupRequest::Heartbeat(request)).await {
        Ok(GroupResponse::Heartbeat(error)) => error,
        Ok(_) => unreachable!("the coordinator answers what it was asked"),
        // Sessions begin when it has loaded: nothing is amiss.
        Err(ErrorCode::CoordinatorLoadInProgress) => ErrorCode::None,
        Err(error) => error,
    }
}
