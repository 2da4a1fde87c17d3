//! What a reader of cold data does to everybody else: latency of acks and of reads at the log's end, in windows without and with a reader
//! that catches up at full speed, one after the other.
//!
//! A topic is filled and put out of the page cache, before it is read and whenever it was read to its end. Beside it producers send single
//! records to a live topic at fixed times (open loop), and a consumer reads its end. An ack's latency, and a record's age when the
//! consumer has it, count from when its request was due. The broker's data must be on this machine (`--data`).

use crate::client::Client;
use crate::latency::GRACE;
use crate::payload::{ProduceFrame, Shape, fill, outcome, prime};
use crate::process::Usage;
use crate::reader::{FetchSize, Reader};
use crate::report::{self, MIB};
use crate::{Error, Result};
use hdrhistogram::Histogram;
use ringmill::types::{ErrorCode, Offset};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::thread;
use std::time::{Duration, Instant};

/// What a window begins with does not count: the reader begins, or what it had under way ends.
const SETTLE: Duration = Duration::from_millis(500);

#[derive(clap::Args)]
pub struct Arguments {
    #[arg(long, default_value = "127.0.0.1:9092")]
    broker: String,
    #[arg(long)]
    pid: Option<u32>,
    /// The broker's log directory.
    #[arg(long)]
    data: PathBuf,
    #[arg(long, default_value_t = 1024)]
    cold_mib: u64,
    #[arg(long, default_value_t = 4)]
    cold_partitions: usize,
    /// Partitions, and connections, of the live topic.
    #[arg(long, default_value_t = 4)]
    partitions: usize,
    /// Requests each second, over all connections.
    #[arg(long, default_value_t = 1000.0)]
    rate: f64,
    #[arg(long, default_value_t = 1024)]
    record_bytes: usize,
    /// Pairs of windows, one without and one with the reader.
    #[arg(long, default_value_t = 3)]
    pairs: u32,
    #[arg(long, default_value_t = 3.0)]
    window_seconds: f64,
}

/// Windows and requests on one clock: even windows are without the reader.
#[derive(Clone, Copy)]
struct Timetable {
    start: Instant,
    window: Duration,
    windows: u32,
    /// Of the requests of one connection.
    interval: Duration,
}

impl Timetable {
    fn end(&self) -> Instant {
        self.start + self.window * self.windows
    }

    fn due(&self, request: u32) -> Instant {
        self.start + self.interval * request
    }

    fn count(&self) -> u32 {
        ((self.window * self.windows).as_secs_f64() / self.interval.as_secs_f64()) as u32
    }

    /// Whether the reader is at work at this time; `None` while the window settles or after the last.
    fn beside(&self, at: Instant) -> Option<bool> {
        let since = at.saturating_duration_since(self.start).as_nanos();
        let (window, into) = (since / self.window.as_nanos(), since % self.window.as_nanos());
        (window < u128::from(self.windows) && into >= SETTLE.as_nanos()).then_some(window % 2 == 1)
    }
}

/// Latencies without and with the reader.
struct Both {
    alone: Histogram<u64>,
    beside: Histogram<u64>,
}

impl Both {
    fn new() -> Both {
        Both { alone: report::latencies(), beside: report::latencies() }
    }

    fn record(&mut self, timetable: &Timetable, due: Instant) {
        let latency = Instant::now().saturating_duration_since(due);
        match timetable.beside(due) {
            Some(true) => report::record(&mut self.beside, latency),
            Some(false) => report::record(&mut self.alone, latency),
            None => {}
        }
    }

    fn add(&mut self, other: Both) -> Result<()> {
        self.alone.add(other.alone)?;
        Ok(self.beside.add(other.beside)?)
    }

    fn print(&self, what: &str) {
        for (name, quantile) in [("p50", 0.5), ("p99", 0.99), ("p99.9", 0.999)] {
            let (alone, beside) = (self.alone.value_at_quantile(quantile), self.beside.value_at_quantile(quantile));
            report::print(&format!("{what}_{name}_alone_ms"), alone as f64 / 1000.0);
            report::print(&format!("{what}_{name}_beside_ms"), beside as f64 / 1000.0);
            report::print(&format!("{what}_{name}_ratio"), beside as f64 / (alone as f64).max(1.0));
        }
    }
}

