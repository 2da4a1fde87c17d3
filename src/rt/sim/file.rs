//! (skeleton)
use crate::rt::{AlignedBuffer, OpenOptions};
use bytes::Bytes;
use std::io;
use std::path::Path;
pub struct File;
impl File {
    pub async fn open(_path: &Path, _options: OpenOptions) -> io::Result<File> {
        todo!()
    }
    pub fn alignment(&self) -> usize {
        todo!()
    }
    pub async fn read_at(&self, _offset: u64, _len: usize) -> io::Result<Bytes> {
        todo!()
    }
    pub async fn write_at(&self, _offset: u64, _buffer: AlignedBuffer) -> io::Result<AlignedBuffer> {
        todo!()
    }
    pub async fn sync(&self) -> io::Result<()> {
        todo!()
    }
    pub async fn allocate(&self, _offset: u64, _len: u64) -> io::Result<()> {
        todo!()
    }
    pub async fn truncate(&self, _len: u64) -> io::Result<()> {
        todo!()
    }
    pub async fn len(&self) -> io::Result<u64> {
        todo!()
    }
}
#[derive(Clone)]
pub struct SharedFile;
impl SharedFile {
    pub async fn open(_path: &Path) -> io::Result<SharedFile> {
        todo!()
    }
    pub async fn read_at(&self, _offset: u64, _len: usize) -> io::Result<Bytes> {
        todo!()
    }
}
pub struct Map;
impl Map {
    pub async fn open(_path: &Path) -> io::Result<Map> {
        todo!()
    }
    pub fn as_slice(&self) -> &[u8] {
        todo!()
    }
    pub fn is_poisoned(&self) -> bool {
        todo!()
    }
}
