//! Batches and produce requests, made once before the clock starts. A request that is sent is a copy of its head under a new correlation
//! id, and of its batches only where they are small or something in them changes: the time they carry, the producer's sequence.

use super::arguments::{Load, Values};
use crate::Result;
use crate::client::{frame_of, shown};
use bytes::{Bytes, BytesMut};
use ringmill::types::{PartitionIndex, ProducerEpoch, ProducerId, Timestamp};
use ringmill::wire::api::produce::{PartitionProduceData, ProduceRequest, TopicProduceData};
use ringmill::wire::records::{BatchBuilder, Compression, HEADER_SIZE};
use ringmill::wire::{Part, encode_request_frame};
use std::time::{SystemTime, UNIX_EPOCH};

/// Of produce requests: the last that names topics, flexible.
pub const VERSION: i16 = 12;
/// Where the correlation id stands in a frame: behind size, key and version.
const CORRELATION_ID_AT: usize = 8;
/// In a batch, as its layout says.
const CRC_AT: usize = 17;
const ATTRIBUTES_AT: usize = 21;
const PRODUCER_ID_AT: usize = 43;
/// Frames up to this size are sent out of one buffer, with others.
const SMALL: usize = 16 << 10;
/// Different batches that connections share: so many bytes of them, and so many.
const POOL_BYTES: usize = 16 << 20;
const POOL_COUNT: std::ops::RangeInclusive<usize> = 4..=256;
/// What a record without headers has beside key and value, at most.
const RECORD_OVERHEAD: usize = 20;

#[derive(Clone)]
struct Batch {
    bytes: Bytes,
    records: u64,
    /// Where the first record's value stands, if it is not compressed.
    value_at: usize,
}

/// Batches of one load, to be sent to any partition.
pub struct Pool {
    batches: Vec<Batch>,
}

impl Pool {
    pub fn new(load: &Load) -> Result<Pool> {
        let size = load.batch_bytes.max(load.record_bytes);
        let count = (POOL_BYTES / size.max(1)).clamp(*POOL_COUNT.start(), *POOL_COUNT.end());
        let mut random = Random(1);
        Ok(Pool { batches: (0..count).map(|_| batch(load, &mut random)).collect::<Result<_>>()? })
    }
}

fn batch(load: &Load, random: &mut Random) -> Result<Batch> {
    let now = Timestamp(i64::try_from(SystemTime::now().duration_since(UNIX_EPOCH)?.as_millis())?);
    let mut builder = BatchBuilder::new(Compression::of(load.codec.codec()));
    let mut key = load.key_bytes.map(|size| vec![0; size]);
    let (mut value, mut first) = (vec![0; load.record_bytes], None);
    let record = load.record_bytes + load.key_bytes.unwrap_or(0) + RECORD_OVERHEAD;
    while builder.count() == 0 || builder.size_uncompressed() + record <= load.batch_bytes {
        random.fill(&mut value, load.values());
        key.iter_mut().for_each(|key| random.fill(key, Values::Random));
        builder.push(now, key.as_deref(), Some(&value), &[]);
        first.get_or_insert_with(|| value.clone());
    }
    let records = builder.count() as u64;
    let bytes = builder.finish().into_bytes();
    let first = first.unwrap_or_default();
    let value_at = bytes[HEADER_SIZE..].windows(first.len().max(1)).position(|window| window == first).unwrap_or(0) + HEADER_SIZE;
    Ok(Batch { bytes, records, value_at })
}

/// A batch within a frame.
struct Place {
    /// From the start of the frame's first part.
    at: usize,
    size: usize,
    value_at: usize,
    records: i32,
    /// Which of the connection's sequences numbers it.
    sequence: usize,
}

/// A produce request to be sent again and again.
pub struct Template {
    /// The first is copied each time, the others are shared.
    parts: Vec<Bytes>,
    places: Vec<Place>,
    pub bytes: u64,
    pub records: u64,
}

/// A producer's identity and what it numbers its next batches with, by partition.
pub struct Identity {
    pub id: ProducerId,
    pub epoch: ProducerEpoch,
    pub sequences: Vec<i32>,
}

/// What changes from one sending of a template to the next.
pub struct Changes<'a> {
    pub correlation_id: i32,
    pub stamp: Option<u64>,
    pub identity: Option<&'a mut Identity>,
}

impl Template {
    /// Requests for `partitions` in turn, `load.batches` of them each; together they hold every one.
    pub fn all(load: &Load, pool: &Pool, partitions: &[i32], first: usize) -> Result<Vec<Template>> {
        let each = load.batches.min(partitions.len());
        let count = partitions.len().div_ceil(each).max(pool.batches.len().min(8));
        // Batches are checked for nothing twice: each template has others, and connections begin at different ones.
        (0..count).map(|index| Template::new(load, pool, partitions, (index * each, each), first + index)).collect()
    }

