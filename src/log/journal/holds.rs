//! Which journal frames are still needed: a count of reasons for each sequence. Pure.

use std::collections::BTreeMap;

/// Somebody who needs a frame, and with it all later ones, holds its sequence.
#[derive(Debug, Default)]
pub struct Holds {
    counts: BTreeMap<u64, u32>,
}

impl Holds {
    pub fn take(&mut self, sequence: u64) {
        *self.counts.entry(sequence).or_default() += 1;
    }

    /// Panics if nobody holds it.
    pub fn release(&mut self, sequence: u64) {
        let count = self.counts.get_mut(&sequence).expect("a hold is released once");
        *count -= 1;
        if *count == 0 {
            self.counts.remove(&sequence);
        }
    }

    /// The lowest sequence needed.
    pub fn lowest(&self) -> Option<u64> {
        self.counts.first_key_value().map(|(sequence, _)| *sequence)
    }
}
