//! Open segment files and mapped indexes of one shard, in LRUs below the limits of the process.

use super::SegmentId;
use super::lru::Lru;
use crate::log::LogConfig;
use crate::rt::{File, Map, OpenOptions, SharedFile};
use crate::types::TopicPartitionId;
use std::cell::RefCell;
use std::io;
use std::path::Path;
use std::rc::Rc;

/// A segment of a partition, as a key.
pub type SegmentKey = (TopicPartitionId, SegmentId);

/// A segment file open for writing.
pub struct SegmentWriter {
    pub file: File,
    /// The file reaches to here; beyond the written bytes it is zeros.
    pub allocated: u64,
    /// The bytes of the last, partly filled block.
    pub partial: Vec<u8>,
}

/// See the module.
pub struct Files {
    readers: RefCell<Lru<SegmentKey, SharedFile>>,
    writers: RefCell<Lru<SegmentKey, SegmentWriter>>,
    offset_maps: RefCell<Lru<SegmentKey, Rc<Map>>>,
    time_maps: RefCell<Lru<SegmentKey, Rc<Map>>>,
}

impl Files {
    pub fn new(config: &LogConfig) -> Files {
        Files {
            readers: RefCell::new(Lru::new(config.open_files_max / 2)),
            writers: RefCell::new(Lru::new(config.open_files_max / 2)),
            offset_maps: RefCell::new(Lru::new(config.index_maps_max / 2)),
            time_maps: RefCell::new(Lru::new(config.index_maps_max / 2)),
        }
    }

    /// A handle for reading the segment's file at `path`.
    pub async fn reader(&self, key: SegmentKey, path: &Path) -> io::Result<SharedFile> {
        if let Some(file) = self.readers.borrow_mut().get(&key) {
            return Ok(file.clone());
        }
        let file = SharedFile::open(path).await?;
        self.readers.borrow_mut().insert(key, file.clone());
        Ok(file)
    }

    /// The segment's writer, if it is open. Only the partition's one flush takes it, and puts it back.
    pub fn take_writer(&self, key: &SegmentKey) -> Option<SegmentWriter> {
        self.writers.borrow_mut().remove(key)
    }

    pub fn put_writer(&self, key: SegmentKey, writer: SegmentWriter) {
        self.writers.borrow_mut().insert(key, writer);
    }

    pub async fn open_writer(path: &Path) -> io::Result<File> {
        File::open(path, OpenOptions { write: true, create: true, direct: true, durable: false }).await
    }

    /// The mapped `.index` (`offsets`) or `.timeindex` at `path`.
    pub async fn map(&self, offsets: bool, key: SegmentKey, path: &Path) -> io::Result<Rc<Map>> {
        let maps = if offsets { &self.offset_maps } else { &self.time_maps };
        let known: Option<Rc<Map>> = maps.borrow_mut().get(&key).map(|map| Rc::clone(map)).filter(|map| !map.is_poisoned());
        if let Some(map) = known {
            return Ok(map);
        }
        let map = Rc::new(Map::open(path).await?);
        maps.borrow_mut().insert(key, Rc::clone(&map));
        Ok(map)
    }

    /// The index files of this segment have changed.
    pub fn forget_maps(&self, key: &SegmentKey) {
        self.offset_maps.borrow_mut().remove(key);
        self.time_maps.borrow_mut().remove(key);
    }

    /// Closes what is open of a segment that left its log. Handles that were given out stay.
    pub fn forget_segment(&self, key: &SegmentKey) {
        self.readers.borrow_mut().remove(key);
        self.writers.borrow_mut().remove(key);
        self.forget_maps(key);
    }

    /// Closes everything of a partition.
    pub fn forget_partition(&self, id: TopicPartitionId) {
        self.readers.borrow_mut().retain(|key| key.0 != id);
        self.writers.borrow_mut().retain(|key| key.0 != id);
        self.offset_maps.borrow_mut().retain(|key| key.0 != id);
        self.time_maps.borrow_mut().retain(|key| key.0 != id);
    }
}