    fn new(load: &Load, pool: &Pool, partitions: &[i32], (from, count): (usize, usize), salt: usize) -> Result<Template> {
        let slots: Vec<usize> = (from..from + count).map(|slot| slot % partitions.len()).collect();
        let batches: Vec<&Batch> = (0..count).map(|index| &pool.batches[(salt * count + index) % pool.batches.len()]).collect();
        let data = |(slot, batch): (&usize, &&Batch)| PartitionProduceData {
            index: PartitionIndex(partitions[*slot]),
            records: Some(batch.bytes.clone()),
        };
        let partition_data = slots.iter().zip(&batches).map(data).collect();
        let topic = TopicProduceData { name: load.topic.as_str().into(), partition_data, ..Default::default() };
        let request = ProduceRequest { acks: load.acks, timeout_ms: 30_000, topic_data: vec![topic], ..Default::default() };
        let flat = frame_of(&request, VERSION, 0)?;
        let mut places: Vec<Place> = Vec::with_capacity(count);
        for (slot, batch) in slots.iter().zip(&batches) {
            let from = places.last().map_or(0, |place| place.at + place.size);
            let found = flat[from..].windows(batch.bytes.len()).position(|window| window == batch.bytes);
            let at = from + found.ok_or("a batch is not in its frame")?;
            let (size, records) = (batch.bytes.len(), i32::try_from(batch.records)?);
            places.push(Place { at, size, value_at: batch.value_at, records, sequence: *slot });
        }
        let parts = if flat.len() <= SMALL || load.is_stamped() || load.idempotent { vec![flat.into()] } else { shared(&request)? };
        let records = batches.iter().map(|batch| batch.records).sum();
        Ok(Template { parts, bytes: places.iter().map(|place| place.size as u64).sum(), places, records })
    }

    /// Whether its batches are not copied.
    pub fn is_large(&self) -> bool {
        self.parts.len() > 1 || self.parts[0].len() > SMALL
    }

    pub fn batches(&self) -> u64 {
        self.places.len() as u64
    }

    /// Appends the request to `out`, whose last part is `open`.
    pub fn write(&self, changes: Changes<'_>, open: &mut BytesMut, mut close: impl FnMut(&mut BytesMut, &Bytes)) {
        let start = open.len();
        open.extend_from_slice(&self.parts[0]);
        let frame = &mut open[start..];
        put(frame, CORRELATION_ID_AT, &changes.correlation_id.to_be_bytes());
        if changes.stamp.is_some() || changes.identity.is_some() {
            self.change(frame, changes);
        }
        self.parts[1..].iter().for_each(|part| close(open, part));
    }

    fn change(&self, frame: &mut [u8], mut changes: Changes<'_>) {
        for place in &self.places {
            let batch = &mut frame[place.at..place.at + place.size];
            if let Some(stamp) = changes.stamp {
                put(batch, place.value_at, &stamp.to_be_bytes());
            }
            if let Some(identity) = &mut changes.identity {
                let sequence = &mut identity.sequences[place.sequence];
                put(batch, PRODUCER_ID_AT, &identity.id.0.to_be_bytes());
                put(batch, PRODUCER_ID_AT + 8, &identity.epoch.0.to_be_bytes());
                put(batch, PRODUCER_ID_AT + 10, &sequence.to_be_bytes());
                *sequence = ringmill::wire::records::advance_sequence(*sequence, place.records);
            }
            let crc = crc32c::crc32c(&batch[ATTRIBUTES_AT..]);
            put(batch, CRC_AT, &crc.to_be_bytes());
        }
    }
}

fn put(bytes: &mut [u8], at: usize, value: &[u8]) {
    bytes[at..at + value.len()].copy_from_slice(value);
}

/// The frame in parts, its batches not copied.
fn shared(request: &ProduceRequest) -> Result<Vec<Bytes>> {
    let parts = encode_request_frame(request, VERSION, 0, Some("perf".into())).map_err(shown)?;
    let bytes = |part| match part {
        Part::Bytes(bytes) => bytes,
        Part::File(_) => unreachable!("requests hold no files"),
    };
    Ok(parts.into_iter().map(bytes).collect())
}

/// The time that a batch carries in its first record's value; `None` if that is too short for one.
pub fn stamp_of(batch: &Bytes) -> Option<u64> {
    let mut record = ringmill::wire::Reader::new(batch.slice(HEADER_SIZE..));
    record.varint().ok()?;
    record.i8().ok()?;
    record.varlong().ok()?;
    record.varint().ok()?;
    let key = record.varint().ok()?;
    record.skip(usize::try_from(key.max(0)).ok()?).ok()?;
    if record.varint().ok()? < 8 {
        return None;
    }
    Some(record.i64().ok()? as u64)
}

/// SplitMix64: cheap, and the same values in every run.
pub struct Random(pub u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn fill(&mut self, bytes: &mut [u8], values: Values) {
        for chunk in bytes.chunks_mut(8) {
            let word = match values {
                Values::Random => self.next(),
                // The same 256 words in every run, whatever came before.
                Values::Words => Random(self.next() & 0xff).next(),
            };
            chunk.copy_from_slice(&word.to_le_bytes()[..chunk.len()]);
        }
    }
}
