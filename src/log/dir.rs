//! One log directory as one shard uses it: its health, its journal, and the partitions that have something to write.

use super::health::DirHealth;
use super::journal::Journal;
use super::memory::MemoryBudget;
use super::new_dirs::NewDirs;
use super::segment::files::Files;
use super::space::Space;
use super::unlinks::Unlinks;
use super::{LogConfig, PartitionLog};
use crate::rt::fs::{self, FileSystem};
use crate::rt::sync::{QueueSender, Semaphore};
use crate::types::{PartitionIndex, TopicPartitionId};
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::io;
use std::path::PathBuf;
use std::rc::Rc;

const REBUILDS_AT_ONCE: u64 = 2;

pub struct LogDir {
    pub health: Rc<DirHealth>,
    /// `None` if it was offline from the start.
    file_system: Option<FileSystem>,
    pub space: Space,
    /// `None` while journals are replayed: then only segments make anything durable. `None` also if it was offline from the start.
    pub journal: Option<Rc<Journal>>,
    pub files: Rc<Files>,
    pub memory: Rc<MemoryBudget>,
    pub config: Rc<LogConfig>,
    /// Partitions with batches that are not yet durable in a segment.
    pub dirty: RefCell<BTreeMap<TopicPartitionId, Rc<PartitionLog>>>,
    /// Partitions whose tail should be written soon.
    pub flushes: QueueSender<Rc<PartitionLog>>,
    /// Files of deleted segments.
    pub unlinks: Unlinks,
    pub new_dirs: NewDirs,
    /// Held while its file system is synced.
    syncing: Semaphore,
    /// Turns to make a segment's indexes anew: however many are wrong, the disk is left to others.
    pub rebuilds: Semaphore,
    /// Held by who writes its checkpoint file: a stop may come while one is written.
    pub checkpointing: Semaphore,
    /// Journal frames with log start offsets that no checkpoint has yet.
    log_start_holds: RefCell<Vec<u64>>,
}

impl LogDir {
    pub fn new(
        health: Rc<DirHealth>,
        (file_system, space): (Option<FileSystem>, Space),
        journal: Option<Rc<Journal>>,
        shared: (Rc<Files>, Rc<MemoryBudget>, Rc<LogConfig>),
        flushes: QueueSender<Rc<PartitionLog>>,
    ) -> LogDir {
        let (files, memory, config) = shared;
        let (dirty, unlinks, log_start_holds) = (RefCell::default(), Unlinks::default(), RefCell::default());
        let (rebuilds, checkpointing) = (Semaphore::new(REBUILDS_AT_ONCE), Semaphore::new(1));
        LogDir {
            health,
            file_system,
            space,
            journal,
            files,
            memory,
            config,
            dirty,
            flushes,
            unlinks,
            new_dirs: NewDirs::default(),
            syncing: Semaphore::new(1),
            rebuilds,
            checkpointing,
            log_start_holds,
        }
    }

    /// So many bytes came into a tail.
    pub fn appended(&self, bytes: u64) {
        if !self.space.take(bytes) {
            self.health.set_full(true);
        }
    }

    /// Looks how much space there is.
    pub async fn look_for_space(&self) {
        let unwritten = || self.dirty.borrow().values().map(|log| log.unwritten_bytes()).sum();
        match fs::free_space(self.health.path()).await {
            Ok(free) => self.health.set_full(self.space.look(free, unwritten(), self.health.is_full())),
            Err(error) => tracing::warn!(dir = %self.health.path().display(), "asking for free space: {error}"),
        }
    }

    /// The journal is about to run out of room.
    pub fn is_short_of_journal(&self) -> bool {
        self.journal.as_ref().is_some_and(|journal| journal.is_short())
    }

    /// Makes everything in the directory's file system durable that was written so far; false if that cannot be said, and the directory is offline.
    /// One after the other: the kernel tells only one of several that data is lost, and the others would believe it safe.
    pub async fn sync_file_system(&self) -> bool {
        let _one = self.syncing.acquire(1).await;
        if self.health.is_offline() {
            return false;
        }
        let synced = match &self.file_system {
            Some(file_system) => file_system.sync().await,
            None => Err(io::ErrorKind::NotFound.into()),
        };
        if let Err(error) = synced {
            self.health.fail("syncing the file system", error);
        }
        !self.health.is_offline()
    }

    pub fn path_of(&self, topic: &str, partition: PartitionIndex) -> PathBuf {
        self.health.path().join(format!("{topic}-{partition}"))
    }

    /// A log start offset is in this held frame of the journal.
    pub fn log_start_moved(&self, hold: u64) {
        self.log_start_holds.borrow_mut().push(hold);
    }

    pub fn take_log_start_holds(&self) -> Vec<u64> {
        self.log_start_holds.take()
    }

    pub fn return_log_start_holds(&self, holds: Vec<u64>) {
        self.log_start_holds.borrow_mut().extend(holds);
    }

    pub fn release_log_start_holds(&self, holds: Vec<u64>) {
        if let Some(journal) = &self.journal {
            holds.into_iter().for_each(|hold| journal.release(hold));
        }
    }
}
