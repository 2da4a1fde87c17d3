//! Files of one core: direct ones as glommio's `DmaFile`, buffered ones where O_DIRECT is not wanted or not to be had.
//!
//! Reads, writes and syncs go through the ring; opening, truncating and allocating through the blocking pool. Never uses
//! glommio's poll ring, which spins while an operation is under way: see [`avoid_poll_ring`].

pub use super::map::Map;
pub use super::shared_file::SharedFile;

use super::{cold_read, pool, syscall};
use crate::rt::{AlignedBuffer, OpenOptions};
use bytes::{Bytes, BytesMut};
use glommio::GlommioError;
use glommio::io::{BufferedFile, DmaFile, ReadResult};
use std::cell::RefCell;
use std::io;
use std::os::fd::{AsRawFd, FromRawFd, IntoRawFd, OwnedFd, RawFd};
use std::path::{Path, PathBuf};

/// One read of the ring: bounds the memory a single request takes beside its result.
const READ_BYTES_MAX: usize = 1 << 20;

pub struct File {
    kind: Kind,
    /// Each write is durable when it ends.
    durable: bool,
}

enum Kind {
    Direct { file: DmaFile, alignment: usize },
    Buffered(BufferedFile),
}

impl File {
    pub async fn open(path: &Path, options: OpenOptions) -> io::Result<File> {
        let opened = {
            let path = path.to_owned();
            pool::run(move || open_blocking(&path, options)).await?
        };
        let kind = match opened {
            Opened::Buffered(fd) => Kind::Buffered(buffered(fd)),
            Opened::Direct { alignment, device } => {
                avoid_poll_ring(path, device).await;
                let mut open = glommio::io::OpenOptions::new();
                open.read(true).write(options.write).custom_flags(if options.durable { libc::O_DSYNC } else { 0 });
                let file = open.dma_open(path).await.map_err(io_error)?;
                Kind::Direct { file, alignment }
            }
        };
        Ok(File { kind, durable: options.durable })
    }

    fn raw_fd(&self) -> RawFd {
        match &self.kind {
            Kind::Direct { file, .. } => file.as_raw_fd(),
            Kind::Buffered(file) => file.as_raw_fd(),
        }
    }

    pub fn alignment(&self) -> usize {
        match &self.kind {
            Kind::Direct { alignment, .. } => *alignment,
            Kind::Buffered(_) => 1,
        }
    }

    pub async fn read_at(&self, offset: u64, len: usize) -> io::Result<Bytes> {
        let mut bytes = BytesMut::new();
        while bytes.len() < len {
            let at = offset + bytes.len() as u64;
            let skip = (at % self.alignment() as u64) as usize;
            let wanted = (len - bytes.len()).min(READ_BYTES_MAX - skip);
            let result = self.read_aligned(at - skip as u64, (skip + wanted).next_multiple_of(self.alignment())).await?;
            let read = result.get(skip..).unwrap_or_default();
            if read.is_empty() {
                break;
            }
            bytes.extend_from_slice(&read[..read.len().min(wanted)]);
        }
        Ok(bytes.freeze())
    }

    async fn read_aligned(&self, offset: u64, len: usize) -> io::Result<ReadResult> {
        match &self.kind {
            Kind::Direct { file, .. } => file.read_at_aligned(offset, len).await,
            Kind::Buffered(file) => file.read_at(offset, len).await,
        }
        .map_err(io_error)
    }

    pub async fn write_at(&self, offset: u64, buffer: AlignedBuffer) -> io::Result<AlignedBuffer> {
        let alignment = self.alignment();
        assert!(offset.is_multiple_of(alignment as u64) && buffer.len().is_multiple_of(alignment), "an unaligned write");
        if self.durable {
            cold_read::durable_write_begins();
        }
        match &self.kind {
            Kind::Direct { file, alignment } => write_direct(file, *alignment, offset, buffer).await,
            Kind::Buffered(file) => write_buffered(file, offset, buffer).await,
        }
    }

    pub async fn sync(&self) -> io::Result<()> {
        cold_read::durable_write_begins();
        match &self.kind {
            Kind::Direct { file, .. } => file.fdatasync().await,
            Kind::Buffered(file) => file.fdatasync().await,
        }
        .map_err(io_error)
    }

    pub async fn allocate(&self, offset: u64, len: u64) -> io::Result<()> {
        let fd = syscall::duplicate(self.raw_fd())?;
        pool::run(move || syscall::allocate(&fd, offset, len)).await
    }

    /// ext4 and XFS have fallocate wait for the file's direct writes, also where there is nothing to allocate.
    pub async fn drain(&self) -> io::Result<()> {
        match self.allocate(0, 1).await {
            Err(error) if matches!(error.kind(), io::ErrorKind::StorageFull | io::ErrorKind::Unsupported) => Ok(()),
            drained => drained,
        }
    }

    pub async fn truncate(&self, len: u64) -> io::Result<()> {
        let fd = syscall::duplicate(self.raw_fd())?;
        pool::run(move || std::fs::File::from(fd).set_len(len)).await
    }

