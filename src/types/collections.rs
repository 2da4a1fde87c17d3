//! Hash maps whose order is a function of a seed: the runtime draws it from the system, the simulator from its own seed.
//!
//! `std`'s maps draw from the world and would make a simulated run differ from process to process, so clippy forbids them.

use std::cell::Cell;
use std::hash::{BuildHasher, DefaultHasher, Hasher};

#[allow(clippy::disallowed_types)]
pub type HashMap<K, V> = std::collections::HashMap<K, V, SeededState>;
#[allow(clippy::disallowed_types)]
pub type HashSet<K> = std::collections::HashSet<K, SeededState>;

thread_local! {
    static SEED: Cell<u64> = const { Cell::new(0) };
}

/// Sets the seed of every map made on this thread from now on. Called by `rt` when a core starts.
pub fn seed_hashers(seed: u64) {
    SEED.with(|s| s.set(seed));
}

/// SipHash keyed by the thread's seed: keys come from clients, so their hashes must not be predictable in production.
#[derive(Clone, Copy, Debug)]
pub struct SeededState(u64);

impl Default for SeededState {
    fn default() -> Self {
        SeededState(SEED.with(Cell::get))
    }
}

impl BuildHasher for SeededState {
    type Hasher = DefaultHasher;

    fn build_hasher(&self) -> DefaultHasher {
        let mut hasher = DefaultHasher::new();
        hasher.write_u64(self.0);
        hasher
    }
}
