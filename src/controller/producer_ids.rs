//! Blocks of producer ids, so that a broker asks once for a thousand producers.
//!
//! Pure. An id is never given twice: the ids of a block that a broker did not use when it went down are lost.

use super::handler::HandlerContext;
use super::record::{ProducerIdsRecord, Record};
use crate::types::{ErrorCode, NodeId, ProducerId};

/// Ids of one block.
pub const BLOCK_LEN: i64 = 1000;

/// Ids `first` to `first + len - 1`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ProducerIdBlock {
    pub first: ProducerId,
    pub len: i64,
}

pub fn allocate_producer_ids(cx: &HandlerContext, node: NodeId) -> (Vec<Record>, Result<ProducerIdBlock, ErrorCode>) {
    let Some(broker) = cx.image.broker(node) else {
        return (Vec::new(), Err(ErrorCode::BrokerIdNotRegistered));
    };
    let first = cx.image.next_producer_id();
    let Some(next_producer_id) = first.checked_add(BLOCK_LEN) else {
        return (Vec::new(), Err(ErrorCode::UnknownServerError));
    };
    let record = ProducerIdsRecord { broker_id: node, broker_epoch: broker.epoch, next_producer_id };
    (vec![Record::ProducerIds(record)], Ok(ProducerIdBlock { first: ProducerId(first), len: BLOCK_LEN }))
}
