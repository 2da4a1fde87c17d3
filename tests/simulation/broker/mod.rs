//! The whole broker on the simulator: clients produce and consume over its sockets while it crashes, is killed, stops and starts
//! again with other shard counts, and the network cuts connections.

mod client;
mod consumer_groups;
mod groups;
mod moves;
mod oracle;
mod transactions;

use client::{Client, Gone};
use oracle::{Oracle, Partition, value_of};
use ringmill::config::{BrokerConfig, Sources};
use ringmill::rt::sim::{DiskFaults, Machine, NetworkFaults, Options, World, for_each_seed};
use ringmill::rt::{fs, random_u64, sleep};
use ringmill::server::{Layout, Node};
use ringmill::types::{ErrorCode, Offset, PartitionIndex, ProducerId, Timestamp};
use ringmill::wire::api::create_topics::{CreatableTopic, CreateTopicsRequest};
use ringmill::wire::api::fetch::{FetchPartition, FetchRequest, FetchTopic};
use ringmill::wire::api::init_producer_id::InitProducerIdRequest;
use ringmill::wire::api::produce::{PartitionProduceData, ProduceRequest, TopicProduceData};
use ringmill::wire::records::{BatchBuilder, Codec, Compression, batches};
use std::cell::RefCell;
use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

const TOPICS: [&str; 2] = ["orders", "clicks"];
const PARTITIONS: i32 = 3;
const PRODUCERS: u64 = 3;
const LIVES: u64 = 4;

fn boot(world: &World, machine: Machine, shards: usize) -> Node {
    let settings = [
        format!("listeners=PLAINTEXT://{}:9092", machine.ip()),
        "log.dirs=/data".to_string(),
        format!("ringmill.admin.listener={}:{}", machine.ip(), moves::ADMIN_PORT),
        "auto.create.topics.enable=false".to_string(),
        "group.consumer.min.session.timeout.ms=6000".to_string(),
        "group.consumer.session.timeout.ms=6000".to_string(),
    ];
    let sources = Sources { file: None, environment: Vec::new(), set: settings.to_vec() };
    let config = BrokerConfig::load(&sources).expect("a valid configuration").config;
    let layout = Layout { shards: vec![None; shards], controller: None };
    let (node, cores) = Node::new(Arc::new(config), layout, true);
    world.boot(machine, cores);
    node
}

/// One life of the broker, of at least so many ms and up to nine seconds more, on one to three shards: killed, stopped, or crashed with its machine.
fn live(world: &World, broker: Machine, ms_min: u64) {
    let node = boot(world, broker, 1 + world.random_below(3) as usize);
    world.run_for(Duration::from_millis(ms_min + world.random_below(9_000)));
    match world.random_below(4) {
        0 => world.kill(broker),
        1 => {
            node.stop();
            assert!(world.run_until(Duration::from_secs(30), || world.running_cores(broker) == 0), "a clean stop takes less than 30 s");
        }
        _ => world.crash(broker),
    }
}

async fn connect(address: SocketAddr) -> Client {
    loop {
        match Client::connect(address).await {
            Ok(client) => return client,
            Err(Gone) => sleep(Duration::from_millis(20)).await,
        }
    }
}

/// Creates the topics; safe to repeat.
async fn create_topics(address: SocketAddr) {
    let topics =
        TOPICS.map(|name| CreatableTopic { name: name.into(), num_partitions: PARTITIONS, replication_factor: 1, ..Default::default() });
    let request = CreateTopicsRequest { topics: topics.to_vec(), timeout_ms: 10_000, ..Default::default() };
    loop {
        if let Ok(response) = connect(address).await.ask(&request, 7).await {
            let fine = |e| matches!(e, ErrorCode::None | ErrorCode::TopicAlreadyExists);
            assert!(response.topics.iter().all(|t| fine(t.error_code)), "{response:?}");
            return;
        }
    }
}

/// An idempotent producer with one batch in flight for each of its partitions in turn; retries until told otherwise.
struct Producer {
    number: u64,
    address: SocketAddr,
    id: ProducerId,
    /// The next sequence number by partition.
    next: std::collections::BTreeMap<Partition, i32>,
}

impl Producer {
    async fn run(mut self, oracle: Rc<RefCell<Oracle>>) {
        loop {
            let mut client = connect(self.address).await;
            while self.turn(&mut client, &oracle).await.is_ok() {
                sleep(Duration::from_micros(random_u64() % 3_000)).await;
            }
        }
    }

