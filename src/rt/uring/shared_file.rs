//! Read handles that cross cores: a counted descriptor, read from the page cache at once or through the reading core's ring.

use super::file::{buffered, io_error};
use super::{cold_read, pool, syscall};
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
        let file = pool::run(move || {
            let file = std::fs::File::open(path)?;
            syscall::no_readahead(&file)?;
            io::Result::Ok(file)
        })
        .await?;
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
                cold_read::bring(self, offset).await?;
                let read = self.read_by_ring(offset, len).await?;
                into.extend_from_slice(&read);
                Ok(read.len())
            }
            Err(error) => Err(error),
        }
    }

    /// Reads through the ring, which waits for the disk.
    pub(super) async fn read_by_ring(&self, offset: u64, len: usize) -> io::Result<glommio::io::ReadResult> {
        let file = buffered(syscall::duplicate(self.raw_fd())?);
        file.read_at(offset, len).await.map_err(io_error)
    }

    /// Whether the page cache has the byte at `offset`.
    pub(super) fn is_cached(&self, offset: u64) -> io::Result<bool> {
        let mut byte = [MaybeUninit::<u8>::uninit()];
        match syscall::read_cached(self.raw_fd(), offset, &mut byte) {
            Ok(_) => Ok(true),
            Err(error) if must_wait(&error) => Ok(false),
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
