//! JoinGroup (11), versions 0-9: a member asks into its group's next generation, and waits until there is one.
//!
//! Versions below 4 are let in without an id of theirs (KIP-394). What the coordinator does is in `coordinator::group`.

use super::{Handled, RequestContext};
use crate::coordinator::group::{GroupRequest, GroupResponse, JoinAsk, TopicDirectory, Topics};
use crate::coordinator::machine::Token;
use crate::types::ErrorCode;
use crate::wire::Str;
use crate::wire::api::join_group::*;
use bytes::Bytes;
use std::sync::Arc;

/// From this version on a response can do without a protocol's name.
const VERSION_OF_NO_PROTOCOL: i16 = 7;

pub async fn handle(mut context: RequestContext) -> Handled {
    let request: JoinGroupRequest = match context.decode() {
        Ok(request) => request,
        Err(reason) => return Handled::Refuse(reason),
    };
    // It may wait for minutes; the coordinator has its own copy of what it keeps.
    context.let_go_of_frame();
    context.release_request();
    let mut response = join(&context, request).await;
    context.note_error(response.error_code);
    if context.version() < VERSION_OF_NO_PROTOCOL {
        response.protocol_name.get_or_insert_default();
    }
    context.encode(&response)
}

async fn join(context: &RequestContext, mut request: JoinGroupRequest) -> JoinGroupResponse {
    let version = context.version();
    if version == 0 {
        request.rebalance_timeout_ms = request.session_timeout_ms;
    }
    let member_id = request.member_id.detached();
    let refused = |error_code, member_id| JoinGroupResponse { error_code, member_id, protocol_name: None, ..Default::default() };
    if request.group_id.is_empty() {
        return refused(ErrorCode::InvalidGroupId, member_id);
    }
    let config = &context.shard.config.group;
    if !(config.min_session_timeout_ms..=config.max_session_timeout_ms).contains(&request.session_timeout_ms) {
        return refused(ErrorCode::InvalidSessionTimeout, member_id);
    }
    detach(&mut request);
    let group = request.group_id.clone();
    let ask = JoinAsk {
        token: Token(0),
        request,
        version,
        client_id: context.header.client_id.clone().unwrap_or_default(),
        client_host: format!("/{}", context.session.peer.address.ip()).into(),
        topics: Topics(Arc::clone(&context.shard.image()) as Arc<dyn TopicDirectory>),
    };
    match context.shard.ask_group(&group, GroupRequest::Join(Box::new(ask))).await {
        Ok(GroupResponse::Join(response)) => response,
        Ok(_) => unreachable!("the coordinator answers what it was asked"),
        Err(error) => refused(error, Str::new()),
    }
}

/// The request in memory of its own, without the frame it came in: it may be kept for minutes.
fn detach(request: &mut JoinGroupRequest) {
    request.group_id = request.group_id.detached();
    request.member_id = request.member_id.detached();
    request.group_instance_id = request.group_instance_id.as_ref().map(Str::detached);
    request.protocol_type = request.protocol_type.detached();
    request.reason = None;
    for protocol in &mut request.protocols {
        protocol.name = protocol.name.detached();
        protocol.metadata = Bytes::copy_from_slice(&protocol.metadata);
    }
}
