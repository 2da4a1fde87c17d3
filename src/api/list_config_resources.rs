//! ListConfigResources (74), versions 0-1: the topics, brokers and groups that configurations may be asked of. There are no client metrics.

use super::RequestContext;
use super::cluster;
use crate::controller::{MetadataImage, ResourceType};
use crate::types::ErrorCode;
use crate::wire::Str;
use crate::wire::api::list_config_resources::*;

const TOPIC: i8 = 2;
const BROKER: i8 = 4;
const BROKER_LOGGER: i8 = 8;
const CLIENT_METRICS: i8 = 16;
const GROUP: i8 = 32;
const ALL: [i8; 5] = [TOPIC, BROKER, BROKER_LOGGER, CLIENT_METRICS, GROUP];

pub async fn handle(context: &RequestContext, request: ListConfigResourcesRequest) -> ListConfigResourcesResponse {
    let known: &[i8] = if context.version() == 0 { &[CLIENT_METRICS] } else { &ALL };
    if request.resource_types.iter().any(|kind| !known.contains(kind)) {
        let error_code = ErrorCode::UnsupportedVersion;
        context.note_error(error_code);
        return ListConfigResourcesResponse { error_code, ..Default::default() };
    }
    let image = context.shard.image();
    let wanted = |kind: &&i8| request.resource_types.is_empty() || request.resource_types.contains(kind);
    let config_resources = known.iter().filter(wanted).flat_map(|kind| {
        let listed = |resource_name| ListedConfigResource { resource_name, resource_type: *kind };
        names(context, &image, *kind).into_iter().map(listed)
    });
    ListConfigResourcesResponse { config_resources: config_resources.collect(), ..Default::default() }
}

fn names(context: &RequestContext, image: &MetadataImage, kind: i8) -> Vec<Str> {
    match kind {
        TOPIC => image.topics().map(|topic| Str::from(&*topic.name)).collect(),
        BROKER | BROKER_LOGGER => cluster::brokers(context, image).iter().map(|broker| broker.id.0.to_string().into()).collect(),
        GROUP => {
            let groups = image.configured_resources().filter(|(resource, _)| resource.resource_type == ResourceType::Group);
            groups.map(|(resource, _)| Str::from(&*resource.name)).collect()
        }
        _ => Vec::new(),
    }
}
