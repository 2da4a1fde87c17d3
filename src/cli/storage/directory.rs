//! A log directory as it lies there: its lock, identity, checkpoints, journals and partitions.

use super::journal::{Journal, list_journals};
use super::partition::PartitionFiles;
use crate::controller::metadata_log_fault_of;
use crate::log::format::{
    CLEAN_SHUTDOWN, CLEANER_OFFSET_CHECKPOINT, DirectoryStage, LOG_START_OFFSET_CHECKPOINT, META_PROPERTIES, MetaProperties,
    PartitionDirectory, RECOVERY_POINT_CHECKPOINT, decode_offset_checkpoint, is_foreign_to_root,
};
use crate::log::inspect::{Checkpoint, Checkpoints, decode_checkpoints, is_checkpoint_name, merge};
use crate::types::{Offset, PartitionIndex};
use std::collections::BTreeMap;
use std::fs::{self, File, TryLockError};
use std::io;
use std::path::{Path, PathBuf};

const LOCK_NAME: &str = ".lock";
/// Ringmill's notes of what is compacted name partitions by topic id, Kafka's by topic.
const CLEANER_PREFIX: &str = "ringmill-cleaner";

/// See the module.
pub struct Directory {
    pub path: PathBuf,
    pub properties: Option<MetaProperties>,
    /// The last user stopped cleanly.
    pub clean: bool,
    /// Ringmill has been here; else it is Kafka's, or nobody's.
    pub ours: bool,
    pub checkpoints: Checkpoints,
    kafka_recovery_points: ByName,
    kafka_log_starts: ByName,
    cleaned: ByName,
    pub journals: Vec<Journal>,
    pub partitions: Vec<PartitionFiles>,
    /// Files and directories that are nothing of Kafka's or ours.
    pub foreign: Vec<String>,
    /// What is wrong with files at the root.
    pub faults: Vec<(PathBuf, String)>,
    /// Held while the command runs.
    _lock: Option<File>,
}

type ByName = BTreeMap<(String, PartitionIndex), Offset>;

/// Locks the directory as a broker does, but makes nothing. `None` if no broker was ever here.
fn lock(dir: &Path) -> Result<Option<File>, String> {
    let path = dir.join(LOCK_NAME);
    let file = match File::options().read(true).open(&path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(format!("{}: {error}", path.display())),
    };
    match file.try_lock() {
        Ok(()) => Ok(Some(file)),
        Err(TryLockError::WouldBlock) => Err(format!("{}: a running broker holds this log directory; stop it first", dir.display())),
        Err(TryLockError::Error(error)) => Err(format!("{}: {error}", path.display())),
    }
}

/// Every entry's name, whether it is a directory, and its size; sorted.
pub fn list(dir: &Path) -> Result<Vec<(String, bool, u64)>, String> {
    let named = |error: io::Error| format!("{}: {error}", dir.display());
    let mut entries = Vec::new();
    for entry in fs::read_dir(dir).map_err(named)? {
        let entry = entry.map_err(named)?;
        let metadata = entry.metadata().map_err(named)?;
        entries.push((entry.file_name().to_string_lossy().into_owned(), metadata.is_dir(), metadata.len()));
    }
    entries.sort();
    Ok(entries)
}

impl Directory {
    /// Locks it and reads what is small.
    pub fn open(path: &Path) -> Result<Directory, String> {
        let lock = lock(path)?;
        let entries = list(path)?;
        let mut directory = Directory {
            path: path.to_path_buf(),
            properties: None,
            clean: entries.iter().any(|(name, ..)| name == CLEAN_SHUTDOWN),
            ours: entries.iter().any(|(name, ..)| name.starts_with("ringmill-")),
            checkpoints: Checkpoints::new(),
            kafka_recovery_points: ByName::new(),
            kafka_log_starts: ByName::new(),
            cleaned: ByName::new(),
            journals: list_journals(path, &entries),
            partitions: Vec::new(),
            foreign: Vec::new(),
            faults: Vec::new(),
            _lock: lock,
        };
        for (name, is_dir, _) in &entries {
            directory.take(name, *is_dir)?;
        }
        Ok(directory)
    }

