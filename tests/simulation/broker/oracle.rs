//! What the clients saw, and what must therefore be true for ever.

use ringmill::types::Offset;
use std::collections::BTreeMap;

/// A partition by topic number and index.
pub type Partition = (usize, i32);

/// Facts by partition. Values are unique: (producer, its sequence number).
#[derive(Default)]
pub struct Oracle {
    acknowledged: BTreeMap<Partition, BTreeMap<i64, u64>>,
    served: BTreeMap<Partition, BTreeMap<i64, u64>>,
    pub acks: u64,
    pub reads: u64,
    pub moves: u64,
}

/// The value of a producer's n-th record.
pub fn value_of(producer: u64, sequence: i32) -> u64 {
    producer << 32 | sequence as u64
}

impl Oracle {
    /// The broker said that `values` are at `base` and after.
    pub fn acknowledged(&mut self, partition: Partition, base: Offset, values: &[u64]) {
        self.acks += 1;
        for (offset, value) in (base.0..).zip(values) {
            let before = self.acknowledged.entry(partition).or_default().insert(offset, *value);
            assert!(before.is_none_or(|b| b == *value), "{partition:?}: two acknowledged records at offset {offset}");
        }
    }

    /// The broker served `value` at `offset`.
    pub fn served(&mut self, partition: Partition, offset: i64, value: u64) {
        self.reads += 1;
        let before = self.served.entry(partition).or_default().insert(offset, value);
        assert!(before.is_none_or(|b| b == value), "{partition:?}: offset {offset} was served as {before:?} and is {value} now");
    }

    /// After the last recovery: the log from 0 to its end is what everybody was told.
    pub fn check_log(&self, partition: Partition, log: &[(i64, u64)]) {
        for (place, (offset, _)) in log.iter().enumerate() {
            assert_eq!(*offset, place as i64, "{partition:?}: offsets are dense from 0");
        }
        let log: BTreeMap<i64, u64> = log.iter().copied().collect();
        for (what, facts) in [("acknowledged", &self.acknowledged), ("served", &self.served)] {
            for (offset, value) in facts.get(&partition).into_iter().flatten() {
                assert_eq!(log.get(offset), Some(value), "{partition:?}: offset {offset} was {what}");
            }
        }
        let mut next: BTreeMap<u64, u64> = BTreeMap::new();
        for value in log.values() {
            let (producer, sequence) = (value >> 32, value & u64::from(u32::MAX));
            let expected = next.entry(producer).or_default();
            assert_eq!(sequence, *expected, "{partition:?}: producer {producer}'s records are there once, in order");
            *expected += 1;
        }
    }
}