pub fn run(arguments: &Arguments) -> Result<()> {
    let cold = Shape::lingering("cold", arguments.cold_partitions);
    fill(&arguments.broker, &cold, arguments.cold_mib << 20, &[("flush.messages".into(), i64::MAX.to_string())])?;
    let mut client = Client::connect(&arguments.broker)?;
    client.create_topic("live", arguments.partitions, &[])?;
    prime(&mut client, "live", arguments.partitions)?;
    let live = Shape { topic: "live", partitions: arguments.partitions, batch_bytes: 0, record_bytes: arguments.record_bytes, acks: -1 };
    let mut frames = live.frames(0, 0)?;
    chill(&arguments.data)?;
    let timetable = Timetable {
        start: Instant::now() + Duration::from_millis(200),
        window: Duration::from_secs_f64(arguments.window_seconds) + SETTLE,
        windows: 2 * arguments.pairs,
        interval: Duration::from_secs_f64(arguments.partitions as f64 / arguments.rate),
    };
    let cold_bytes = AtomicU64::new(0);
    let before = Usage::of_any(arguments.pid)?;
    let (acks, tails) = thread::scope(|scope| {
        let mut receivers = Vec::new();
        for frame in frames.drain(..) {
            let (sender, receiver) = Client::connect(&arguments.broker)?.split()?;
            scope.spawn(move || send(sender, frame, timetable));
            receivers.push(scope.spawn(move || receive(receiver, timetable)));
        }
        let tail = scope.spawn(|| follow(arguments, timetable));
        let catching_up = scope.spawn(|| catch_up(arguments, timetable, &cold_bytes));
        let mut acks = Both::new();
        for receiver in receivers {
            acks.add(receiver.join().expect("a receiving thread")?)?;
        }
        catching_up.join().expect("the reader's thread")?;
        Ok::<_, Error>((acks, tail.join().expect("the consumer's thread")?))
    })?;
    acks.print("ack");
    tails.print("tail");
    let read = cold_bytes.load(Relaxed) as f64;
    report::print("cold_mib_per_s", read / MIB / (timetable.window.as_secs_f64() * f64::from(arguments.pairs)));
    if arguments.pid.is_some() {
        let after = Usage::of_any(arguments.pid)?;
        report::print("cold_from_disk", (after.read_bytes - before.read_bytes) / read.max(1.0));
        report::print("rss_max_mib", after.rss_max_mib);
    }
    Ok(())
}

/// Sends until the timetable ends; an error ends it early, and the receiver says what is missing.
fn send(mut client: Client, mut frame: ProduceFrame, timetable: Timetable) {
    for request in 0..timetable.count() {
        thread::sleep(timetable.due(request).saturating_duration_since(Instant::now()));
        if client.send(frame.numbered(request as i32)).is_err() {
            return;
        }
    }
}

fn receive(mut client: Client, timetable: Timetable) -> Result<Both> {
    let mut latencies = Both::new();
    for request in 0..timetable.count() {
        client.set_patience((timetable.end() + GRACE).saturating_duration_since(Instant::now()))?;
        match outcome(client.receive()?)? {
            (id, ErrorCode::None) if id == request as i32 => latencies.record(&timetable, timetable.due(request)),
            (id, error) => return Err(format!("answer {id} where {request} was due: {error:?}").into()),
        }
    }
    Ok(latencies)
}

/// Reads the live topic's end. A record's offset says which request of its partition's connection it came with: the first was [`prime`]'s.
fn follow(arguments: &Arguments, timetable: Timetable) -> Result<Both> {
    let client = Client::connect(&arguments.broker)?;
    let mut reader = Reader::new(client, "live", 0..arguments.partitions, Offset(1), FetchSize::default());
    let (mut latencies, all) = (Both::new(), u64::from(timetable.count()) * arguments.partitions as u64);
    let mut seen = 0;
    while seen < all && Instant::now() < timetable.end() + GRACE {
        reader.fetch(|_, header, _| {
            seen += 1;
            latencies.record(&timetable, timetable.due((header.base_offset.0 - 1) as u32));
        })?;
    }
    if seen < all { Err(format!("the consumer saw {seen} of {all} records").into()) } else { Ok(latencies) }
}

/// Reads the cold topic at full speed while the windows say so.
fn catch_up(arguments: &Arguments, timetable: Timetable, bytes: &AtomicU64) -> Result<()> {
    let client = Client::connect(&arguments.broker)?;
    let mut reader = Reader::new(client, "cold", 0..arguments.cold_partitions, Offset(0), FetchSize::default());
    while Instant::now() < timetable.end() {
        // Into the time that settles, since what is under way at the end of a window ends in the next.
        if timetable.beside(Instant::now() + SETTLE) != Some(true) {
            thread::sleep(Duration::from_millis(5));
            continue;
        }
        reader.fetch(|_, _, size| _ = bytes.fetch_add(size as u64, Relaxed))?;
        if reader.rewind() {
            chill(&arguments.data)?;
        }
    }
    Ok(())
}

/// Puts the cold topic's segments out of the page cache.
fn chill(data: &Path) -> Result<()> {
    for directory in fs::read_dir(data)?.flatten().filter(|entry| entry.file_name().to_string_lossy().starts_with("cold-")) {
        for file in fs::read_dir(directory.path())?.flatten().filter(|entry| entry.path().extension().is_some_and(|e| e == "log")) {
            let path = file.path();
            run_quietly(Command::new("sync").arg(&path))?;
            // Reads nothing and advises the kernel that the file's pages are not needed.
            run_quietly(Command::new("dd").arg(format!("if={}", path.display())).args(["iflag=nocache", "count=0", "status=none"]))?;
        }
    }
    Ok(())
}

fn run_quietly(command: &mut Command) -> Result<()> {
    let status = command.status()?;
    if status.success() { Ok(()) } else { Err(format!("{command:?}: {status}").into()) }
}
