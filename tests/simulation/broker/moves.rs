//! Partitions on the move between cores: an operator who never rests, and clients that must not notice.

use super::client::Client;
use super::oracle::{Oracle, Partition, value_of};
use super::{PARTITIONS, Producer, TOPICS, boot, connect, create_topics, fetch, produce_crash_recover, read_all, records_of};
use bytes::{Bytes, BytesMut};
use ringmill::rt::sim::{Control, Options, Span, World, for_each_seed};
use ringmill::rt::{Connection, random_u64, sleep};
use ringmill::types::{ErrorCode, Offset, PartitionIndex, Timestamp};
use ringmill::wire::api::create_topics::{CreatableTopic, CreateTopicsRequest};
use ringmill::wire::api::delete_topics::DeleteTopicsRequest;
use ringmill::wire::api::fetch::{FetchPartition, FetchRequest, FetchTopic};
use ringmill::wire::api::init_producer_id::InitProducerIdRequest;
use ringmill::wire::api::list_offsets::{ListOffsetsPartition, ListOffsetsRequest, ListOffsetsTopic};
use std::cell::RefCell;
use std::collections::{BTreeMap, VecDeque};
use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// Where the simulated broker's operators come in.
pub const ADMIN_PORT: u16 = 9644;

/// A topic that comes and goes, in some stories.
const FLEETING: &str = "fleeting";

/// Moves partitions about for ever, to shards that are there and to some that are not.
pub async fn move_about(broker: SocketAddr, pause_us_max: u64, oracle: Rc<RefCell<Oracle>>) {
    let admin = SocketAddr::new(broker.ip(), ADMIN_PORT);
    loop {
        let topic = [TOPICS[0], TOPICS[1], TOPICS[0], TOPICS[1], FLEETING][(random_u64() % 5) as usize];
        let (partition, shard) = (random_u64() % PARTITIONS as u64, random_u64() % 4);
        let target = format!("/partitions/move?topic={topic}&partition={partition}&shard={shard}");
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

/// Follows all partitions in an incremental session: the broker must tell what is new in any of them, wherever it went.
async fn follow_in_session(address: SocketAddr, oracle: Rc<RefCell<Oracle>>) {
    let mut client = connect(address).await;
    let mut ends: BTreeMap<Partition, i64> = BTreeMap::new();
    let mut changed: Vec<Partition> = (0..TOPICS.len()).flat_map(|topic| (0..PARTITIONS).map(move |index| (topic, index))).collect();
    let (mut session_id, mut session_epoch) = (0, 0);
    loop {
        let topics = changed.iter().map(|&(topic, index)| {
            let fetch_offset = Offset(ends.get(&(topic, index)).copied().unwrap_or(0));
            let partition =
                FetchPartition { partition: PartitionIndex(index), fetch_offset, partition_max_bytes: 2_000, ..Default::default() };
            FetchTopic { topic: TOPICS[topic].into(), partitions: vec![partition], ..Default::default() }
        });
        let request = FetchRequest {
            max_wait_ms: 20,
            min_bytes: 1,
            max_bytes: 1 << 20,
            session_id,
            session_epoch,
            topics: topics.collect(),
            ..Default::default()
        };
        let response = client.ask(&request, 11).await.expect("nothing is cut");
        assert_eq!(response.error_code, ErrorCode::None, "the session goes on");
        (session_id, session_epoch) = (response.session_id, session_epoch + 1);
        changed.clear();
        for topic in &response.responses {
            let number = TOPICS.iter().position(|name| *name == &*topic.topic).expect("a topic of ours");
            for answer in &topic.partitions {
                let partition = (number, answer.partition_index.0);
                assert_eq!(answer.error_code, ErrorCode::None, "{partition:?} in a session");
                let records = records_of(answer.records.as_ref().and_then(|records| records.to_bytes()).unwrap_or_default());
                let end = ends.entry(partition).or_default();
                let known = *end;
                for (offset, value) in records.into_iter().filter(|(offset, _)| *offset >= known) {
                    assert_eq!(offset, *end, "{partition:?}: a session leaves nothing out");
                    oracle.borrow_mut().served(partition, offset, value);
                    *end = offset + 1;
                }
                changed.push(partition);
            }
        }
    }
}

/// Makes a topic, writes to it and deletes it, over and over, while its partitions move.
async fn make_and_delete(address: SocketAddr) {
    let mut client = connect(address).await;
    loop {
        let topic = CreatableTopic { name: FLEETING.into(), num_partitions: 2, replication_factor: 1, ..Default::default() };
        let create = CreateTopicsRequest { topics: vec![topic], timeout_ms: 10_000, ..Default::default() };
        assert_eq!(client.ask(&create, 6).await.expect("nothing is cut").topics[0].error_code, ErrorCode::None);
        sleep(Duration::from_micros(random_u64() % 20_000)).await;
        let delete = DeleteTopicsRequest { topic_names: vec![FLEETING.into()], timeout_ms: 10_000, ..Default::default() };
        assert_eq!(client.ask(&delete, 4).await.expect("nothing is cut").responses[0].error_code, ErrorCode::None);
    }
}

async fn latest_offset(client: &mut Client, (topic, index): Partition) -> Offset {
    let partition = ListOffsetsPartition { partition_index: PartitionIndex(index), timestamp: Timestamp(-1), ..Default::default() };
    let topic = ListOffsetsTopic { name: TOPICS[topic].into(), partitions: vec![partition] };
    let response = client.ask(&ListOffsetsRequest { topics: vec![topic], ..Default::default() }, 5).await.expect("nothing is cut");
    let answer = &response.topics[0].partitions[0];
    assert_eq!(answer.error_code, ErrorCode::None, "an offset was asked for during a move");
    answer.offset
}

/// A broker that nobody disturbs but the operator. How many moves there were.
fn move_under_load(seed: u64, options: Options) -> u64 {
    let world = World::new(seed, options);
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
    world.spawn_on(clients, follow_in_session(address, Rc::clone(oracle)));
    world.spawn_on(clients, make_and_delete(address));
    world.spawn_on(clients, move_about(address, 1_000, Rc::clone(oracle)));
}

#[test]
fn clients_do_not_notice_that_partitions_move() {
    let moves = AtomicU64::new(0);
    let ran = for_each_seed(15, |seed| {
        moves.fetch_add(move_under_load(seed, Options::default()), Ordering::Relaxed);
    });
    ran.must_have_seen(moves.into_inner() > 0, &"a move");
}

/// Messages between cores dawdle, each pair's for itself, and the disk does not: what one core sent the owner arrives long after it told the
/// controller that it is done. Without the fence of `shard::moving` the owner is gone by then.
#[test]
fn a_move_waits_for_appends_between_cores() {
    let options = Options {
        mesh: Span::us(1, 20_000),
        disk_write: Span::us(10, 200),
        disk_sync: Span::us(10, 200),
        blocking: Span::us(5, 100),
        ..Options::default()
    };
    let moves = AtomicU64::new(0);
    let ran = for_each_seed(10, |seed| {
        moves.fetch_add(move_under_load(seed, options.clone()), Ordering::Relaxed);
    });
    ran.must_have_seen(moves.into_inner() > 0, &"a move");
}

#[test]
fn nothing_is_lost_when_a_broker_dies_while_partitions_move() {
    let moves = AtomicU64::new(0);
    let ran = for_each_seed(30, |seed| {
        moves.fetch_add(produce_crash_recover(seed, Some(3_000)).moves, Ordering::Relaxed);
    });
    ran.must_have_seen(moves.into_inner() > 0, &"a move");
}
