//! The seam's directories and small files on a simulated disk.

use super::disk::{Disk, Watcher};
use super::file::File;
use super::rng::Rng;
use super::{io::submit, state};
use crate::rt::fs::{DirEntry, DirFile, FileLock, PlainFile};
use crate::rt::{AlignedBuffer, OpenOptions};
use bytes::Bytes;
use std::cell::RefCell;
use std::io;
use std::path::{Path, PathBuf};

/// Each missing directory is an operation of its own.
pub async fn create_dir_all(path: &Path) -> io::Result<()> {
    let mut at = PathBuf::new();
    for component in path.components() {
        at.push(component);
        if at.file_name().is_some() {
            let dir = at.clone();
            submit("mkdir", |o| o.blocking, move |disk, _| disk.create_dir(&dir)).await?;
        }
    }
    Ok(())
}

pub async fn list_dir(path: &Path) -> io::Result<Vec<DirEntry>> {
    let path = path.to_path_buf();
    submit("list", |o| o.blocking, move |disk, _| disk.list(&path)).await
}

pub async fn read_dir(path: &Path, files_max: usize, len_max: u64) -> io::Result<Vec<DirFile>> {
    let entries = list_dir(path).await?;
    let mut files: Vec<DirFile> = entries.into_iter().map(|entry| DirFile { entry, contents: None }).collect();
    let small = |file: &&mut DirFile| !file.entry.is_dir && file.entry.len <= len_max;
    for file in files.iter_mut().rev().filter(small).take(files_max) {
        let contents = read_file(&path.join(&file.entry.name), u64::MAX).await?;
        file.contents = Some(contents).filter(|contents| contents.len() as u64 == file.entry.len);
    }
    Ok(files)
}

pub async fn rename(from: &Path, to: &Path) -> io::Result<()> {
    let (from, to) = (from.to_path_buf(), to.to_path_buf());
    submit("rename", |o| o.blocking, move |disk, _| disk.rename(&from, &to)).await
}

pub async fn remove_file(path: &Path) -> io::Result<()> {
    let path = path.to_path_buf();
    submit("remove", |o| o.blocking, move |disk, _| disk.remove_file(&path)).await
}

pub async fn remove_dir_all(path: &Path) -> io::Result<()> {
    let path = path.to_path_buf();
    submit("remove all", |o| o.blocking, move |disk, _| disk.remove_dir_all(&path)).await
}

pub async fn sync_dir(path: &Path) -> io::Result<()> {
    let path = path.to_path_buf();
    submit("sync dir", |o| o.disk_sync, move |disk, rng| disk.sync_dir(&path, rng)).await
}

/// See `rt::fs::FileSystem`. A process has its own, which the next one cannot go on with.
pub struct FileSystem(RefCell<Watcher>);

impl FileSystem {
    pub async fn open(path: &Path) -> io::Result<FileSystem> {
        let path = path.to_path_buf();
        let watcher = submit("open", |o| o.blocking, move |disk, _| disk.watch(&path)).await?;
        Ok(FileSystem(RefCell::new(watcher)))
    }

    pub async fn sync(&self) -> io::Result<()> {
        let machine = state::current().machine;
        let marks = state::with(|s| s.machines[machine].disk.sync_all_marks());
        let mut watcher = self.0.borrow().clone();
        let sync = move |disk: &mut Disk, rng: &mut Rng| {
            let result = disk.sync_all(&mut watcher, &marks, rng);
            (result, watcher)
        };
        let (result, watcher) = submit("sync all", |o| o.disk_sync, sync).await;
        *self.0.borrow_mut() = watcher;
        result
    }
}

pub async fn read_file(path: &Path, len_max: u64) -> io::Result<Bytes> {
    let file = File::open(path, OpenOptions::default()).await?;
    let len = file.len().await?;
    if len > len_max {
        return Err(io::Error::new(io::ErrorKind::InvalidData, format!("{} has {len} bytes, more than {len_max}", path.display())));
    }
    file.read_at(0, len as usize).await
}

pub async fn write_file(path: &Path, contents: &[u8]) -> io::Result<()> {
    let mut temporary = path.as_os_str().to_owned();
    temporary.push(".tmp");
    let temporary = PathBuf::from(temporary);
    let file = File::open(&temporary, OpenOptions { write: true, create: true, ..OpenOptions::default() }).await?;
    file.truncate(0).await?;
    let mut buffer = AlignedBuffer::with_capacity(contents.len());
    buffer.extend_from_slice(contents);
    file.write_at(0, buffer).await?;
    file.sync().await?;
    rename(&temporary, path).await?;
    sync_dir(path.parent().unwrap_or(Path::new("/"))).await
}

pub async fn write_plain(dir: &Path, files: Vec<PlainFile>) -> io::Result<()> {
    for PlainFile { name, offset, contents } in files {
        let file = File::open(&dir.join(name), OpenOptions { write: true, create: true, ..OpenOptions::default() }).await?;
        let end = offset + contents.len() as u64;
        if !contents.is_empty() {
            let mut buffer = AlignedBuffer::with_capacity(contents.len());
            buffer.extend_from_slice(&contents);
            file.write_at(offset, buffer).await?;
        }
        if file.len().await? != end {
            file.truncate(end).await?;
        }
    }
    Ok(())
}

pub async fn free_space(_path: &Path) -> io::Result<u64> {
    Ok(submit("free space", |o| o.blocking, |disk, _| disk.free_space()).await)
}

pub async fn lock(path: &Path) -> io::Result<FileLock> {
    let machine = state::current().machine;
    let locked = path.to_path_buf();
    let (free, incarnation) =
        submit("lock", |o| o.blocking, move |disk, _| disk.lock(&locked).map(|free| (free, disk.incarnation()))).await?;
    if !free {
        return Err(io::ErrorKind::WouldBlock.into());
    }
    Ok(FileLock(Box::new(Lock { machine, path: path.to_path_buf(), incarnation })))
}

struct Lock {
    machine: usize,
    path: PathBuf,
    incarnation: u32,
}

impl Drop for Lock {
    fn drop(&mut self) {
        state::with_if_alive(|s| s.machines[self.machine].disk.unlock(&self.path, self.incarnation));
    }
}
