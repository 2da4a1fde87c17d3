//! Produce requests, made once before the clock starts: batches of random, so incompressible, values.

use crate::Result;
use crate::client::{Client, frame_of, shown};
use bytes::Bytes;
use ringmill::types::{ErrorCode, PartitionIndex, Timestamp};
use ringmill::wire::api::produce::{PartitionProduceData, ProduceRequest, TopicProduceData};
use ringmill::wire::decode_response_frame;
use ringmill::wire::records::BatchBuilder;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// The last version that names topics, flexible.
const VERSION: i16 = 12;
/// Where the correlation id stands in a frame: behind size, key and version.
const CORRELATION_ID_AT: std::ops::Range<usize> = 8..12;
/// Requests under way while a topic is filled.
const FILL_IN_FLIGHT: usize = 5;
/// How long a new topic may take to be led: ten thousand partitions keep Kafka busy for a while.
const PRIME_TIME_MAX: Duration = Duration::from_secs(180);
const PRIMES_IN_FLIGHT: usize = 32;

/// A produce request of one batch for one partition.
#[derive(Clone)]
pub struct ProduceFrame {
    pub bytes: Vec<u8>,
    pub batch_bytes: u64,
    pub records: u64,
}

impl ProduceFrame {
    /// The frame under this correlation id.
    pub fn numbered(&mut self, correlation_id: i32) -> &[u8] {
        self.bytes[CORRELATION_ID_AT].copy_from_slice(&correlation_id.to_be_bytes());
        &self.bytes
    }
}

/// What the batches look like and where they go.
pub struct Shape<'a> {
    pub topic: &'a str,
    pub partitions: usize,
    /// Records are added while the batch stays within this size; there is always one.
    pub batch_bytes: usize,
    pub record_bytes: usize,
    pub acks: i16,
}

impl<'a> Shape<'a> {
    /// Batches of a producer that lingers a little.
    pub fn lingering(topic: &'a str, partitions: usize) -> Shape<'a> {
        Shape { topic, partitions, batch_bytes: 64 << 10, record_bytes: 1000, acks: 1 }
    }
}

impl Shape<'_> {
    /// Requests to send in turn: at least one for each partition, at least `count`, in the order of partitions from `first` on.
    pub fn frames(&self, count: usize, first: usize) -> Result<Vec<ProduceFrame>> {
        let mut random = Random(first as u64 + 1);
        let rounds = count.div_ceil(self.partitions).max(1);
        (0..rounds * self.partitions).map(|index| self.frame((first + index) % self.partitions, &mut random)).collect()
    }

    /// As [`Self::frames`], for every `of`th partition from `first` on: so connections share the partitions out among them, and each
    /// partition's turn comes at the same distance.
    pub fn frames_shared(&self, first: usize, of: usize) -> Result<Vec<ProduceFrame>> {
        let mut random = Random(first as u64 + 1);
        let first = first % self.partitions;
        (first..self.partitions).step_by(of).map(|partition| self.frame(partition, &mut random)).collect()
    }

    fn frame(&self, partition: usize, random: &mut Random) -> Result<ProduceFrame> {
        let now = Timestamp(i64::try_from(SystemTime::now().duration_since(UNIX_EPOCH)?.as_millis())?);
        let mut builder = BatchBuilder::default();
        let mut value = vec![0; self.record_bytes];
        while builder.count() == 0 || builder.size_uncompressed() + self.record_bytes + RECORD_OVERHEAD <= self.batch_bytes {
            random.fill(&mut value);
            builder.push(now, None, Some(&value), &[]);
        }
        let records = builder.count() as u64;
        let batch = builder.finish().into_bytes();
        let batch_bytes = batch.len() as u64;
        let request = request(self.topic, partition, self.acks, batch)?;
        Ok(ProduceFrame { bytes: frame_of(&request, VERSION, 0)?, batch_bytes, records })
    }
}

/// What a record without key and headers has beside its value, at most.
const RECORD_OVERHEAD: usize = 16;

fn request(topic: &str, partition: usize, acks: i16, batch: Bytes) -> Result<ProduceRequest> {
    let data = PartitionProduceData { index: PartitionIndex(i32::try_from(partition)?), records: Some(batch) };
    let topic = TopicProduceData { name: topic.into(), partition_data: vec![data], ..Default::default() };
    Ok(ProduceRequest { acks, timeout_ms: 30_000, topic_data: vec![topic], ..Default::default() })
}

/// The correlation id of a produce response, and the error in it.
pub fn outcome(response: Bytes) -> Result<(i32, ErrorCode)> {
    let (correlation_id, response) = decode_response_frame::<ProduceRequest>(response, VERSION).map_err(shown)?;
    let partition = response.responses.first().and_then(|topic| topic.partition_responses.first());
    Ok((correlation_id, partition.ok_or("a produce response without a partition")?.error_code))
}

/// Produces one record to every partition, again and again until the broker leads them all.
pub fn prime(client: &mut Client, topic: &str, partitions: usize) -> Result<()> {
    let shape = Shape { topic, partitions, batch_bytes: 0, record_bytes: 1, acks: -1 };
    let start = Instant::now();
    let mut missing = shape.frames(partitions, 0)?;
    while !missing.is_empty() {
        let mut refused = Vec::new();
        for some in missing.chunks(PRIMES_IN_FLIGHT) {
            for frame in some {
                client.send(&frame.bytes)?;
            }
            for frame in some {
                match outcome(client.receive()?)?.1 {
                    ErrorCode::None => {}
                    error if start.elapsed() > PRIME_TIME_MAX => return Err(format!("producing to {topic}: {error:?}").into()),
                    _ => refused.push(frame.clone()),
                }
            }
        }
        if !refused.is_empty() {
            std::thread::sleep(Duration::from_millis(5));
        }
        missing = refused;
    }
    Ok(())
}

/// Makes a topic and produces about `bytes` to it.
pub fn fill(broker: &str, shape: &Shape, bytes: u64, configs: &[(String, String)]) -> Result<()> {
    let mut client = Client::connect(broker)?;
    client.create_topic(shape.topic, shape.partitions, configs)?;
    prime(&mut client, shape.topic, shape.partitions)?;
    let frames = shape.frames(0, 0)?;
    let (mut filled, mut under_way) = (0, 0);
    for frame in frames.iter().cycle() {
        while under_way > 0 && (under_way >= FILL_IN_FLIGHT || filled >= bytes) {
            match outcome(client.receive()?)?.1 {
                ErrorCode::None => under_way -= 1,
                error => return Err(format!("filling {}: {error:?}", shape.topic).into()),
            }
        }
        if filled >= bytes {
            break;
        }
        client.send(&frame.bytes)?;
        filled += frame.batch_bytes;
        under_way += 1;
    }
    Ok(())
}

/// SplitMix64: cheap, and the same values in every run.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn fill(&mut self, bytes: &mut [u8]) {
        for chunk in bytes.chunks_mut(8) {
            chunk.copy_from_slice(&self.next().to_le_bytes()[..chunk.len()]);
        }
    }
}
