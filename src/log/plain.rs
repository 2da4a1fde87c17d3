//! Small files written without a sync, where a later sync of the file system makes many of them durable at once.

use crate::rt::{AlignedBuffer, File, OpenOptions};
use std::io;
use std::path::Path;

/// Replaces the contents in place; a crash may leave any part of it.
pub async fn write(path: &Path, contents: &[u8]) -> io::Result<()> {
    let file = File::open(path, OpenOptions { write: true, create: true, direct: false, durable: false }).await?;
    if !contents.is_empty() {
        let mut buffer = AlignedBuffer::with_capacity(contents.len());
        buffer.extend_from_slice(contents);
        file.write_at(0, buffer).await?;
    }
    file.truncate(contents.len() as u64).await
}
