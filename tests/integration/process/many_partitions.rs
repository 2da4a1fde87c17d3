//! Thousands of partitions: they are all there after any end and with any number of shards, and an idle one costs little.

use kafka_protocol::messages::create_topics_request::{CreatableTopic, CreateTopicsRequest};
use kafka_protocol::messages::list_offsets_request::{ListOffsetsPartition, ListOffsetsRequest, ListOffsetsTopic};
use kafka_protocol::messages::produce_request::{PartitionProduceData, ProduceRequest, TopicProduceData};

use crate::batch::{Batch, LIST_OFFSETS, PRODUCE};
use crate::broker::{Broker, unique};
use crate::connection::{Connection, topic};

const PARTITIONS: i32 = 3_000;
/// Twice what issue 4 allows for one that is idle: the allocator's own share is in it.
const MEMORY_PER_PARTITION_MAX: u64 = 16 << 10;

fn value(round: i32, partition: i32) -> String {
    format!("round {round} partition {partition}")
}

/// The answer comes when all shards know the topic: nothing is waited for.
fn create(connection: &mut Connection, name: &str) {
    let wanted = CreatableTopic::default().with_name(topic(name)).with_num_partitions(PARTITIONS).with_replication_factor(1);
    let request = CreateTopicsRequest::default().with_topics(vec![wanted]).with_timeout_ms(crate::broker::PATIENCE_MS);
    assert_eq!(connection.call(7, &request).topics[0].error_code, 0);
    assert_ends(connection, name, |_| 0);
}

/// One record to each partition that `of` picks, 500 partitions a request.
fn produce_to(connection: &mut Connection, name: &str, round: i32, of: impl Fn(i32) -> bool) {
    let picked: Vec<i32> = (0..PARTITIONS).filter(|partition| of(*partition)).collect();
    for some in picked.chunks(500) {
        let data = some.iter().map(|&partition| {
            let records = Batch::of(&[value(round, partition).as_bytes()]).build();
            PartitionProduceData::default().with_index(partition).with_records(Some(records))
        });
        let data = TopicProduceData::default().with_name(topic(name)).with_partition_data(data.collect());
        let request = ProduceRequest::default().with_acks(-1).with_timeout_ms(crate::broker::PATIENCE_MS).with_topic_data(vec![data]);
        for answer in &connection.call(PRODUCE, &request).responses[0].partition_responses {
            assert_eq!(answer.error_code, 0, "partition {}", answer.index);
        }
    }
}

fn assert_ends(connection: &mut Connection, name: &str, expected: impl Fn(i32) -> i64) {
    let partitions = (0..PARTITIONS).map(|index| ListOffsetsPartition::default().with_partition_index(index).with_timestamp(-1));
    let topic = ListOffsetsTopic::default().with_name(topic(name)).with_partitions(partitions.collect());
    let request = ListOffsetsRequest::default().with_replica_id((-1).into()).with_topics(vec![topic]);
    let answer = connection.call(LIST_OFFSETS, &request);
    assert_eq!(answer.topics[0].partitions.len(), PARTITIONS as usize);
    for found in &answer.topics[0].partitions {
        assert_eq!((found.error_code, found.offset), (0, expected(found.partition_index)), "partition {}", found.partition_index);
    }
}

/// Files of partitions that the process holds open.
fn open_partition_files(broker: &Broker, name: &str) -> usize {
    let open = std::fs::read_dir(format!("/proc/{}/fd", broker.id())).expect("descriptors of the broker");
    let targets = open.filter_map(|entry| std::fs::read_link(entry.ok()?.path()).ok());
    targets.filter(|target| target.to_string_lossy().contains(name)).count()
}

#[test]
fn thousands_of_partitions_survive_every_end_and_cost_little() {
    let mut broker = Broker::start();
    let empty = broker.resident_bytes();
    let name = unique("many");
    let mut connection = Connection::to(&broker);
    create(&mut connection, &name);
    produce_to(&mut connection, &name, 0, |_| true);
    assert_ends(&mut connection, &name, |_| 1);

    // All of it is in the journals alone; twice, since the second start finds segments and journals.
    for shards in [3, 1] {
        broker.set(&format!("ringmill.shards={shards}"));
        broker.kill();
        broker.start_again();
        let mut connection = Connection::to(&broker);
        let second = shards == 1;
        assert_ends(&mut connection, &name, |partition| if second && partition % 3 == 0 { 2 } else { 1 });
        if !second {
            produce_to(&mut connection, &name, 1, |partition| partition % 3 == 0);
        }
    }

    let (status, _) = broker.stop();
    assert!(status.success());
    broker.set("ringmill.shards=2");
    broker.start_again();
    assert_eq!(open_partition_files(&broker, &name), 0, "an idle partition has no file open");
    let each = broker.resident_bytes().saturating_sub(empty) / PARTITIONS as u64;
    assert!(each <= MEMORY_PER_PARTITION_MAX, "{each} bytes of memory for each partition");
    assert!(!broker.log().contains("scanning"), "nothing is scanned after a clean stop");

    let mut connection = Connection::to(&broker);
    assert_ends(&mut connection, &name, |partition| if partition % 3 == 0 { 2 } else { 1 });
    for partition in (0..PARTITIONS).step_by(97) {
        let expected: Vec<String> = (0..if partition % 3 == 0 { 2 } else { 1 }).map(|round| value(round, partition)).collect();
        assert_eq!(connection.values(&name, partition), expected, "partition {partition}");
    }
}
