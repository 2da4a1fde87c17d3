//! Slots named by keys that are never valid twice: a stale key finds nothing, also one of an earlier world on this thread.

/// Names a slot; only the index is deterministic, so only the index may be traced.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Key {
    pub index: u32,
    generation: u32,
}

pub struct Slab<T> {
    slots: Vec<(u32, Option<T>)>,
    free: Vec<u32>,
    first_generation: u32,
}

impl<T> Slab<T> {
    pub fn new(first_generation: u32) -> Slab<T> {
        Slab { slots: Vec::new(), free: Vec::new(), first_generation }
    }

    pub fn insert(&mut self, value: T) -> Key {
        let index = self.free.pop().unwrap_or_else(|| {
            self.slots.push((self.first_generation, None));
            self.slots.len() as u32 - 1
        });
        let slot = &mut self.slots[index as usize];
        slot.1 = Some(value);
        Key { index, generation: slot.0 }
    }

    pub fn get(&self, key: Key) -> Option<&T> {
        self.slots.get(key.index as usize).filter(|s| s.0 == key.generation)?.1.as_ref()
    }

    pub fn get_mut(&mut self, key: Key) -> Option<&mut T> {
        self.slots.get_mut(key.index as usize).filter(|s| s.0 == key.generation)?.1.as_mut()
    }

    pub fn remove(&mut self, key: Key) -> Option<T> {
        let slot = self.slots.get_mut(key.index as usize).filter(|s| s.0 == key.generation)?;
        let value = slot.1.take()?;
        slot.0 = slot.0.wrapping_add(1);
        self.free.push(key.index);
        Some(value)
    }

    /// The keys of all that `wanted` picks, by index.
    pub fn keys(&self, wanted: impl Fn(&T) -> bool) -> Vec<Key> {
        let slots = self.slots.iter().enumerate();
        slots
            .filter(|(_, (_, value))| value.as_ref().is_some_and(&wanted))
            .map(|(index, (generation, _))| Key { index: index as u32, generation: *generation })
            .collect()
    }
}
