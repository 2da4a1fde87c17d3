//! Closed loop: each connection keeps `in-flight` requests under way, for a warm-up and then the seconds that count.

use crate::client::Client;
use crate::payload::{ProduceFrame, Shape, outcome, prime};
use crate::report::{self, Window};
use crate::{Error, Result};
use hdrhistogram::Histogram;
use ringmill::types::ErrorCode;
use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::thread;
use std::time::{Duration, Instant};

/// Frames that a connection sends in turn, at least.
const FRAMES_MIN: usize = 8;

#[derive(clap::Args)]
pub struct Arguments {
    #[arg(long, default_value = "127.0.0.1:9092")]
    broker: String,
    /// The broker's process, for what it costs it.
    #[arg(long)]
    pid: Option<u32>,
    #[arg(long, default_value = "perf")]
    topic: String,
    /// KEY=VALUE of the topic, when it is created.
    #[arg(long, value_parser = key_value)]
    topic_config: Vec<(String, String)>,
    #[arg(long, default_value_t = 16)]
    partitions: usize,
    #[arg(long, default_value_t = 8)]
    connections: usize,
    /// Requests of one connection that are under way at once.
    #[arg(long, default_value_t = 5)]
    in_flight: usize,
    #[arg(long, default_value_t = 16 << 10)]
    batch_bytes: usize,
    #[arg(long, default_value_t = 1000)]
    record_bytes: usize,
    #[arg(long, default_value_t = -1, allow_negative_numbers = true)]
    acks: i16,
    #[arg(long, default_value_t = 1.0)]
    warmup_seconds: f64,
    #[arg(long, default_value_t = 5.0)]
    seconds: f64,
}

pub fn key_value(text: &str) -> Result<(String, String)> {
    let (key, value) = text.split_once('=').ok_or("KEY=VALUE is wanted")?;
    Ok((key.to_owned(), value.to_owned()))
}

/// What all connections count together.
#[derive(Default)]
struct Acked {
    bytes: AtomicU64,
    records: AtomicU64,
    requests: AtomicU64,
    errors: AtomicU64,
}

impl Acked {
    fn now(&self) -> [f64; 3] {
        [&self.bytes, &self.records, &self.requests].map(|count| count.load(Relaxed) as f64)
    }

    fn add(&self, frame: &ProduceFrame) {
        self.bytes.fetch_add(frame.batch_bytes, Relaxed);
        self.records.fetch_add(frame.records, Relaxed);
        self.requests.fetch_add(1, Relaxed);
    }
}

pub fn run(arguments: &Arguments) -> Result<()> {
    let mut client = Client::connect(&arguments.broker)?;
    client.create_topic(&arguments.topic, arguments.partitions, &arguments.topic_config)?;
    prime(&mut client, &arguments.topic, arguments.partitions)?;
    let mut connections = Vec::with_capacity(arguments.connections);
    for index in 0..arguments.connections {
        connections.push((Client::connect(&arguments.broker)?, arguments.shape().frames(FRAMES_MIN, index)?));
    }
    let acked = Acked::default();
    let counted_from = Instant::now() + Duration::from_secs_f64(arguments.warmup_seconds);
    let end = counted_from + Duration::from_secs_f64(arguments.seconds);
    let latencies = thread::scope(|scope| {
        let drive = |(client, frames)| scope.spawn(|| arguments.drive(client, frames, &acked, (counted_from, end)));
        let threads: Vec<_> = connections.into_iter().map(drive).collect();
        thread::sleep(counted_from - Instant::now());
        let (window, before) = (Window::open(arguments.pid)?, acked.now());
        thread::sleep(end - Instant::now());
        let after = acked.now();
        window.close(after[0] - before[0], after[1] - before[1], after[2] - before[2])?;
        let mut latencies = report::latencies();
        for thread in threads {
            latencies.add(thread.join().expect("a connection's thread")?)?;
        }
        Ok::<_, Error>(latencies)
    })?;
    if arguments.acks != 0 {
        report::print_latencies(&latencies);
    }
    report::print("errors", acked.errors.load(Relaxed) as f64);
    Ok(())
}

impl Arguments {
    fn shape(&self) -> Shape<'_> {
        Shape {
            topic: &self.topic,
            partitions: self.partitions,
            batch_bytes: self.batch_bytes,
            record_bytes: self.record_bytes,
            acks: self.acks,
        }
    }

    /// Loads one connection until `end`; latencies of what was sent from `counted_from` on.
    fn drive(
        &self,
        mut client: Client,
        mut frames: Vec<ProduceFrame>,
        acked: &Acked,
        (counted_from, end): (Instant, Instant),
    ) -> Result<Histogram<u64>> {
        let mut latencies = report::latencies();
        let mut under_way: VecDeque<(usize, Instant)> = VecDeque::new();
        let count = frames.len();
        for index in (0..count).cycle() {
            if Instant::now() >= end {
                break;
            }
            under_way.push_back((index, Instant::now()));
            client.send(frames[index].numbered(index as i32))?;
            if self.acks == 0 {
                acked.add(&frames[index]);
                under_way.clear();
            } else if under_way.len() >= self.in_flight.max(1) {
                let (sent, at) = under_way.pop_front().expect("some are under way");
                await_ack(&mut client, &frames[sent], sent, acked)?;
                if at >= counted_from {
                    report::record(&mut latencies, at.elapsed());
                }
            }
        }
        for (sent, _) in under_way {
            await_ack(&mut client, &frames[sent], sent, acked)?;
        }
        Ok(latencies)
    }
}

fn await_ack(client: &mut Client, frame: &ProduceFrame, expected: usize, acked: &Acked) -> Result<()> {
    let (correlation_id, error) = outcome(client.receive()?)?;
    if correlation_id != expected as i32 {
        return Err(format!("answer {correlation_id} where {expected} was due").into());
    }
    match error {
        ErrorCode::None => acked.add(frame),
        _ => _ = acked.errors.fetch_add(1, Relaxed),
    }
    Ok(())
}
