//! Partitions on the move between cores: an operator who never rests, and clients that must not notice.

use super::client::Client;
use super::oracle::{Oracle, Partition, value_of};
use super::{PARTITIONS, Producer, TOPICS, boot, connect, create_topics, fetch, produce_crash_recover, read_all};
use bytes::{Bytes, BytesMut};
use ringmill::rt::sim::{Control, Options, World, for_each_seed};
use ringmill::rt::{Connection, random_u64, sleep};
use ringmill::types::{ErrorCode, Offset, PartitionIndex, Timestamp};
use ringmill::wire::api::init_producer_id::InitProducerIdRequest;
use ringmill::wire::api::list_offsets::{ListOffsetsPartition, ListOffsetsRequest, ListOffsetsTopic};
use std::cell::RefCell;
use std::collections::VecDeque;
use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// Where the simulated broker's operators come in.
pub const ADMIN_PORT: u16 = 9644;

/// Moves partitions about for ever, to shards that are there and to some that are not.
pub async fn move_about(broker: SocketAddr, pause_us_max: u64, oracle: Rc<RefCell<Oracle>>) {
    let admin = SocketAddr::new(broker.ip(), ADMIN_PORT);
    loop {
        let (topic, partition, shard) = (random_u64() % TOPICS.len() as u64, random_u64() % PARTITIONS as u64, random_u64() % 4);
        let target = format!("/partitions/move?topic={}&partition={partition}&shard={shard}", TOPICS[topic as usize]);
        match post(admin, &target).await.as_deref() {
            Some("200") => oracle.borrow_mut().moves += 1,
            Some("404" | "409") | None => {}
            Some(other) => panic!("{target} is answered with {other}"),
        }
        sleep(Duration::from_micros(random_u64() % pause_us_max)).await;
    }
}

/// The status of the answer; `None` if there was none.
async fn post(admin: SocketAddr, target: &str) -> Option<String> {
    let connection = Connection::connect(admin).await.ok()?;
    let request = Bytes::from(format!("POST {target} HTTP/1.1\r\nConnection: close\r\n\r\n"));
    connection.write_all(&mut VecDeque::from([request])).await.ok()?;
    let mut answer = BytesMut::new();
    while connection.read(&mut answer, 4096).await.ok()? > 0 {}
    Some(String::from_utf8_lossy(answer.get(9..12)?).into_owned())
}

/// An idempotent producer with several batches of one partition under way. Every answer must be good, and in order.
async fn produce_pipelined(number: u64, address: SocketAddr, partition: Partition, oracle: Rc<RefCell<Oracle>>) {
    let mut client = connect(address).await;
    let request = InitProducerIdRequest { transaction_timeout_ms: 60_000, ..Default::default() };
    let id = client.ask(&request, 4).await.expect("nothing is cut").producer_id;
    let producer = Producer { number, address, id, next: Default::default() };
    let (mut next, mut under_way) = (0, VecDeque::new());
    loop {
        for _ in 0..random_u64() % 4 {
            let count = 1 + (random_u64() % 3) as i32;
            let values: Vec<u64> = (next..next + count).map(|sequence| value_of(number, sequence)).collect();
            client.send(&producer.produce_request(partition, next, &values), 9).await.expect("nothing is cut");
            under_way.push_back(values);
            next += count;
        }
        if let Some(values) = under_way.pop_front() {
            let response = client.receive::<ringmill::wire::api::produce::ProduceRequest>(9).await.expect("nothing is cut");
            let answer = &response.responses[0].partition_responses[0];
            assert_eq!(answer.error_code, ErrorCode::None, "{partition:?}: a producer noticed a move");
            oracle.borrow_mut().acknowledged(partition, answer.base_offset, &values);
        }
        sleep(Duration::from_micros(random_u64() % 2_000)).await;
    }
}

