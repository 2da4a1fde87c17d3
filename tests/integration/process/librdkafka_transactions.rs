//! librdkafka's transactional producers, by the `rdkafka` crate: what two workers of a group read from one topic they write to another, with the
//! offsets in the same transaction, while the broker is killed again and again. In the end each record is there once.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use rdkafka::config::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::KafkaError;
use rdkafka::message::Message;
use rdkafka::producer::{BaseRecord, DefaultProducerContext, Producer, ThreadedProducer};
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};

use crate::batch::Batch;
use crate::broker::{Broker, PATIENCE, unique};
use crate::connection::Connection;

const PARTITIONS: usize = 4;
const RECORDS: usize = 800;
const KILLS: usize = 4;
/// Records of a transaction, at most.
const AT_ONCE: usize = 10;
/// One of so many transactions is given up.
const GIVEN_UP: usize = 7;

/// The names of one run, and how far it came.
struct Work {
    bootstrap: String,
    from: String,
    to: String,
    group: String,
    copied: AtomicUsize,
    over: AtomicBool,
}

impl Work {
    fn client(&self) -> ClientConfig {
        let mut config = ClientConfig::new();
        config.set("bootstrap.servers", &self.bootstrap).set("reconnect.backoff.max.ms", "100");
        config
    }

    fn consumer(&self) -> BaseConsumer {
        let consumer: BaseConsumer = self
            .client()
            .set("group.id", &self.group)
            .set("session.timeout.ms", "6000")
            .set("heartbeat.interval.ms", "200")
            .set("enable.auto.commit", "false")
            .set("auto.offset.reset", "earliest")
            .create()
            .expect("a consumer");
        consumer.subscribe(&[&self.from]).expect("subscribe");
        consumer
    }

    fn producer(&self, worker: usize) -> ThreadedProducer<DefaultProducerContext> {
        self.client()
            .set("transactional.id", format!("{}-{worker}", self.group))
            .set("transaction.timeout.ms", "20000")
            .set("linger.ms", "0")
            .create()
            .expect("a producer")
    }

    /// Works until all is over. Whatever goes wrong ends a life: the next one begins at the offsets that were committed.
    fn work(&self, worker: usize) {
        while !self.over.load(Ordering::Relaxed) {
            let _ = self.live(worker);
        }
    }

    fn live(&self, worker: usize) -> Result<(), KafkaError> {
        let producer = self.producer(worker);
        let consumer = self.consumer();
        producer.init_transactions(PATIENCE)?;
        for number in 1.. {
            if self.over.load(Ordering::Relaxed) {
                break;
            }
            let records = take(&consumer);
            if records.is_empty() {
                continue;
            }
            producer.begin_transaction()?;
            let mut next = BTreeMap::new();
            for (partition, offset, value) in &records {
                producer.send(BaseRecord::<(), _>::to(&self.to).partition(*partition).payload(value)).map_err(|(error, _)| error)?;
                next.insert(*partition, offset + 1);
            }
            let mut offsets = TopicPartitionList::new();
            for (partition, offset) in next {
                offsets.add_partition_offset(&self.from, partition, Offset::Offset(offset))?;
            }
            let member = consumer.group_metadata().expect("a consumer of a group has metadata");
            producer.send_offsets_to_transaction(&offsets, &member, PATIENCE)?;
            if number % GIVEN_UP == 0 {
                return producer.abort_transaction(PATIENCE);
            }
            producer.commit_transaction(PATIENCE)?;
            self.copied.fetch_add(records.len(), Ordering::Relaxed);
        }
        Ok(())
    }

