//! What a hop between two cores costs: the mesh against the two channels it could have been (flume, glommio's shared channel).
//!
//! Two pinned cores. "idle": one request at a time, so both cores sleep in between; "pipelined": 64 requests under way;
//! "one way": messages without answers. CPU is that of the whole process. Run with `cargo bench --bench mesh`.

use glommio::channels::shared_channel;
use hdrhistogram::Histogram;
use ringmill::rt::{self, CoreSpec, Mesh, Queue, sync};
use std::time::Duration;

const IDLE_ROUNDS: u64 = 10_000;
const PIPELINED_ROUNDS: u64 = 400_000;
const WINDOW: u64 = 64;
const ONE_WAY: u64 = 2_000_000;
const CAPACITY: usize = 1024;

/// What a shard sends another is about this large.
type Message = [u64; 8];

fn message(i: u64) -> Message {
    [i, 1, 2, 3, 4, 5, 6, 7]
}

/// Runs `here` and `there` on cores of their own.
fn two_cores<A, B>(here: impl FnOnce() -> A + Send + 'static, there: impl FnOnce() -> B + Send + 'static)
where
    A: Future<Output = ()> + 'static,
    B: Future<Output = ()> + 'static,
{
    let here = CoreSpec { name: "here".to_owned(), cpu: Some(0), main: Box::new(move || Box::pin(here())) };
    let there = CoreSpec { name: "there".to_owned(), cpu: Some(1), main: Box::new(move || Box::pin(there())) };
    rt::uring::run(vec![here, there]).expect("two cores").join();
}

/// CPU time of this process so far.
fn cpu_time() -> Duration {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: `time` outlives the call.
    unsafe { libc::clock_gettime(libc::CLOCK_PROCESS_CPUTIME_ID, &mut time) };
    Duration::new(time.tv_sec as u64, time.tv_nsec as u32)
}

struct Measured {
    name: String,
    start: rt::Instant,
    cpu: Duration,
    latencies: Histogram<u64>,
}

impl Measured {
    fn start(name: String) -> Measured {
        let latencies = Histogram::new(3).expect("three digits");
        Measured { name, start: rt::now(), cpu: cpu_time(), latencies }
    }

    fn record(&mut self, sent: rt::Instant) {
        self.latencies.record((rt::now() - sent).as_nanos() as u64).expect("it resizes");
    }

    fn report(self, messages: u64) {
        let (wall, cpu) = (rt::now() - self.start, cpu_time() - self.cpu);
        let us = |quantile| self.latencies.value_at_quantile(quantile) as f64 / 1000.0;
        let per_message = |time: Duration| time.as_nanos() as f64 / 1000.0 / messages as f64;
        println!(
            "{:<28} p50 {:>8.1} us  p99 {:>8.1} us  wall {:>7.3} us/message  cpu {:>7.3} us/message",
            self.name,
            us(0.5),
            us(0.99),
            per_message(wall),
            per_message(cpu)
        );
    }
}

/// The three kinds of channel behind one shape: send to the peer, receive from the peer.
trait Channel: 'static {
    fn send(&self, message: Message) -> impl Future<Output = ()>;
    fn receive(&mut self) -> impl Future<Output = Message>;
}

struct OverMesh(rt::MeshSender<Message>, Mesh<Message>, usize);

impl Channel for OverMesh {
    async fn send(&self, message: Message) {
        self.0.send(self.2, message).await;
    }

    async fn receive(&mut self) -> Message {
        self.1.receive().await.1
    }
}

struct OverFlume(flume::Sender<Message>, flume::Receiver<Message>);

impl Channel for OverFlume {
    async fn send(&self, message: Message) {
        self.0.send_async(message).await.expect("the peer is there");
    }

    async fn receive(&mut self) -> Message {
        self.1.recv_async().await.expect("the peer is there")
    }
}

struct OverShared(shared_channel::ConnectedSender<Message>, shared_channel::ConnectedReceiver<Message>);

impl Channel for OverShared {
    async fn send(&self, message: Message) {
        self.0.send(message).await.expect("the peer is there");
    }

