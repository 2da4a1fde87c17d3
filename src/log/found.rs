//! A partition's directory as a start finds it: its entries, and what is in its small files, all of it in one step of the blocking pool.
//!
//! A broker with ten thousand small partitions opens each with one look instead of one for each file. Only what the look did not bring is
//! read by itself. Nothing here outlives the opening.

use crate::rt::fs::{self, DirEntry, DirFile};
use bytes::Bytes;
use std::io;
use std::path::{Path, PathBuf};

/// The last files by name: identity, leader epochs, the newest snapshot of producers, the last segment with its indexes.
const FILES_MAX: usize = 8;
/// Larger files are read as far as they are needed.
const FILE_BYTES_MAX: u64 = 16 << 10;

pub struct Found {
    dir: PathBuf,
    pub listing: Vec<DirEntry>,
    contents: Vec<(String, Bytes)>,
}

impl Found {
    /// Empty if the directory is missing.
    pub async fn look(dir: &Path) -> io::Result<Found> {
        let mut found = Found::nothing(dir);
        let files = match fs::read_dir(dir, FILES_MAX, FILE_BYTES_MAX).await {
            Ok(files) => files,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(found),
            Err(error) => return Err(error),
        };
        for DirFile { entry, contents } in files {
            found.contents.extend(contents.map(|contents| (entry.name.clone(), contents)));
            found.listing.push(entry);
        }
        Ok(found)
    }

    pub fn nothing(dir: &Path) -> Found {
        Found { dir: dir.to_path_buf(), listing: Vec::new(), contents: Vec::new() }
    }

    pub fn dir(&self) -> &Path {
        &self.dir
    }

    pub fn has(&self, name: &str) -> bool {
        self.listing.iter().any(|entry| entry.name == name)
    }

    /// All of a file, if the look brought it.
    pub fn contents(&self, name: &str) -> Option<Bytes> {
        self.contents.iter().find(|(known, _)| known == name).map(|(_, contents)| contents.clone())
    }

    /// All of a file.
    pub async fn read(&self, name: &str, len_max: u64) -> io::Result<Bytes> {
        match self.contents(name) {
            Some(contents) => Ok(contents),
            None => fs::read_file(&self.dir.join(name), len_max).await,
        }
    }
}
