//! `librdkafka-load`: librdkafka as load for `ringmill-perf`, which starts it. Prints metrics as lines of name, tab, value.
//!
//! `produce|consume BROKER TOPIC PARTITIONS RECORDS RECORD_BYTES BATCH_BYTES ACKS CODEC`. Produces so many random values without keys, or
//! consumes all partitions, assigned, to their ends. An example, since it is a program of the test clients' library.

// A load tool's clocks are none of the broker's.
#![allow(clippy::disallowed_types, clippy::disallowed_methods)]

use rdkafka::client::ClientContext;
use rdkafka::config::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::KafkaError;
use rdkafka::message::DeliveryResult;
use rdkafka::producer::{BaseRecord, Producer, ProducerContext, ThreadedProducer};
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};
use rdkafka::types::RDKafkaErrorCode;
use std::error::Error;
use std::sync::Mutex;
use std::thread;
use std::time::{Duration, Instant};

const MIB: f64 = 1024.0 * 1024.0;
const TIME_MAX: Duration = Duration::from_secs(120);

/// Latencies from the handing over of each record to its ack, in us, and failures.
#[derive(Default)]
struct Acks(Mutex<(Vec<u64>, u64)>);

impl ClientContext for Acks {}

impl ProducerContext for Acks {
    type DeliveryOpaque = Box<Instant>;

    fn delivery(&self, result: &DeliveryResult<'_>, sent: Box<Instant>) {
        let mut acks = self.0.lock().expect("nobody panics with it");
        match result {
            Ok(_) => acks.0.push(sent.elapsed().as_micros() as u64),
            Err(_) => acks.1 += 1,
        }
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [what, broker, topic, partitions, records, record_bytes, batch_bytes, acks, codec] = &arguments[..] else {
        return Err("produce|consume BROKER TOPIC PARTITIONS RECORDS RECORD_BYTES BATCH_BYTES ACKS CODEC".into());
    };
    let mut config = ClientConfig::new();
    config.set("bootstrap.servers", broker);
    if what == "consume" {
        return consume(&mut config, topic, partitions.parse()?);
    }
    config.set("acks", acks).set("compression.codec", codec).set("batch.size", batch_bytes).set("linger.ms", "5");
    config.set("queue.buffering.max.messages", "200000").set("batch.num.messages", "100000");
    produce(&config, topic, records.parse()?, record_bytes.parse()?)
}

fn produce(config: &ClientConfig, topic: &str, records: usize, record_bytes: usize) -> Result<(), Box<dyn Error>> {
    let producer: ThreadedProducer<Acks> = config.create_with_context(Acks::default())?;
    let mut value = vec![0; record_bytes];
    let mut random = 1_u64;
    let start = Instant::now();
    for _ in 0..records {
        // New bytes in every eighth place: no codec finds much, and making them costs little.
        for chunk in value.chunks_exact_mut(64) {
            random ^= random << 13;
            random ^= random >> 7;
            random ^= random << 17;
            chunk[..8].copy_from_slice(&random.to_le_bytes());
        }
        let mut record = BaseRecord::<(), [u8], Box<Instant>>::with_opaque_to(topic, Box::new(Instant::now())).payload(&value[..]);
        while let Err((error, again)) = producer.send(record) {
            let KafkaError::MessageProduction(RDKafkaErrorCode::QueueFull) = error else { return Err(error.into()) };
            record = again;
            thread::sleep(Duration::from_micros(200));
        }
    }
    producer.flush(TIME_MAX)?;
    let seconds = start.elapsed().as_secs_f64();
    let acks = producer.context().0.lock().map_err(|_| "a callback panicked")?;
    let mut latencies = acks.0.clone();
    latencies.sort_unstable();
    println!("mib_per_s\t{:.3}", latencies.len() as f64 * record_bytes as f64 / MIB / seconds);
    println!("records_per_s\t{:.3}", latencies.len() as f64 / seconds);
    for (name, quantile) in [("p50_ms", 0.5), ("p99_ms", 0.99), ("p99.9_ms", 0.999), ("max_ms", 1.0)] {
        let at = ((latencies.len() as f64 * quantile) as usize).min(latencies.len().saturating_sub(1));
        println!("{name}\t{:.3}", latencies.get(at).map_or(0.0, |us| *us as f64 / 1000.0));
    }
    println!("errors\t{}", acks.1);
    Ok(())
}

fn consume(config: &mut ClientConfig, topic: &str, partitions: i32) -> Result<(), Box<dyn Error>> {
    config
        .set("group.id", "none")
        .set("enable.auto.commit", "false")
        .set("enable.partition.eof", "true")
        .set("auto.offset.reset", "earliest");
    let consumer: BaseConsumer = config.create()?;
    let mut assigned = TopicPartitionList::new();
    (0..partitions).try_for_each(|partition| assigned.add_partition_offset(topic, partition, Offset::Beginning))?;
    let start = Instant::now();
    consumer.assign(&assigned)?;
    let (mut bytes, mut records, mut ended) = (0_u64, 0_u64, 0);
    while ended < partitions && start.elapsed() < TIME_MAX {
        match consumer.poll(Duration::from_secs(1)) {
            None => {}
            Some(Ok(message)) => {
                bytes += message.payload_len() as u64;
                records += 1;
            }
            Some(Err(KafkaError::PartitionEOF(_))) => ended += 1,
            Some(Err(error)) => return Err(error.into()),
        }
    }
    let seconds = start.elapsed().as_secs_f64();
    println!("mib_per_s\t{:.3}\nrecords_per_s\t{:.3}\nbytes\t{bytes}", bytes as f64 / MIB / seconds, records as f64 / seconds);
    Ok(())
}