    /// What readers of committed records find in the destination, up to its end.
    fn found(&self) -> Vec<String> {
        let consumer: BaseConsumer = self
            .client()
            .set("group.id", "nobody")
            .set("isolation.level", "read_committed")
            .set("enable.partition.eof", "true")
            .set("auto.offset.reset", "earliest")
            .create()
            .expect("a consumer");
        let mut all = TopicPartitionList::new();
        for partition in 0..PARTITIONS {
            all.add_partition_offset(&self.to, partition as i32, Offset::Beginning).expect("an offset");
        }
        consumer.assign(&all).expect("assign");
        let (mut values, mut ended, began) = (Vec::new(), 0, Instant::now());
        while ended < PARTITIONS {
            assert!(began.elapsed() < PATIENCE, "{} records found", values.len());
            match consumer.poll(Duration::from_millis(50)) {
                Some(Ok(message)) => values.push(text(message.payload())),
                Some(Err(KafkaError::PartitionEOF(_))) => ended += 1,
                Some(Err(_)) | None => {}
            }
        }
        values
    }
}

fn text(payload: Option<&[u8]>) -> String {
    String::from_utf8(payload.expect("a value").to_vec()).expect("text")
}

/// A few records: partition, offset, value.
fn take(consumer: &BaseConsumer) -> Vec<(i32, i64, String)> {
    let mut records = Vec::new();
    let mut wait = Duration::from_millis(200);
    while records.len() < AT_ONCE {
        match consumer.poll(wait) {
            Some(Ok(message)) => records.push((message.partition(), message.offset(), text(message.payload()))),
            Some(Err(_)) => {}
            None => break,
        }
        wait = Duration::from_millis(1);
    }
    records
}

#[test]
fn librdkafka_copies_a_topic_exactly_once_while_the_broker_is_killed() {
    let mut broker = Broker::start_with(&[
        "offsets.topic.num.partitions=4",
        "transaction.state.log.num.partitions=4",
        "group.initial.rebalance.delay.ms=0",
    ]);
    let work = Arc::new(Work {
        bootstrap: broker.bootstrap(),
        from: unique("from"),
        to: unique("to"),
        group: unique("copies"),
        copied: AtomicUsize::new(0),
        over: AtomicBool::new(false),
    });
    let mut connection = Connection::to(&broker);
    connection.create_partitioned_topic(&work.from, PARTITIONS as i32, &[]);
    connection.create_partitioned_topic(&work.to, PARTITIONS as i32, &[]);
    for n in 0..RECORDS {
        let answer = connection.produce(&work.from, (n % PARTITIONS) as i32, Batch::of(&[n.to_string().as_bytes()]).build());
        assert_eq!(answer.error_code, 0);
    }
    let workers: Vec<_> = (0..2)
        .map(|worker| {
            let work = Arc::clone(&work);
            std::thread::spawn(move || work.work(worker))
        })
        .collect();
    let began = Instant::now();
    for kill in 1..=KILLS {
        while work.copied.load(Ordering::Relaxed) < RECORDS * kill / (KILLS + 1) {
            assert!(began.elapsed() < PATIENCE, "{} records copied before kill {kill}", work.copied.load(Ordering::Relaxed));
            std::thread::sleep(Duration::from_millis(1));
        }
        broker.kill();
        broker.start_again();
    }
    // A commit whose answer the broker's death swallowed is not counted by its worker: the destination itself says when all is there.
    let mut values = work.found();
    while values.len() < RECORDS {
        assert!(began.elapsed() < 2 * PATIENCE, "{} of {RECORDS} records are there", values.len());
        std::thread::sleep(Duration::from_millis(100));
        values = work.found();
    }
    work.over.store(true, Ordering::Relaxed);
    workers.into_iter().for_each(|worker| worker.join().expect("a worker"));
    // What the last transactions wrote is decided now, too.
    let mut times: BTreeMap<String, usize> = BTreeMap::new();
    work.found().into_iter().for_each(|value| *times.entry(value).or_default() += 1);
    assert_eq!(times.len(), RECORDS, "records are missing");
    let repeated: Vec<_> = times.iter().filter(|(_, count)| **count > 1).collect();
    assert!(repeated.is_empty(), "more than once: {repeated:?}");
}
