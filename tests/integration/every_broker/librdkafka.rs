//! librdkafka's producer and consumer, by the `rdkafka` crate.

use std::cell::RefCell;
use std::collections::HashMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use rdkafka::client::ClientContext;
use rdkafka::config::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::{BorrowedMessage, Header, Headers, Message, OwnedHeaders};
use rdkafka::producer::{BaseProducer, BaseRecord, DeliveryResult, Producer, ProducerContext};
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};

use crate::broker::{Broker, PATIENCE, unique};
use crate::connection::Connection;

/// Remembers what became of each record, by the sequence number it was sent with.
#[derive(Default)]
struct Deliveries {
    offsets: Mutex<HashMap<usize, Result<i64, KafkaError>>>,
    count: AtomicUsize,
}

impl ClientContext for Deliveries {}

impl ProducerContext for Deliveries {
    type DeliveryOpaque = usize;

    fn delivery(&self, result: &DeliveryResult<'_>, sent: usize) {
        let outcome = match result {
            Ok(message) => Ok(message.offset()),
            Err((error, _)) => Err(error.clone()),
        };
        self.offsets.lock().expect("lock").insert(sent, outcome);
        self.count.fetch_add(1, Ordering::Relaxed);
    }
}

fn producer(broker: &Broker, settings: &[(&str, &str)]) -> BaseProducer<Deliveries> {
    let mut config = ClientConfig::new();
    config.set("bootstrap.servers", broker.bootstrap()).set("linger.ms", "1");
    for (key, value) in settings {
        config.set(*key, *value);
    }
    config.create_with_context(Deliveries::default()).expect("a producer")
}

/// A consumer of one partition from an offset on.
fn consumer(broker: &Broker, topic: &str, partition: i32, offset: Offset) -> BaseConsumer {
    let consumer: BaseConsumer = ClientConfig::new()
        .set("bootstrap.servers", broker.bootstrap())
        .set("group.id", "unused")
        .set("enable.auto.commit", "false")
        .set("fetch.message.max.bytes", "100000")
        .create()
        .expect("a consumer");
    let mut assignment = TopicPartitionList::new();
    assignment.add_partition_offset(topic, partition, offset).expect("an assignment");
    consumer.assign(&assignment).expect("assign");
    consumer
}