    pub async fn len(&self) -> io::Result<u64> {
        syscall::file_len(self.raw_fd())
    }
}

/// Writes without a copy; what a short write leaves (rare: a full disk, a signal) is copied into a buffer of its own.
async fn write_direct(file: &DmaFile, alignment: usize, offset: u64, buffer: AlignedBuffer) -> io::Result<AlignedBuffer> {
    if buffer.is_empty() {
        return Ok(buffer);
    }
    let lent = buffer.into_inner().lend();
    let mut written = usable(file.write_rc_at(lent.shared(), offset).await, alignment)?;
    let buffer = lent.take_back();
    while written < buffer.len() {
        let mut rest = super::buffer::Buffer::with_capacity(buffer.len() - written);
        rest.extend_from_slice(&buffer.as_slice()[written..]);
        let lent = rest.lend();
        written += usable(file.write_rc_at(lent.shared(), offset + written as u64).await, alignment)?;
        drop(lent.take_back());
    }
    Ok(AlignedBuffer::from_inner(buffer))
}

/// How much of a write counts: whole alignment units, at least one.
fn usable(result: Result<usize, GlommioError<()>>, alignment: usize) -> io::Result<usize> {
    let written = result.map_err(io_error)?;
    let aligned = written - written % alignment;
    if aligned == 0 { Err(io::ErrorKind::WriteZero.into()) } else { Ok(aligned) }
}

async fn write_buffered(file: &BufferedFile, offset: u64, buffer: AlignedBuffer) -> io::Result<AlignedBuffer> {
    let mut written = 0;
    while written < buffer.len() {
        let rest = buffer.as_slice()[written..].to_vec();
        written += usable(file.write_at(rest, offset + written as u64).await, 1)?;
    }
    Ok(buffer)
}

/// A buffered glommio file of the current core around any descriptor of a file.
pub(super) fn buffered(fd: OwnedFd) -> BufferedFile {
    // SAFETY: the descriptor was owned and its ownership goes to the file.
    unsafe { BufferedFile::from_raw_fd(fd.into_raw_fd()) }
}

enum Opened {
    Buffered(OwnedFd),
    Direct { alignment: usize, device: (u32, u32) },
}

/// Opens or makes the file and finds out how it may be written.
fn open_blocking(path: &Path, options: OpenOptions) -> io::Result<Opened> {
    use std::os::unix::fs::OpenOptionsExt;
    let mut open = std::fs::OpenOptions::new();
    open.read(true).write(options.write).create(options.create && options.write);
    open.custom_flags(if options.durable { libc::O_DSYNC } else { 0 });
    let file = open.open(path)?;
    if options.direct {
        match syscall::direct_io(&file)? {
            Some(direct) => return Ok(Opened::Direct { alignment: direct.alignment, device: direct.device }),
            None => log_no_direct(path),
        }
    }
    Ok(Opened::Buffered(file.into()))
}

/// One line for each directory whose file system lacks O_DIRECT.
fn log_no_direct(path: &Path) {
    static LOGGED: std::sync::Mutex<Vec<PathBuf>> = std::sync::Mutex::new(Vec::new());
    let directory = path.parent().unwrap_or(path);
    let mut logged = LOGGED.lock().expect("nobody panics with this lock");
    if !logged.iter().any(|seen| seen == directory) {
        logged.push(directory.to_owned());
        tracing::warn!(directory = %directory.display(), "this file system has no O_DIRECT: writes go through the page cache");
    }
}

thread_local! {
    /// Devices whose poll ring is off on this core.
    static PROBED: RefCell<Vec<(u32, u32)>> = const { RefCell::new(Vec::new()) };
}

/// Keeps glommio from ever using its poll ring for files of this device on this core.
///
/// At the first open on a device glommio reads 4 KiB through that ring, and uses the ring from then on unless the read fails. It succeeds not
/// only on devices that poll but also, wrongly, on any empty file, after which every write fails. The probe's answer is kept for each
/// thread and device, so the first file it sees is one that cannot be read: an anonymous, write-only one.
async fn avoid_poll_ring(path: &Path, device: (u32, u32)) {
    if PROBED.with_borrow(|probed| probed.contains(&device)) {
        return;
    }
    PROBED.with_borrow_mut(|probed| probed.push(device));
    let directory = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let probe = glommio::io::OpenOptions::new().write(true).tmpfile(true).dma_open(directory).await;
    match probe {
        Ok(file) => drop(file.close().await),
        Err(error) => tracing::debug!(directory = %directory.display(), %error, "no anonymous file for the probe"),
    }
}

/// glommio's errors as the system's, with the error number they carry.
pub(super) fn io_error(error: GlommioError<()>) -> io::Error {
    match error {
        GlommioError::IoError(error) => error,
        GlommioError::EnhancedIoError { source, .. } => source,
        other => io::Error::other(other.to_string()),
    }
}
