//! Small files written without a sync, where a later sync of the file system makes many of them durable at once.

use super::format::{SegmentFile, SegmentFileKind};
use crate::rt::fs::{self, PlainFile};
use crate::types::Offset;
use std::io;
use std::path::Path;

/// Replaces the contents in place; a crash may leave any part of it.
pub async fn write(dir: &Path, name: &str, contents: &[u8]) -> io::Result<()> {
    fs::write_plain(dir, vec![PlainFile { name: name.to_owned(), offset: 0, contents: contents.to_vec() }]).await
}

/// One file of a segment, its first `offset` bytes kept.
pub fn of_segment(base: Offset, kind: SegmentFileKind, offset: u64, contents: Vec<u8>) -> PlainFile {
    PlainFile { name: SegmentFile::live(base, kind).to_string(), offset, contents }
}
