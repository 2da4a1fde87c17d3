//! Fills a topic, then reads it from offset 0 to its end and from 0 again until the time is over. Each connection reads its own partitions.
//!
//! The topic's acks come from memory (`flush.messages`), so that the same volume is there in seconds whatever the broker.

use crate::client::Client;
use crate::payload::{Shape, fill};
use crate::reader::{FetchSize, Reader};
use crate::report::Window;
use crate::{Error, Result};
use ringmill::types::Offset;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::thread;
use std::time::{Duration, Instant};

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
        let shape = Shape::lingering(&self.topic, self.partitions);
        fill(&self.broker, &shape, self.fill_mib << 20, &[("flush.messages".into(), i64::MAX.to_string())])
    }

    /// Reads partitions `first`, `first + step` and so on until `end`.
    fn drive(&self, first: usize, step: usize, read: &Read, end: Instant) -> Result<()> {
        let size = FetchSize { partition: self.partition_bytes, all: self.fetch_bytes };
        let mut reader = Reader::new(Client::connect(&self.broker)?, &self.topic, (first..self.partitions).step_by(step), Offset(0), size);
        while Instant::now() < end {
            reader.fetch(|_, header, size| {
                read.bytes.fetch_add(size as u64, Relaxed);
                read.records.fetch_add(header.count.max(0) as u64, Relaxed);
            })?;
            read.requests.fetch_add(1, Relaxed);
            reader.rewind();
        }
        Ok(())
    }
}
