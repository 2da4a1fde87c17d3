//! Read handles that cross cores: a counted descriptor, read from the page cache at once or through the reading core's ring.

use super::file::{buffered, io_error};
use super::{pool, syscall};
use bytes::{Bytes, BytesMut};
use std::io;
use std::mem::MaybeUninit;
use std::os::fd::{AsRawFd, OwnedFd, RawFd};
use std::path::Path;
use std::sync::Arc;

/// One read of the ring, and how much one probe of the page cache speaks for.
pub const CHUNK_BYTES: usize = 128 << 10;

#[derive(Clone)]
pub struct SharedFile(Arc<OwnedFd>);

impl SharedFile {
    pub async fn open(path: &Path) -> io::Result<SharedFile> {
        let path = path.to_owned();
        let file = pool::run(move || std::fs::File::open(path)).await?;
        Ok(SharedFile(Arc::new(file.into())))
    }

    pub async fn read_at(&self, offset: u64, len: usize) -> io::Result<Bytes> {
        let mut bytes = BytesMut::new();
        while bytes.len() < len {
            let at = offset + bytes.len() as u64;
            let wanted = (len - bytes.len()).min(CHUNK_BYTES);
            if self.read_some(at, wanted, &mut bytes).await? == 0 {
                break;
            }
            super::task::yield_if_needed().await;
        }
        Ok(bytes.freeze())
    }

    /// Appends up to `len` bytes; 0 only at the end of the file.
    async fn read_some(&self, offset: u64, len: usize, into: &mut BytesMut) -> io::Result<usize> {
        into.reserve(len);
        match syscall::read_cached(self.raw_fd(), offset, &mut into.spare_capacity_mut()[..len]) {
            Ok(read) => {
                // SAFETY: the kernel has written that many bytes of the spare capacity.
                unsafe { into.set_len(into.len() + read) };
                Ok(read)
            }
            Err(error) if must_wait(&error) => {
                let read = self.read_cold(offset, len).await?;
                into.extend_from_slice(&read);
                Ok(read.len())
            }
            Err(error) => Err(error),
        }
    }

    /// Reads through the ring, which waits for the disk.
    async fn read_cold(&self, offset: u64, len: usize) -> io::Result<glommio::io::ReadResult> {
        let file = buffered(syscall::duplicate(self.raw_fd())?);
        file.read_at(offset, len).await.map_err(io_error)
    }

    /// Brings `len` bytes from `offset` into the page cache unless the last of them is there. Waits for the disk, not on it.
    pub(super) async fn warm(&self, offset: u64, len: usize) -> io::Result<()> {
        let mut last = [MaybeUninit::<u8>::uninit()];
        match syscall::read_cached(self.raw_fd(), offset + len as u64 - 1, &mut last) {
            Ok(_) => Ok(()),
            Err(error) if must_wait(&error) => self.read_cold(offset, len).await.map(drop),
            Err(error) => Err(error),
        }
    }

    pub(super) fn raw_fd(&self) -> RawFd {
        self.0.as_raw_fd()
    }
}

/// The page is not in memory, or the file system cannot say.
fn must_wait(error: &io::Error) -> bool {
    matches!(error.raw_os_error(), Some(libc::EAGAIN | libc::EOPNOTSUPP | libc::EINTR))
}
