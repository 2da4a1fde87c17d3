//! A sorted map whose clones share what they have in common.
//!
//! Pure; `Send + Sync`, so that an image can be published to every core. The entries lie in sorted chunks behind `Arc`s; a
//! change copies the list of chunks and one chunk if a clone still holds them, and nothing otherwise. With 10,000 entries
//! a change after a clone touches some 80 + 128 entries, and a thousand changes in a row copy each chunk once.

use std::sync::Arc;

/// Most entries of a chunk; a fuller one is split in two.
const CHUNK_LEN_MAX: usize = 128;

/// See the module's header.
#[derive(Debug)]
pub struct PersistentMap<K, V> {
    /// None of the chunks is empty; keys ascend within and across chunks.
    chunks: Arc<Vec<Chunk<K, V>>>,
    len: usize,
}

type Chunk<K, V> = Arc<Vec<(K, V)>>;

impl<K, V> Clone for PersistentMap<K, V> {
    fn clone(&self) -> Self {
        PersistentMap { chunks: Arc::clone(&self.chunks), len: self.len }
    }
}

impl<K, V> Default for PersistentMap<K, V> {
    fn default() -> Self {
        PersistentMap { chunks: Arc::default(), len: 0 }
    }
}

impl<K: Ord + Clone + PartialEq, V: Clone + PartialEq> PartialEq for PersistentMap<K, V> {
    fn eq(&self, other: &Self) -> bool {
        self.len == other.len && self.iter().eq(other.iter())
    }
}

impl<K, V> PersistentMap<K, V> {
    pub fn len(&self) -> usize {
        self.len
    }

    /// All entries, by ascending key.
    pub fn iter(&self) -> impl Iterator<Item = (&K, &V)> {
        self.chunks.iter().flat_map(|chunk| chunk.iter().map(|(key, value)| (key, value)))
    }

    pub fn values(&self) -> impl Iterator<Item = &V> {
        self.iter().map(|(_, value)| value)
    }
}

impl<K: Ord + Clone, V: Clone> PersistentMap<K, V> {
    /// The chunk that holds `key` if any does. Only for maps that are not empty.
    fn chunk_index<Q: Ord + ?Sized>(&self, key: &Q) -> usize
    where
        K: std::borrow::Borrow<Q>,
    {
        self.chunks.partition_point(|chunk| chunk[0].0.borrow() <= key).saturating_sub(1)
    }

    pub fn get<Q: Ord + ?Sized>(&self, key: &Q) -> Option<&V>
    where
        K: std::borrow::Borrow<Q>,
    {
        let chunk = self.chunks.get(self.chunk_index(key))?;
        let position = chunk.binary_search_by(|(k, _)| k.borrow().cmp(key)).ok()?;
        Some(&chunk[position].1)
    }

    /// The entries whose keys are greater than `key`, ascending.
    pub fn iter_after<'a, Q: Ord + ?Sized>(&'a self, key: &'a Q) -> impl Iterator<Item = (&'a K, &'a V)>
    where
        K: std::borrow::Borrow<Q>,
    {
        let first = self.chunk_index(key).min(self.chunks.len());
        self.chunks[first..]
            .iter()
            .flat_map(|chunk| chunk.iter())
            .skip_while(move |(k, _)| k.borrow() <= key)
            .map(|(key, value)| (key, value))
    }

    /// The value to change in place; what clones share is copied first.
    pub fn get_mut<Q: Ord + ?Sized>(&mut self, key: &Q) -> Option<&mut V>
    where
        K: std::borrow::Borrow<Q>,
    {
        let index = self.chunk_index(key);
        let position = self.chunks.get(index)?.binary_search_by(|(k, _)| k.borrow().cmp(key)).ok()?;
        let chunk = Arc::make_mut(&mut Arc::make_mut(&mut self.chunks)[index]);
        Some(&mut chunk[position].1)
    }

    /// Puts `value` under `key` and gives back what was there.
    pub fn insert(&mut self, key: K, value: V) -> Option<V> {
        let index = self.chunk_index(&key);
        let chunks = Arc::make_mut(&mut self.chunks);
        if chunks.is_empty() {
            chunks.push(Arc::new(vec![(key, value)]));
            self.len = 1;
            return None;
        }
        let chunk = Arc::make_mut(&mut chunks[index]);
        match chunk.binary_search_by(|(k, _)| k.cmp(&key)) {
            Ok(position) => Some(std::mem::replace(&mut chunk[position].1, value)),
            Err(position) => {
                chunk.insert(position, (key, value));
                self.len += 1;
                if chunk.len() > CHUNK_LEN_MAX {
                    let upper = chunk.split_off(CHUNK_LEN_MAX / 2);
                    chunks.insert(index + 1, Arc::new(upper));
                }
                None
            }
        }
    }

    /// Takes the entry of `key` away.
    pub fn remove<Q: Ord + ?Sized>(&mut self, key: &Q) -> Option<V>
    where
        K: std::borrow::Borrow<Q>,
    {
        let index = self.chunk_index(key);
        let position = self.chunks.get(index)?.binary_search_by(|(k, _)| k.borrow().cmp(key)).ok()?;
        let chunks = Arc::make_mut(&mut self.chunks);
        let (_, value) = Arc::make_mut(&mut chunks[index]).remove(position);
        self.len -= 1;
        Self::merge(chunks, index);
        Some(value)
    }

    /// Drops an empty chunk and joins small neighbours, so that many removals do not leave many small chunks.
    fn merge(chunks: &mut Vec<Chunk<K, V>>, index: usize) {
        if chunks[index].is_empty() {
            chunks.remove(index);
        } else if index + 1 < chunks.len() && chunks[index].len() + chunks[index + 1].len() <= CHUNK_LEN_MAX / 2 {
            let upper = chunks.remove(index + 1);
            Arc::make_mut(&mut chunks[index]).extend(upper.iter().cloned());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeMap;

    proptest! {
        #[test]
        fn behaves_as_a_sorted_map_and_leaves_clones_alone(steps in prop::collection::vec((any::<bool>(), 0u16..400, any::<u32>()), 0..1500)) {
            let mut map = PersistentMap::default();
            let mut model = BTreeMap::new();
            let mut kept = Vec::new();
            for (position, (insert, key, value)) in steps.into_iter().enumerate() {
                if insert {
                    prop_assert_eq!(map.insert(key, value), model.insert(key, value));
                } else {
                    prop_assert_eq!(map.remove(&key), model.remove(&key));
                }
                prop_assert_eq!(map.get(&key), model.get(&key));
                prop_assert_eq!(map.len(), model.len());
                if position % 100 == 0 {
                    kept.push((map.clone(), model.clone()));
                }
            }
            kept.push((map, model));
            for (map, model) in kept {
                prop_assert!(map.iter().eq(model.iter()));
                prop_assert!(map.iter_after(&200).eq(model.range(201..)));
            }
        }
    }

    #[test]
    fn a_change_in_place_is_not_seen_by_a_clone() {
        let mut map = PersistentMap::default();
        map.insert("a", 1);
        let before = map.clone();
        *map.get_mut("a").unwrap() = 2;
        assert_eq!((before.get("a"), map.get("a")), (Some(&1), Some(&2)));
    }
}
