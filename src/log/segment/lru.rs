//! A map that forgets what was not asked for longest. Pure.

use std::collections::BTreeMap;

pub struct Lru<K, V> {
    capacity: usize,
    tick: u64,
    /// The tick of the last sweep.
    swept: u64,
    items: BTreeMap<K, (u64, V)>,
}

impl<K: Ord + Clone, V> Lru<K, V> {
    pub fn new(capacity: usize) -> Lru<K, V> {
        Lru { capacity: capacity.max(1), tick: 0, swept: 0, items: BTreeMap::new() }
    }

    pub fn get(&mut self, key: &K) -> Option<&mut V> {
        self.tick += 1;
        let (used, value) = self.items.get_mut(key)?;
        *used = self.tick;
        Some(value)
    }

    pub fn contains(&self, key: &K) -> bool {
        self.items.contains_key(key)
    }

    /// Forgets the eighth that was not used longest when full.
    pub fn insert(&mut self, key: K, value: V) {
        self.tick += 1;
        if self.items.len() >= self.capacity && !self.items.contains_key(&key) {
            let mut ticks: Vec<u64> = self.items.values().map(|(used, _)| *used).collect();
            ticks.sort_unstable();
            let oldest = ticks[ticks.len() / 8];
            self.items.retain(|_, (used, _)| *used > oldest);
        }
        self.items.insert(key, (self.tick, value));
    }

    pub fn remove(&mut self, key: &K) -> Option<V> {
        self.items.remove(key).map(|(_, value)| value)
    }

    /// Forgets what was not used since the last sweep.
    pub fn sweep(&mut self) {
        let since = std::mem::replace(&mut self.swept, self.tick);
        self.items.retain(|_, (used, _)| *used > since);
    }

    pub fn retain(&mut self, mut keep: impl FnMut(&K) -> bool) {
        self.items.retain(|key, _| keep(key));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_used_last_stays() {
        let mut lru = Lru::new(8);
        (0..8).for_each(|n| lru.insert(n, n));
        assert_eq!(lru.get(&0), Some(&mut 0));
        lru.insert(8, 8);
        assert_eq!(lru.get(&0), Some(&mut 0));
        assert_eq!(lru.get(&1), None);
        assert!(lru.items.len() <= 8);
    }

    #[test]
    fn what_is_not_used_between_two_sweeps_goes() {
        let mut lru = Lru::new(8);
        [1, 2].into_iter().for_each(|n| lru.insert(n, n));
        lru.sweep();
        assert_eq!(lru.get(&1), Some(&mut 1));
        lru.sweep();
        assert!(lru.contains(&1) && !lru.contains(&2));
        lru.sweep();
        assert!(!lru.contains(&1));
    }
}
