//! One pass over one partition: the last offset of every dirty key, then all segments below written anew with what survives.
//!
//! Runs as a background task of the partition's core; every loop gives the core away often, and large batches are rebuilt on the blocking
//! pool. Groups of segments are replaced one after the other, oldest first, so a pass that is interrupted has done no harm: the next one
//! begins at the same dirty offset.

use super::cleaned::{self, CleanedSegment};
use super::dirty::{Cleanable, GroupedSegment, group};
use super::key_hash::KeyHasher;
use super::offset_map::OffsetMap;
use super::rewrite::{Rewrite, Survivors};
use super::source::Source;
use super::survivors::{BatchFate, Round};
use super::throttle::Throttle;
use super::transactions::PassedTransactions;
use super::{CleanerConfig, Compaction, Interrupted};
use crate::log::PartitionLog;
use crate::log::format::{AbortedTransaction, SegmentFileKind};
use crate::log::segment::{Segment, SegmentId, path};
use crate::rt;
use crate::types::Offset;
use crate::wire::records::{RecordBatch, Records};
use std::rc::Rc;
use std::time::Duration;

/// Batches with more in them are rebuilt on the blocking pool: compressing 64 KiB takes up to a millisecond.
const REBUILD_INLINE_BYTES: usize = 64 << 10;
/// What reading and writing takes beside the map, about.
const BUFFER_BYTES: u64 = 1 << 20;
const REST_AT_ONCE: Duration = Duration::from_millis(20);

/// A sealed segment that a pass reads.
#[derive(Clone, Copy, Debug)]
pub struct SourceSegment {
    pub id: SegmentId,
    pub grouped: GroupedSegment,
    /// The base offset of the next segment.
    pub end: Offset,
}

impl SourceSegment {
    pub fn of(segment: &Segment, end: Offset) -> SourceSegment {
        let grouped = GroupedSegment {
            base: segment.base,
            log_bytes: segment.size,
            offset_index_bytes: segment.index.offsets_on_disk + segment.index.offsets.bytes().len() as u64,
            time_index_bytes: segment.index.times_on_disk + segment.index.times.bytes().len() as u64,
        };
        SourceSegment { id: segment.id(), grouped, end }
    }
}

/// What a pass did.
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug)]
pub struct PassStats {
    /// Different keys in the dirty part, as far as they fit the map.
    pub keys: u64,
    pub bytes_read: u64,
    pub bytes_written: u64,
    pub records_read: u64,
    pub records_kept: u64,
}

pub struct Pass<'a> {
    pub log: &'a Rc<PartitionLog>,
    pub cleanable: Cleanable,
    pub config: &'a CleanerConfig,
    pub throttle: &'a mut Throttle,
    pub compaction: &'a Compaction,
    pub stats: PassStats,
    aborted: Vec<AbortedTransaction>,
}

