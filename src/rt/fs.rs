//! Directories and small files. Everything here runs on the blocking pool (or simulated), never on the core.

use super::{Backend, backend, sim, uring};
use bytes::Bytes;
use std::io;
use std::path::Path;

/// One entry of a directory.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct DirEntry {
    pub name: String,
    pub is_dir: bool,
    /// Size in bytes; 0 for directories.
    pub len: u64,
}

/// An entry of [`read_dir`].
#[derive(Clone, Debug)]
pub struct DirFile {
    pub entry: DirEntry,
    /// All of it, where it was read.
    pub contents: Option<Bytes>,
}

/// What [`write_plain`] does to one file, which is made if it is missing.
#[derive(Clone, Debug)]
pub struct PlainFile {
    pub name: String,
    /// What lies before stays.
    pub offset: u64,
    /// The file ends behind it.
    pub contents: Vec<u8>,
}

macro_rules! dispatch {
    ($(#[$doc:meta])* $name:ident($($arg:ident: $ty:ty),*) -> $result:ty) => {
        $(#[$doc])*
        pub async fn $name($($arg: $ty),*) -> io::Result<$result> {
            match backend() {
                Backend::Uring => uring::fs::$name($($arg),*).await,
                Backend::Sim => sim::fs::$name($($arg),*).await,
            }
        }
    };
}

dispatch!(
    /// Makes a directory and its missing parents.
    create_dir_all(path: &Path) -> ()
);
dispatch!(
    /// The entries, sorted by name. Names that are no UTF-8 are passed over with a log line.
    list_dir(path: &Path) -> Vec<DirEntry>
);
dispatch!(
    /// The entries as [`list_dir`] has them, and the contents of the last `files_max` files by name that have at most `len_max` bytes: what
    /// opening many directories of small files needs, in one step each.
    read_dir(path: &Path, files_max: usize, len_max: u64) -> Vec<DirFile>
);
dispatch!(rename(from: &Path, to: &Path) -> ());
dispatch!(remove_file(path: &Path) -> ());
dispatch!(
    /// Removes a directory and all in it, without following links.
    remove_dir_all(path: &Path) -> ()
);
dispatch!(
    /// Makes a directory's entries (created, renamed and removed names) durable.
    sync_dir(path: &Path) -> ()
);
dispatch!(
    /// A whole small file; fails with `InvalidData` if it is longer than `len_max`.
    read_file(path: &Path, len_max: u64) -> Bytes
);
dispatch!(
    /// Replaces a file as a whole: a temporary beside it, synced, renamed over it, directory synced. After a crash it is the old or the new one.
    write_file(path: &Path, contents: &[u8]) -> ()
);
dispatch!(
    /// Writes files in `dir`, one after the other, without a sync: a crash may leave any part of them.
    write_plain(dir: &Path, files: Vec<PlainFile>) -> ()
);
dispatch!(
    /// Bytes free for us on the file system that holds `path`.
    free_space(path: &Path) -> u64
);
dispatch!(
    /// Locks `path` (made if missing) for this process until the lock is dropped; `WouldBlock` if another process has it.
    lock(path: &Path) -> FileLock
);

/// A file system that is synced as a whole, again and again. Keep it: the kernel tells each holder once of every failure since it was
/// opened, also of those that hit what somebody else wrote and was told of.
pub struct FileSystem(FileSystemKind);

enum FileSystemKind {
    Uring(uring::fs::FileSystem),
    Sim(sim::fs::FileSystem),
}

impl FileSystem {
    /// The one that holds the directory `path`.
    pub async fn open(path: &Path) -> io::Result<FileSystem> {
        Ok(FileSystem(match backend() {
            Backend::Uring => FileSystemKind::Uring(uring::fs::FileSystem::open(path).await?),
            Backend::Sim => FileSystemKind::Sim(sim::fs::FileSystem::open(path).await?),
        }))
    }

    /// syncfs: everything written to it so far is durable, sizes and names too.
    pub async fn sync(&self) -> io::Result<()> {
        match &self.0 {
            FileSystemKind::Uring(fs) => fs.sync().await,
            FileSystemKind::Sim(fs) => fs.sync().await,
        }
    }
}

/// One sync of the file system that holds `path`, by a handle of its own.
pub async fn sync_filesystem(path: &Path) -> io::Result<()> {
    FileSystem::open(path).await?.sync().await
}

/// Held as long as the lock is wanted; may be kept on another thread.
pub struct FileLock(#[allow(dead_code, reason = "held, never read")] pub(super) Box<dyn std::any::Any + Send>);
