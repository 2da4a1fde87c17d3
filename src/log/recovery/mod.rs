//! Start-up after a crash: journals are replayed into the segments before any partition is opened.
//!
//! Every shard takes its share of the journals found, whoever wrote them. For each: the chain of frames that count (`journal::chain`), what
//! they say about every partition (`summary.rs`), then batches that the segments lack are appended, written and synced, and last the
//! journal starts a new epoch. A journal of which a frame is lost comes after all others, since that frame may have said that a partition left
//! for another shard, whose journal goes on with it. A crash on the way does it all again: what is in a segment already is passed over.

mod replay;
pub(super) mod summary;

use super::dir::LogDir;
use super::health::DirHealth;
use super::journal::files::{self, JournalState};
use super::memory::MemoryBudget;
use super::segment::files::Files;
use super::space::Space;
use super::{LogConfig, LogDirsInfo, OpenError};
use crate::rt::fs::{self, FileSystem};
use crate::rt::sync::queue;
use crate::types::{ShardId, TopicPartitionId};
use replay::Replay;
use std::path::Path;
use std::rc::Rc;

/// What [`recover`] did on one shard.
#[derive(Clone, Debug, Default)]
pub struct Recovered {
    /// Journal frames that counted.
    pub frames: u64,
    /// Batches that the segments lacked and got from the journal.
    pub batches: u64,
    /// Partitions that lost acknowledged data and stay offline, each with what is wrong, file and place included.
    pub damaged: Vec<(TopicPartitionId, String)>,
    /// Log directories that could not be read or written, by index, each with the reason: the start goes on without them.
    pub failed_dirs: Vec<(usize, String)>,
    /// A journal that lost a frame was left for [`recover_postponed`].
    pub postponed: bool,
}

/// How many replay journals at the same time.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Company {
    Alone,
    /// Other shards, of other journals. No two of them have the same partition, as long as no release entry is lost.
    Others,
}

/// Replays this shard's share of all journals found into the segments. Every shard calls it once, before any opens its store.
pub async fn recover(config: &LogConfig, dirs: &LogDirsInfo, shard: ShardId, shard_count: u16) -> Result<Recovered, OpenError> {
    let company = if shard_count > 1 { Company::Others } else { Company::Alone };
    recover_dirs(config, dirs, (shard, shard_count), company).await
}

/// Replays the journals that [`recover`] left, one after the other. One shard calls it, after all others' `recover` and before any opens its store.
pub async fn recover_postponed(config: &LogConfig, dirs: &LogDirsInfo, shard_count: u16) -> Result<Recovered, OpenError> {
    let mut all = Recovered::default();
    for shard in 0..shard_count {
        let recovered = recover_dirs(config, dirs, (ShardId(shard), shard_count), Company::Alone).await?;
        all.frames += recovered.frames;
        all.batches += recovered.batches;
        all.damaged.extend(recovered.damaged);
        all.failed_dirs.extend(recovered.failed_dirs);
    }
    Ok(all)
}

async fn recover_dirs(config: &LogConfig, dirs: &LogDirsInfo, share: (ShardId, u16), company: Company) -> Result<Recovered, OpenError> {
    let mut recovered = Recovered::default();
    for (index, dir) in dirs.dirs.iter().enumerate().filter(|(_, dir)| dir.offline.is_none()) {
        match recover_dir(config, &dir.path, share, company, &mut recovered).await {
            Ok(()) => {}
            Err(error) if dirs.may_go_without(index) => recovered.failed_dirs.push((index, error.to_string())),
            Err(error) => return Err(error),
        }
    }
    Ok(recovered)
}

async fn recover_dir(
    config: &LogConfig,
    dir: &Path,
    (shard, shard_count): (ShardId, u16),
    company: Company,
    recovered: &mut Recovered,
) -> Result<(), OpenError> {
    for (journal, ring) in files::list(dir).await? {
        if journal.0 % shard_count != shard.0 {
            continue;
        }
        let replayed = recover_journal(config, dir, journal, (ring.into_keys().collect(), company), recovered).await?;
        recovered.postponed |= !replayed;
        if replayed && journal.0 >= shard_count {
            remove_journal(dir, journal).await?;
        }
    }
    Ok(())
}

/// False if the journal must be replayed alone, and this is not the time.
async fn recover_journal(
    config: &LogConfig,
    dir: &Path,
    journal: ShardId,
    (ring, company): (Vec<usize>, Company),
    recovered: &mut Recovered,
) -> Result<bool, OpenError> {
    let Some(state) = files::read_state(dir, journal).await?.filter(|state| !state.replayed) else { return Ok(true) };
    let (flushes, _nobody) = queue();
    let config = Rc::new(config.clone());
    let file_system = FileSystem::open(dir).await.map_err(|error| OpenError::Io(dir.to_path_buf(), error))?;
    let shared = (Rc::new(Files::new(&config)), Rc::new(MemoryBudget::new(config.tail_bytes_max)), config);
    let log_dir =
        Rc::new(LogDir::new(Rc::new(DirHealth::new(dir.to_path_buf())), (Some(file_system), Space::unbounded()), None, shared, flushes));
    let damaged_before = recovered.damaged.len();
    let replay = Replay::begin(log_dir, journal, state.epoch, ring.clone()).await?;
    if replay.lost_a_frame() && company == Company::Others {
        return Ok(false);
    }
    replay.run(recovered).await?;
    if recovered.damaged.len() > damaged_before {
        set_aside(dir, journal, state.epoch, &ring).await?;
    }
    let epoch = files::next_epoch(Some(state.epoch));
    files::write_state(dir, journal, JournalState { epoch, replayed: true }).await?;
    Ok(true)
}

/// Keeps the ring of a journal with which something is wrong, under another name.
async fn set_aside(dir: &Path, journal: ShardId, epoch: u64, ring: &[usize]) -> Result<(), OpenError> {
    let io = |error| OpenError::Io(dir.to_path_buf(), error);
    for &number in ring {
        let kept = dir.join(format!("ringmill-damaged-{epoch:016x}-{journal}-{number}"));
        fs::rename(&files::ring_path(dir, journal, number), &kept).await.map_err(io)?;
    }
    fs::sync_dir(dir).await.map_err(io)
}

/// Removes the journal of a shard that no longer is.
async fn remove_journal(dir: &Path, journal: ShardId) -> Result<(), OpenError> {
    let io = |error| OpenError::Io(dir.to_path_buf(), error);
    let ring = files::list(dir).await?.remove(&journal).unwrap_or_default();
    for number in ring.into_keys() {
        fs::remove_file(&files::ring_path(dir, journal, number)).await.map_err(io)?;
    }
    fs::sync_dir(dir).await.map_err(io)?;
    // A crash while the journal was made may have left a ring without a state.
    match fs::remove_file(&files::state_path(dir, journal)).await {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(io(error)),
        _ => Ok(()),
    }
}
