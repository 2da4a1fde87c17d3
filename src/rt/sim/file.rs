//! The seam's files on a simulated disk.

use super::disk::Handle;
use super::{io::submit, state};
use crate::rt::{AlignedBuffer, OpenOptions};
use bytes::Bytes;
use std::io;
use std::path::Path;
use std::sync::Arc;

/// Closes the disk's file with the last reference.
struct Open {
    machine: usize,
    handle: Handle,
}

impl Open {
    async fn open(path: &Path, create: bool) -> io::Result<Open> {
        let machine = state::current().machine;
        let path = path.to_path_buf();
        let handle = submit("open", |o| o.blocking, move |disk, _| disk.open(&path, create)).await?;
        Ok(Open { machine, handle })
    }

    async fn read_at(&self, offset: u64, len: usize) -> io::Result<Bytes> {
        let handle = self.handle;
        submit("read", |o| o.disk_read, move |disk, rng| disk.read(handle, offset, len, rng)).await.map(Bytes::from)
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        state::with_if_alive(|s| s.machines[self.machine].disk.close(self.handle));
    }
}

pub struct File {
    open: Open,
    alignment: usize,
    options: OpenOptions,
}

impl File {
    pub async fn open(path: &Path, options: OpenOptions) -> io::Result<File> {
        let open = Open::open(path, options.create).await?;
        let alignment = if options.direct { state::with(|s| s.machines[open.machine].disk.alignment) } else { 1 };
        Ok(File { open, alignment, options })
    }

    pub fn alignment(&self) -> usize {
        self.alignment
    }

    pub async fn read_at(&self, offset: u64, len: usize) -> io::Result<Bytes> {
        self.open.read_at(offset, len).await
    }

    pub async fn write_at(&self, offset: u64, buffer: AlignedBuffer) -> io::Result<AlignedBuffer> {
        assert!(self.options.write, "a write to a file opened for reading");
        let align = self.alignment as u64;
        assert!(offset.is_multiple_of(align), "a direct write at {offset}, which is no multiple of {align}");
        assert!((buffer.len() as u64).is_multiple_of(align), "a direct write of {} bytes, no multiple of {align}", buffer.len());
        let (machine, handle, durable) = (self.open.machine, self.open.handle, self.options.durable);
        let bytes = buffer.as_slice().to_vec();
        let direct = self.options.direct && self.alignment > 1;
        let write = state::with(|s| {
            let disk = &mut s.machines[machine].disk;
            if direct { disk.begin_direct_write(handle, offset, bytes, durable) } else { disk.begin_write(handle, offset, bytes, durable) }
        });
        submit("write", |o| o.disk_write, move |disk, rng| disk.end_write(write, rng)).await?;
        Ok(buffer)
    }

    pub async fn sync(&self) -> io::Result<()> {
        let (machine, handle) = (self.open.machine, self.open.handle);
        let mark = state::with(|s| s.machines[machine].disk.sync_mark(handle));
        submit("sync", |o| o.disk_sync, move |disk, rng| disk.sync(handle, mark, rng)).await
    }

    pub async fn allocate(&self, offset: u64, len: u64) -> io::Result<()> {
        let handle = self.open.handle;
        submit("allocate", |o| o.blocking, move |disk, _| disk.allocate(handle, offset, len)).await
    }

    pub async fn drain(&self) -> io::Result<()> {
        let handle = self.open.handle;
        submit("drain", |o| o.blocking, move |disk, rng| disk.drain(handle, rng)).await
    }

    pub async fn truncate(&self, len: u64) -> io::Result<()> {
        let handle = self.open.handle;
        submit("truncate", |o| o.blocking, move |disk, _| disk.truncate(handle, len)).await
    }

    pub async fn len(&self) -> io::Result<u64> {
        let handle = self.open.handle;
        submit("len", |o| o.disk_read, move |disk, _| disk.len(handle)).await
    }
}

#[derive(Clone)]
pub struct SharedFile(Arc<Open>);

impl SharedFile {
    pub async fn open(path: &Path) -> io::Result<SharedFile> {
        Ok(SharedFile(Arc::new(Open::open(path, false).await?)))
    }

    pub async fn read_at(&self, offset: u64, len: usize) -> io::Result<Bytes> {
        self.0.read_at(offset, len).await
    }

    pub(super) fn handle(&self) -> (usize, Handle) {
        (self.0.machine, self.0.handle)
    }
}

/// The file as it was when it was mapped.
pub struct Map(Bytes);

impl Map {
    pub async fn open(path: &Path) -> io::Result<Map> {
        let open = Open::open(path, false).await?;
        open.read_at(0, usize::MAX).await.map(Map)
    }

    pub fn as_slice(&self) -> &[u8] {
        &self.0
    }
}