    async fn turn(&mut self, client: &mut Client, oracle: &RefCell<Oracle>) -> Result<(), Gone> {
        if self.id == ProducerId::NONE {
            let request = InitProducerIdRequest { transaction_timeout_ms: 60_000, ..Default::default() };
            let response = client.ask(&request, 4).await?;
            assert_eq!(response.error_code, ErrorCode::None);
            self.id = response.producer_id;
        }
        let partition = ((random_u64() % TOPICS.len() as u64) as usize, (random_u64() % PARTITIONS as u64) as i32);
        let first = self.next.get(&partition).copied().unwrap_or(0);
        let count = 1 + (random_u64() % 5) as i32;
        let values: Vec<u64> = (first..first + count).map(|sequence| value_of(self.number, sequence)).collect();
        let request = self.produce_request(partition, first, &values);
        // The same batch until it is answered: a retry must not append it twice.
        loop {
            match client.ask(&request, 9).await {
                Ok(response) => {
                    let answer = &response.responses[0].partition_responses[0];
                    match answer.error_code {
                        ErrorCode::None => {
                            oracle.borrow_mut().acknowledged(partition, answer.base_offset, &values);
                            self.next.insert(partition, first + count);
                            return Ok(());
                        }
                        ErrorCode::NotLeaderOrFollower | ErrorCode::UnknownTopicOrPartition | ErrorCode::RequestTimedOut => {}
                        other => panic!("{partition:?}: producer {} at sequence {first} got {other}", self.number),
                    }
                }
                Err(Gone) => *client = connect(self.address).await,
            }
            sleep(Duration::from_millis(5)).await;
        }
    }

    fn produce_request(&self, (topic, index): Partition, first: i32, values: &[u64]) -> ProduceRequest {
        let codec = [Codec::None, Codec::None, Codec::Lz4][(random_u64() % 3) as usize];
        let mut batch = BatchBuilder::new(Compression::of(codec)).producer(self.id, ringmill::types::ProducerEpoch(0), first);
        let filler = vec![b'x'; (random_u64() % 600) as usize];
        for value in values {
            let mut bytes = value.to_be_bytes().to_vec();
            bytes.extend_from_slice(&filler);
            batch.push(Timestamp(ringmill::rt::wall_clock().0), Some(b"key"), Some(&bytes), &[]);
        }
        let partition = PartitionProduceData { index: PartitionIndex(index), records: Some(batch.finish().into_bytes()) };
        let topic = TopicProduceData { name: TOPICS[topic].into(), partition_data: vec![partition], ..Default::default() };
        ProduceRequest { acks: -1, timeout_ms: 30_000, topic_data: vec![topic], ..Default::default() }
    }
}

/// Fetches one partition from `from`; the records and the high watermark.
async fn fetch(client: &mut Client, (topic, index): Partition, from: i64, wait_ms: i32) -> Result<(Vec<(i64, u64)>, Offset), Gone> {
    let partition =
        FetchPartition { partition: PartitionIndex(index), fetch_offset: Offset(from), partition_max_bytes: 2_000, ..Default::default() };
    let topic = FetchTopic { topic: TOPICS[topic].into(), partitions: vec![partition], ..Default::default() };
    let request = FetchRequest { max_wait_ms: wait_ms, min_bytes: 1, max_bytes: 1 << 20, topics: vec![topic], ..Default::default() };
    let response = client.ask(&request, 11).await?;
    let answer = &response.responses[0].partitions[0];
    assert_eq!(answer.error_code, ErrorCode::None, "fetching {from} of {index}");
    let bytes = answer.records.as_ref().and_then(|r| r.to_bytes()).unwrap_or_default();
    Ok((records_of(bytes), answer.high_watermark))
}

/// Offsets and values of the records of whole batches.
fn records_of(bytes: bytes::Bytes) -> Vec<(i64, u64)> {
    let mut records = Vec::new();
    for batch in batches(bytes) {
        let batch = batch.expect("whole batches are served");
        batch.check_crc().expect("what is served has a valid CRC");
        for record in batch.records().expect("records parse") {
            let record = record.expect("records parse");
            let value = record.value.expect("every record has a value");
            records.push((record.offset.0, u64::from_be_bytes(value[..8].try_into().expect("eight bytes"))));
        }
    }
    records
}

/// Follows one partition for ever, from a random place behind each time it connects.
async fn consume(address: SocketAddr, partition: Partition, oracle: Rc<RefCell<Oracle>>) {
    let mut seen_end = 0;
    loop {
        let mut client = connect(address).await;
        let mut from = seen_end - (random_u64() % 20).min(seen_end as u64) as i64;
        while let Ok((records, high_watermark)) = fetch(&mut client, partition, from, 50).await {
            assert!(high_watermark.0 >= seen_end, "{partition:?}: the high watermark went back from {seen_end} to {high_watermark}");
            for (offset, value) in records {
                assert!(offset < high_watermark.0, "{partition:?}: {offset} is served above the high watermark");
                oracle.borrow_mut().served(partition, offset, value);
                from = from.max(offset + 1);
            }
            seen_end = seen_end.max(from);
            sleep(Duration::from_micros(random_u64() % 5_000)).await;
        }
    }
}

