//! Open segment files and mapped indexes of one shard, in LRUs below the limits of the process.

use super::SegmentId;
use super::lru::Lru;
use crate::log::LogConfig;
use crate::rt::sync::{Permit, Semaphore};
use crate::rt::{AlignedBuffer, File, Map, OpenOptions, SharedFile};
use crate::types::TopicPartitionId;
use std::cell::{Cell, RefCell};
use std::io;
use std::path::Path;
use std::rc::Rc;

/// A segment of a partition, as a key.
pub type SegmentKey = (TopicPartitionId, SegmentId);

/// Bytes of segment writes under way: what keeps a disk busy. More would only wait there, in copies that no budget knows of.
const WRITES_BYTES_MAX: u64 = 4 << 20;
/// Buffers kept for the next writes to segments, and their sizes.
const SPARE_BUFFERS_MAX: usize = 4;
const SPARE_BYTES: std::ops::RangeInclusive<usize> = 512 << 10..=1 << 20;

/// A segment file open for writing.
pub struct SegmentWriter {
    pub file: Rc<File>,
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
    /// Buffers of writes that are done: fresh memory costs as much as filling it.
    spare: RefCell<Vec<AlignedBuffer>>,
    writes_room: Semaphore,
    /// Writes to segments, and their bytes with what aligns them.
    pub writes: Cell<u64>,
    pub written_bytes: Cell<u64>,
    /// Runs of batches that bypassed the journal.
    pub runs: Cell<u64>,
}

impl Files {
    pub fn new(config: &LogConfig) -> Files {
        Files {
            readers: RefCell::new(Lru::new(config.open_files_max / 2)),
            writers: RefCell::new(Lru::new(config.open_files_max / 2)),
            offset_maps: RefCell::new(Lru::new(config.index_maps_max / 2)),
            time_maps: RefCell::new(Lru::new(config.index_maps_max / 2)),
            spare: RefCell::default(),
            writes_room: Semaphore::new(WRITES_BYTES_MAX),
            writes: Cell::new(0),
            written_bytes: Cell::new(0),
            runs: Cell::new(0),
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

    pub fn has_writer(&self, key: &SegmentKey) -> bool {
        self.writers.borrow().contains(key)
    }

    pub fn put_writer(&self, key: SegmentKey, writer: SegmentWriter) {
        self.writers.borrow_mut().insert(key, writer);
    }

    /// An empty buffer that holds `capacity` bytes, for one write, once so much may be under way. The permit is for as long as the buffer is used.
    pub async fn take_buffer(&self, capacity: usize) -> (AlignedBuffer, Permit) {
        let permit = self.writes_room.acquire((capacity as u64).min(WRITES_BYTES_MAX)).await;
        let mut spare = self.spare.borrow_mut();
        let fits = spare.iter().position(|buffer| buffer.capacity() >= capacity);
        if fits.is_none() && SPARE_BYTES.contains(&capacity) {
            // One that is too small would stay beside it.
            spare.pop();
        }
        (fits.map_or_else(|| AlignedBuffer::with_capacity(capacity), |index| spare.swap_remove(index)), permit)
    }

    /// Keeps a buffer for the next write, if it is of the usual size.
    pub fn put_buffer(&self, mut buffer: AlignedBuffer) {
        if self.spare.borrow().len() < SPARE_BUFFERS_MAX && SPARE_BYTES.contains(&buffer.capacity()) {
            buffer.clear();
            self.spare.borrow_mut().push(buffer);
        }
    }

    /// One write of `bytes` was done.
    pub fn count_write(&self, bytes: u64) {
        self.writes.set(self.writes.get() + 1);
        self.written_bytes.set(self.written_bytes.get() + bytes);
    }

    /// Batches begin to bypass the journal.
    pub fn count_run(&self) {
        self.runs.set(self.runs.get() + 1);
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

    /// Closes what was not used since the last time.
    pub fn close_idle(&self) {
        self.readers.borrow_mut().sweep();
        self.writers.borrow_mut().sweep();
        self.offset_maps.borrow_mut().sweep();
        self.time_maps.borrow_mut().sweep();
    }

    /// Closes everything of a partition.
    pub fn forget_partition(&self, id: TopicPartitionId) {
        self.readers.borrow_mut().retain(|key| key.0 != id);
        self.writers.borrow_mut().retain(|key| key.0 != id);
        self.offset_maps.borrow_mut().retain(|key| key.0 != id);
        self.time_maps.borrow_mut().retain(|key| key.0 != id);
    }
}
