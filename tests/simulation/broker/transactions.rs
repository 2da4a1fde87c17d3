//! Transactions on the whole broker: producers of both versions commit and abort over several partitions, die and come back, while the broker
//! crashes and starts again.
//!
//! Checked by readers of committed records: a transaction is there as a whole or not at all, each record once; what was acknowledged as committed is
//! there, what was aborted is not; and in the end nothing holds readers back.

use super::client::{Client, Gone};
use super::{boot, connect, live};
use ringmill::rt::sim::{NetworkFaults, Options, World, for_each_seed};
use ringmill::rt::{random_u64, sleep};
use ringmill::types::{ErrorCode, Offset, PartitionIndex, ProducerEpoch, ProducerId, Timestamp};
use ringmill::wire::api::add_partitions_to_txn::{AddPartitionsToTxnRequest, AddPartitionsToTxnTopic};
use ringmill::wire::api::create_topics::{CreatableTopic, CreateTopicsRequest};
use ringmill::wire::api::end_txn::EndTxnRequest;
use ringmill::wire::api::fetch::{FetchPartition, FetchRequest, FetchTopic};
use ringmill::wire::api::find_coordinator::FindCoordinatorRequest;
use ringmill::wire::api::init_producer_id::InitProducerIdRequest;
use ringmill::wire::api::produce::{PartitionProduceData, ProduceRequest, TopicProduceData};
use ringmill::wire::records::{BatchBuilder, Codec, Compression, batches};
use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::Duration;

const TOPIC: &str = "ledger";
const PARTITIONS: i32 = 4;
const PRODUCERS: u64 = 4;
const LIVES: u64 = 3;

/// What is known of a transaction.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Fate {
    Unknown,
    Committed,
    Aborted,
}

/// The partitions that each transaction wrote to, and its fate.
type Oracle = Rc<RefCell<BTreeMap<u64, (BTreeSet<i32>, Fate)>>>;

/// A producer with a transactional id.
struct Producer {
    number: u64,
    address: SocketAddr,
    oracle: Oracle,
    transactions: u64,
}

/// Who it is in this life, and its next sequence for each partition.
struct Life {
    id: ProducerId,
    epoch: ProducerEpoch,
    next: BTreeMap<i32, i32>,
}

/// The broker said something that ends this life: begin anew.
struct Over;

impl From<Gone> for Over {
    fn from(_: Gone) -> Over {
        Over
    }
}

impl Producer {
    fn transactional_id(&self) -> String {
        format!("producer-{}", self.number)
    }

    /// Clients of version 2 of transactions, and those before.
    fn is_new(&self) -> bool {
        self.number.is_multiple_of(2)
    }

    async fn run(mut self) {
        loop {
            let mut client = connect(self.address).await;
            if let Ok(mut life) = self.begin(&mut client).await {
                for _ in 0..1 + random_u64() % 20 {
                    if self.transaction(&mut client, &mut life).await.is_err() {
                        break;
                    }
                }
            }
            sleep(Duration::from_millis(5)).await;
        }
    }

    async fn begin(&self, client: &mut Client) -> Result<Life, Over> {
        let find = FindCoordinatorRequest { key: self.transactional_id().as_str().into(), key_type: 1, ..Default::default() };
        client.ask(&find, 3).await?;
        let request = InitProducerIdRequest {
            transactional_id: Some(self.transactional_id().as_str().into()),
            transaction_timeout_ms: 5_000,
            ..Default::default()
        };
        loop {
            let response = client.ask(&request, 4).await?;
            match response.error_code {
                ErrorCode::None => return Ok(Life { id: response.producer_id, epoch: response.producer_epoch, next: BTreeMap::new() }),
                ErrorCode::ConcurrentTransactions | ErrorCode::CoordinatorLoadInProgress | ErrorCode::CoordinatorNotAvailable => {
                    sleep(Duration::from_millis(20)).await;
                }
                ErrorCode::NotCoordinator => return Err(Over),
                other => panic!("InitProducerId got {other}"),
            }
        }
    }

    async fn transaction(&mut self, client: &mut Client, life: &mut Life) -> Result<(), Over> {
        self.transactions += 1;
        let number = self.number << 32 | self.transactions;
        let partitions: BTreeSet<i32> = (0..2).map(|_| (random_u64() % PARTITIONS as u64) as i32).collect();
        self.oracle.borrow_mut().insert(number, (partitions.clone(), Fate::Unknown));
        if !self.is_new() {
            self.add(client, life, &partitions).await?;
        }
        for partition in partitions {
            self.produce(client, life, partition, number).await?;
        }
        if random_u64().is_multiple_of(10) {
            sleep(Duration::from_millis(random_u64() % 8_000)).await;
        }
        let committed = !random_u64().is_multiple_of(3);
        self.end(client, life, committed).await?;
        let fate = if committed { Fate::Committed } else { Fate::Aborted };
        self.oracle.borrow_mut().get_mut(&number).expect("it began").1 = fate;
        Ok(())
    }

