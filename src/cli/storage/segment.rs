//! Walks the bytes of a segment file in large reads.

use crate::log::inspect::{FIRST_BYTES, PartitionInspection, Step};
use bytes::Bytes;
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;

const CHUNK_BYTES: u64 = 1 << 20;

/// Shows every batch of the file, `size` bytes long, to the inspection; tells `progress` how far it came.
pub fn walk(file: &File, size: u64, inspection: &mut PartitionInspection, progress: &dyn Fn(u64)) -> io::Result<()> {
    let mut window = Window::new(file, size);
    let (mut position, mut len) = (0, FIRST_BYTES as u64);
    loop {
        let bytes = window.at(position, len)?;
        match inspection.take(&bytes) {
            Step::Go(next) => {
                progress(next - position);
                (position, len) = (next, FIRST_BYTES as u64);
            }
            Step::More(needed) => len = needed as u64,
            Step::Stop => {
                progress(size - position);
                return Ok(());
            }
        }
    }
}

/// A part of a file in memory.
pub struct Window<'a> {
    file: &'a File,
    size: u64,
    at: u64,
    bytes: Bytes,
}

impl<'a> Window<'a> {
    pub fn new(file: &'a File, size: u64) -> Window<'a> {
        Window { file, size, at: 0, bytes: Bytes::new() }
    }

    /// What the file has from `position` on, at least `len` bytes if it has so many.
    pub fn at(&mut self, position: u64, len: u64) -> io::Result<Bytes> {
        let end = position.saturating_add(len).min(self.size);
        if position < self.at || end > self.at + self.bytes.len() as u64 {
            let wanted = len.max(CHUNK_BYTES).min(self.size.saturating_sub(position));
            let mut bytes = vec![0; wanted as usize];
            let read = read_fully(self.file, &mut bytes, position)?;
            bytes.truncate(read);
            (self.at, self.bytes) = (position, bytes.into());
        }
        Ok(self.bytes.slice(((position - self.at) as usize).min(self.bytes.len())..))
    }
}

fn read_fully(file: &File, bytes: &mut [u8], position: u64) -> io::Result<usize> {
    let mut read = 0;
    while read < bytes.len() {
        match file.read_at(&mut bytes[read..], position + read as u64) {
            Ok(0) => break,
            Ok(count) => read += count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(read)
}