    async fn receive(&mut self) -> Message {
        self.1.recv().await.expect("the peer is there")
    }
}

/// Answers every request, then swallows the one-way messages and answers the last.
async fn answer(mut channel: impl Channel) {
    for _ in 0..IDLE_ROUNDS + PIPELINED_ROUNDS {
        let message = channel.receive().await;
        channel.send(message).await;
    }
    for _ in 0..ONE_WAY - 1 {
        channel.receive().await;
    }
    let last = channel.receive().await;
    channel.send(last).await;
}

async fn ask(name: &'static str, mut channel: impl Channel) {
    rt::sleep(Duration::from_millis(100)).await;
    let mut idle = Measured::start(format!("{name}, idle round trip"));
    for i in 0..IDLE_ROUNDS {
        let sent = rt::now();
        channel.send(message(i)).await;
        assert_eq!(channel.receive().await[0], i);
        idle.record(sent);
        if i % 10 == 0 {
            rt::sleep(Duration::from_micros(500)).await;
        }
    }
    idle.report(IDLE_ROUNDS);
    let mut pipelined = Measured::start(format!("{name}, {WINDOW} under way"));
    let mut sent = std::collections::VecDeque::new();
    for i in 0..PIPELINED_ROUNDS {
        if sent.len() as u64 == WINDOW {
            channel.receive().await;
            pipelined.record(sent.pop_front().expect("as many sent as awaited"));
        }
        sent.push_back(rt::now());
        channel.send(message(i)).await;
    }
    while let Some(sent) = sent.pop_front() {
        channel.receive().await;
        pipelined.record(sent);
    }
    pipelined.report(PIPELINED_ROUNDS);
    let one_way = Measured::start(format!("{name}, one way"));
    for i in 0..ONE_WAY {
        channel.send(message(i)).await;
    }
    channel.receive().await;
    one_way.report(ONE_WAY);
}

fn over_mesh() {
    let mut ends = Mesh::<Message>::ends(2, CAPACITY, false);
    let (second, first) = (ends.pop().expect("two ends"), ends.pop().expect("two ends"));
    two_cores(
        || async { ask("mesh", OverMesh(first.sender(), first, 1)).await },
        || async { answer(OverMesh(second.sender(), second, 0)).await },
    );
}

fn over_flume() {
    let (to_second, from_first) = flume::bounded(CAPACITY);
    let (to_first, from_second) = flume::bounded(CAPACITY);
    two_cores(
        || async { ask("flume", OverFlume(to_second, from_second)).await },
        || async { answer(OverFlume(to_first, from_first)).await },
    );
}

fn over_shared_channel() {
    let (to_second, from_first) = shared_channel::new_bounded(CAPACITY);
    let (to_first, from_second) = shared_channel::new_bounded(CAPACITY);
    two_cores(
        || async { ask("glommio", OverShared(to_second.connect().await, from_second.connect().await)).await },
        || async {
            let receiver = from_first.connect().await;
            answer(OverShared(to_first.connect().await, receiver)).await;
        },
    );
}

/// A send to oneself costs no wake: what the channel itself costs.
fn to_oneself() {
    let mesh = Mesh::<Message>::ends(1, CAPACITY, false).pop().expect("one end");
    let spec = CoreSpec {
        name: "alone".to_owned(),
        cpu: Some(0),
        main: Box::new(move || {
            Box::pin(async move {
                let (done, finished) = sync::oneshot();
                let sender = mesh.sender();
                let measured = Measured::start("mesh, to oneself".to_owned());
                rt::spawn(Queue::Foreground, async move {
                    let mut mesh = mesh;
                    for _ in 0..ONE_WAY {
                        mesh.receive().await;
                    }
                    done.send(());
                });
                for i in 0..ONE_WAY {
                    sender.send(0, message(i)).await;
                }
                finished.await.expect("the receiver finishes");
                measured.report(ONE_WAY);
            })
        }),
    };
    rt::uring::run(vec![spec]).expect("one core").join();
}

fn main() {
    over_mesh();
    over_flume();
    over_shared_channel();
    to_oneself();
}
