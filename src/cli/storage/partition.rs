//! A partition's directory as it lies there: its segments and the files beside them.

use super::directory::list;
use crate::log::format::{
    LEADER_EPOCH_CHECKPOINT, PARTITION_METADATA, PartitionDirectory, SegmentFile, SegmentFileKind, decode_partition_metadata,
    is_foreign_to_partition,
};
use crate::types::{Offset, TopicId, TopicPartitionId};
use bytes::Bytes;
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

/// Keeps the partition offline; the broker writes it.
const DAMAGED_NAME: &str = "ringmill-damaged";

/// See the module.
pub struct PartitionFiles {
    pub path: PathBuf,
    pub directory: PartitionDirectory,
    pub topic_id: Option<TopicId>,
    /// By base offset, with sizes.
    pub segments: BTreeMap<Offset, u64>,
    /// Every other file of a segment, with its size.
    pub beside: BTreeMap<SegmentFile, u64>,
    pub has_epochs: bool,
    /// Why the broker keeps it offline.
    pub damaged: Option<String>,
    pub foreign: Vec<String>,
    /// What cannot be read.
    pub faults: Vec<(PathBuf, String)>,
}

impl PartitionFiles {
    pub fn list(root: &Path, name: &str, directory: PartitionDirectory) -> Result<PartitionFiles, String> {
        let path = root.join(name);
        let mut files = PartitionFiles {
            path: path.clone(),
            directory,
            topic_id: None,
            segments: BTreeMap::new(),
            beside: BTreeMap::new(),
            has_epochs: false,
            damaged: None,
            foreign: Vec::new(),
            faults: Vec::new(),
        };
        for (name, is_dir, len) in list(&path)? {
            files.take(&name, is_dir, len);
        }
        Ok(files)
    }

    fn take(&mut self, name: &str, is_dir: bool, len: u64) {
        let path = self.path.join(name);
        match SegmentFile::parse(name) {
            Some(file) if !is_dir && file == SegmentFile::live(file.base_offset, SegmentFileKind::Log) => {
                self.segments.insert(file.base_offset, len);
            }
            Some(file) if !is_dir => {
                self.beside.insert(file, len);
            }
            _ if name == PARTITION_METADATA => match fs::read(&path).map(|bytes| decode_partition_metadata(&bytes)) {
                Ok(Ok(id)) => self.topic_id = Some(id),
                Ok(Err(error)) => self.faults.push((path, error.to_string())),
                Err(error) => self.faults.push((path, error.to_string())),
            },
            _ if name == LEADER_EPOCH_CHECKPOINT => self.has_epochs = true,
            _ if name == DAMAGED_NAME => {
                self.damaged = Some(fs::read_to_string(&path).unwrap_or_else(|error| error.to_string()).trim_end().to_owned());
            }
            _ if is_foreign_to_partition(name, is_dir) => self.foreign.push(name.to_owned()),
            _ => {}
        }
    }

    pub fn id(&self) -> Option<TopicPartitionId> {
        Some(TopicPartitionId { topic_id: self.topic_id?, partition: self.directory.partition })
    }

    /// `topic-partition`.
    pub fn name(&self) -> String {
        self.directory.to_string()
    }

    pub fn bytes(&self) -> u64 {
        self.segments.values().sum()
    }

    pub fn file(&self, base: Offset, kind: SegmentFileKind) -> PathBuf {
        self.path.join(SegmentFile::live(base, kind).to_string())
    }

    pub fn epochs_path(&self) -> PathBuf {
        self.path.join(LEADER_EPOCH_CHECKPOINT)
    }

    /// Offsets of the live files of a kind.
    pub fn offsets_of(&self, kind: SegmentFileKind) -> Vec<Offset> {
        let live = self.beside.keys().filter(|file| **file == SegmentFile::live(file.base_offset, kind));
        live.map(|file| file.base_offset).collect()
    }

    /// The bytes of a file beside a segment; empty if there is none.
    pub fn read_beside(&self, base: Offset, kind: SegmentFileKind) -> Result<Bytes, String> {
        if !self.beside.contains_key(&SegmentFile::live(base, kind)) {
            return Ok(Bytes::new());
        }
        let path = self.file(base, kind);
        fs::read(&path).map(Bytes::from).map_err(|error| format!("{}: {error}", path.display()))
    }
}