    async fn add(&self, client: &mut Client, life: &Life, partitions: &BTreeSet<i32>) -> Result<(), Over> {
        let partitions = partitions.iter().map(|partition| PartitionIndex(*partition)).collect();
        let request = AddPartitionsToTxnRequest {
            v3_and_below_transactional_id: self.transactional_id().as_str().into(),
            v3_and_below_producer_id: life.id,
            v3_and_below_producer_epoch: life.epoch,
            v3_and_below_topics: vec![AddPartitionsToTxnTopic { name: TOPIC.into(), partitions }],
            ..Default::default()
        };
        loop {
            let response = client.ask(&request, 3).await?;
            match response.results_by_topic_v3_and_below[0].results_by_partition[0].partition_error_code {
                ErrorCode::None => return Ok(()),
                ErrorCode::ConcurrentTransactions | ErrorCode::CoordinatorLoadInProgress => sleep(Duration::from_millis(5)).await,
                ErrorCode::ProducerFenced | ErrorCode::NotCoordinator | ErrorCode::CoordinatorNotAvailable => return Err(Over),
                other => panic!("AddPartitionsToTxn got {other}"),
            }
        }
    }

    async fn produce(&self, client: &mut Client, life: &mut Life, partition: i32, value: u64) -> Result<(), Over> {
        let sequence = life.next.get(&partition).copied().unwrap_or(0);
        let mut batch = BatchBuilder::new(Compression::of(Codec::None)).producer(life.id, life.epoch, sequence).transactional();
        batch.push(Timestamp(ringmill::rt::wall_clock().0), None, Some(&value.to_be_bytes()), &[]);
        let data = PartitionProduceData { index: PartitionIndex(partition), records: Some(batch.finish().into_bytes()) };
        let topic = TopicProduceData { name: TOPIC.into(), partition_data: vec![data], ..Default::default() };
        let request = ProduceRequest {
            transactional_id: Some(self.transactional_id().as_str().into()),
            acks: -1,
            timeout_ms: 30_000,
            topic_data: vec![topic],
        };
        loop {
            let response = client.ask(&request, if self.is_new() { 12 } else { 9 }).await?;
            match response.responses[0].partition_responses[0].error_code {
                ErrorCode::None => {
                    life.next.insert(partition, sequence + 1);
                    return Ok(());
                }
                ErrorCode::NotEnoughReplicas
                | ErrorCode::ConcurrentTransactions
                | ErrorCode::NotLeaderOrFollower
                | ErrorCode::UnknownTopicOrPartition
                | ErrorCode::RequestTimedOut => sleep(Duration::from_millis(5)).await,
                // It took too long, and was aborted.
                ErrorCode::InvalidProducerEpoch | ErrorCode::InvalidTxnState => return Err(Over),
                other => panic!("Produce of {} at sequence {sequence} got {other}", self.transactional_id()),
            }
        }
    }

    async fn end(&self, client: &mut Client, life: &mut Life, committed: bool) -> Result<(), Over> {
        let request = EndTxnRequest {
            transactional_id: self.transactional_id().as_str().into(),
            producer_id: life.id,
            producer_epoch: life.epoch,
            committed,
        };
        loop {
            let response = client.ask(&request, if self.is_new() { 5 } else { 3 }).await?;
            match response.error_code {
                ErrorCode::None if self.is_new() => {
                    *life = Life { id: response.producer_id, epoch: response.producer_epoch, next: BTreeMap::new() };
                    return Ok(());
                }
                ErrorCode::None => return Ok(()),
                ErrorCode::ConcurrentTransactions | ErrorCode::CoordinatorLoadInProgress => sleep(Duration::from_millis(5)).await,
                ErrorCode::ProducerFenced | ErrorCode::NotCoordinator | ErrorCode::CoordinatorNotAvailable | ErrorCode::InvalidTxnState => {
                    return Err(Over);
                }
                other => panic!("EndTxn got {other}"),
            }
        }
    }
}

