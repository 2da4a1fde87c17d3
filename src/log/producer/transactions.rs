//! Which transactions of a partition readers of committed records must wait for.

use crate::log::format::AbortedTransaction;
use crate::types::{Offset, ProducerId};
use std::collections::BTreeMap;

/// A transaction whose marker was appended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct CompletedTransaction {
    pub producer_id: ProducerId,
    pub first_offset: Offset,
    /// The marker's.
    pub last_offset: Offset,
    pub aborted: bool,
    /// The first offset of the next open transaction, or the one after the marker.
    pub last_stable_offset: Offset,
}

impl CompletedTransaction {
    /// Its entry in the transaction index; `None` for a committed one.
    pub fn aborted_transaction(&self) -> Option<AbortedTransaction> {
        let CompletedTransaction { producer_id, first_offset, last_offset, aborted, last_stable_offset } = *self;
        aborted.then_some(AbortedTransaction { producer_id, first_offset, last_offset, last_stable_offset })
    }
}

#[derive(Clone, Debug, Default)]
pub(super) struct Transactions {
    /// Open ones by first offset.
    open: BTreeMap<Offset, ProducerId>,
    /// Ended ones whose marker is not below the high watermark: first offset to marker's.
    unreplicated: BTreeMap<Offset, Offset>,
}

impl Transactions {
    pub(super) fn begin(&mut self, producer_id: ProducerId, first_offset: Offset) {
        self.open.insert(first_offset, producer_id);
    }

    pub(super) fn complete(
        &mut self,
        producer_id: ProducerId,
        first_offset: Offset,
        last_offset: Offset,
        aborted: bool,
    ) -> CompletedTransaction {
        self.open.remove(&first_offset);
        self.unreplicated.insert(first_offset, last_offset);
        let last_stable_offset = self.open.keys().next().copied().unwrap_or(last_offset.plus(1));
        CompletedTransaction { producer_id, first_offset, last_offset, aborted, last_stable_offset }
    }

    pub(super) fn on_high_watermark(&mut self, high_watermark: Offset) {
        self.unreplicated.retain(|_, last_offset| *last_offset >= high_watermark);
    }

    pub(super) fn first_unstable_offset(&self, high_watermark: Offset) -> Option<Offset> {
        let open = self.open.keys().next();
        let unreplicated = self.unreplicated.iter().find(|(_, last_offset)| **last_offset >= high_watermark).map(|(first, _)| first);
        open.into_iter().chain(unreplicated).min().copied()
    }
}