async fn read_all(address: SocketAddr, partition: Partition) -> Vec<(i64, u64)> {
    let mut log: Vec<(i64, u64)> = Vec::new();
    let mut client = connect(address).await;
    loop {
        let from = log.last().map_or(0, |(offset, _)| offset + 1);
        match fetch(&mut client, partition, from, 0).await {
            Ok((records, high_watermark)) => {
                log.extend(records.into_iter().filter(|(offset, _)| *offset >= from));
                if log.len() as i64 >= high_watermark.0 {
                    return log;
                }
            }
            Err(Gone) => client = connect(address).await,
        }
    }
}

/// After a clean stop every journal says that it holds nothing.
async fn nothing_is_left_to_replay() {
    let root = std::path::Path::new("/data");
    for entry in fs::list_dir(root).await.expect("the log directory") {
        let journal = entry.name.strip_prefix("ringmill-journal-");
        if journal.is_some_and(|shard| shard.parse::<u16>().is_ok()) {
            let state = fs::read_file(&root.join(&entry.name), 4096).await.expect("a journal's state");
            let state = String::from_utf8_lossy(&state).into_owned();
            assert!(state.contains("replayed=true"), "after a clean stop {} says {state}", entry.name);
        }
    }
}

/// How much happened in a story.
struct Counts {
    acks: u64,
    moves: u64,
}

/// Produce, crash, recover; with a pause, partitions move between cores all the while, at most so many microseconds apart.
fn produce_crash_recover(seed: u64, moves_us: Option<u64>) -> Counts {
    let world = World::new(seed, Options::default());
    let (broker, clients) = (world.add_machine(), world.add_machine());
    let address = SocketAddr::new(broker.ip(), 9092);
    world.set_network_faults(NetworkFaults { cut_one_in: 3_000, refuse_one_in: 50, stall_one_in: 300 });
    let oracle = Rc::new(RefCell::new(Oracle::default()));
    for number in 0..PRODUCERS {
        let producer = Producer { number, address, id: ProducerId::NONE, next: Default::default() };
        let oracle = Rc::clone(&oracle);
        world.spawn_on(clients, async move {
            create_topics(address).await;
            producer.run(oracle).await;
        });
    }
    for topic in 0..TOPICS.len() {
        let oracle = Rc::clone(&oracle);
        let partition = (topic, (seed % PARTITIONS as u64) as i32);
        world.spawn_on(clients, async move {
            create_topics(address).await;
            consume(address, partition, oracle).await;
        });
    }
    if let Some(pause_us_max) = moves_us {
        world.spawn_on(clients, moves::move_about(address, pause_us_max, Rc::clone(&oracle)));
    }
    // Some disks dawdle now and then, so that moves are called off.
    let stall_one_in = if moves_us.is_some() && seed.is_multiple_of(3) { 60 } else { 0 };
    world.set_disk_faults(broker, DiskFaults { stall_one_in, ..DiskFaults::default() });
    for _ in 0..LIVES {
        let acks_before = oracle.borrow().acks;
        let node = boot(&world, broker, 1 + world.random_below(3) as usize);
        world.run_for(Duration::from_millis(100 + world.random_below(400)));
        match world.random_below(4) {
            0 => world.kill(broker),
            1 => {
                node.stop();
                let stopped = world.run_until(Duration::from_secs(30), || world.running_cores(broker) == 0);
                assert!(stopped, "a clean stop takes less than 30 s");
                // A stop may come before the start was through.
                if oracle.borrow().acks > acks_before {
                    world.block_on(broker, nothing_is_left_to_replay());
                }
            }
            _ => world.crash(broker),
        }
    }
    // The last life: nobody writes, everybody may look.
    world.kill(clients);
    world.set_network_faults(NetworkFaults::default());
    let _node = boot(&world, broker, 2);
    let oracle = oracle.borrow();
    for topic in 0..TOPICS.len() {
        for index in 0..PARTITIONS {
            let checked = (topic, index);
            let log = world.block_on(clients, async move {
                create_topics(address).await;
                read_all(address, checked).await
            });
            oracle.check_log(checked, &log);
        }
    }
    Counts { acks: oracle.acks, moves: oracle.moves }
}

#[test]
fn what_was_acknowledged_or_served_survives_crashes() {
    let acks = std::sync::atomic::AtomicU64::new(0);
    let ran = for_each_seed(100, |seed| {
        acks.fetch_add(produce_crash_recover(seed, None).acks, std::sync::atomic::Ordering::Relaxed);
    });
    ran.must_have_seen(acks.into_inner() > 0, &"an acknowledged batch");
}
