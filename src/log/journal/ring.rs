//! Which part of the journal's files is written next, which is still needed, which is free. Bookkeeping only, no I/O.
//!
//! Files are used one after the other, each from its start to its end, and come back in the order in which they were filled. So an older
//! frame is always overwritten before a newer one, and a frame's deletion never outlives on disk the deletion's reason.

use std::collections::VecDeque;

/// Room for one frame.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Place {
    pub file: usize,
    pub offset: u64,
}

#[derive(Debug)]
pub struct Ring {
    file_bytes: u64,
    count: usize,
    current: Option<Place>,
    /// Filled files with the sequence of their last frame, oldest first.
    filled: VecDeque<(usize, u64)>,
    free: VecDeque<usize>,
}

impl Ring {
    /// All `count` files are free.
    pub fn new(count: usize, file_bytes: u64) -> Ring {
        Ring { file_bytes, count, current: None, filled: VecDeque::new(), free: (0..count).collect() }
    }

    /// Room for `len` bytes for the frame with this sequence; sequences come in order. `None` if no file is free.
    pub fn reserve(&mut self, len: u64, sequence: u64) -> Option<Place> {
        assert!(len <= self.file_bytes, "a frame fits a file");
        let fits = self.current.is_some_and(|place| place.offset + len <= self.file_bytes);
        if !fits {
            let next = *self.free.front()?;
            self.free.pop_front();
            if let Some(place) = self.current {
                self.filled.push_back((place.file, sequence.saturating_sub(1)));
            }
            self.current = Some(Place { file: next, offset: 0 });
        }
        let place = self.current.as_mut().expect("there is a current file");
        let reserved = *place;
        place.offset += len;
        Some(reserved)
    }

    /// Frees the files all of whose frames are below `low`. Returns whether there were any.
    pub fn free_below(&mut self, low: u64) -> bool {
        let before = self.free.len();
        while let Some((file, _)) = self.filled.front().copied().filter(|(_, last)| *last < low) {
            self.filled.pop_front();
            self.free.push_back(file);
        }
        self.free.len() > before
    }

    /// Adds a file, to be used before those that hold old frames; its number.
    pub fn add_file(&mut self) -> usize {
        self.count += 1;
        self.free.push_front(self.count - 1);
        self.count - 1
    }

    pub fn count(&self) -> usize {
        self.count
    }

    pub fn free_count(&self) -> usize {
        self.free.len()
    }

    /// What must be below `low` to free the older half of the filled files.
    pub fn half_filled(&self) -> Option<u64> {
        self.filled.get(self.filled.len().saturating_sub(1) / 2).map(|(_, last)| last + 1)
    }

    /// Bytes of files that are not free.
    pub fn used_bytes(&self) -> u64 {
        (self.count - self.free.len()) as u64 * self.file_bytes
    }
}
