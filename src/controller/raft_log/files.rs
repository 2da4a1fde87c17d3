//! The metadata log's files: recovery, append, snapshot. Everything through `rt`.

use super::frame::{self, Damage, Item, LogEntry, Origin, Tail, Vote};
use super::snapshot::Snapshot;
use crate::rt::{AlignedBuffer, File, OpenOptions, fs};
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

const LOG_PREFIX: &str = "ringmill-metadata-log-";
const SNAPSHOT_NAME: &str = "ringmill-metadata-snapshot";
/// Space is allocated in such pieces, ahead of the frames.
const ALLOCATION_LEN: u64 = 1 << 20;
/// A log file grows to a few MiB; one that is longer than this was not written by us.
const LOG_LEN_MAX: u64 = 1 << 30;
/// Some ten million partitions.
const SNAPSHOT_LEN_MAX: u64 = 1 << 30;

/// Why the metadata cannot be used.
#[derive(Debug)]
pub enum OpenError {
    Io {
        path: PathBuf,
        error: io::Error,
    },
    /// Bytes that were acknowledged no longer verify, or a newer version wrote them.
    Damaged {
        path: PathBuf,
        reason: String,
    },
    /// The directory belongs to another node.
    ForeignNode {
        path: PathBuf,
        found: u64,
        expected: u64,
    },
    /// The directory belongs to another cluster.
    ForeignCluster {
        found: String,
        expected: String,
    },
}

impl fmt::Display for OpenError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            OpenError::Io { path, error } => write!(f, "{}: {error}", path.display()),
            OpenError::Damaged { path, reason } => write!(f, "{}: the cluster metadata is damaged: {reason}", path.display()),
            OpenError::ForeignNode { path, found, expected } => {
                write!(
                    f,
                    "{}: the metadata is of node.id {}, but node.id is {}",
                    path.display(),
                    found.wrapping_sub(1),
                    expected.wrapping_sub(1)
                )
            }
            OpenError::ForeignCluster { found, expected } => {
                write!(f, "the metadata is of cluster {found}, but the log directories are of cluster {expected}")
            }
        }
    }
}

impl std::error::Error for OpenError {}

/// What a log held when it was opened.
#[derive(Debug, Default)]
pub struct Recovered {
    pub snapshot: Option<Snapshot>,
    pub vote: Vote,
    /// The entries after the snapshot, without a gap.
    pub entries: Vec<LogEntry>,
}

/// The open log. After an error of [`MetadataLog::append`] it must not be used any more: what is on disk is unknown.
pub struct MetadataLog {
    dir: PathBuf,
    origin: Origin,
    file: File,
    path: PathBuf,
    /// Where the next frame goes.
    position: u64,
    /// Bytes of the file that are allocated.
    allocated: u64,
    next_sequence: u64,
    /// What the file's first frame or the last append said.
    vote: Vote,
}

/// The log files of one directory, read.
struct Read {
    recovered: Recovered,
    /// The newest file that holds a frame, and the length of its frames.
    last: Option<(PathBuf, u64)>,
    /// Files after it that hold none: their first frame never became durable.
    unborn: Vec<PathBuf>,
    next_sequence: u64,
}

impl MetadataLog {
    /// Reads what is there, cuts a torn tail, or begins a new log.
    pub async fn open(dir: &Path, origin: Origin) -> Result<(MetadataLog, Recovered), OpenError> {
        let read = read_dir(dir, &origin).await?;
        for path in &read.unborn {
            remove(dir, path).await.map_err(|error| io_error(path, error))?;
        }
        let vote = read.recovered.vote;
        let Some((path, len)) = read.last else {
            if read.recovered.snapshot.is_some() {
                return Err(damaged(dir, "there is a snapshot but no log"));
            }
            let log = MetadataLog::create(dir, origin, 1, read.next_sequence, vote).await?;
            return Ok((log, read.recovered));
        };
        let file = open_file(&path, false).await?;
        rewrite(&file, len).await.map_err(|error| io_error(&path, error))?;
        let next_sequence = read.next_sequence;
        let log = MetadataLog { dir: dir.to_owned(), origin, file, path, position: len, allocated: len, next_sequence, vote };
        Ok((log, read.recovered))
    }

    /// A new file whose first frame is durable, and so is its name.
    async fn create(dir: &Path, origin: Origin, index: u64, sequence: u64, vote: Vote) -> Result<MetadataLog, OpenError> {
        let path = log_path(dir, index);
        let file = open_file(&path, true).await?;
        let dir = dir.to_owned();
        let mut log = MetadataLog { dir, origin, file, path, position: 0, allocated: 0, next_sequence: sequence, vote };
        let items = [Item::Origin(log.origin.clone()), Item::Vote(vote)];
        let result = async {
            log.write(&items).await?;
            log.file.sync().await?;
            fs::sync_dir(&log.dir).await
        };
        result.await.map_err(|error| io_error(&log.path, error))?;
        Ok(log)
    }

