//! DescribeConfigs (32, versions 1-4), AlterConfigs (33, 0-2) and IncrementalAlterConfigs (44, 0-1).
//!
//! Describing is answered from this core's image; altering is the controller's to decide. Resource types: 2 topic, 32 group, 4 broker (by id,
//! or all brokers by the empty name); others are INVALID_REQUEST. A core that clients see as a broker stands for its machine.

use super::RequestContext;
use super::view::View;
use crate::config::{ConfigEntry, describe_broker, describe_cluster, describe_group, describe_topic};
use crate::controller::{ConfigResource, ControllerRequest, ControllerResponse, MetadataImage};
use crate::types::{ErrorCode, NodeId, check_topic_name};
use crate::wire::Str;
use crate::wire::api::alter_configs::*;
use crate::wire::api::describe_configs::*;
use crate::wire::api::incremental_alter_configs::*;

const TOPIC: i8 = 2;
const BROKER: i8 = 4;
const GROUP: i8 = 32;

pub async fn alter(context: &RequestContext, mut request: AlterConfigsRequest) -> AlterConfigsResponse {
    let asked = name_machines(context, request.resources.iter_mut().map(|r| (r.resource_type, &mut r.resource_name)));
    match context.shard.ask_controller(ControllerRequest::AlterConfigs(request)).await {
        ControllerResponse::AlterConfigs(mut response) => {
            for (answer, asked) in response.responses.iter_mut().zip(asked) {
                context.note_error(answer.error_code);
                answer.resource_name = asked;
            }
            response
        }
        _ => unreachable!("the controller answers what it was asked"),
    }
}

pub async fn incremental_alter(context: &RequestContext, mut request: IncrementalAlterConfigsRequest) -> IncrementalAlterConfigsResponse {
    let asked = name_machines(context, request.resources.iter_mut().map(|r| (r.resource_type, &mut r.resource_name)));
    match context.shard.ask_controller(ControllerRequest::IncrementalAlterConfigs(request)).await {
        ControllerResponse::IncrementalAlterConfigs(mut response) => {
            for (answer, asked) in response.responses.iter_mut().zip(asked) {
                context.note_error(answer.error_code);
                answer.resource_name = asked;
            }
            response
        }
        _ => unreachable!("the controller answers what it was asked"),
    }
}

/// Puts the machine's id in the place of its cores'; gives the names as the client wrote them, by which it looks for its answers.
fn name_machines<'a>(context: &RequestContext, resources: impl Iterator<Item = (i8, &'a mut Str)>) -> Vec<Str> {
    let view = View::of(context);
    let name_machine = |(resource_type, name): (i8, &mut Str)| {
        let machine = if resource_type == BROKER { view.machine_name(name) } else { name.clone() };
        std::mem::replace(name, machine)
    };
    resources.map(name_machine).collect()
}

pub async fn describe(context: &RequestContext, request: DescribeConfigsRequest) -> DescribeConfigsResponse {
    let image = context.shard.image();
    let results = request.resources.iter().map(|resource| {
        let mut result = DescribeConfigsResult {
            resource_type: resource.resource_type,
            resource_name: resource.resource_name.clone(),
            ..Default::default()
        };
        match entries(context, &image, resource) {
            Ok(entries) => result.configs = shown(entries, resource, &request),
            Err((error, message)) => {
                context.note_error(error);
                result.error_code = error;
                result.error_message = (!message.is_empty()).then(|| message.into());
            }
        }
        result
    });
    DescribeConfigsResponse { results: results.collect(), ..Default::default() }
}

fn entries(
    context: &RequestContext,
    image: &MetadataImage,
    resource: &DescribeConfigsResource,
) -> Result<Vec<ConfigEntry>, (ErrorCode, String)> {
    let config = &context.shard.config;
    let dynamic = image.configs(&ConfigResource::broker(config.node_id));
    let dynamic_default = image.configs(&ConfigResource::cluster_default());
    let layers = config.layers(dynamic, dynamic_default);
    let name = &resource.resource_name;
    match resource.resource_type {
        TOPIC => {
            check_topic_name(name).map_err(|e| (ErrorCode::InvalidTopicException, e))?;
            if image.topic_by_name(name).is_none() {
                // Without a message, as in Kafka.
                return Err((ErrorCode::UnknownTopicOrPartition, String::new()));
            }
            Ok(describe_topic(image.configs(&ConfigResource::topic(name)), layers))
        }
        GROUP if name.is_empty() => Err((ErrorCode::InvalidRequest, "Group name must not be empty".into())),
        GROUP => Ok(describe_group(image.configs(&ConfigResource::group(name)), layers)),
        BROKER if name.is_empty() => Ok(describe_cluster(layers)),
        BROKER => match name.parse() {
            Ok(id) if View::of(context).machine(NodeId(id)) == config.node_id => Ok(describe_broker(layers)),
            Ok(_) => Err((
                ErrorCode::InvalidRequest,
                format!("Unexpected broker id, expected {} or empty string, but received {name}", config.node_id),
            )),
            Err(_) => Err((ErrorCode::InvalidRequest, format!("Broker id must be an integer, but it is: {name}"))),
        },
        other => Err((ErrorCode::InvalidRequest, format!("Unsupported resource type: {other}"))),
    }
}

fn shown(
    entries: Vec<ConfigEntry>,
    resource: &DescribeConfigsResource,
    request: &DescribeConfigsRequest,
) -> Vec<DescribeConfigsResourceResult> {
    // Kafka takes an empty list of keys for all of them, too.
    let keys = resource.configuration_keys.as_ref().filter(|keys| !keys.is_empty());
    let wanted = entries.into_iter().filter(|e| keys.is_none_or(|keys| keys.iter().any(|k| **k == *e.name)));
    let results = wanted.map(|entry| DescribeConfigsResourceResult {
        name: entry.name.into(),
        value: entry.value.map(Str::from),
        read_only: entry.read_only,
        config_source: entry.source.code(),
        is_sensitive: entry.sensitive,
        synonyms: if request.include_synonyms {
            let synonyms = entry.synonyms.into_iter();
            synonyms
                .map(|s| DescribeConfigsSynonym { name: s.name.into(), value: s.value.map(Str::from), source: s.source.code() })
                .collect()
        } else {
            Vec::new()
        },
        config_type: entry.config_type.code(),
        documentation: entry.documentation.filter(|_| request.include_documentation).map(Str::from),
    });
    results.collect()
}
