//! CreateTopics (19, versions 2-7), DeleteTopics (20, 1-6) and CreatePartitions (37, 0-3): the controller's to decide.
//!
//! The reply waits until every shard of this node has applied the change, so a client may produce at once.

use super::RequestContext;
use crate::controller::{ControllerRequest, ControllerResponse};
use crate::wire::api::create_partitions::*;
use crate::wire::api::create_topics::*;
use crate::wire::api::delete_topics::*;

pub async fn create(context: &RequestContext, request: CreateTopicsRequest) -> CreateTopicsResponse {
    let ask = ControllerRequest::CreateTopics(request);
    match context.shard.ask_controller(ask).await {
        ControllerResponse::CreateTopics(response) => {
            response.topics.iter().for_each(|t| context.note_error(t.error_code));
            response
        }
        _ => unreachable!("the controller answers what it was asked"),
    }
}

pub async fn delete(context: &RequestContext, request: DeleteTopicsRequest) -> DeleteTopicsResponse {
    let ask = ControllerRequest::DeleteTopics(request);
    match context.shard.ask_controller(ask).await {
        ControllerResponse::DeleteTopics(response) => {
            response.responses.iter().for_each(|t| context.note_error(t.error_code));
            response
        }
        _ => unreachable!("the controller answers what it was asked"),
    }
}

pub async fn create_partitions(context: &RequestContext, request: CreatePartitionsRequest) -> CreatePartitionsResponse {
    match context.shard.ask_controller(ControllerRequest::CreatePartitions(request)).await {
        ControllerResponse::CreatePartitions(response) => {
            response.results.iter().for_each(|t| context.note_error(t.error_code));
            response
        }
        _ => unreachable!("the controller answers what it was asked"),
    }
}