    /// Bytes of the current file.
    pub fn len(&self) -> u64 {
        self.position
    }

    /// Makes sure that a turn with `items_len` bytes of entries fits on the disk. An error leaves the log as it was.
    pub async fn reserve(&mut self, items_len: usize) -> io::Result<()> {
        self.allocate(self.position + (frame::HEADER_LEN + frame::VOTE_LEN + items_len) as u64).await
    }

    async fn allocate(&mut self, wanted: u64) -> io::Result<()> {
        if wanted <= self.allocated {
            return Ok(());
        }
        let end = wanted.next_multiple_of(ALLOCATION_LEN);
        self.file.allocate(self.position, end - self.position).await?;
        self.file.sync().await?;
        self.allocated = end;
        Ok(())
    }

    /// Makes a turn durable: raft's vote if it changed, and new entries.
    pub async fn append(&mut self, vote: Option<Vote>, entries: Vec<LogEntry>) -> io::Result<()> {
        let items: Vec<Item> = vote.map(Item::Vote).into_iter().chain(entries.into_iter().map(Item::Entry)).collect();
        self.write(&items).await?;
        self.vote = vote.unwrap_or(self.vote);
        Ok(())
    }

    async fn write(&mut self, items: &[Item]) -> io::Result<()> {
        let bytes = frame::encode(self.next_sequence, items);
        self.allocate(self.position + bytes.len() as u64).await?;
        let mut buffer = AlignedBuffer::with_capacity(bytes.len());
        buffer.extend_from_slice(&bytes);
        self.file.write_at(self.position, buffer).await?;
        self.position += bytes.len() as u64;
        self.next_sequence += 1;
        Ok(())
    }

    /// Puts a snapshot in the place of all entries so far, which are the ones it holds. False: there was no space for that, and
    /// the log goes on as it was. After an error it must not be used any more.
    pub async fn replace_by(&mut self, snapshot: &Snapshot) -> io::Result<bool> {
        if let Err(error) = fs::write_file(&self.dir.join(SNAPSHOT_NAME), &snapshot.encode()).await {
            tracing::warn!(%error, "no snapshot of the metadata was written");
            return Ok(false);
        }
        let dir = self.dir.clone();
        let index = snapshot.index + 1;
        match MetadataLog::create(&dir, self.origin.clone(), index, self.next_sequence, self.vote).await {
            Ok(new) => *self = new,
            Err(error) => {
                tracing::warn!(%error, "no new file of the metadata log was begun");
                // The old file goes on with the same sequence, so nothing of the new one may stay.
                remove(&dir, &log_path(&dir, index)).await?;
                return Ok(false);
            }
        }
        self.remove_older().await;
        Ok(true)
    }

    /// What stays behind is read once more at the next start, and removed after the next snapshot.
    async fn remove_older(&self) {
        let result = async {
            for path in log_paths(&self.dir).await? {
                if path != self.path {
                    remove(&self.dir, &path).await?;
                }
            }
            io::Result::Ok(())
        };
        if let Err(error) = result.await {
            tracing::warn!(%error, "an old file of the metadata log was not removed");
        }
    }
}

fn log_path(dir: &Path, index: u64) -> PathBuf {
    dir.join(format!("{LOG_PREFIX}{index:020}"))
}

async fn open_file(path: &Path, create: bool) -> Result<File, OpenError> {
    let options = OpenOptions { write: true, create, direct: false, durable: true };
    File::open(path, options).await.map_err(|error| io_error(path, error))
}

