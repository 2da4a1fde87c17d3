//! Fills a topic, then reads it from offset 0 to its end and from 0 again until the time is over. Each connection reads its own partitions.
//!
//! The topic's acks come from memory (`flush.messages`), so that the same volume is there in seconds whatever the broker.
//! Batches are walked by their headers, and their offsets must be dense; records are not decoded and CRCs not checked, so that
//! the reader takes little of the machine from the broker.

use crate::client::{Client, frame_of, shown};
use crate::payload::{Shape, outcome, prime};
use crate::report::Window;
use crate::{Error, Result};
use bytes::Bytes;
use ringmill::types::{ErrorCode, Offset, PartitionIndex};
use ringmill::wire::api::fetch::{FetchPartition, FetchRequest, FetchTopic, PartitionData};
use ringmill::wire::decode_response_frame;
use ringmill::wire::records::frame;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::thread;
use std::time::{Duration, Instant};

/// The last version that names topics.
const VERSION: i16 = 12;
/// What the topic is filled with: batches of a producer that lingers a little.
const FILL_BATCH_BYTES: usize = 64 << 10;
const FILL_RECORD_BYTES: usize = 1000;
const FILL_IN_FLIGHT: usize = 5;

#[derive(clap::Args)]
pub struct Arguments {
    #[arg(long, default_value = "127.0.0.1:9092")]
    broker: String,
    #[arg(long)]
    pid: Option<u32>,
    #[arg(long, default_value = "consume")]
    topic: String,
    #[arg(long, default_value_t = 16)]
    partitions: usize,
    #[arg(long, default_value_t = 4)]
    connections: usize,
    /// Produced before the clock starts.
    #[arg(long, default_value_t = 512)]
    fill_mib: u64,
    /// As consumers' `max.partition.fetch.bytes`.
    #[arg(long, default_value_t = 1 << 20)]
    partition_bytes: i32,
    /// As consumers' `fetch.max.bytes`.
    #[arg(long, default_value_t = 50 << 20)]
    fetch_bytes: i32,
    #[arg(long, default_value_t = 1.0)]
    warmup_seconds: f64,
    #[arg(long, default_value_t = 5.0)]
    seconds: f64,
}

#[derive(Default)]
struct Read {
    bytes: AtomicU64,
    records: AtomicU64,
    requests: AtomicU64,
}

impl Read {
    fn now(&self) -> [f64; 3] {
        [&self.bytes, &self.records, &self.requests].map(|count| count.load(Relaxed) as f64)
    }
}

pub fn run(arguments: &Arguments) -> Result<()> {
    arguments.fill()?;
    let counted_from = Instant::now() + Duration::from_secs_f64(arguments.warmup_seconds);
    let end = counted_from + Duration::from_secs_f64(arguments.seconds);
    let read = Read::default();
    let connections = arguments.connections.min(arguments.partitions);
    thread::scope(|scope| {
        let read = &read;
        let threads: Vec<_> = (0..connections).map(|first| scope.spawn(move || arguments.drive(first, connections, read, end))).collect();
        thread::sleep(counted_from - Instant::now());
        let (window, before) = (Window::open(arguments.pid)?, read.now());
        thread::sleep(end - Instant::now());
        let after = read.now();
        window.close(after[0] - before[0], after[1] - before[1], after[2] - before[2])?;
        threads.into_iter().try_for_each(|thread| thread.join().expect("a connection's thread"))?;
        Ok::<_, Error>(())
    })
}