/// Fetches all partitions of a topic in turn, and asks where they end: never an error, never a step back.
async fn look_on(address: SocketAddr, topic: usize, oracle: Rc<RefCell<Oracle>>) {
    let mut client = connect(address).await;
    let mut ends = [0; PARTITIONS as usize];
    loop {
        let index = (random_u64() % PARTITIONS as u64) as usize;
        let partition = (topic, index as i32);
        let from = ends[index] - (random_u64() % 10).min(ends[index] as u64) as i64;
        let (records, high_watermark) = fetch(&mut client, partition, from, 20).await.expect("nothing is cut");
        for (offset, value) in records {
            oracle.borrow_mut().served(partition, offset, value);
            ends[index] = ends[index].max(offset + 1);
        }
        assert!(high_watermark.0 >= ends[index], "{partition:?}: the high watermark is {high_watermark} after {}", ends[index]);
        let latest = latest_offset(&mut client, partition).await;
        assert!(latest >= high_watermark, "{partition:?}: the latest offset is {latest} after {high_watermark}");
    }
}

async fn latest_offset(client: &mut Client, (topic, index): Partition) -> Offset {
    let partition = ListOffsetsPartition { partition_index: PartitionIndex(index), timestamp: Timestamp(-1), ..Default::default() };
    let topic = ListOffsetsTopic { name: TOPICS[topic].into(), partitions: vec![partition], ..Default::default() };
    let response = client.ask(&ListOffsetsRequest { topics: vec![topic], ..Default::default() }, 5).await.expect("nothing is cut");
    let answer = &response.topics[0].partitions[0];
    assert_eq!(answer.error_code, ErrorCode::None, "an offset was asked for during a move");
    answer.offset
}

/// A broker that nobody disturbs but the operator. How many moves there were.
fn move_under_load(seed: u64) -> u64 {
    let world = World::new(seed, Options::default());
    let (broker, clients) = (world.add_machine(), world.add_machine());
    let address = SocketAddr::new(broker.ip(), 9092);
    let oracle = Rc::new(RefCell::new(Oracle::default()));
    let _node = boot(&world, broker, 2 + world.random_below(2) as usize);
    world.block_on(clients, create_topics(address));
    start_clients(&world, clients, address, &oracle);
    world.run_for(Duration::from_millis(400));
    world.kill(clients);
    for topic in 0..TOPICS.len() {
        for index in 0..PARTITIONS {
            let log = world.block_on(clients, read_all(address, (topic, index)));
            oracle.borrow().check_log((topic, index), &log);
        }
    }
    let (moves, acks) = (oracle.borrow().moves, oracle.borrow().acks);
    assert!(acks > 0, "the story is about acknowledged batches");
    moves
}

fn start_clients(world: &Control, clients: ringmill::rt::sim::Machine, address: SocketAddr, oracle: &Rc<RefCell<Oracle>>) {
    for number in 0..4 {
        let partition = ((number % 2) as usize, (number / 2) as i32);
        world.spawn_on(clients, produce_pipelined(number, address, partition, Rc::clone(oracle)));
    }
    for topic in 0..TOPICS.len() {
        world.spawn_on(clients, look_on(address, topic, Rc::clone(oracle)));
    }
    world.spawn_on(clients, move_about(address, 1_000, Rc::clone(oracle)));
}

#[test]
fn clients_do_not_notice_that_partitions_move() {
    let moves = AtomicU64::new(0);
    for_each_seed(40, |seed| {
        moves.fetch_add(move_under_load(seed), Ordering::Relaxed);
    });
    assert!(moves.into_inner() > 0, "the story is about moves");
}

#[test]
fn nothing_is_lost_when_a_broker_dies_while_partitions_move() {
    let moves = AtomicU64::new(0);
    for_each_seed(100, |seed| {
        moves.fetch_add(produce_crash_recover(seed, Some(3_000)).moves, Ordering::Relaxed);
    });
    assert!(moves.into_inner() > 0, "the story is about moves");
}
