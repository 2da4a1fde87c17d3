//! (skeleton)
use crate::rt::fs::{DirEntry, FileLock};
use bytes::Bytes;
use std::io;
use std::path::Path;
pub async fn create_dir_all(_path: &Path) -> io::Result<()> {
    todo!()
}
pub async fn list_dir(_path: &Path) -> io::Result<Vec<DirEntry>> {
    todo!()
}
pub async fn rename(_from: &Path, _to: &Path) -> io::Result<()> {
    todo!()
}
pub async fn remove_file(_path: &Path) -> io::Result<()> {
    todo!()
}
pub async fn remove_dir_all(_path: &Path) -> io::Result<()> {
    todo!()
}
pub async fn sync_dir(_path: &Path) -> io::Result<()> {
    todo!()
}
pub async fn sync_filesystem(_path: &Path) -> io::Result<()> {
    todo!()
}
pub async fn read_file(_path: &Path, _len_max: u64) -> io::Result<Bytes> {
    todo!()
}
pub async fn write_file(_path: &Path, _contents: &[u8]) -> io::Result<()> {
    todo!()
}
pub async fn free_space(_path: &Path) -> io::Result<u64> {
    todo!()
}
pub async fn lock(_path: &Path) -> io::Result<FileLock> {
    todo!()
}
