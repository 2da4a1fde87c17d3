//! The journal's files at the root of a log directory: their names, their making, and the small file with the epoch.
//!
//! `ringmill-journal-<shard>-<n>` are the ring's; `ringmill-journal-<shard>` says which epoch's frames count. A ring file is written through before
//! it gets its name, so that later writes change no metadata.

use crate::log::OpenError;
use crate::rt::{self, AlignedBuffer, File, OpenOptions, fs};
use crate::types::ShardId;
use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

const PREFIX: &str = "ringmill-journal-";
const STATE_BYTES_MAX: u64 = 4096;
const FILL_BYTES: usize = 256 << 10;

/// What is in the file without a number.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct JournalState {
    /// Frames of this epoch count, no others.
    pub epoch: u64,
    /// True from the end of replay until the journal is opened for writing: there are no frames of this epoch.
    pub replayed: bool,
}

pub fn state_path(dir: &Path, shard: ShardId) -> PathBuf {
    dir.join(format!("{PREFIX}{shard}"))
}

pub fn ring_path(dir: &Path, shard: ShardId, number: usize) -> PathBuf {
    dir.join(format!("{PREFIX}{shard}-{number}"))
}

/// `None` if there is no such journal. Unreadable contents are damage: without the epoch nothing can be replayed.
pub async fn read_state(dir: &Path, shard: ShardId) -> Result<Option<JournalState>, OpenError> {
    let path = state_path(dir, shard);
    let bytes = match fs::read_file(&path, STATE_BYTES_MAX).await {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(OpenError::Io(path, error)),
    };
    let state = std::str::from_utf8(&bytes).ok().and_then(parse_state);
    state.map(Some).ok_or_else(|| OpenError::Damaged(path, "the journal's epoch cannot be read".into()))
}

/// The state's file, as text.
pub fn parse_state(text: &str) -> Option<JournalState> {
    let mut lines = text.lines();
    if lines.next() != Some("version=1") {
        return None;
    }
    let epoch = lines.next()?.strip_prefix("epoch=")?.parse().ok()?;
    let replayed = lines.next()?.strip_prefix("replayed=")?.parse().ok()?;
    Some(JournalState { epoch, replayed })
}

/// Durable when it returns.
pub async fn write_state(dir: &Path, shard: ShardId, state: JournalState) -> Result<(), OpenError> {
    let path = state_path(dir, shard);
    let text = format!("version=1\nepoch={}\nreplayed={}\n", state.epoch, state.replayed);
    fs::write_file(&path, text.as_bytes()).await.map_err(|error| OpenError::Io(path, error))
}

/// An epoch above `last`. Its lower half is drawn, so that no client can put a frame of it into a record.
pub fn next_epoch(last: Option<u64>) -> u64 {
    let count = last.map_or(1, |epoch| (epoch >> 32) + 1);
    count << 32 | rt::random_u64() & 0xffff_ffff
}

/// The journals in a log directory: by shard the numbers and sizes of the ring's files.
pub async fn list(dir: &Path) -> Result<BTreeMap<ShardId, BTreeMap<usize, u64>>, OpenError> {
    let entries = fs::list_dir(dir).await.map_err(|error| OpenError::Io(dir.to_path_buf(), error))?;
    let mut journals: BTreeMap<ShardId, BTreeMap<usize, u64>> = BTreeMap::new();
    for entry in entries.iter().filter(|entry| !entry.is_dir) {
        let Some((shard, number)) = parse_name(&entry.name) else { continue };
        let files = journals.entry(shard).or_default();
        if let Some(number) = number {
            files.insert(number, entry.len);
        }
    }
    Ok(journals)
}

/// A journal's shard and, for a ring's file, its number.
pub fn parse_name(name: &str) -> Option<(ShardId, Option<usize>)> {
    let rest = name.strip_prefix(PREFIX)?;
    match rest.split_once('-') {
        None => Some((ShardId(rest.parse().ok()?), None)),
        Some((shard, number)) => Some((ShardId(shard.parse().ok()?), Some(number.parse().ok()?))),
    }
}

/// Opens a ring's file for writing.
pub async fn open(path: &Path) -> io::Result<File> {
    File::open(path, OpenOptions { write: true, create: false, direct: true, durable: true }).await
}

/// Opens a ring's file that an earlier process wrote to. What it had under way is through when this returns: a frame of it that came later would
/// overwrite one of ours.
pub async fn reopen(path: &Path) -> io::Result<File> {
    let file = open(path).await?;
    file.drain().await?;
    Ok(file)
}

/// Makes a ring's file of `len` zeros, with a pause after each write as long as it says, unless it says `None`: then it is given up. Its entry
/// is durable only after the directory is synced.
pub async fn make(path: &Path, len: u64, pause: impl Fn() -> Option<Duration>) -> io::Result<File> {
    let new = path.with_extension("new");
    // Not the same file again: a process that is gone may still be writing zeros to it.
    match fs::remove_file(&new).await {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    if let Err(error) = fill(&new, len, pause).await {
        // What it took is needed elsewhere. If it stays, it goes another time.
        let _ = fs::remove_file(&new).await;
        return Err(error);
    }
    fs::rename(&new, path).await?;
    open(path).await
}

async fn fill(path: &Path, len: u64, pause: impl Fn() -> Option<Duration>) -> io::Result<()> {
    let file = File::open(path, OpenOptions { write: true, create: true, direct: true, durable: false }).await?;
    file.allocate(0, len).await?;
    let mut buffer = AlignedBuffer::with_capacity(FILL_BYTES);
    let mut at = 0;
    while at < len {
        buffer.resize((len - at).min(FILL_BYTES as u64) as usize);
        at += buffer.len() as u64;
        buffer = file.write_at(at - buffer.len() as u64, buffer).await?;
        match pause() {
            None => return Err(io::ErrorKind::Interrupted.into()),
            Some(Duration::ZERO) => {}
            Some(pause) => rt::sleep(pause).await,
        }
    }
    file.sync().await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_journals_and_of_other_files_are_told_apart() {
        assert_eq!(parse_name("ringmill-journal-3"), Some((ShardId(3), None)));
        assert_eq!(parse_name("ringmill-journal-3-17"), Some((ShardId(3), Some(17))));
        for foreign in ["ringmill-journal-", "ringmill-journal-0-1.new", "ringmill-journal-x", "ringmill-metadata-1", "orders-0"] {
            assert_eq!(parse_name(foreign), None, "{foreign}");
        }
    }

    #[test]
    fn the_state_is_read_as_it_was_written() {
        assert_eq!(parse_state("version=1\nepoch=77\nreplayed=true\n"), Some(JournalState { epoch: 77, replayed: true }));
        assert_eq!(parse_state("version=2\nepoch=77\nreplayed=true\n"), None);
        assert_eq!(parse_state(""), None);
    }
}
