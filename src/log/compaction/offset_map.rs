//! The last offset of every key in the dirty part of a log, by hash of the key, in memory of a fixed size. Pure.
//!
//! As in Apache Kafka: when it is full, what was mapped so far is compacted and the rest waits for another pass.

use super::key_hash::{KeyHash, KeyHasher};
use crate::types::Offset;

/// Bytes of an entry: the hash and the offset, as in Kafka, so that the same configuration holds the same number of keys.
const ENTRY_BYTES: u64 = 24;

pub struct OffsetMap {
    hasher: KeyHasher,
    /// Hash, and offset + 1: zero marks a free slot.
    slots: Vec<[u64; 3]>,
    used: usize,
    used_max: usize,
    latest: Option<Offset>,
}

impl OffsetMap {
    /// With `bytes` of memory, full at `load_factor` of it.
    pub fn new(hasher: KeyHasher, bytes: u64, load_factor: f64) -> OffsetMap {
        let slots = (bytes / ENTRY_BYTES).max(4);
        let used_max = ((slots as f64 * load_factor) as u64).clamp(1, slots - 1);
        OffsetMap { hasher, slots: vec![[0; 3]; slots as usize], used: 0, used_max: used_max as usize, latest: None }
    }

    /// Enough memory for so many keys at any load factor from a half up.
    pub fn bytes_for(keys: u64) -> u64 {
        keys.saturating_add(8).saturating_mul(2 * ENTRY_BYTES)
    }

    /// No further key may be put.
    pub fn is_full(&self) -> bool {
        self.used >= self.used_max
    }

    /// `key` was last seen at `offset`. Only if it is not full.
    pub fn put(&mut self, key: &[u8], offset: Offset) {
        assert!(!self.is_full(), "a full map takes no key");
        let hash = self.hasher.hash(key);
        let slot = self.find(hash);
        if self.slots[slot][2] == 0 {
            self.used += 1;
        }
        self.slots[slot] = [hash[0], hash[1], offset.0 as u64 + 1];
        self.latest = Some(offset);
    }

    /// The last offset of `key`.
    pub fn get(&self, key: &[u8]) -> Option<Offset> {
        let entry = self.slots[self.find(self.hasher.hash(key))];
        entry[2].checked_sub(1).map(|offset| Offset(offset as i64))
    }

    /// Everything up to `offset`, inclusive, is mapped.
    pub fn reached(&mut self, offset: Offset) {
        self.latest = Some(offset);
    }

    /// The end (exclusive) of what is mapped; `None` if nothing is.
    pub fn end(&self) -> Option<Offset> {
        self.latest.map(|latest| latest.plus(1))
    }

    pub fn len(&self) -> usize {
        self.used
    }

    /// The slot of this hash, or the free one where it belongs.
    fn find(&self, hash: KeyHash) -> usize {
        let mut slot = (hash[0] % self.slots.len() as u64) as usize;
        while self.slots[slot][2] != 0 && self.slots[slot][..2] != hash {
            slot = if slot + 1 == self.slots.len() { 0 } else { slot + 1 };
        }
        slot
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeMap;

    fn hasher() -> KeyHasher {
        KeyHasher::new([3, 4])
    }

    proptest! {
        #[test]
        fn it_answers_as_a_map_does(keys in prop::collection::vec(0u16..300, 0..600)) {
            let mut map = OffsetMap::new(hasher(), OffsetMap::bytes_for(keys.len() as u64), 0.5);
            let mut expected = BTreeMap::new();
            for (offset, key) in keys.iter().enumerate() {
                map.put(&key.to_be_bytes(), Offset(offset as i64));
                expected.insert(*key, Offset(offset as i64));
            }
            prop_assert_eq!(map.len(), expected.len());
            for key in 0u16..320 {
                prop_assert_eq!(map.get(&key.to_be_bytes()), expected.get(&key).copied());
            }
        }
    }

    #[test]
    fn it_is_full_at_the_load_factor_whatever_was_put() {
        let mut map = OffsetMap::new(hasher(), 24 * 100, 0.9);
        for offset in 0..90 {
            assert!(!map.is_full(), "{offset}");
            map.put(&[offset as u8], Offset(offset));
        }
        assert!(map.is_full());
        assert_eq!(map.end(), Some(Offset(90)));
        assert_eq!(map.get(&[17]), Some(Offset(17)));
        assert_eq!(map.get(&[91]), None);
    }

    #[test]
    fn nonsense_in_the_configuration_makes_a_small_map() {
        for (bytes, load_factor) in [(0, 0.9), (1 << 10, -1.0), (1 << 10, f64::NAN)] {
            assert!(OffsetMap::new(hasher(), bytes, load_factor).used_max >= 1);
        }
        let mut full = OffsetMap::new(hasher(), 24 * 4, 7.0);
        (0..3).for_each(|key| full.put(&[key], Offset(0)));
        assert!(full.is_full() && full.get(&[9]).is_none(), "a free slot is left, where look-ups end");
    }
}
