//! AlterConfigs, the older request: what it names replaces all that was set on a topic, a broker or the cluster's default.
//!
//! Pure. A resource is changed as a whole or not at all; one that is refused does not keep the others from being changed.

use super::config_resource::{self, change_each, target};
use super::handler::{HandlerContext, Refusal};
use super::record::{Record, ResourceType};
use crate::config::{ConfigError, ConfigMap, replace_broker, replace_group, replace_topic};
use crate::wire::api::alter_configs::{AlterConfigsRequest, AlterConfigsResource, AlterConfigsResourceResponse, AlterConfigsResponse};

pub fn alter_configs(cx: &HandlerContext, request: &AlterConfigsRequest) -> (Vec<Record>, AlterConfigsResponse) {
    let named: Vec<_> = request.resources.iter().map(|r| (r.resource_type, &*r.resource_name)).collect();
    let (records, outcomes) = change_each(&named, request.validate_only, |position| replace(cx, &request.resources[position]));
    let responses = request.resources.iter().zip(outcomes).map(|(resource, (error_code, error_message))| AlterConfigsResourceResponse {
        error_code,
        error_message,
        resource_type: resource.resource_type,
        resource_name: resource.resource_name.clone(),
    });
    (records, AlterConfigsResponse { throttle_time_ms: 0, responses: responses.collect() })
}

fn replace(cx: &HandlerContext, resource: &AlterConfigsResource) -> Result<Vec<Record>, Refusal> {
    let target = target(cx, resource.resource_type, &resource.resource_name)?;
    let wanted = wanted(resource)?;
    let current = cx.image.configs(&target.resource);
    let delta = match target.resource.resource_type {
        ResourceType::Topic => replace_topic(current, &wanted, cx.layers())?,
        ResourceType::Broker => replace_broker(current, &wanted, target.scope)?,
        ResourceType::Group => replace_group(current, &wanted, cx.layers())?,
    };
    config_resource::records(cx, &target.resource, delta)
}

fn wanted(resource: &AlterConfigsResource) -> Result<ConfigMap, Refusal> {
    let nulls: Vec<&str> = resource.configs.iter().filter(|config| config.value.is_none()).map(|config| &*config.name).collect();
    let values = resource.configs.iter().map(|config| (config.name.to_string(), config.value.as_deref().unwrap_or_default().to_owned()));
    let wanted: ConfigMap = values.collect();
    if wanted.len() != resource.configs.len() {
        return Err(ConfigError::DuplicateKey.into());
    }
    if !nulls.is_empty() {
        return Err(ConfigError::NullValue { name: nulls.join(",") }.into());
    }
    Ok(wanted)
}