/// Makes the first `len` bytes of the file durable by writing them again: after a write that failed, its frame may be what only the page cache
/// has, and no sync writes what the kernel takes for written. What follows goes, so that nothing of a torn frame can come back
/// behind a shorter one.
async fn rewrite(file: &File, len: u64) -> io::Result<()> {
    let mut at = 0;
    while at < len {
        let piece = file.read_at(at, (len - at).min(ALLOCATION_LEN) as usize).await?;
        if piece.is_empty() {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        let mut buffer = AlignedBuffer::with_capacity(piece.len());
        buffer.extend_from_slice(&piece);
        at += file.write_at(at, buffer).await?.len() as u64;
    }
    file.truncate(len).await?;
    file.sync().await
}

/// Durable when it returns, so that what is removed one after the other comes back, if at all, without a gap.
async fn remove(dir: &Path, path: &Path) -> io::Result<()> {
    fs::remove_file(path).await?;
    fs::sync_dir(dir).await
}

fn io_error(path: &Path, error: io::Error) -> OpenError {
    OpenError::Io { path: path.to_owned(), error }
}

fn damaged(path: &Path, reason: impl Into<String>) -> OpenError {
    OpenError::Damaged { path: path.to_owned(), reason: reason.into() }
}

/// What is wrong with the contents of a file at the root of a log directory, if it is one of the metadata log's. A torn end is nothing wrong.
pub fn fault_of(name: &str, contents: &[u8]) -> Option<String> {
    if name == SNAPSHOT_NAME {
        return Snapshot::decode(contents).is_none().then(|| "the snapshot does not verify".into());
    }
    let scanned = name.starts_with(LOG_PREFIX).then(|| frame::scan(contents))?;
    scanned.err().map(|damage| describe(&damage))
}

/// The log files, oldest first.
async fn log_paths(dir: &Path) -> io::Result<Vec<PathBuf>> {
    let entries = fs::list_dir(dir).await?;
    let is_log =
        |name: &str| name.strip_prefix(LOG_PREFIX).is_some_and(|index| index.len() == 20 && index.bytes().all(|b| b.is_ascii_digit()));
    // The list is sorted by name, and indexes have leading zeros.
    Ok(entries.into_iter().filter(|entry| !entry.is_dir && is_log(&entry.name)).map(|entry| dir.join(entry.name)).collect())
}

async fn read_snapshot(dir: &Path) -> Result<Option<Snapshot>, OpenError> {
    let path = dir.join(SNAPSHOT_NAME);
    match fs::read_file(&path, SNAPSHOT_LEN_MAX).await {
        Ok(bytes) => Snapshot::decode(&bytes).map(Some).ok_or_else(|| damaged(&path, "the snapshot does not verify")),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(io_error(&path, error)),
    }
}

async fn read_dir(dir: &Path, origin: &Origin) -> Result<Read, OpenError> {
    let snapshot = read_snapshot(dir).await?;
    let recovered = Recovered { snapshot, ..Recovered::default() };
    let mut read = Read { recovered, last: None, unborn: Vec::new(), next_sequence: 1 };
    for path in log_paths(dir).await.map_err(|error| io_error(dir, error))? {
        read_file(&mut read, path, origin).await?;
    }
    Ok(read)
}

async fn read_file(read: &mut Read, path: PathBuf, origin: &Origin) -> Result<(), OpenError> {
    let bytes = fs::read_file(&path, LOG_LEN_MAX).await.map_err(|error| io_error(&path, error))?;
    let scan = frame::scan(&bytes).map_err(|damage| damaged(&path, describe(&damage)))?;
    let Some((first, last)) = scan.sequences else {
        read.unborn.push(path);
        return Ok(());
    };
    if !read.unborn.is_empty() {
        return Err(damaged(&read.unborn[0], "no frame verifies, but a later file has some"));
    }
    if let Some((older, _)) = &read.last
        && first != read.next_sequence
    {
        return Err(damaged(older, format!("frames {} to {first} are missing", read.next_sequence)));
    }
    for item in scan.items {
        take_item(&mut read.recovered, item, origin, &path)?;
    }
    if scan.tail == Tail::Torn {
        tracing::info!(path = %path.display(), position = scan.len, "cut a frame of the metadata log that was never acknowledged");
    }
    read.next_sequence = last + 1;
    read.last = Some((path, scan.len as u64));
    Ok(())
}

fn take_item(recovered: &mut Recovered, item: Item, expected: &Origin, path: &Path) -> Result<(), OpenError> {
    match item {
        Item::Origin(origin) if origin.node != expected.node => {
            return Err(OpenError::ForeignNode { path: path.to_owned(), found: origin.node, expected: expected.node });
        }
        Item::Origin(_) => {}
        Item::Vote(vote) => recovered.vote = vote,
        Item::Entry(entry) => {
            let snapshot_index = recovered.snapshot.as_ref().map_or(0, |s| s.index);
            let next = snapshot_index + 1 + recovered.entries.len() as u64;
            if entry.index > next {
                return Err(damaged(path, format!("entries {next} to {} are missing", entry.index)));
            }
            if entry.index > snapshot_index {
                // Raft replaces entries that were never committed by those of a newer leader.
                recovered.entries.truncate((entry.index - snapshot_index - 1) as usize);
                recovered.entries.push(entry);
            }
        }
    }
    Ok(())
}

fn describe(damage: &Damage) -> String {
    match damage {
        Damage::Hole { position } => format!("the frame at {position} does not verify, but later ones do"),
        Damage::Sequence { position, expected, found } => format!("the frame at {position} is number {found} instead of {expected}"),
        Damage::Body { position, error } => format!("the frame at {position} is not understood: {error}"),
    }
}
