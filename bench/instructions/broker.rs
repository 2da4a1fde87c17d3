//! The whole broker on the simulator, one shard and two: requests over its sockets, one at a time, until they are answered.
//!
//! A short performance scenario: what the path of a request costs, from the frame to the ack. With two shards half of the partitions belong to the
//! core that does not have the connection, so half of the requests go over the mesh.

use crate::client::Client;
use crate::timing::once;
use crate::world::{batch, calm};
use bytes::Bytes;
use ringmill::config::{BrokerConfig, Sources};
use ringmill::rt::sim::{Machine, World};
use ringmill::rt::sleep;
use ringmill::server::{Layout, Node};
use ringmill::types::{ErrorCode, Offset, PartitionIndex};
use ringmill::wire::api::create_topics::{CreatableTopic, CreateTopicsRequest};
use ringmill::wire::api::fetch::{FetchPartition, FetchRequest, FetchTopic};
use ringmill::wire::api::metadata::MetadataRequest;
use ringmill::wire::api::produce::{PartitionProduceData, ProduceRequest, TopicProduceData};
use std::cell::RefCell;
use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

const TOPIC: &str = "bench";
const SMALL: u64 = 200;
const LARGE: u64 = 16;
const CONNECTIONS: u64 = 8;
/// Where the large batches have begun in each partition.
const LARGE_FROM: Offset = Offset(500);

pub fn run() {
    story(1);
    story(2);
}

/// A broker of `shards` with a partition for each.
struct Story {
    world: World,
    clients: Machine,
    shards: usize,
    /// Taken while they ask.
    connections: RefCell<Vec<Client>>,
    _node: Node,
}

fn story(shards: usize) {
    let story = Story::start(shards);
    story.produce("produce 1 KiB", SMALL, 1, &batch(1_000));
    story.fetch("fetch 1 KiB", SMALL, Offset(0), 1_000);
    story.produce("produce 1 KiB, 8 at a time", SMALL, CONNECTIONS, &batch(1_000));
    story.produce("produce 256 KiB", LARGE, 1, &batch(256_000));
    story.fetch("fetch 1 MiB", LARGE, LARGE_FROM, 1 << 20);
    story.metadata("metadata", SMALL);
}

impl Story {
    fn start(shards: usize) -> Story {
        let world = calm();
        let (broker, clients) = (world.add_machine(), world.add_machine());
        let node = boot(&world, broker, shards);
        let address = SocketAddr::new(broker.ip(), 9092);
        let connections = world.block_on(clients, async move {
            let mut connections = Vec::new();
            while connections.len() < CONNECTIONS as usize {
                match Client::connect(address).await {
                    Ok(client) => connections.push(client),
                    Err(_) => sleep(Duration::from_millis(20)).await,
                }
            }
            connections
        });
        let story = Story { world, clients, shards, connections: RefCell::new(connections), _node: node };
        story.create_topic();
        story
    }

    fn create_topic(&self) {
        let topic = CreatableTopic { name: TOPIC.into(), num_partitions: self.shards as i32, replication_factor: 1, ..Default::default() };
        let request = CreateTopicsRequest { topics: vec![topic], timeout_ms: 10_000, ..Default::default() };
        self.ask_all(
            1,
            1,
            Rc::new(async move |client: &mut Client, _| {
                let response = client.ask(&request, 7).await.expect("an answer");
                assert_eq!(response.topics[0].error_code, ErrorCode::None);
            }),
        );
    }

    fn name(&self, what: &str) -> String {
        format!("broker/{} shard{}: {what}", self.shards, if self.shards == 1 { "" } else { "s" })
    }

    /// A case of `count` requests in all on so many connections at once; before it four on each, uncounted.
    fn requests(&self, name: &str, count: u64, connections: u64, ask: impl AsyncFn(&mut Client, u64) + 'static) {
        let ask = Rc::new(ask);
        self.ask_all(connections, 4, Rc::clone(&ask));
        once(&self.name(name), count, || self.ask_all(connections, count / connections, ask));
    }

    /// Each of the first connections asks so often, one after the other.
    fn ask_all(&self, connections: u64, each: u64, ask: Rc<impl AsyncFn(&mut Client, u64) + 'static>) {
        let back = Rc::new(RefCell::new(self.connections.take()));
        let asking: Vec<Client> = back.borrow_mut().drain(..connections as usize).collect();
        for mut client in asking {
            let (ask, back) = (Rc::clone(&ask), Rc::clone(&back));
            self.world.spawn_on(self.clients, async move {
                for number in 0..each {
                    ask(&mut client, number).await;
                }
                back.borrow_mut().push(client);
            });
        }
        while back.borrow().len() < CONNECTIONS as usize {
            assert!(self.world.step(), "requests are answered");
        }
        self.connections.replace(back.take());
    }

    fn produce(&self, name: &str, count: u64, connections: u64, records: &Bytes) {
        let (records, shards) = (records.clone(), self.shards as u64);
        self.requests(name, count, connections, async move |client: &mut Client, number| {
            let request = produce_request((number % shards) as i32, records.clone());
            let response = client.ask(&request, 9).await.expect("an answer");
            assert_eq!(response.responses[0].partition_responses[0].error_code, ErrorCode::None);
        });
    }

    /// Always from the same offset.
    fn fetch(&self, name: &str, count: u64, from: Offset, bytes: i32) {
        let shards = self.shards as u64;
        self.requests(name, count, 1, async move |client: &mut Client, number| {
            let request = fetch_request((number % shards) as i32, from, bytes);
            let response = client.ask(&request, 11).await.expect("an answer");
            let partition = &response.responses[0].partitions[0];
            assert_eq!(partition.error_code, ErrorCode::None);
            assert!(partition.records.as_ref().is_some_and(|records| records.size() > 0), "there are records");
        });
    }

    fn metadata(&self, name: &str, count: u64) {
        self.requests(name, count, 1, async move |client: &mut Client, _| {
            let response = client.ask(&MetadataRequest::default(), 12).await.expect("an answer");
            assert_eq!(response.brokers.len(), 1);
        });
    }
}

fn boot(world: &World, machine: Machine, shards: usize) -> Node {
    let settings = [
        format!("listeners=PLAINTEXT://{}:9092", machine.ip()),
        "log.dirs=/data".to_owned(),
        "ringmill.admin.listener=".to_owned(),
        "auto.create.topics.enable=false".to_owned(),
    ];
    let sources = Sources { file: None, environment: Vec::new(), set: settings.to_vec() };
    let config = BrokerConfig::load(&sources).expect("a valid configuration").config;
    let (node, cores) = Node::new(Arc::new(config), Layout { shards: vec![None; shards], controller: None }, true);
    world.boot(machine, cores);
    node
}

fn produce_request(partition: i32, records: Bytes) -> ProduceRequest {
    let partition = PartitionProduceData { index: PartitionIndex(partition), records: Some(records) };
    let topic = TopicProduceData { name: TOPIC.into(), partition_data: vec![partition], ..Default::default() };
    ProduceRequest { acks: -1, timeout_ms: 30_000, topic_data: vec![topic], ..Default::default() }
}

fn fetch_request(partition: i32, from: Offset, bytes: i32) -> FetchRequest {
    let partition =
        FetchPartition { partition: PartitionIndex(partition), fetch_offset: from, partition_max_bytes: bytes, ..Default::default() };
    let topic = FetchTopic { topic: TOPIC.into(), partitions: vec![partition], ..Default::default() };
    FetchRequest { max_wait_ms: 500, min_bytes: 1, max_bytes: 64 << 20, topics: vec![topic], ..Default::default() }
}
