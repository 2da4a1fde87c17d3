//! Leader epochs of one partition: at which offset each began. Tells followers and consumers where their log differs.
//!
//! Pure; on the partition's shard. Kept in `leader-epoch-checkpoint`, which the log writes when [`LeaderEpochs::assign`] says so.
//! Epochs ascend strictly, start offsets strictly too. Source: KIP-101, KIP-279, KIP-320.

use super::format::EpochEntry;
use crate::types::{LeaderEpoch, Offset};

/// The epochs that have records in the log, ascending.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct LeaderEpochs {
    entries: Vec<EpochEntry>,
}

impl LeaderEpochs {
    /// From a checkpoint; entries that contradict later ones are dropped.
    pub fn from_entries(entries: &[EpochEntry]) -> LeaderEpochs {
        let mut epochs = LeaderEpochs::default();
        for entry in entries {
            epochs.assign(entry.epoch, entry.start_offset);
        }
        epochs
    }

    /// Ascending.
    pub fn entries(&self) -> &[EpochEntry] {
        &self.entries
    }

    pub fn latest(&self) -> Option<EpochEntry> {
        self.entries.last().copied()
    }

    /// `epoch` begins at `start_offset`, or earlier if it is the latest. Entries that contradict this are removed. True if anything
    /// changed, so that the checkpoint must be written. Negative numbers are no epochs.
    pub fn assign(&mut self, epoch: LeaderEpoch, start_offset: Offset) -> bool {
        let known = self.latest().is_some_and(|latest| latest.epoch == epoch && latest.start_offset <= start_offset);
        if known || epoch.0 < 0 || start_offset.0 < 0 {
            return false;
        }
        while self.latest().is_some_and(|latest| latest.epoch >= epoch || latest.start_offset >= start_offset) {
            self.entries.pop();
        }
        self.entries.push(EpochEntry { epoch, start_offset });
        true
    }

    /// The largest epoch not above `requested` and the offset after its last record, as OffsetForLeaderEpoch answers. `None` if
    /// `requested` is above all that are known, or is -1.
    pub fn end_offset_for(&self, requested: LeaderEpoch, log_end_offset: Offset) -> Option<(LeaderEpoch, Offset)> {
        let latest = self.latest()?;
        if requested.0 < 0 || requested > latest.epoch {
            return None;
        }
        if requested == latest.epoch {
            return Some((requested, log_end_offset));
        }
        let higher = self.entries.partition_point(|entry| entry.epoch <= requested);
        let end = self.entries[higher].start_offset;
        // An epoch below all that are left: its records are gone, so its end is where the log begins.
        let epoch = higher.checked_sub(1).map_or(requested, |floor| self.entries[floor].epoch);
        Some((epoch, end))
    }

    /// The epoch of the record at `offset`.
    pub fn epoch_for_offset(&self, offset: Offset) -> Option<LeaderEpoch> {
        let after = self.entries.partition_point(|entry| entry.start_offset <= offset);
        after.checked_sub(1).map(|index| self.entries[index].epoch)
    }

    /// The log now begins at `start_offset`. True if anything changed.
    pub fn truncate_from_start(&mut self, start_offset: Offset) -> bool {
        let covered = self.entries.partition_point(|entry| entry.start_offset <= start_offset);
        let Some(first) = covered.checked_sub(1) else { return false };
        let before = self.entries[0];
        self.entries.drain(..first);
        self.entries[0].start_offset = start_offset;
        self.entries[0] != before
    }