/// Calls `each` with the next `count` messages.
fn consume(consumer: &BaseConsumer, count: usize, mut each: impl FnMut(usize, &BorrowedMessage<'_>)) {
    let mut seen = 0;
    let mut last = Instant::now();
    while seen < count {
        match consumer.poll(Duration::from_millis(100)) {
            Some(Ok(message)) => {
                each(seen, &message);
                seen += 1;
                last = Instant::now();
            }
            Some(Err(KafkaError::MessageConsumption(RDKafkaErrorCode::UnknownTopicOrPartition))) | None => {
                assert!(last.elapsed() < PATIENCE, "{seen} of {count} messages came");
            }
            Some(Err(error)) => panic!("{error}"),
        }
    }
}

fn topic_of(broker: &Broker, name: &str) -> String {
    let topic = unique(name);
    Connection::to(broker).create_topic(&topic, &[]);
    topic
}

/// Sends `count` records without waiting for each, and waits for all: record n must get offset n.
fn send_all(producer: &BaseProducer<Deliveries>, topic: &str, count: usize, value: impl Fn(usize) -> String) {
    for i in 0..count {
        let value = value(i);
        let mut record = BaseRecord::<(), _, _>::with_opaque_to(topic, i).partition(0).payload(&value);
        loop {
            match producer.send(record) {
                Ok(()) => break,
                Err((KafkaError::MessageProduction(RDKafkaErrorCode::QueueFull), refused)) => {
                    record = refused;
                    producer.poll(Duration::from_millis(5));
                }
                Err((error, _)) => panic!("{error}"),
            }
        }
    }
    producer.flush(PATIENCE).expect("flush");
    let offsets = producer.context().offsets.lock().expect("lock");
    for i in 0..count {
        assert_eq!(offsets.get(&i), Some(&Ok(i as i64)), "record {i}");
    }
}

fn expect_all(broker: &Broker, topic: &str, count: usize, value: impl Fn(usize) -> String) {
    consume(&consumer(broker, topic, 0, Offset::Beginning), count, |i, message| {
        assert_eq!(message.offset(), i as i64);
        assert_eq!(message.payload(), Some(value(i).as_bytes()));
    });
}

#[test]
fn one_record_at_a_time() {
    let broker = Broker::start();
    let topic = topic_of(&broker, "sync");
    let producer = producer(&broker, &[("linger.ms", "0")]);
    for i in 0..100 {
        let value = format!("record {i}");
        let record = BaseRecord::<(), _, _>::with_opaque_to(&topic, i).partition(0).payload(&value);
        producer.send(record).map_err(|(error, _)| error).expect("send");
        producer.flush(PATIENCE).expect("flush");
        assert_eq!(producer.context().count.load(Ordering::Relaxed), i + 1);
    }
    expect_all(&broker, &topic, 100, |i| format!("record {i}"));
}

#[test]
fn batches_of_every_codec() {
    let broker = Broker::start();
    for codec in ["none", "gzip", "snappy", "lz4", "zstd"] {
        let topic = topic_of(&broker, codec);
        let producer = producer(&broker, &[("compression.type", codec), ("linger.ms", "10")]);
        let value = |i| format!("a value that compresses well well well {i}");
        send_all(&producer, &topic, 20_000, value);
        expect_all(&broker, &topic, 20_000, value);
    }
}

#[test]
fn an_idempotent_producer_with_small_batches() {
    let broker = Broker::start();
    let topic = topic_of(&broker, "idempotent");
    let producer = producer(&broker, &[("enable.idempotence", "true"), ("batch.num.messages", "10"), ("linger.ms", "0")]);
    send_all(&producer, &topic, 4_000, |i| i.to_string());
    expect_all(&broker, &topic, 4_000, |i| i.to_string());
}

#[test]
fn a_full_queue_holds_the_sender_back() {
    let broker = Broker::start();
    let topic = topic_of(&broker, "pressure");
    let producer = producer(&broker, &[("queue.buffering.max.messages", "100"), ("linger.ms", "0")]);
    send_all(&producer, &topic, 10_000, |i| format!("pressed {i}"));
    expect_all(&broker, &topic, 10_000, |i| format!("pressed {i}"));
}

#[test]
fn acks_of_every_kind() {
    let broker = Broker::start();
    for acks in ["0", "1", "all"] {
        let topic = topic_of(&broker, acks);
        let producer = producer(&broker, &[("acks", acks)]);
        for i in 0..1000 {
            producer
                .send(BaseRecord::<(), str, _>::with_opaque_to(&topic, i).partition(0).payload("v"))
                .map_err(|(error, _)| error)
                .expect("send");
        }
        producer.flush(PATIENCE).expect("flush");
        assert_eq!(producer.context().count.load(Ordering::Relaxed), 1000);
        expect_all(&broker, &topic, 1000, |_| "v".to_string());
    }
}

#[test]
fn keys_timestamps_and_repeated_headers() {
    let broker = Broker::start();
    let topic = topic_of(&broker, "headers");
    let producer = producer(&broker, &[]);
    let header = |key, value| Header { key, value };
    let headers = OwnedHeaders::new()
        .insert(header("a", Some("1")))
        .insert(header("b", None::<&str>))
        .insert(header("a", Some("2")))
        .insert(header("a", Some("")));
    let record = BaseRecord::with_opaque_to(&topic, 0).partition(0).key("k").payload("v").timestamp(1_234_567).headers(headers);
    producer.send(record).map_err(|(error, _)| error).expect("send");
    producer.flush(PATIENCE).expect("flush");
    consume(&consumer(&broker, &topic, 0, Offset::Beginning), 1, |_, message| {
        assert_eq!((message.key(), message.timestamp().to_millis()), (Some(&b"k"[..]), Some(1_234_567)));
        let seen: Vec<_> =
            message.headers().expect("headers").iter().map(|header| (header.key.to_string(), header.value.map(<[u8]>::to_vec))).collect();
        let expected = [("a", Some(b"1".to_vec())), ("b", None), ("a", Some(b"2".to_vec())), ("a", Some(vec![]))];
        assert_eq!(seen, expected.map(|(key, value)| (key.to_string(), value)));
    });
}

#[test]
fn records_of_a_megabyte() {
    let broker = Broker::start();
    let topic = topic_of(&broker, "large");
    let producer = producer(&broker, &[("message.max.bytes", "3000000")]);
    let value = |i: usize| char::from(b'a' + i as u8).to_string().repeat(1_000_000);
    send_all(&producer, &topic, 20, value);
    expect_all(&broker, &topic, 20, value);

    producer
        .send(BaseRecord::<(), _, _>::with_opaque_to(&topic, 20).partition(0).payload(&"x".repeat(2_000_000)))
        .map_err(|(error, _)| error)
        .expect("send");
    producer.flush(PATIENCE).expect("flush");
    let offsets = producer.context().offsets.lock().expect("lock");
    assert_eq!(offsets[&20], Err(KafkaError::MessageProduction(RDKafkaErrorCode::MessageSizeTooLarge)));
}

#[test]
fn consumers_start_at_offsets_and_timestamps() {
    let broker = Broker::start();
    let topic = topic_of(&broker, "starts");
    let producer = producer(&broker, &[("batch.num.messages", "7")]);
    for i in 0..1000_usize {
        let value = i.to_string();
        let record =
            BaseRecord::<(), _, _>::with_opaque_to(&topic, i).partition(0).payload(&value).timestamp(1_600_000_000_000 + i as i64 * 10);
        producer.send(record).map_err(|(error, _)| error).expect("send");
    }
    producer.flush(PATIENCE).expect("flush");
    for (offset, first) in [(Offset::Offset(0), 0), (Offset::Offset(501), 501), (Offset::Offset(999), 999), (Offset::OffsetTail(3), 997)] {
        consume(&consumer(&broker, &topic, 0, offset), 1, |_, message| assert_eq!(message.offset(), first, "{offset:?}"));
    }
    let consumer = consumer(&broker, &topic, 0, Offset::Beginning);
    assert_eq!(consumer.fetch_watermarks(&topic, 0, PATIENCE).expect("watermarks"), (0, 1000));
    for (timestamp, expected) in [
        (0, Offset::Offset(0)),
        (1_600_000_000_415, Offset::Offset(42)),
        (1_600_000_009_990, Offset::Offset(999)),
        (1_600_000_009_991, Offset::End),
    ] {
        let mut wanted = TopicPartitionList::new();
        wanted.add_partition_offset(&topic, 0, Offset::Offset(timestamp)).expect("a timestamp");
        let found = consumer.offsets_for_times(wanted, PATIENCE).expect("offsets");
        assert_eq!(found.elements()[0].offset(), expected, "at {timestamp}");
    }
}

#[test]
fn many_partitions_each_in_order() {
    let broker = Broker::start();
    let topic = unique("spread");
    Connection::to(&broker).create_partitioned_topic(&topic, 10, &[]);
    let producer = producer(&broker, &[]);
    for i in 0..20_000_usize {
        let value = (i / 10).to_string();
        let record = BaseRecord::<(), _, _>::with_opaque_to(&topic, i).partition(i as i32 % 10).payload(&value);
        producer.send(record).map_err(|(error, _)| error).expect("send");
    }
    producer.flush(PATIENCE).expect("flush");
    let consumer = consumer(&broker, &topic, 0, Offset::Beginning);
    let mut assignment = TopicPartitionList::new();
    for partition in 0..10 {
        assignment.add_partition_offset(&topic, partition, Offset::Beginning).expect("an assignment");
    }
    consumer.assign(&assignment).expect("assign");
    let next = RefCell::new([0_i64; 10]);
    consume(&consumer, 20_000, |_, message| {
        let next = &mut next.borrow_mut()[message.partition() as usize];
        assert_eq!(message.offset(), *next);
        assert_eq!(message.payload(), Some(next.to_string().as_bytes()));
        *next += 1;
    });
}

#[test]
fn empty_records() {
    let broker = Broker::start();
    let topic = topic_of(&broker, "empty");
    let producer = producer(&broker, &[]);
    send_all(&producer, &topic, 100, |_| String::new());
    expect_all(&broker, &topic, 100, |_| String::new());
}
