//! Committed offsets by group, topic and partition, and those of transactions that are still open.
//!
//! Pure. Changed by replay alone.

use crate::types::{LeaderEpoch, Offset, PartitionIndex, ProducerId, Timestamp};
use crate::wire::Str;
use std::collections::{BTreeMap, BTreeSet};

/// Memory of one committed offset beside its texts, about.
const OFFSET_BYTES: u64 = 200;

/// A partition as offsets know it: by its topic's name.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct OffsetKey {
    pub topic: Str,
    pub partition: PartitionIndex,
}

/// One partition's committed offset.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct CommittedOffset {
    pub offset: Offset,
    pub leader_epoch: LeaderEpoch,
    pub metadata: Str,
    pub committed_at: Timestamp,
    /// When it expires, if who committed it said so; [`Timestamp::NONE`]: by the broker's rule.
    pub expires_at: Timestamp,
    /// Where its record is: of two commits the later one counts.
    pub record: Offset,
}

/// One group's offsets.
pub type GroupOffsets = BTreeMap<OffsetKey, CommittedOffset>;

/// See the module.
#[derive(Default, Debug)]
pub struct Offsets {
    by_group: BTreeMap<Str, GroupOffsets>,
    /// Of open transactions: by producer, then group.
    pending: BTreeMap<ProducerId, BTreeMap<Str, GroupOffsets>>,
    /// Producers with pending offsets, by group.
    open: BTreeMap<Str, BTreeSet<ProducerId>>,
    bytes: u64,
    count: u64,
}

/// Memory of one committed offset, about.
pub fn size(key: &OffsetKey, offset: &CommittedOffset) -> u64 {
    OFFSET_BYTES + (key.topic.len() + offset.metadata.len()) as u64
}

impl Offsets {
    pub fn of_group(&self, group: &str) -> Option<&GroupOffsets> {
        self.by_group.get(group)
    }

    pub fn get(&self, group: &str, key: &OffsetKey) -> Option<&CommittedOffset> {
        self.by_group.get(group)?.get(key)
    }

    /// Whether some transaction that is still open will perhaps move this partition's offset.
    pub fn is_pending(&self, group: &str, key: &OffsetKey) -> bool {
        self.open.get(group).is_some_and(|producers| {
            producers.iter().any(|producer| {
                self.pending.get(producer).and_then(|groups| groups.get(group)).is_some_and(|offsets| offsets.contains_key(key))
            })
        })
    }

    /// Whether some transaction that is still open has offsets of this group.
    pub fn has_open_transactions(&self, group: &str) -> bool {
        self.open.contains_key(group)
    }

    /// The partitions of a group that have an offset, in an open transaction or out of it.
    pub fn keys_of(&self, group: &str) -> BTreeSet<OffsetKey> {
        let mut keys: BTreeSet<OffsetKey> = self.by_group.get(group).into_iter().flat_map(|offsets| offsets.keys().cloned()).collect();
        for producer in self.open.get(group).into_iter().flatten() {
            let pending = self.pending.get(producer).and_then(|groups| groups.get(group));
            keys.extend(pending.into_iter().flat_map(|offsets| offsets.keys().cloned()));
        }
        keys
    }

    /// Every group and partition with an offset in one of these topics.
    pub fn in_topics(&self, is_gone: impl Fn(&Str) -> bool) -> Vec<(Str, OffsetKey)> {
        let groups: BTreeSet<&Str> = self.by_group.keys().chain(self.open.keys()).collect();
        let of_group = |group: &Str| {
            let keys = self.keys_of(group).into_iter().filter(|key| is_gone(&key.topic));
            keys.map(|key| (group.clone(), key)).collect::<Vec<_>>()
        };
        groups.into_iter().flat_map(of_group).collect()
    }

    pub fn count(&self) -> u64 {
        self.count
    }

    /// Memory it takes, about.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    pub fn put(&mut self, group: Str, key: OffsetKey, offset: CommittedOffset) {
        self.bytes += size(&key, &offset);
        let offsets = self.by_group.entry(group).or_default();
        match offsets.insert(key.clone(), offset) {
            Some(before) => self.bytes -= size(&key, &before),
            None => self.count += 1,
        }
    }

    pub fn put_pending(&mut self, producer: ProducerId, group: Str, key: OffsetKey, offset: CommittedOffset) {
        self.open.entry(group.clone()).or_default().insert(producer);
        self.bytes += size(&key, &offset);
        let offsets = self.pending.entry(producer).or_default().entry(group).or_default();
        if let Some(before) = offsets.insert(key.clone(), offset) {
            self.bytes -= size(&key, &before);
        }
    }

    /// Takes the offset away, also those of open transactions.
    pub fn remove(&mut self, group: &str, key: &OffsetKey) {
        if let Some(offsets) = self.by_group.get_mut(group) {
            if let Some(removed) = offsets.remove(key) {
                self.bytes -= size(key, &removed);
                self.count -= 1;
            }
            if offsets.is_empty() {
                self.by_group.remove(group);
            }
        }
        for producer in self.open.get(group).into_iter().flatten() {
            let pending = self.pending.get_mut(producer).and_then(|groups| groups.get_mut(group));
            if let Some(removed) = pending.and_then(|offsets| offsets.remove(key)) {
                self.bytes -= size(key, &removed);
            }
        }
    }

    /// A transaction ended: its offsets count now, where none was committed after them, or never did.
    pub fn end_transaction(&mut self, producer: ProducerId, committed: bool) {
        let Some(groups) = self.pending.remove(&producer) else { return };
        for (group, offsets) in groups {
            if let Some(open) = self.open.get_mut(&group) {
                open.remove(&producer);
                if open.is_empty() {
                    self.open.remove(&group);
                }
            }
            for (key, offset) in offsets {
                self.bytes -= size(&key, &offset);
                if committed && self.get(&group, &key).is_none_or(|current| current.record < offset.record) {
                    self.put(group.clone(), key, offset);
                }
            }
        }
    }
}
