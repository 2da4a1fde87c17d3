//! Registration of brokers.
//!
//! Pure. A broker registers at each start, by that makes its addresses known, and is not fenced from then on.

use super::handler::HandlerContext;
use super::record::{BrokerEndpoint, Record, RegisterBrokerRecord};
use crate::types::NodeId;
use std::sync::Arc;

/// What a broker says of itself.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct BrokerRegistration {
    pub node: NodeId,
    /// Drawn anew at each start.
    pub incarnation_id: [u8; 16],
    /// What clients are told, by listener.
    pub endpoints: Vec<BrokerEndpoint>,
    pub rack: Option<Arc<str>>,
}

/// Gives the broker's new epoch.
pub fn register_broker(cx: &HandlerContext, registration: BrokerRegistration) -> (Vec<Record>, i64) {
    let broker_epoch = cx.image.broker(registration.node).map_or(0, |broker| broker.epoch) + 1;
    let record = RegisterBrokerRecord {
        broker_id: registration.node,
        broker_epoch,
        incarnation_id: registration.incarnation_id,
        endpoints: registration.endpoints,
        rack: registration.rack,
        fenced: false,
    };
    (vec![Record::RegisterBroker(record)], broker_epoch)
}
