//! The free space of one log directory, as one shard spends it.
//!
//! Appends are refused while less is free than the reserve and all that is in no segment yet, of all shards: so whatever was taken can be
//! written, also by the replay after a crash. Between two looks at the file system a shard may append its share of what was to spare;
//! when half of that is gone it is time to look again. One per shard and directory; the shards' sums meet in [`SharedSpace`].

use crate::rt::sync::{Event, EventListener};
use std::cell::Cell;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// What all shards together still have to write to a directory's segments: two sums, each shard adding its own part.
#[derive(Debug, Default)]
pub struct SharedSpace {
    unwritten: AtomicU64,
    shards: AtomicU64,
}

/// See the module.
pub struct Space {
    shared: Arc<SharedSpace>,
    reserve: u64,
    /// This shard's part of the shared sum.
    unwritten: Cell<u64>,
    /// Bytes that may be appended before the next look.
    left: Cell<u64>,
    look_below: Cell<u64>,
    scarce: Event,
}

impl Space {
    /// Nothing may be appended before the first look.
    pub fn new(shared: Arc<SharedSpace>, reserve: u64) -> Space {
        shared.shards.fetch_add(1, Ordering::Relaxed);
        Space { shared, reserve, unwritten: Cell::new(0), left: Cell::new(0), look_below: Cell::new(0), scarce: Event::default() }
    }

    /// Without bounds, for replay: what it appends was taken before.
    pub fn unbounded() -> Space {
        let space = Space::new(Arc::default(), 0);
        space.left.set(u64::MAX);
        space
    }

    /// A look: `free` bytes in the file system, of which this shard still has `unwritten` to write. Whether appends are to be refused;
    /// once they are, until there is an eighth of the reserve more than it takes.
    pub fn look(&self, free: u64, unwritten: u64, is_full: bool) -> bool {
        let before = self.unwritten.replace(unwritten);
        // Wraps where there is less than before: the sum of all parts is right again.
        self.shared.unwritten.fetch_add(unwritten.wrapping_sub(before), Ordering::Relaxed);
        let needed = self.reserve.saturating_add(self.shared.unwritten.load(Ordering::Relaxed));
        let spare = free.saturating_sub(needed);
        let left = spare / self.shared.shards.load(Ordering::Relaxed).max(1);
        self.left.set(left);
        self.look_below.set(left / 2);
        spare <= if is_full { self.reserve / 8 } else { 0 }
    }

    /// So many bytes were appended. False when the share is used up.
    pub fn take(&self, bytes: u64) -> bool {
        let left = self.left.get();
        if left == u64::MAX {
            return true;
        }
        self.left.set(left.saturating_sub(bytes));
        if self.left.get() < self.look_below.get() {
            // Once for each look.
            self.look_below.set(0);
            self.scarce.notify();
        }
        self.left.get() > 0
    }

    /// Bytes that may be appended before the next look.
    pub fn left(&self) -> u64 {
        self.left.get()
    }

    /// Completes when it is time to look again.
    pub fn listen_scarce(&self) -> EventListener {
        self.scarce.listen()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_reserve_covers_what_all_shards_have_not_written_yet() {
        let shared = Arc::new(SharedSpace::default());
        let (one, other) = (Space::new(Arc::clone(&shared), 800), Space::new(shared, 800));
        assert!(!one.look(2_000, 0, false));
        assert!(!other.look(2_000, 1_000, false), "200 bytes are to spare");
        assert!(one.look(2_000, 300, false), "100 too few");
        assert!(!one.look(2_000, 100, false), "a part that shrank counts with what is left of it");
    }

    #[test]
    fn a_full_directory_takes_appends_again_with_an_eighth_of_the_reserve_to_spare() {
        let space = Space::new(Arc::default(), 800);
        assert!(space.look(800, 0, false) && !space.look(801, 0, false));
        assert!(space.look(900, 0, true) && !space.look(901, 0, true));
    }

    #[test]
    fn each_shard_spends_its_share_and_asks_for_a_look_at_half_of_it() {
        let shared = Arc::new(SharedSpace::default());
        let (one, _other) = (Space::new(Arc::clone(&shared), 0), Space::new(shared, 0));
        assert!(!one.look(2_000, 0, false));
        assert!(one.take(500) && one.look_below.get() == 500);
        assert!(one.take(1) && one.look_below.get() == 0);
        assert!(!one.take(499), "its half is gone");
    }
}
