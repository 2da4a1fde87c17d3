//! DescribeCluster (60), versions 0-2: cluster id, controller, brokers. Controllers as endpoints (type 2) are not asked of a broker:
//! MISMATCHED_ENDPOINT_TYPE, as in Kafka.

use super::RequestContext;
use super::cluster;
use crate::types::ErrorCode;
use crate::wire::api::describe_cluster::*;

const BROKERS: i8 = 1;
const CONTROLLERS: i8 = 2;

pub async fn handle(context: &RequestContext, request: DescribeClusterRequest) -> DescribeClusterResponse {
    let image = context.shard.image();
    let refused = match request.endpoint_type {
        BROKERS => None,
        CONTROLLERS => Some((
            ErrorCode::MismatchedEndpointType,
            "The request was sent to an endpoint of type BROKER, but we wanted an endpoint of type CONTROLLER",
        )),
        _ => Some((ErrorCode::UnsupportedEndpointType, "Unsupported endpoint type")),
    };
    if let Some((error, message)) = refused {
        context.note_error(error);
        return DescribeClusterResponse {
            error_code: error,
            error_message: Some(message.into()),
            endpoint_type: BROKERS,
            ..Default::default()
        };
    }
    let brokers = cluster::brokers(context, &image).into_iter().filter(|b| request.include_fenced_brokers || !b.fenced);
    DescribeClusterResponse {
        endpoint_type: BROKERS,
        cluster_id: image.cluster_id().into(),
        controller_id: context.shard.node_id(),
        brokers: brokers
            .map(|b| DescribeClusterBroker { broker_id: b.id, host: b.host, port: b.port, rack: b.rack, is_fenced: b.fenced })
            .collect(),
        cluster_authorized_operations: cluster::operations(request.include_cluster_authorized_operations, cluster::CLUSTER_OPERATIONS),
        ..Default::default()
    }
}
