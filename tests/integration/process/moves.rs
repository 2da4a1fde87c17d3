//! Partitions move between the cores of the real process: clients do not notice, and `kill -9` in the middle loses nothing.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use rdkafka::client::ClientContext;
use rdkafka::config::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::message::Message;
use rdkafka::producer::{BaseProducer, BaseRecord, DeliveryResult, Producer, ProducerContext};
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};

use crate::batch::Batch;
use crate::broker::{Broker, PATIENCE, unique};
use crate::connection::Connection;

pub const PARTITIONS: usize = 4;

/// Moves a topic's partitions between the harness's two shards until it is dropped.
pub struct Operator {
    stop: Arc<AtomicBool>,
    moves: Arc<AtomicU64>,
    thread: Option<JoinHandle<()>>,
}

impl Operator {
    pub fn of(admin: SocketAddr, topic: &str) -> Operator {
        let (stop, moves) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
        let (stopped, counted, topic) = (Arc::clone(&stop), Arc::clone(&moves), topic.to_string());
        let thread = std::thread::spawn(move || {
            for n in 0_usize.. {
                if stopped.load(Ordering::Relaxed) {
                    return;
                }
                let target = format!("/partitions/move?topic={topic}&partition={}&shard={}", n % PARTITIONS, n / PARTITIONS % 2);
                match post(admin, &target) {
                    Some(answer) if answer.starts_with("HTTP/1.1 200") => drop(counted.fetch_add(1, Ordering::Relaxed)),
                    Some(answer) => assert!(answer.starts_with("HTTP/1.1 409"), "{answer}"),
                    // It was killed, or is starting.
                    None => std::thread::sleep(Duration::from_millis(5)),
                }
            }
        });
        Operator { stop, moves, thread: Some(thread) }
    }

    pub fn wait_for(&self, moves: u64) {
        let began = Instant::now();
        while self.moves.load(Ordering::Relaxed) < moves {
            assert!(began.elapsed() < PATIENCE, "partitions do not move");
            std::thread::sleep(Duration::from_millis(1));
        }
    }

    pub fn end(mut self) -> u64 {
        self.stop.store(true, Ordering::Relaxed);
        self.thread.take().expect("the thread runs").join().expect("every answer was expected");
        self.moves.load(Ordering::Relaxed)
    }
}

impl Drop for Operator {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
    }
}

/// The answer; `None` if nobody is there.
fn post(admin: SocketAddr, target: &str) -> Option<String> {
    let mut stream = TcpStream::connect(admin).ok()?;
    stream.set_read_timeout(Some(PATIENCE)).ok()?;
    stream.write_all(format!("POST {target} HTTP/1.1\r\nConnection: close\r\n\r\n").as_bytes()).ok()?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).ok()?;
    (!answer.is_empty()).then_some(answer)
}

#[test]
fn no_request_fails_while_partitions_move() {
    let broker = Broker::start();
    let topic = unique("moved");
    let mut connection = Connection::to(&broker);
    connection.create_partitioned_topic(&topic, PARTITIONS as i32, &[]);
    let operator = Operator::of(broker.admin(), &topic);
    for n in 0..600 {
        let (partition, offset) = ((n % PARTITIONS) as i32, (n / PARTITIONS) as i64);
        let answer = connection.produce(&topic, partition, Batch::of(&[n.to_string().as_bytes()]).build());
        assert_eq!((answer.error_code, answer.base_offset), (0, offset), "record {n}");
        let fetched = connection.fetch(&topic, partition, offset);
        assert_eq!((fetched.error_code, fetched.high_watermark), (0, offset + 1), "record {n}");
        assert!(fetched.records.is_some_and(|records| !records.is_empty()), "record {n} is there at once");
        assert_eq!(connection.list_offset(&topic, partition, -1), (0, offset + 1));
    }
    operator.wait_for(20);
    operator.end();
    for partition in 0..PARTITIONS {
        let expected: Vec<_> = (0..600).filter(|n| n % PARTITIONS == partition).map(|n| n.to_string().into_bytes()).collect();
        assert_eq!(connection.values(&topic, partition as i32), expected);
    }
    assert!(post(broker.admin(), "/partitions/move?topic=nobody&partition=0&shard=0").is_some_and(|answer| answer.contains(" 404 ")));
}

