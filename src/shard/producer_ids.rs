//! Producer ids for idempotent producers: this shard's share of the blocks that the controller hands out.

use super::Shard;
use crate::controller::{ControllerRequest, ControllerResponse, ProducerIdBlock};
use crate::rt::sync::Semaphore;
use crate::types::{ErrorCode, ProducerId};
use std::cell::Cell;
use std::rc::Rc;

/// The ids left of the newest block; one task at a time asks for the next.
pub struct ProducerIds {
    next: Cell<i64>,
    end: Cell<i64>,
    asking: Semaphore,
}

impl Default for ProducerIds {
    fn default() -> Self {
        ProducerIds { next: Cell::new(0), end: Cell::new(0), asking: Semaphore::new(1) }
    }
}

impl ProducerIds {
    fn take(&self) -> Option<ProducerId> {
        let next = self.next.get();
        if next == self.end.get() {
            return None;
        }
        self.next.set(next + 1);
        Some(ProducerId(next))
    }

    fn refill(&self, block: ProducerIdBlock) {
        self.next.set(block.first.0);
        self.end.set(block.first.0 + block.len);
    }
}

impl Shard {
    /// A producer id that nobody has had before.
    pub async fn next_producer_id(self: &Rc<Self>) -> Result<ProducerId, ErrorCode> {
        loop {
            if let Some(id) = self.producer_ids.take() {
                return Ok(id);
            }
            let _asking = self.producer_ids.asking.acquire(1).await;
            if let Some(id) = self.producer_ids.take() {
                return Ok(id);
            }
            match self.ask_controller(ControllerRequest::AllocateProducerIds(self.node_id())).await {
                ControllerResponse::AllocateProducerIds(block) => self.producer_ids.refill(block?),
                _ => unreachable!("the controller answers what it was asked"),
            }
        }
    }
}