    fn take(&mut self, name: &str, is_dir: bool) -> Result<(), String> {
        if is_dir {
            match PartitionDirectory::parse(name) {
                Some(found) if found.stage == DirectoryStage::Live => self.partitions.push(PartitionFiles::list(&self.path, name, found)?),
                Some(_) => {}
                None if is_foreign_to_root(name, is_dir) => self.foreign.push(format!("{name}/")),
                None => {}
            }
        } else if is_checkpoint_name(name) {
            self.take_checkpoint(name);
        } else if name == META_PROPERTIES {
            match self.read(name).map(|bytes| MetaProperties::decode(&bytes)) {
                Ok(Ok(properties)) => self.properties = Some(properties),
                Ok(Err(error)) => self.fault(name, error.to_string()),
                Err(error) => self.fault(name, error.to_string()),
            }
        } else if name.starts_with("ringmill-metadata-") {
            match self.read(name) {
                Ok(bytes) => {
                    if let Some(what) = metadata_log_fault_of(name, &bytes) {
                        self.fault(name, what);
                    }
                }
                Err(error) => self.fault(name, error.to_string()),
            }
        } else if name == RECOVERY_POINT_CHECKPOINT {
            self.kafka_recovery_points = self.read_by_name(name);
        } else if name == LOG_START_OFFSET_CHECKPOINT {
            self.kafka_log_starts = self.read_by_name(name);
        } else if name == CLEANER_OFFSET_CHECKPOINT || name.starts_with(CLEANER_PREFIX) {
            for (partition, offset) in self.read_by_name(name) {
                let known = self.cleaned.entry(partition).or_default();
                *known = offset.max(*known);
            }
        } else if is_foreign_to_root(name, is_dir) {
            self.foreign.push(name.to_owned());
        }
        Ok(())
    }

    fn read(&self, name: &str) -> io::Result<Vec<u8>> {
        fs::read(self.path.join(name))
    }

    fn fault(&mut self, name: &str, what: String) {
        self.faults.push((self.path.join(name), what));
    }

    fn take_checkpoint(&mut self, name: &str) {
        match self.read(name) {
            Ok(bytes) => match decode_checkpoints(&bytes) {
                Some(found) => merge(&mut self.checkpoints, found),
                None => self.fault(name, "the checkpoint file does not verify".into()),
            },
            Err(error) => self.fault(name, error.to_string()),
        }
    }

    fn read_by_name(&mut self, name: &str) -> ByName {
        let entries = self.read(name).map_err(|error| error.to_string());
        match entries.and_then(|bytes| decode_offset_checkpoint(&bytes).map_err(|error| error.to_string())) {
            Ok(entries) => entries.into_iter().map(|entry| ((entry.topic, entry.partition), entry.offset)).collect(),
            Err(what) => {
                self.fault(name, what);
                ByName::new()
            }
        }
    }

    /// What checkpoints say of a partition: Ringmill's by topic id; Kafka's, by name, where Ringmill has none.
    pub fn checkpoint(&self, partition: &PartitionFiles) -> Checkpoint {
        let own = partition.id().and_then(|id| self.checkpoints.get(&id)).copied();
        let name = (partition.directory.topic.clone(), partition.directory.partition);
        let offset = |found: &ByName| found.get(&name).copied().unwrap_or_default();
        let kafkas = Checkpoint { recovery_point: offset(&self.kafka_recovery_points), log_start: offset(&self.kafka_log_starts) };
        own.unwrap_or(kafkas)
    }

    /// Below, compaction may have left gaps.
    pub fn cleaned_below(&self, partition: &PartitionFiles) -> Offset {
        if !self.clean && !self.cleaned.is_empty() {
            // A crash may have come between a compaction and the note of it; the active segment is never compacted.
            return partition.segments.keys().next_back().copied().unwrap_or_default();
        }
        let number = partition.directory.partition;
        let names = [Some(partition.directory.topic.clone()), partition.topic_id.map(|id| id.to_string())];
        let found = names.into_iter().flatten().filter_map(|name| self.cleaned.get(&(name, number)).copied());
        found.max().unwrap_or_default()
    }
}