/// The transactions whose records a reader of committed ones gets from a partition; waits until nothing holds it back.
async fn read(address: SocketAddr, partition: i32) -> Vec<u64> {
    let mut client = connect(address).await;
    let (mut found, mut next, mut waits) = (Vec::new(), 0, 0);
    loop {
        let asked = FetchPartition {
            partition: PartitionIndex(partition),
            fetch_offset: Offset(next),
            partition_max_bytes: 5_000,
            ..Default::default()
        };
        let topic = FetchTopic { topic: TOPIC.into(), partitions: vec![asked], ..Default::default() };
        let request = FetchRequest {
            max_bytes: 1 << 20,
            min_bytes: 1,
            max_wait_ms: 10,
            isolation_level: 1,
            topics: vec![topic],
            ..Default::default()
        };
        let Ok(response) = client.ask(&request, 11).await else {
            client = connect(address).await;
            continue;
        };
        let answer = &response.responses[0].partitions[0];
        assert_eq!(answer.error_code, ErrorCode::None, "fetching {next} of {partition}");
        let mut ahead: Vec<(Offset, ProducerId)> =
            answer.aborted_transactions.iter().flatten().map(|aborted| (aborted.first_offset, aborted.producer_id)).collect();
        ahead.sort();
        let mut aborted = BTreeSet::new();
        let bytes = answer.records.as_ref().and_then(|records| records.to_bytes()).unwrap_or_default();
        for batch in batches(bytes) {
            let batch = batch.expect("whole batches");
            if batch.next_offset() <= Offset(next) {
                continue;
            }
            next = batch.next_offset().0;
            while ahead.first().is_some_and(|(first, _)| *first <= batch.last_offset()) {
                aborted.insert(ahead.remove(0).1);
            }
            if batch.end_transaction().is_some() {
                aborted.remove(&batch.producer_id);
            } else if !aborted.contains(&batch.producer_id) {
                let value = batch.records().expect("records").next().expect("a record").expect("whole").value.expect("a value");
                found.push(u64::from_be_bytes(value[..].try_into().expect("a number")));
            }
        }
        if Offset(next) == answer.high_watermark {
            return found;
        }
        waits += 1;
        assert!(waits < 2_400, "partition {partition} has held readers back at {next} for two minutes");
        sleep(Duration::from_millis(50)).await;
    }
}

async fn create_topic(address: SocketAddr) {
    let topic = CreatableTopic { name: TOPIC.into(), num_partitions: PARTITIONS, replication_factor: 1, ..Default::default() };
    let request = CreateTopicsRequest { topics: vec![topic], timeout_ms: 10_000, ..Default::default() };
    while connect(address).await.ask(&request, 7).await.is_err() {}
}

/// Transactions that were acknowledged as committed.
fn keep_books(seed: u64) -> u64 {
    let world = World::new(seed, Options::default());
    let (broker, clients) = (world.add_machine(), world.add_machine());
    let address = SocketAddr::new(broker.ip(), 9092);
    world.set_network_faults(NetworkFaults { cut_one_in: 2_000, refuse_one_in: 50, stall_one_in: 300 });
    let oracle: Oracle = Rc::default();
    for number in 0..PRODUCERS {
        let producer = Producer { number, address, oracle: Rc::clone(&oracle), transactions: 0 };
        world.spawn_on(clients, async move {
            create_topic(address).await;
            producer.run().await;
        });
    }
    for _ in 0..LIVES {
        live(&world, broker, 4_000);
    }
    world.kill(clients);
    world.set_network_faults(NetworkFaults::default());
    let _node = boot(&world, broker, 2);
    let mut there: BTreeMap<u64, BTreeSet<i32>> = BTreeMap::new();
    for partition in 0..PARTITIONS {
        for value in world.block_on(clients, read(address, partition)) {
            assert!(
                there.entry(value).or_default().insert(partition),
                "a record of transaction {value:x} is twice in partition {partition}"
            );
        }
    }
    let oracle = oracle.borrow();
    for (number, (partitions, fate)) in oracle.iter() {
        match there.remove(number) {
            Some(found) => {
                assert!(*fate != Fate::Aborted && found == *partitions, "{number:x}, {fate:?}, of {partitions:?} is in {found:?}")
            }
            None => assert!(*fate != Fate::Committed, "transaction {number:x} was committed, and is gone"),
        }
    }
    assert_eq!(there, BTreeMap::new(), "records of nobody");
    oracle.values().filter(|(_, fate)| *fate == Fate::Committed).count() as u64
}

#[test]
fn transactions_are_whole_or_not_there_whatever_crashes() {
    let commits = std::sync::atomic::AtomicU64::new(0);
    let ran = for_each_seed(20, |seed| {
        commits.fetch_add(keep_books(seed), std::sync::atomic::Ordering::Relaxed);
    });
    ran.must_have_seen(commits.into_inner() > 0, &"a committed transaction");
}
