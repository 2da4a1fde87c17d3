//! Deadlines by key: a state machine's timers as plain values.
//!
//! Pure.

use std::collections::{BTreeMap, BTreeSet};

/// At most one deadline for each key. Times in milliseconds.
#[derive(Debug)]
pub struct Timers<K> {
    by_key: BTreeMap<K, u64>,
    by_time: BTreeSet<(u64, K)>,
}

impl<K> Default for Timers<K> {
    fn default() -> Self {
        Timers { by_key: BTreeMap::new(), by_time: BTreeSet::new() }
    }
}

impl<K: Ord + Clone> Timers<K> {
    /// Takes the place of the key's earlier deadline.
    pub fn set(&mut self, key: K, at: u64) {
        if let Some(before) = self.by_key.insert(key.clone(), at) {
            if before == at {
                return;
            }
            self.by_time.remove(&(before, key.clone()));
        }
        self.by_time.insert((at, key));
    }

    /// Leaves the key's earlier deadline, if it has one.
    pub fn set_if_absent(&mut self, key: K, at: u64) {
        if !self.by_key.contains_key(&key) {
            self.set(key, at);
        }
    }

    pub fn cancel(&mut self, key: &K) {
        if let Some(at) = self.by_key.remove(key) {
            self.by_time.remove(&(at, key.clone()));
        }
    }

    /// The earliest deadline.
    pub fn next(&self) -> Option<u64> {
        self.by_time.first().map(|(at, _)| *at)
    }

    /// Takes out the earliest of those that are due.
    pub fn pop_due(&mut self, now: u64) -> Option<K> {
        if self.next()? > now {
            return None;
        }
        let (_, key) = self.by_time.pop_first()?;
        self.by_key.remove(&key);
        Some(key)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_has_its_last_deadline_alone() {
        let mut timers = Timers::default();
        timers.set("a", 10);
        timers.set("b", 20);
        timers.set("a", 30);
        timers.set_if_absent("a", 1);
        timers.set_if_absent("c", 5);
        timers.cancel(&"c");
        timers.cancel(&"nobody");
        assert_eq!(timers.next(), Some(20));
        assert_eq!(timers.pop_due(19), None);
        assert_eq!(timers.pop_due(40), Some("b"));
        assert_eq!(timers.pop_due(40), Some("a"));
        assert_eq!((timers.pop_due(40), timers.next()), (None, None));
    }
}