impl<'a> Pass<'a> {
    pub fn new(
        log: &'a Rc<PartitionLog>,
        cleanable: Cleanable,
        config: &'a CleanerConfig,
        throttle: &'a mut Throttle,
        compaction: &'a Compaction,
    ) -> Pass<'a> {
        Pass { log, cleanable, config, throttle, compaction, stats: PassStats::default(), aborted: Vec::new() }
    }

    /// Compacts; the end (exclusive) of what is compacted now.
    pub async fn run(&mut self) -> Result<Offset, Interrupted> {
        cleaned::remove_all(&self.log.path()).await.map_err(|error| Interrupted::Read(self.log.path(), error))?;
        self.aborted = self.read_aborted().await?;
        // The budget's part for background work may be less than what is configured: then there are more passes.
        let memory = self.log.dir().memory.acquire(self.map_bytes() + BUFFER_BYTES).await;
        let map = self.map_keys(self.map_bytes().min(memory.bytes() - memory.bytes().min(BUFFER_BYTES).min(memory.bytes() / 2))).await?;
        self.stats.keys = map.len() as u64;
        let end = map.end().unwrap_or(self.cleanable.first_dirty);
        let config = self.log.config();
        let mut round = Round {
            map,
            now: rt::wall_clock(),
            delete_retention_ms: config.delete_retention_ms,
            upper_bound: self.cleanable.first_uncleanable,
            producers: self.log.last_of_producers(),
        };
        let sources: Vec<SourceSegment> = self.log.sources(end);
        let grouped: Vec<GroupedSegment> = sources.iter().map(|source| source.grouped).collect();
        let counts = group(&grouped, self.cleanable.first_uncleanable, config.segment_bytes, config.segment_index_bytes);
        let mut transactions = PassedTransactions::default();
        let mut rest = &sources[..];
        let mut done = Ok(end);
        for count in counts {
            let (sources, after) = rest.split_at(count);
            rest = after;
            if let Err(interrupted) = self.clean_group(sources, &round, &mut transactions).await {
                done = Err(interrupted);
                break;
            }
        }
        // Giving much memory back takes milliseconds.
        let map = std::mem::replace(&mut round.map, OffsetMap::new(KeyHasher::new([0, 0]), 0, 0.0));
        rt::blocking(move || drop(map)).await;
        done
    }

    fn check(&self) -> Result<(), Interrupted> {
        if self.compaction.must_end(self.log.id()) || self.log.is_offline() { Err(Interrupted::Stopped) } else { Ok(()) }
    }

    async fn rest_after(&mut self, bytes: u64) {
        let rate = self.compaction.bytes_per_second();
        self.throttle.set_rate(rate, rt::now());
        let rest = if bytes > 0 { self.throttle.rest_after(bytes, rt::now()) } else { None };
        let until = rt::now() + rest.unwrap_or_default();
        // A stop does not wait for the throttle, nor does a new rate for the old one.
        while rt::now() < until && self.check().is_ok() && self.compaction.bytes_per_second() == rate {
            rt::sleep((until - rt::now()).min(REST_AT_ONCE)).await;
        }
    }

    /// The next batch, after a look around.
    async fn next(&mut self, source: &mut Source) -> Result<Option<RecordBatch>, Interrupted> {
        self.check()?;
        rt::yield_if_needed().await;
        let Some((batch, bytes)) = source.next().await? else { return Ok(None) };
        self.rest_after(bytes).await;
        Ok(Some(batch))
    }

    async fn open(&self, segment: &SourceSegment) -> Result<Source, Interrupted> {
        let file = path(&self.log.path(), segment.grouped.base, SegmentFileKind::Log);
        Source::open(&file, segment.grouped.base, segment.grouped.log_bytes, self.config.io_buffer_bytes).await
    }

    /// The aborted transactions of all segments, by the offsets of their markers.
    async fn read_aborted(&self) -> Result<Vec<AbortedTransaction>, Interrupted> {
        let mut found = Vec::new();
        for base in self.log.all_segment_bases() {
            let file = path(&self.log.path(), base, SegmentFileKind::TxnIndex);
            found.extend(self.log.aborted_of(base).await.map_err(|error| Interrupted::Read(file, error))?);
        }
        Ok(found)
    }

    /// Those that a reader of these offsets must know.
    fn aborted_between(&self, from: Offset, to: Offset) -> impl Iterator<Item = AbortedTransaction> + '_ {
        self.aborted.iter().filter(move |found| found.last_offset >= from && found.first_offset < to).copied()
    }

    /// The records that may have a key to be mapped, at most.
    fn keys_max(&self) -> u64 {
        (self.cleanable.first_uncleanable.0 - self.cleanable.first_dirty.0).max(0) as u64
    }

    fn map_bytes(&self) -> u64 {
        self.config.dedupe_buffer_bytes.min(OffsetMap::bytes_for(self.keys_max()))
    }

    /// Maps the keys of the dirty part, or as much of it as fits `bytes`.
    async fn map_keys(&mut self, bytes: u64) -> Result<OffsetMap, Interrupted> {
        let Cleanable { first_dirty, first_uncleanable, .. } = self.cleanable;
        let hasher = KeyHasher::new([rt::random_u64(), rt::random_u64()]);
        let mut map = OffsetMap::new(hasher, bytes, self.config.dedupe_load_factor);
        let mut transactions = PassedTransactions::default();
        transactions.add_aborted(self.aborted_between(first_dirty, first_uncleanable));
        for segment in self.log.sources(first_uncleanable).iter().filter(|segment| segment.end > first_dirty) {
            let mut source = self.open(segment).await?;
            while let Some(batch) = self.next(&mut source).await? {
                if batch.last_offset() < first_dirty {
                    continue;
                }
                let is_control = batch.attributes.is_control();
                if is_control {
                    transactions.on_control(&batch);
                } else if !transactions.on_batch(batch.header()) && !map_batch(&batch, first_dirty, &mut map).await? {
                    return Ok(map);
                }
                map.reached(batch.last_offset());
            }
            map.reached(segment.end.plus(-1));
        }
        Ok(map)
    }

    async fn clean_group(
        &mut self,
        sources: &[SourceSegment],
        round: &Round,
        transactions: &mut PassedTransactions,
    ) -> Result<(), Interrupted> {
        let written = self.write_group(sources, round, transactions).await;
        let ids: Vec<SegmentId> = sources.iter().map(|source| source.id).collect();
        let replaced = match written {
            Ok(segment) => self.log.replace_segments(&ids, sources[sources.len() - 1].end, segment).await,
            Err(interrupted) => Err(interrupted),
        };
        if replaced.is_err() && !self.log.is_offline() {
            // What stays is removed by the next pass, or the next start.
            let _ = cleaned::remove_all(&self.log.path()).await;
        }
        replaced
    }

    async fn write_group(
        &mut self,
        sources: &[SourceSegment],
        round: &Round,
        transactions: &mut PassedTransactions,
    ) -> Result<Segment, Interrupted> {
        let config = self.log.config();
        let base = sources[0].grouped.base;
        let mut cleaned =
            CleanedSegment::create(&self.log.path(), base, round.now, config.index_interval_bytes, !self.aborted.is_empty()).await?;
        for segment in sources {
            transactions.add_aborted(self.aborted_between(segment.grouped.base, segment.end));
            let mut source = self.open(segment).await?;
            while let Some(batch) = self.next(&mut source).await? {
                self.stats.bytes_read += batch.size() as u64;
                self.stats.records_read += batch.count.max(0) as u64;
                let fate = round.judge(&batch, transactions);
                if let Some(aborted) = fate.aborted {
                    cleaned.aborted(aborted);
                }
                if fate.is_removed() {
                    continue;
                }
                let Some(batch) = self.rewrite(round, &batch, &fate).await? else { continue };
                self.stats.bytes_written += batch.size() as u64;
                let bytes = cleaned.append(&batch).await?;
                self.rest_after(bytes).await;
            }
        }
        self.check()?;
        Ok(cleaned.finish().await?)
    }

    async fn rewrite(&mut self, round: &Round, batch: &RecordBatch, fate: &BatchFate) -> Result<Option<RecordBatch>, Interrupted> {
        let mut survivors = Survivors::default();
        if !fate.discard {
            for record in records(batch).await? {
                survivors.add(round, batch, fate, record.map_err(|error| damaged(batch, &error))?);
                rt::yield_if_needed().await;
            }
        }
        self.stats.records_kept += survivors.count() as u64;
        Ok(match survivors.conclude(round, batch, fate) {
            Rewrite::Removed => None,
            Rewrite::Done(batch) => Some(batch),
            Rewrite::Rebuild(rebuild) if rebuild.size() > REBUILD_INLINE_BYTES => Some(rt::blocking(move || rebuild.build()).await),
            Rewrite::Rebuild(rebuild) => Some(rebuild.build()),
        })
    }
}

/// Puts the keys of a batch from `from` on; false once the map is full.
async fn map_batch(batch: &RecordBatch, from: Offset, map: &mut OffsetMap) -> Result<bool, Interrupted> {
    for record in records(batch).await? {
        let record = record.map_err(|error| damaged(batch, &error))?;
        if let Some(key) = record.key.filter(|_| record.offset >= from) {
            if map.is_full() {
                return Ok(false);
            }
            map.put(&key, record.offset);
        }
        rt::yield_if_needed().await;
    }
    Ok(true)
}

/// The batch's records, decompressed in steps.
async fn records(batch: &RecordBatch) -> Result<Records, Interrupted> {
    let mut expansion = batch.expand().map_err(|error| damaged(batch, &error))?;
    while expansion.advance().map_err(|error| damaged(batch, &error))? {
        rt::yield_if_needed().await;
    }
    Ok(expansion.into_records())
}

fn damaged(batch: &RecordBatch, error: &dyn std::fmt::Display) -> Interrupted {
    Interrupted::Damaged(format!("the batch at offset {}: {error}", batch.base_offset))
}