    /// The log now ends at `end_offset` (exclusive). True if anything changed.
    pub fn truncate_from_end(&mut self, end_offset: Offset) -> bool {
        let keep = self.entries.partition_point(|entry| entry.start_offset < end_offset);
        let changed = keep < self.entries.len();
        self.entries.truncate(keep);
        changed
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn epochs(entries: &[(i32, i64)]) -> LeaderEpochs {
        let mut epochs = LeaderEpochs::default();
        for &(epoch, start) in entries {
            epochs.assign(LeaderEpoch(epoch), Offset(start));
        }
        epochs
    }

    fn listed(epochs: &LeaderEpochs) -> Vec<(i32, i64)> {
        epochs.entries().iter().map(|entry| (entry.epoch.0, entry.start_offset.0)).collect()
    }

    #[test]
    fn an_epoch_is_assigned_once() {
        let mut epochs = epochs(&[(2, 10)]);
        assert!(!epochs.assign(LeaderEpoch(2), Offset(15)), "every batch of the epoch asks");
        assert!(epochs.assign(LeaderEpoch(2), Offset(8)));
        assert!(epochs.assign(LeaderEpoch(4), Offset(20)));
        assert!(!epochs.assign(LeaderEpoch::NONE, Offset(30)));
        assert_eq!(listed(&epochs), [(2, 8), (4, 20)]);
    }

    #[test]
    fn contradictions_are_removed() {
        let mut three = epochs(&[(1, 0), (2, 10), (5, 20)]);
        assert!(three.assign(LeaderEpoch(3), Offset(15)));
        assert_eq!(listed(&three), [(1, 0), (2, 10), (3, 15)]);
        assert!(three.assign(LeaderEpoch(6), Offset(10)), "an epoch without records leaves no trace");
        assert_eq!(listed(&three), [(1, 0), (6, 10)]);
    }

    #[test]
    fn end_offsets_are_those_kafka_answers() {
        let epochs = epochs(&[(2, 10), (4, 20), (5, 30)]);
        let end = |epoch| epochs.end_offset_for(LeaderEpoch(epoch), Offset(40)).map(|(epoch, end)| (epoch.0, end.0));
        assert_eq!(end(5), Some((5, 40)), "the latest ends where the log does");
        assert_eq!(end(4), Some((4, 30)));
        assert_eq!(end(3), Some((2, 20)), "unknown: the one before it");
        assert_eq!(end(1), Some((1, 10)), "gone: the log's start");
        assert_eq!([end(6), end(-1)], [None, None]);
        assert_eq!(LeaderEpochs::default().end_offset_for(LeaderEpoch(0), Offset(0)), None);
    }

    #[test]
    fn truncation_from_both_ends() {
        let all = [(2, 10), (4, 20), (5, 30)];
        let from_start = |offset| {
            let mut epochs = epochs(&all);
            (epochs.truncate_from_start(Offset(offset)), listed(&epochs))
        };
        assert_eq!(from_start(5), (false, all.to_vec()));
        assert_eq!(from_start(10), (false, all.to_vec()));
        assert_eq!(from_start(25), (true, vec![(4, 25), (5, 30)]));
        assert_eq!(from_start(99), (true, vec![(5, 99)]), "the current epoch stays");
        let from_end = |offset| {
            let mut epochs = epochs(&all);
            (epochs.truncate_from_end(Offset(offset)), listed(&epochs))
        };
        assert_eq!(from_end(31), (false, all.to_vec()));
        assert_eq!(from_end(30), (true, vec![(2, 10), (4, 20)]));
        assert_eq!(from_end(0), (true, vec![]));
    }

    proptest! {
        #[test]
        fn entries_always_ascend(assignments in prop::collection::vec((-1i32..20, -1i64..200), 0..40), start in 0i64..200, end in 0i64..200) {
            let mut epochs = epochs(&assignments);
            let ascend = |epochs: &LeaderEpochs| {
                epochs.entries().windows(2).all(|pair| pair[0].epoch < pair[1].epoch && pair[0].start_offset < pair[1].start_offset)
            };
            prop_assert!(ascend(&epochs));
            prop_assert_eq!(LeaderEpochs::from_entries(epochs.entries()), epochs.clone());
            for entry in epochs.entries() {
                prop_assert_eq!(epochs.epoch_for_offset(entry.start_offset), Some(entry.epoch));
            }
            epochs.truncate_from_start(Offset(start));
            prop_assert!(ascend(&epochs));
            epochs.truncate_from_end(Offset(end));
            prop_assert!(ascend(&epochs) && epochs.entries().iter().all(|entry| entry.start_offset < Offset(end)));
        }
    }
}
