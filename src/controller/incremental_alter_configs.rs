//! IncrementalAlterConfigs: sets, deletes, appends to and subtracts from single configs of topics, brokers and the cluster's default.
//!
//! Pure. A resource is changed as a whole or not at all; one that is refused does not keep the others from being changed.

use super::config_resource::{self, change_each, target};
use super::handler::{HandlerContext, Refusal};
use super::record::{Record, ResourceType};
use crate::config::{AlterOperation, ConfigChange, alter_broker, alter_group, alter_topic};
use crate::types::ErrorCode;
use crate::wire::api::incremental_alter_configs::{
    AlterConfigsResource, AlterConfigsResourceResponse, IncrementalAlterConfigsRequest, IncrementalAlterConfigsResponse,
};

pub fn incremental_alter_configs(
    cx: &HandlerContext,
    request: &IncrementalAlterConfigsRequest,
) -> (Vec<Record>, IncrementalAlterConfigsResponse) {
    let named: Vec<_> = request.resources.iter().map(|r| (r.resource_type, &*r.resource_name)).collect();
    let (records, outcomes) = change_each(&named, request.validate_only, |position| alter(cx, &request.resources[position]));
    let responses = request.resources.iter().zip(outcomes).map(|(resource, (error_code, error_message))| AlterConfigsResourceResponse {
        error_code,
        error_message,
        resource_type: resource.resource_type,
        resource_name: resource.resource_name.clone(),
    });
    (records, IncrementalAlterConfigsResponse { throttle_time_ms: 0, responses: responses.collect() })
}

fn alter(cx: &HandlerContext, resource: &AlterConfigsResource) -> Result<Vec<Record>, Refusal> {
    let target = target(cx, resource.resource_type, &resource.resource_name)?;
    let changes = changes(resource)?;
    let current = cx.image.configs(&target.resource);
    let delta = match target.resource.resource_type {
        ResourceType::Topic => alter_topic(current, &changes, cx.layers())?,
        ResourceType::Broker => alter_broker(current, &changes, target.scope)?,
        ResourceType::Group => alter_group(current, &changes, cx.layers())?,
    };
    config_resource::records(cx, &target.resource, delta)
}

fn changes(resource: &AlterConfigsResource) -> Result<Vec<ConfigChange>, Refusal> {
    let change = |config: &crate::wire::api::incremental_alter_configs::AlterableConfig| {
        let operation = AlterOperation::from_code(config.config_operation)
            .ok_or_else(|| Refusal::new(ErrorCode::InvalidRequest, format!("Unknown operations type {}", config.config_operation)))?;
        Ok(ConfigChange { name: config.name.to_string(), operation, value: config.value.as_deref().map(str::to_owned) })
    };
    resource.configs.iter().map(change).collect()
}