impl Arguments {
    fn fill(&self) -> Result<()> {
        let mut client = Client::connect(&self.broker)?;
        client.create_topic(&self.topic, self.partitions, &[("flush.messages".into(), i64::MAX.to_string())])?;
        prime(&mut client, &self.topic, self.partitions)?;
        let shape = Shape {
            topic: &self.topic,
            partitions: self.partitions,
            batch_bytes: FILL_BATCH_BYTES,
            record_bytes: FILL_RECORD_BYTES,
            acks: 1,
        };
        let frames = shape.frames(0, 0)?;
        let (mut filled, mut under_way) = (0, 0);
        for frame in frames.iter().cycle() {
            if filled >= self.fill_mib << 20 {
                break;
            }
            client.send(&frame.bytes)?;
            filled += frame.batch_bytes;
            under_way += 1;
            while under_way >= FILL_IN_FLIGHT {
                under_way -= acked(&mut client)?;
            }
        }
        while under_way > 0 {
            under_way -= acked(&mut client)?;
        }
        Ok(())
    }

    /// Reads partitions `first`, `first + step` and so on until `end`.
    fn drive(&self, first: usize, step: usize, read: &Read, end: Instant) -> Result<()> {
        let mut client = Client::connect(&self.broker)?;
        let mut positions: Vec<(PartitionIndex, Offset)> =
            (first..self.partitions).step_by(step).map(|index| (PartitionIndex(index as i32), Offset(0))).collect();
        while Instant::now() < end {
            client.send(&frame_of(&self.request(&positions), VERSION, 0)?)?;
            let response = client.receive()?;
            read.requests.fetch_add(1, Relaxed);
            let (_, fetched) = decode_response_frame::<FetchRequest>(response.clone(), VERSION).map_err(shown)?;
            if fetched.error_code != ErrorCode::None {
                return Err(format!("fetching: {:?}", fetched.error_code).into());
            }
            for partition in fetched.responses.iter().flat_map(|topic| &topic.partitions) {
                let position = positions.iter_mut().find(|(index, _)| *index == partition.partition_index);
                advance(&mut position.ok_or("a partition nobody asked for")?.1, partition, read)?;
            }
            // The next request takes another partition first, as consumers do.
            positions.rotate_left(1);
            drop(fetched);
            client.recycle(response);
        }
        Ok(())
    }

    fn request(&self, positions: &[(PartitionIndex, Offset)]) -> FetchRequest {
        let partition = |&(partition, fetch_offset): &(PartitionIndex, Offset)| FetchPartition {
            partition,
            fetch_offset,
            partition_max_bytes: self.partition_bytes,
            ..Default::default()
        };
        let topic =
            FetchTopic { topic: self.topic.as_str().into(), partitions: positions.iter().map(partition).collect(), ..Default::default() };
        FetchRequest { max_wait_ms: 500, min_bytes: 1, max_bytes: self.fetch_bytes, topics: vec![topic], ..Default::default() }
    }
}

/// One more answer, which must be an ack.
fn acked(client: &mut Client) -> Result<usize> {
    match outcome(client.receive()?)?.1 {
        ErrorCode::None => Ok(1),
        error => Err(format!("filling the topic: {error:?}").into()),
    }
}

/// Moves `position` behind the batches in `partition`; back to 0 from its end.
fn advance(position: &mut Offset, partition: &PartitionData, read: &Read) -> Result<()> {
    if partition.error_code != ErrorCode::None {
        return Err(format!("fetching partition {}: {:?}", partition.partition_index, partition.error_code).into());
    }
    let records = partition.records.as_ref().and_then(|records| records.to_bytes()).unwrap_or_default();
    *position = walk(*position, &records, read)?;
    if *position >= partition.high_watermark {
        *position = Offset(0);
    }
    Ok(())
}

fn walk(mut position: Offset, records: &Bytes, read: &Read) -> Result<Offset> {
    let (start, mut at) = (position, 0);
    // The last batch may be cut off.
    while let Ok((header, size)) = frame(&records[at..]) {
        let follows = header.base_offset == position || (position == start && header.base_offset < position);
        if !follows {
            return Err(format!("offset {} follows on {position}", header.base_offset).into());
        }
        position = header.next_offset();
        read.bytes.fetch_add(size as u64, Relaxed);
        read.records.fetch_add(u64::try_from(header.count)?, Relaxed);
        at += size;
    }
    Ok(position)
}
