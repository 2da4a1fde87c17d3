//! The memory behind `AlignedBuffer`: one of glommio's own `DmaBuffer`s (4096-aligned, made anywhere), so that a write needs no copy.
//!
//! A `DmaBuffer` can only shrink, and a write sends all of it. So a [`Lent`] is a second handle of the same memory, cut to the
//! length to be written; while it is out the buffer itself does not own the memory, and gets it back afterwards.

use glommio::allocate_dma_buffer_global;
use glommio::io::DmaBuffer;
use std::mem::ManuallyDrop;
use std::rc::Rc;

/// Smallest allocation: one page.
const CAPACITY_MIN: usize = 4096;

/// A growable byte buffer; the first `len` bytes have been written.
pub struct Buffer {
    memory: DmaBuffer,
    len: usize,
}

impl Buffer {
    pub fn with_capacity(capacity: usize) -> Buffer {
        Buffer { memory: allocate_dma_buffer_global(capacity.next_multiple_of(CAPACITY_MIN).max(CAPACITY_MIN)), len: 0 }
    }

    pub fn len(&self) -> usize {
        self.len
    }

    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    pub fn capacity(&self) -> usize {
        self.memory.len()
    }

    fn reserve(&mut self, additional: usize) {
        let needed = self.len.checked_add(additional).expect("a buffer longer than memory");
        if needed <= self.capacity() {
            return;
        }
        let mut larger = Buffer::with_capacity(needed.max(2 * self.capacity()));
        larger.append(self.as_slice());
        *self = larger;
    }

    /// Appends what the capacity has room for.
    fn append(&mut self, bytes: &[u8]) {
        assert!(bytes.len() <= self.capacity() - self.len, "room was reserved");
        // SAFETY: `len` is within the allocation and so is the end, by the assertion; the sources never overlap a fresh tail.
        unsafe { std::ptr::copy_nonoverlapping(bytes.as_ptr(), self.memory.as_mut_ptr().add(self.len), bytes.len()) };
        self.len += bytes.len();
    }

    pub fn extend_from_slice(&mut self, bytes: &[u8]) {
        self.reserve(bytes.len());
        self.append(bytes);
    }

    pub fn resize(&mut self, len: usize) {
        if let Some(additional) = len.checked_sub(self.len) {
            self.reserve(additional);
            // SAFETY: the bytes from the old to the new length are within the reserved capacity.
            unsafe { std::ptr::write_bytes(self.memory.as_mut_ptr().add(self.len), 0, additional) };
        }
        self.len = len;
    }

    pub fn as_slice(&self) -> &[u8] {
        // SAFETY: the first `len` bytes have been written.
        unsafe { std::slice::from_raw_parts(self.memory.as_ptr(), self.len) }
    }

    pub fn as_mut_slice(&mut self) -> &mut [u8] {
        // SAFETY: the first `len` bytes have been written, and `self` is borrowed mutably.
        unsafe { std::slice::from_raw_parts_mut(self.memory.as_mut_ptr(), self.len) }
    }

    /// Gives the memory to a write of the first `len` bytes.
    pub(super) fn lend(self) -> Lent {
        let len = self.len;
        let owner = ManuallyDrop::new(self.memory);
        // SAFETY: from here on only `shared` may drop the memory: `owner` never does, and comes back to life only after `shared` is
        // found to be the last handle and forgotten. A DmaBuffer is a pointer, its layout and two numbers, so it may move.
        let mut shared = unsafe { std::ptr::read(&*owner) };
        shared.trim_to_size(len);
        Lent { owner, shared: Rc::new(shared), len }
    }
}

/// A buffer whose memory a write is using. Dropped with the write under way, the memory is freed when the write ends.
pub(super) struct Lent {
    owner: ManuallyDrop<DmaBuffer>,
    shared: Rc<DmaBuffer>,
    len: usize,
}

impl Lent {
    pub fn shared(&self) -> Rc<DmaBuffer> {
        Rc::clone(&self.shared)
    }

    /// The buffer, once the write has let go of it.
    pub fn take_back(self) -> Buffer {
        let shared = Rc::try_unwrap(self.shared).expect("a completed write holds no buffer");
        std::mem::forget(shared);
        Buffer { memory: ManuallyDrop::into_inner(self.owner), len: self.len }
    }
}
