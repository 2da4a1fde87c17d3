//! Files: direct or buffered writes, counted read handles that may cross cores, read-only maps.

use super::{Backend, backend, sim, uring};
use bytes::Bytes;
use std::io;
use std::path::Path;

/// How to open a [`File`]. Reading is always allowed.
#[derive(Clone, Copy, Default, Debug)]
pub struct OpenOptions {
    /// Writes are allowed.
    pub write: bool,
    /// Make the file if it is missing (its directory entry is durable only after `fs::sync_dir`).
    pub create: bool,
    /// O_DIRECT where the file system has it; else buffered ([`File::alignment`] then says 1, with one log line a directory).
    pub direct: bool,
    /// O_DSYNC: a completed write is on stable storage. Holds also where `direct` was not to be had.
    pub durable: bool,
}

/// A file owned by one core. Closed when dropped.
pub struct File(FileKind);

enum FileKind {
    Uring(uring::file::File),
    Sim(sim::file::File),
}

impl File {
    pub async fn open(path: &Path, options: OpenOptions) -> io::Result<File> {
        Ok(File(match backend() {
            Backend::Uring => FileKind::Uring(uring::file::File::open(path, options).await?),
            Backend::Sim => FileKind::Sim(sim::file::File::open(path, options).await?),
        }))
    }

    /// Write offsets and lengths must be multiples of this many bytes: 512 or 4096 for direct files, 1 for buffered ones.
    pub fn alignment(&self) -> usize {
        match &self.0 {
            FileKind::Uring(f) => f.alignment(),
            FileKind::Sim(f) => f.alignment(),
        }
    }

    /// Up to `len` bytes from `offset` (neither need be aligned); fewer only at the end of the file.
    pub async fn read_at(&self, offset: u64, len: usize) -> io::Result<Bytes> {
        match &self.0 {
            FileKind::Uring(f) => f.read_at(offset, len).await,
            FileKind::Sim(f) => f.read_at(offset, len).await,
        }
    }

    /// Writes the whole buffer (its length a multiple of [`File::alignment`]) and gives it back for reuse, or fails; a short
    /// write is continued. Several writes may be under way at once. Not cancel-safe: spawn it.
    pub async fn write_at(&self, offset: u64, buffer: AlignedBuffer) -> io::Result<AlignedBuffer> {
        match &self.0 {
            FileKind::Uring(f) => f.write_at(offset, buffer).await,
            FileKind::Sim(f) => f.write_at(offset, buffer).await,
        }
    }

    /// fdatasync: contents and size are durable afterwards, the directory entry is not.
    pub async fn sync(&self) -> io::Result<()> {
        match &self.0 {
            FileKind::Uring(f) => f.sync().await,
            FileKind::Sim(f) => f.sync().await,
        }
    }

    /// fallocate: reserves space for `len` bytes from `offset` and grows the file to there if it is shorter.
    pub async fn allocate(&self, offset: u64, len: u64) -> io::Result<()> {
        match &self.0 {
            FileKind::Uring(f) => f.allocate(offset, len).await,
            FileKind::Sim(f) => f.allocate(offset, len).await,
        }
    }

    /// Completes when no direct write to the file is under way any more that began before: a killed process's may be, for it lets go of
    /// its locks at once. For files that are not empty.
    pub async fn drain(&self) -> io::Result<()> {
        match &self.0 {
            FileKind::Uring(f) => f.drain().await,
            FileKind::Sim(f) => f.drain().await,
        }
    }

    /// ftruncate to `len` bytes.
    pub async fn truncate(&self, len: u64) -> io::Result<()> {
        match &self.0 {
            FileKind::Uring(f) => f.truncate(len).await,
            FileKind::Sim(f) => f.truncate(len).await,
        }
    }

    /// The file's size in bytes.
    pub async fn len(&self) -> io::Result<u64> {
        match &self.0 {
            FileKind::Uring(f) => f.len().await,
            FileKind::Sim(f) => f.len().await,
        }
    }
}

/// A counted, read-only, buffered handle of a file. It may cross cores inside a mesh message (a raw descriptor never does,
/// since it could be closed and used again); the file lives as long as one handle, also when it was unlinked.
#[derive(Clone)]
pub struct SharedFile(SharedFileKind);

