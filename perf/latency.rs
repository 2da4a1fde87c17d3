//! Open loop: requests of one record are due at fixed times, whether or not those before were answered, and an ack's latency
//! counts from when its request was due. So a stall costs all that fell into it, as it would real clients.
//!
//! Each connection has a thread that sends and one that receives. What is never answered counts as the time until the run gave up.

use crate::Result;
use crate::client::Client;
use crate::payload::{ProduceFrame, Shape, outcome, prime};
use crate::produce::key_value;
use crate::report::{self, Window};
use hdrhistogram::Histogram;
use ringmill::types::ErrorCode;
use std::thread;
use std::time::{Duration, Instant};

/// How long after the last request's time its answer is waited for.
pub const GRACE: Duration = Duration::from_secs(5);

#[derive(clap::Args)]
pub struct Arguments {
    #[arg(long, default_value = "127.0.0.1:9092")]
    broker: String,
    #[arg(long)]
    pid: Option<u32>,
    #[arg(long, default_value = "latency")]
    topic: String,
    #[arg(long, value_parser = key_value)]
    topic_config: Vec<(String, String)>,
    #[arg(long, default_value_t = 10)]
    partitions: usize,
    #[arg(long, default_value_t = 10)]
    connections: usize,
    /// Each connection produces to its share of the partitions, not to all of them.
    #[arg(long)]
    shared: bool,
    /// Requests each second, over all connections.
    #[arg(long, default_value_t = 2000.0)]
    rate: f64,
    #[arg(long, default_value_t = 1024)]
    record_bytes: usize,
    #[arg(long, default_value_t = -1, allow_negative_numbers = true)]
    acks: i16,
    #[arg(long, default_value_t = 1.0)]
    warmup_seconds: f64,
    #[arg(long, default_value_t = 6.0)]
    seconds: f64,
}

/// When each request of a connection is due.
#[derive(Clone, Copy)]
struct Timetable {
    first: Instant,
    interval: Duration,
    /// Requests before the one from which on they count.
    uncounted: u32,
    count: u32,
}

impl Timetable {
    fn due(&self, request: u32) -> Instant {
        self.first + self.interval * request
    }

    fn end(&self) -> Instant {
        self.due(self.count) + GRACE
    }
}

#[derive(Default)]
struct Failed {
    unanswered: u32,
    errors: u32,
}

pub fn run(arguments: &Arguments) -> Result<()> {
    let mut client = Client::connect(&arguments.broker)?;
    client.create_topic(&arguments.topic, arguments.partitions, &arguments.topic_config)?;
    prime(&mut client, &arguments.topic, arguments.partitions)?;
    let shape = Shape {
        topic: &arguments.topic,
        partitions: arguments.partitions,
        batch_bytes: 0,
        record_bytes: arguments.record_bytes,
        acks: arguments.acks,
    };
    let mut connections = Vec::new();
    for index in 0..arguments.connections {
        let frames = if arguments.shared {
            shape.frames_shared(index, arguments.connections)?
        } else {
            shape.frames(arguments.partitions, index)?
        };
        connections.push((Client::connect(&arguments.broker)?.split()?, frames));
    }
    let interval = Duration::from_secs_f64(arguments.connections as f64 / arguments.rate);
    let requests = |seconds: f64| (seconds / interval.as_secs_f64()) as u32;
    let start = Instant::now() + Duration::from_millis(50);
    let (mut latencies, mut failed) = (report::latencies(), Failed::default());
    let window = Window::open(arguments.pid)?;
    thread::scope(|scope| {
        let mut receivers = Vec::new();
        for (index, ((sender, receiver), frames)) in connections.into_iter().enumerate() {
            let timetable = Timetable {
                first: start + Duration::from_secs_f64(index as f64 / arguments.rate),
                interval,
                uncounted: requests(arguments.warmup_seconds),
                count: requests(arguments.warmup_seconds + arguments.seconds),
            };
            scope.spawn(move || send(sender, frames, timetable));
            receivers.push(scope.spawn(move || receive(receiver, timetable)));
        }
        for receiver in receivers {
            let (one, failed_one) = receiver.join().expect("a receiving thread")?;
            latencies.add(one)?;
            failed.unanswered += failed_one.unanswered;
            failed.errors += failed_one.errors;
        }
        Ok::<_, crate::Error>(())
    })?;
    report::print_latencies(&latencies);
    report::print("unanswered", f64::from(failed.unanswered));
    report::print("errors", f64::from(failed.errors));
    let all = f64::from(requests(arguments.warmup_seconds + arguments.seconds)) * arguments.connections as f64;
    window.close(all * arguments.record_bytes as f64, all, all)
}

/// Sends until the timetable ends; an error ends it early, and the receiver counts what is missing.
fn send(mut client: Client, mut frames: Vec<ProduceFrame>, timetable: Timetable) {
    let count = frames.len();
    for request in 0..timetable.count {
        let due = timetable.due(request);
        thread::sleep(due.saturating_duration_since(Instant::now()));
        let frame = &mut frames[request as usize % count];
        if Instant::now() > timetable.end() || client.send(frame.numbered(request as i32)).is_err() {
            return;
        }
    }
}

fn receive(mut client: Client, timetable: Timetable) -> Result<(Histogram<u64>, Failed)> {
    let (mut latencies, mut failed) = (report::latencies(), Failed::default());
    let mut listening = true;
    for request in 0..timetable.count {
        client.set_patience(timetable.end().saturating_duration_since(Instant::now()))?;
        let answer = if listening { client.receive().ok() } else { None };
        // What comes after the first that is given up could be taken for another's answer.
        listening = answer.is_some();
        match answer.map(outcome).transpose()? {
            Some((id, _)) if id != request as i32 => return Err(format!("answer {id} where {request} was due").into()),
            Some((_, ErrorCode::None)) => {}
            Some(_) => failed.errors += 1,
            None => failed.unanswered += 1,
        }
        if request >= timetable.uncounted {
            report::record(&mut latencies, Instant::now().saturating_duration_since(timetable.due(request)));
        }
    }
    Ok((latencies, failed))
}
