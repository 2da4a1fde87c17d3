//! Directories and small files: std's calls on the blocking pool.

use super::pool;
use crate::rt::fs::{DirEntry, DirFile, FileLock, PlainFile};
use bytes::Bytes;
use std::ffi::CString;
use std::fs::File;
use std::io::{self, Read, Write};
use std::mem::MaybeUninit;
use std::os::fd::AsRawFd;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Runs `work` with an owned copy of the path.
async fn on_pool<T: Send + 'static>(path: &Path, work: impl FnOnce(&Path) -> io::Result<T> + Send + 'static) -> io::Result<T> {
    let path = path.to_owned();
    pool::run(move || work(&path)).await
}

pub async fn create_dir_all(path: &Path) -> io::Result<()> {
    on_pool(path, |path| std::fs::create_dir_all(path)).await
}

pub async fn list_dir(path: &Path) -> io::Result<Vec<DirEntry>> {
    on_pool(path, list_dir_blocking).await
}

fn list_dir_blocking(path: &Path) -> io::Result<Vec<DirEntry>> {
    let mut entries = Vec::new();
    for entry in std::fs::read_dir(path)? {
        let entry = entry?;
        // A link counts as what it points to; what vanishes between listing and looking is passed over.
        let metadata = match std::fs::metadata(entry.path()) {
            Ok(metadata) => metadata,
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            Err(error) => return Err(error),
        };
        match entry.file_name().into_string() {
            Ok(name) => entries.push(DirEntry { name, is_dir: metadata.is_dir(), len: if metadata.is_dir() { 0 } else { metadata.len() } }),
            Err(name) => tracing::warn!(directory = %path.display(), ?name, "a name that is no UTF-8 is ignored"),
        }
    }
    entries.sort();
    Ok(entries)
}

pub async fn read_dir(path: &Path, files_max: usize, len_max: u64) -> io::Result<Vec<DirFile>> {
    on_pool(path, move |path| {
        let entries = list_dir_blocking(path)?;
        let mut files: Vec<DirFile> = entries.into_iter().map(|entry| DirFile { entry, contents: None }).collect();
        let small = |file: &&mut DirFile| !file.entry.is_dir && file.entry.len <= len_max;
        for file in files.iter_mut().rev().filter(small).take(files_max) {
            let mut contents = Vec::with_capacity(file.entry.len as usize + 1);
            File::open(path.join(&file.entry.name))?.take(len_max + 1).read_to_end(&mut contents)?;
            // One that grew meanwhile is read again by whoever needs it.
            file.contents = (contents.len() as u64 == file.entry.len).then(|| contents.into());
        }
        Ok(files)
    })
    .await
}

pub async fn rename(from: &Path, to: &Path) -> io::Result<()> {
    let to = to.to_owned();
    on_pool(from, move |from| std::fs::rename(from, to)).await
}

pub async fn remove_file(path: &Path) -> io::Result<()> {
    on_pool(path, |path| std::fs::remove_file(path)).await
}

pub async fn remove_dir_all(path: &Path) -> io::Result<()> {
    on_pool(path, |path| std::fs::remove_dir_all(path)).await
}

pub async fn sync_dir(path: &Path) -> io::Result<()> {
    on_pool(path, |path| File::open(path)?.sync_all()).await
}

/// See `rt::fs::FileSystem`: any descriptor of it.
pub struct FileSystem(Arc<File>);

impl FileSystem {
    pub async fn open(path: &Path) -> io::Result<FileSystem> {
        on_pool(path, |path| Ok(FileSystem(Arc::new(File::open(path)?)))).await
    }

    pub async fn sync(&self) -> io::Result<()> {
        let file = Arc::clone(&self.0);
        // SAFETY: a plain call on a descriptor we own.
        pool::run(move || if unsafe { libc::syncfs(file.as_raw_fd()) } == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }).await
    }
}

pub async fn read_file(path: &Path, len_max: u64) -> io::Result<Bytes> {
    on_pool(path, move |path| {
        let mut contents = Vec::new();
        File::open(path)?.take(len_max.saturating_add(1)).read_to_end(&mut contents)?;
        if contents.len() as u64 > len_max {
            return Err(io::Error::new(io::ErrorKind::InvalidData, format!("{} is longer than {len_max} bytes", path.display())));
        }
        Ok(contents.into())
    })
    .await
}

pub async fn write_file(path: &Path, contents: &[u8]) -> io::Result<()> {
    let contents = contents.to_vec();
    on_pool(path, move |path| write_file_blocking(path, &contents)).await
}

fn write_file_blocking(path: &Path, contents: &[u8]) -> io::Result<()> {
    let temporary = temporary_beside(path)?;
    let mut file = File::create(&temporary)?;
    file.write_all(contents)?;
    file.sync_all()?;
    std::fs::rename(&temporary, path)?;
    let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    File::open(parent)?.sync_all()
}

/// `<name>.tmp`, as Kafka names them.
fn temporary_beside(path: &Path) -> io::Result<PathBuf> {
    let mut name = path.file_name().ok_or(io::ErrorKind::InvalidInput)?.to_owned();
    name.push(".tmp");
    Ok(path.with_file_name(name))
}

pub async fn write_plain(dir: &Path, files: Vec<PlainFile>) -> io::Result<()> {
    on_pool(dir, move |dir| files.iter().try_for_each(|file| write_plain_blocking(dir, file))).await
}

fn write_plain_blocking(dir: &Path, plain: &PlainFile) -> io::Result<()> {
    let file = std::fs::OpenOptions::new().write(true).create(true).truncate(false).open(dir.join(&plain.name))?;
    file.write_all_at(&plain.contents, plain.offset)?;
    let end = plain.offset + plain.contents.len() as u64;
    if file.metadata()?.len() == end { Ok(()) } else { file.set_len(end) }
}

pub async fn free_space(path: &Path) -> io::Result<u64> {
    on_pool(path, |path| {
        let path = CString::new(path.as_os_str().as_bytes())?;
        // SAFETY: all zeros is a valid statvfs, which the call fills.
        let mut stat: libc::statvfs = unsafe { MaybeUninit::zeroed().assume_init() };
        // SAFETY: both pointers outlive the call.
        if unsafe { libc::statvfs(path.as_ptr(), &mut stat) } != 0 {
            return Err(io::Error::last_os_error());
        }
        Ok(stat.f_bavail.saturating_mul(stat.f_frsize))
    })
    .await
}

pub async fn lock(path: &Path) -> io::Result<FileLock> {
    on_pool(path, |path| {
        let file = std::fs::OpenOptions::new().read(true).write(true).create(true).truncate(false).open(path)?;
        match file.try_lock() {
            Ok(()) => Ok(FileLock(Box::new(file))),
            Err(std::fs::TryLockError::WouldBlock) => Err(io::ErrorKind::WouldBlock.into()),
            Err(std::fs::TryLockError::Error(error)) => Err(error),
        }
    })
    .await
}
