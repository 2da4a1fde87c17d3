//! Makes a segment's indexes anew from the headers of its batches.
//!
//! The walk runs beside appends and reads, a few segments of a log directory at a time; only the exchange takes the segments' lock. For the active
//! segment the new index stays in memory until the next index checkpoint writes it; for a sealed one the files are replaced at once.

use super::PartitionLog;
use crate::log::format::{AbortedTransaction, SegmentFileKind, TxnIndex, decode_producer_snapshot};
use crate::log::load::SNAPSHOT_BYTES_MAX;
use crate::log::producer::ProducerStates;
use crate::log::segment::scan::HeaderWalk;
use crate::log::segment::{Segment, SegmentId, path};
use crate::rt::{self, Queue, SharedFile, fs, yield_if_needed};
use crate::types::{Offset, Timestamp};
use crate::wire::records::{BatchHeader, RecordBatch};
use bytes::Bytes;
use std::io;

/// An index in the making: a segment of which only size, index and largest timestamp count.
struct Rebuilt {
    segment: Segment,
    /// The batches end before the segment does.
    damage: Option<io::Error>,
}

impl PartitionLog {
    /// As [`Self::rebuild_indexes`], behind the caller's back: its look-up was right all the same. Once for each segment.
    pub(super) fn rebuild_later(&self, id: SegmentId, why: &str) {
        let wanted = self.state.borrow().find(id).is_some_and(|segment| segment.sealed && segment.index.rebuilt == 0);
        let (Some(this), true) = (self.this.upgrade(), wanted) else { return };
        let why = why.to_owned();
        rt::spawn(Queue::Background, async move { this.rebuild_indexes(id, &why).await });
    }

    /// Waits until the segment's indexes are made anew, by this call or by another one under way.
    pub(super) async fn rebuild_indexes(&self, id: SegmentId, why: &str) {
        let count = || self.state.borrow().find(id).map(|segment| segment.index.rebuilt);
        let before = count();
        let _turn = self.dir.rebuilds.acquire(1).await;
        if before.is_none() || count() != before || self.is_offline() {
            return;
        }
        let file = path(&self.path(), id.base, SegmentFileKind::Log);
        tracing::warn!("{}: making its indexes anew: {why}", file.display());
        if let Err(error) = self.rebuild(id).await {
            self.segment_failed(id, &error);
        }
    }

    async fn rebuild(&self, id: SegmentId) -> io::Result<()> {
        let Ok(Some(file)) = self.segment_file(id).await else { return Ok(()) };
        let mut rebuilt = Rebuilt { segment: Segment::new(id.base, Timestamp::NONE), damage: None };
        self.extend(&mut rebuilt, id, &file).await?;
        let Ok(_lock) = self.lock_segments().await else { return Ok(()) };
        // What was written meanwhile.
        self.extend(&mut rebuilt, id, &file).await?;
        let damage = rebuilt.damage.take();
        if let Some(sealed) = self.exchange(id, rebuilt, damage.is_none()) {
            self.replace_files(id, sealed).await?;
        }
        damage.map_or(Ok(()), Err)
    }

    /// Takes the batches up to what is written by now.
    async fn extend(&self, rebuilt: &mut Rebuilt, id: SegmentId, file: &SharedFile) -> io::Result<()> {
        let interval = self.config().index_interval_bytes;
        let Some(written) = self.state.borrow().find(id).map(|segment| segment.written) else { return Ok(()) };
        let mut walk = HeaderWalk::new(file, rebuilt.segment.size, written);
        while rebuilt.damage.is_none() {
            match walk.next().await {
                Ok(Some((header, _, size))) => {
                    rebuilt.segment.append(&header, size as usize, interval);
                }
                Ok(None) => break,
                Err(error) if error.kind() == io::ErrorKind::InvalidData => rebuilt.damage = Some(error),
                Err(error) => return Err(error),
            }
            yield_if_needed().await;
        }
        Ok(())
    }

    /// Puts the new index in the old one's place; its bytes, if they shall be written now: the segment is sealed and `whole`.
    fn exchange(&self, id: SegmentId, rebuilt: Rebuilt, whole: bool) -> Option<(Vec<u8>, Vec<u8>)> {
        let interval = self.config().index_interval_bytes;
        let mut guard = self.state.borrow_mut();
        let state = &mut *guard;
        let mut fresh = rebuilt.segment;
        let written_end = state.written_end;
        let segment = state.find(id)?;
        if !segment.sealed && whole {
            // Appended, but not in the file.
            for batch in state.tail.iter().filter(|batch| batch.segment == id.base && batch.base >= written_end) {
                let header = BatchHeader::read(&batch.bytes).expect("the tail holds whole batches");
                fresh.append(&header, batch.bytes.len(), interval);
            }
        }
        let (sealed, size) = (segment.sealed, segment.size);
        if whole && fresh.size != size {
            // Cut or replaced meanwhile: the next look-up tells.
            return None;
        }
        if sealed {
            fresh.index_max_timestamp();
        }
        let segment = state.find_mut(id)?;
        fresh.index.rebuilt = segment.index.rebuilt + 1;
        fresh.index.checked = true;
        segment.index = fresh.index;
        if whole {
            segment.max_timestamp = fresh.max_timestamp;
            segment.max_known = true;
        }
        let bytes = (segment.index.offsets.bytes().to_vec(), segment.index.times.bytes().to_vec());
        drop(guard);
        self.dir.files.forget_maps(&(self.id, id));
        (sealed && whole).then_some(bytes)
    }

