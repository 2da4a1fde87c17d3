//! UpdateFeatures (57), versions 0-2: the controller's to decide. Clients see the new levels in ApiVersions when they connect anew.

use super::RequestContext;
use crate::controller::{ControllerRequest, ControllerResponse};
use crate::wire::api::update_features::*;

pub async fn handle(context: &RequestContext, request: UpdateFeaturesRequest) -> UpdateFeaturesResponse {
    match context.shard.ask_controller(ControllerRequest::UpdateFeatures(request)).await {
        ControllerResponse::UpdateFeatures(response) => {
            context.note_error(response.error_code);
            response
        }
        _ => unreachable!("the controller answers what it was asked"),
    }
}
