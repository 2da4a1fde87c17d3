//! Leader epochs beside the batches: `leader-epoch-checkpoint` has no checksum, so what it says is compared with the batches at the bounds of each
//! epoch, once since the start, before the first answer that depends on it. Epochs never fall from batch to batch, so the first and the
//! last batch of each vouch for all between, and a wrong or missing checkpoint is found anew by bisection.

use super::PartitionLog;
use super::read::Found;
use crate::log::format::{EpochEntry, LEADER_EPOCH_CHECKPOINT};
use crate::log::{LeaderEpochs, ReadError};
use crate::rt::yield_if_needed;
use crate::types::{LeaderEpoch, Offset};
use crate::wire::records::BatchHeader;

impl PartitionLog {
    /// To be called before answering by leader epochs. Where the log cannot be read they stay as they are.
    pub async fn check_epochs(&self) {
        if self.epochs_checked.get() || self.is_offline() {
            return;
        }
        let (start, end) = (self.log_start(), self.log_end());
        match self.epochs_fault(start, end).await {
            Ok(None) => self.epochs_checked.set(true),
            Ok(Some(why)) => {
                tracing::warn!("{}: making it anew: {why}", self.path().join(LEADER_EPOCH_CHECKPOINT).display());
                if let Ok(found) = self.find_epochs(start, end).await {
                    self.replace_epochs(&found, end).await;
                }
            }
            Err(_) => {}
        }
    }

    /// What is wrong with the epochs of [`start`, `end`).
    async fn epochs_fault(&self, start: Offset, end: Offset) -> Result<Option<String>, ReadError> {
        let entries: Vec<EpochEntry> = self.state.borrow().epochs.entries().to_vec();
        let first = entries.first().map_or(end, |first| first.start_offset.min(end));
        if start < first && self.epoch_in(start, first).await?.is_some_and(|(_, epoch)| epoch != LeaderEpoch::NONE) {
            return Ok(Some(format!("it has no epoch for offset {start}")));
        }
        for (index, entry) in entries.iter().enumerate() {
            let from = entry.start_offset.max(start);
            let to = entries.get(index + 1).map_or(end, |next| next.start_offset.min(end));
            if from >= to {
                continue;
            }
            let wrong = |at: Offset, found: LeaderEpoch| Ok(Some(format!("epoch {} where offset {at} has {found}", entry.epoch)));
            for at in [from, to.plus(-1)] {
                let Some((base, found)) = self.epoch_in(at, to).await? else { continue };
                // An epoch does not begin within a batch, but where DeleteRecords has made the log begin there.
                let within = at == entry.start_offset && base < at && at > start;
                if found != entry.epoch || within {
                    return wrong(at, found);
                }
            }
            yield_if_needed().await;
        }
        Ok(None)
    }

    /// Base offset and epoch of the batch that holds `at`, or of the next one, if it begins below `to`.
    async fn epoch_in(&self, at: Offset, to: Offset) -> Result<Option<(Offset, LeaderEpoch)>, ReadError> {
        let header = self.header_at(at).await?.filter(|header| header.base_offset < to);
        Ok(header.map(|header| (header.base_offset, header.leader_epoch)))
    }

    async fn header_at(&self, at: Offset) -> Result<Option<BatchHeader>, ReadError> {
        Ok(self.find_batch(at).await?.map(|found| match found {
            Found::Memory(header, _) | Found::File { header, .. } => header,
        }))
    }

    /// The epochs of the batches in [`start`, `end`).
    async fn find_epochs(&self, start: Offset, end: Offset) -> Result<LeaderEpochs, ReadError> {
        let mut epochs = LeaderEpochs::default();
        let mut at = start;
        while let Some((base, epoch)) = self.epoch_in(at, end).await? {
            epochs.assign(epoch, base.max(start));
            // The first batch of a higher epoch, by halves: all below `low` have this one, all from `high` on a higher one.
            let (mut low, mut high) = (at.plus(1), end);
            while low < high {
                let middle = Offset(low.0 + (high.0 - low.0) / 2);
                match self.epoch_in(middle, high).await? {
                    Some((base, found)) if found > epoch => high = base.max(low),
                    Some((base, _)) => low = base.max(middle).plus(1),
                    None => high = middle,
                }
                yield_if_needed().await;
            }
            at = high;
        }
        Ok(epochs)
    }

    /// Takes what was found below `end`; what was appended since is known from appending it.
    async fn replace_epochs(&self, found: &LeaderEpochs, end: Offset) {
        {
            let mut state = self.state.borrow_mut();
            let mut epochs = found.clone();
            for entry in state.epochs.entries().iter().filter(|entry| entry.start_offset >= end) {
                epochs.assign(entry.epoch, entry.start_offset);
            }
            state.epochs = epochs;
        }
        self.epochs_changed.set(true);
        self.touched.set(true);
        self.epochs_checked.set(true);
        if let Ok(_lock) = self.lock_segments().await {
            // What fails took the directory offline.
            let _ = self.write_epochs().await;
        }
    }
}