    async fn replace_files(&self, id: SegmentId, (offsets, times): (Vec<u8>, Vec<u8>)) -> io::Result<()> {
        let dir = self.path();
        fs::write_file(&path(&dir, id.base, SegmentFileKind::OffsetIndex), &offsets).await?;
        fs::write_file(&path(&dir, id.base, SegmentFileKind::TimeIndex), &times).await?;
        self.dir.files.forget_maps(&(self.id, id));
        if let Some(segment) = self.state.borrow_mut().find_mut(id) {
            segment.index.persisted(id.base, offsets.len(), times.len());
        }
        Ok(())
    }

    /// Makes a segment's index of aborted transactions anew, from its markers and the transactions that were open where it begins.
    pub(super) async fn rebuild_transactions(&self, id: SegmentId, why: &str) {
        let file = path(&self.path(), id.base, SegmentFileKind::TxnIndex);
        tracing::warn!("{}: making it anew: {why}", file.display());
        let made = async {
            let Ok(Some(log)) = self.segment_file(id).await else { return Ok(()) };
            let bytes = self.aborted_in(id, &log, Offset(i64::MAX)).await?;
            self.write_transactions(id, &bytes).await
        };
        if let Err(error) = made.await {
            self.segment_failed(id, &error);
        }
    }

    async fn write_transactions(&self, id: SegmentId, bytes: &[u8]) -> io::Result<()> {
        let file = path(&self.path(), id.base, SegmentFileKind::TxnIndex);
        let Ok(_lock) = self.lock_segments().await else { return Ok(()) };
        if self.is_listed(id) { fs::write_file(&file, bytes).await } else { Ok(()) }
    }

    /// As [`Self::rebuild_transactions`] where there is no index; its bytes. Written only if the segment needs one: most need none.
    pub(super) async fn find_transactions(&self, id: SegmentId) -> io::Result<Bytes> {
        // Of readers who ask at the same time, the first finds out.
        let _turn = self.dir.rebuilds.acquire(1).await;
        let Ok(Some(log)) = self.segment_file(id).await else { return Ok(Bytes::new()) };
        let bytes = self.aborted_in(id, &log, Offset(i64::MAX)).await?;
        if !bytes.is_empty() {
            tracing::warn!("{}: it is missing, making it anew", path(&self.path(), id.base, SegmentFileKind::TxnIndex).display());
            self.write_transactions(id, &bytes).await?;
        }
        Ok(bytes.into())
    }

    /// The aborted transactions of a segment whose markers lie below `upto`, out of its file.
    pub(super) async fn scan_aborted(&self, id: SegmentId, upto: Offset) -> io::Result<Vec<AbortedTransaction>> {
        let Ok(Some(log)) = self.segment_file(id).await else { return Ok(Vec::new()) };
        let bytes = self.aborted_in(id, &log, upto).await?;
        Ok(TxnIndex::new(&bytes).entries().collect())
    }

    async fn aborted_in(&self, id: SegmentId, log: &SharedFile, upto: Offset) -> io::Result<Vec<u8>> {
        let snapshot = path(&self.path(), id.base, SegmentFileKind::ProducerSnapshot);
        let open = fs::read_file(&snapshot, SNAPSHOT_BYTES_MAX).await.ok().and_then(|bytes| decode_producer_snapshot(&bytes).ok());
        let mut producers = ProducerStates::from_snapshot(&open.unwrap_or_default(), Timestamp(i64::MIN), i64::MAX);
        let Some(written) = self.state.borrow().find(id).map(|segment| segment.written) else { return Ok(Vec::new()) };
        let (mut walk, mut bytes) = (HeaderWalk::new(log, 0, written), Vec::new());
        while let Some((header, position, size)) = walk.next().await? {
            if header.base_offset >= upto {
                break;
            }
            if header.attributes.is_transactional() {
                let mut batch = log.read_at(position, size as usize).await?;
                let batch = RecordBatch::split_from(&mut batch).map_err(io::Error::other)?;
                let aborted = producers.record(&batch).and_then(|completed| completed.aborted_transaction());
                bytes.extend(aborted.into_iter().flat_map(|aborted| aborted.to_bytes()));
            }
            yield_if_needed().await;
        }
        Ok(bytes)
    }
}
