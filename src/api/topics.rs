//! CreateTopics (19, versions 2-7), DeleteTopics (20, 1-6) and CreatePartitions (37, 0-3): the controller's to decide.
//!
//! Replicas are machines'; the controller never hears of cores. The reply waits until every shard of this node has applied the change, so a client may produce at once.

use super::RequestContext;
use super::view::View;
use crate::controller::{ControllerRequest, ControllerResponse};
use crate::types::NodeId;
use crate::wire::api::create_partitions::*;
use crate::wire::api::create_topics::*;
use crate::wire::api::delete_topics::*;

pub async fn create(context: &RequestContext, mut request: CreateTopicsRequest) -> CreateTopicsResponse {
    let assignments = request.topics.iter_mut().flat_map(|topic| &mut topic.assignments);
    name_machines(context, assignments.flat_map(|assignment| &mut assignment.broker_ids));
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

pub async fn create_partitions(context: &RequestContext, mut request: CreatePartitionsRequest) -> CreatePartitionsResponse {
    let assignments = request.topics.iter_mut().flat_map(|topic| topic.assignments.iter_mut().flatten());
    name_machines(context, assignments.flat_map(|assignment| &mut assignment.broker_ids));
    match context.shard.ask_controller(ControllerRequest::CreatePartitions(request)).await {
        ControllerResponse::CreatePartitions(response) => {
            response.results.iter().for_each(|t| context.note_error(t.error_code));
            response
        }
        _ => unreachable!("the controller answers what it was asked"),
    }
}

/// Replicas are machines': a core that a client saw as a broker stands for its machine.
fn name_machines<'a>(context: &RequestContext, brokers: impl Iterator<Item = &'a mut NodeId>) {
    let view = View::of(context);
    brokers.for_each(|broker| *broker = view.machine(*broker));
}