#[derive(Clone)]
enum SharedFileKind {
    Uring(uring::file::SharedFile),
    Sim(sim::file::SharedFile),
}

impl SharedFile {
    pub async fn open(path: &Path) -> io::Result<SharedFile> {
        Ok(SharedFile(match backend() {
            Backend::Uring => SharedFileKind::Uring(uring::file::SharedFile::open(path).await?),
            Backend::Sim => SharedFileKind::Sim(sim::file::SharedFile::open(path).await?),
        }))
    }

    /// Up to `len` bytes from `offset`; fewer only at the end of the file. Never blocks the core: what the page cache lacks
    /// is read through the ring.
    pub async fn read_at(&self, offset: u64, len: usize) -> io::Result<Bytes> {
        match &self.0 {
            SharedFileKind::Uring(f) => f.read_at(offset, len).await,
            SharedFileKind::Sim(f) => f.read_at(offset, len).await,
        }
    }

    pub(super) fn uring(&self) -> &uring::file::SharedFile {
        match &self.0 {
            SharedFileKind::Uring(f) => f,
            SharedFileKind::Sim(_) => unreachable!("a simulated file on a real core"),
        }
    }

    pub(super) fn sim(&self) -> &sim::file::SharedFile {
        match &self.0 {
            SharedFileKind::Sim(f) => f,
            SharedFileKind::Uring(_) => unreachable!("a real file on a simulated core"),
        }
    }
}

/// A read-only map of a whole file (memmap2; a snapshot in the simulator). A page that a truncation took away reads as
/// zeros and sets [`Map::is_poisoned`], so look-ups verify what they find.
pub struct Map(MapKind);

enum MapKind {
    Uring(uring::file::Map),
    Sim(sim::file::Map),
}

impl Map {
    /// Opens and maps on the blocking pool, and touches every page there, so that the core does not stall on a cold one.
    pub async fn open(path: &Path) -> io::Result<Map> {
        Ok(Map(match backend() {
            Backend::Uring => MapKind::Uring(uring::file::Map::open(path).await?),
            Backend::Sim => MapKind::Sim(sim::file::Map::open(path).await?),
        }))
    }

    pub fn as_slice(&self) -> &[u8] {
        match &self.0 {
            MapKind::Uring(m) => m.as_slice(),
            MapKind::Sim(m) => m.as_slice(),
        }
    }

    /// The file shrank under the map: rebuild from the log.
    pub fn is_poisoned(&self) -> bool {
        match &self.0 {
            MapKind::Uring(m) => m.is_poisoned(),
            MapKind::Sim(_) => false,
        }
    }
}

/// A growable byte buffer whose memory is aligned for direct I/O (4096 bytes) on every implementation.
pub struct AlignedBuffer(uring::buffer::Buffer);

impl AlignedBuffer {
    /// An empty buffer that holds `capacity` bytes without moving.
    pub fn with_capacity(capacity: usize) -> AlignedBuffer {
        AlignedBuffer(uring::buffer::Buffer::with_capacity(capacity))
    }

    pub fn len(&self) -> usize {
        self.0.len()
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub fn capacity(&self) -> usize {
        self.0.capacity()
    }

    /// Appends, growing (and moving) if the capacity is too small.
    pub fn extend_from_slice(&mut self, bytes: &[u8]) {
        self.0.extend_from_slice(bytes);
    }

    /// Appends zeros until the length is a multiple of `alignment`.
    pub fn pad_to(&mut self, alignment: usize) {
        self.0.resize(self.len().next_multiple_of(alignment));
    }

    /// Grows with zeros or shrinks to `len` bytes.
    pub fn resize(&mut self, len: usize) {
        self.0.resize(len);
    }

    pub fn clear(&mut self) {
        self.0.resize(0);
    }

    pub fn as_slice(&self) -> &[u8] {
        self.0.as_slice()
    }

    pub fn as_mut_slice(&mut self) -> &mut [u8] {
        self.0.as_mut_slice()
    }

    pub(super) fn into_inner(self) -> uring::buffer::Buffer {
        self.0
    }

    pub(super) fn from_inner(buffer: uring::buffer::Buffer) -> AlignedBuffer {
        AlignedBuffer(buffer)
    }
}