/// Offsets of delivered records, by partition and place in it.
#[derive(Default)]
pub struct Deliveries(pub Mutex<Vec<(usize, i64)>>);

impl ClientContext for Deliveries {}

impl ProducerContext for Deliveries {
    type DeliveryOpaque = usize;

    fn delivery(&self, result: &DeliveryResult<'_>, sent: usize) {
        let message = result.as_ref().map_err(|(error, _)| error.clone()).expect("an idempotent producer goes on until it succeeds");
        self.0.lock().expect("lock").push((sent, message.offset()));
    }
}

#[test]
fn killed_while_partitions_move_it_has_every_record_once_and_in_order() {
    const ROUNDS: usize = 5;
    const ROUND: usize = 1_000;
    let mut broker = Broker::start();
    let topic = unique("moved-and-killed");
    Connection::to(&broker).create_partitioned_topic(&topic, PARTITIONS as i32, &[]);
    let operator = Operator::of(broker.admin(), &topic);
    let reader = follow(&broker, &topic, ROUNDS * ROUND, &[]);
    let mut config = ClientConfig::new();
    config.set("bootstrap.servers", broker.bootstrap()).set("enable.idempotence", "true");
    config.set("linger.ms", "1").set("batch.num.messages", "10").set("reconnect.backoff.max.ms", "100");
    let producer: BaseProducer<Deliveries> = config.create_with_context(Deliveries::default()).expect("a producer");
    for round in 0..ROUNDS {
        for n in round * ROUND..(round + 1) * ROUND {
            let value = (n / PARTITIONS).to_string();
            let record = BaseRecord::<(), _, _>::with_opaque_to(&topic, n).partition((n % PARTITIONS) as i32).payload(&value);
            producer.send(record).map_err(|(error, _)| error).expect("send");
            producer.poll(Duration::ZERO);
        }
        operator.wait_for(10 * (round as u64 + 1));
        broker.kill();
        broker.start_again();
    }
    producer.flush(PATIENCE).expect("flush");
    let delivered = producer.context().0.lock().expect("lock").clone();
    assert_eq!(delivered.len(), ROUNDS * ROUND);
    for (n, offset) in delivered {
        assert_eq!(offset, (n / PARTITIONS) as i64, "record {n}");
    }
    reader.join().expect("the consumer saw every record once and in order");
    operator.end();
}

/// A consumer that reads all partitions while they move and while the broker dies, until it has seen so many records.
pub fn follow(broker: &Broker, topic: &str, count: usize, settings: &[(&str, &str)]) -> JoinHandle<()> {
    let mut config = ClientConfig::new();
    for (key, value) in settings {
        config.set(*key, *value);
    }
    config.set("bootstrap.servers", broker.bootstrap()).set("group.id", "unused").set("enable.auto.commit", "false");
    let consumer: BaseConsumer = config.set("reconnect.backoff.max.ms", "100").create().expect("a consumer");
    let mut assignment = TopicPartitionList::new();
    for partition in 0..PARTITIONS {
        assignment.add_partition_offset(topic, partition as i32, Offset::Beginning).expect("an assignment");
    }
    consumer.assign(&assignment).expect("assign");
    std::thread::spawn(move || {
        let (mut next, mut seen, mut last) = ([0_i64; PARTITIONS], 0, Instant::now());
        while seen < count {
            assert!(last.elapsed() < PATIENCE, "{seen} of {count} records came");
            // Errors tell of the kills.
            let Some(Ok(message)) = consumer.poll(Duration::from_millis(100)) else { continue };
            let next = &mut next[message.partition() as usize];
            assert_eq!((message.offset(), message.payload()), (*next, Some(next.to_string().as_bytes())));
            *next += 1;
            (seen, last) = (seen + 1, Instant::now());
        }
    })
}
