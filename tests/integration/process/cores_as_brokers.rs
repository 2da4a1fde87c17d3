//! `ringmill.core.endpoints` in the real process: to clients each core is a broker that leads its partitions; to everything else there
//! is one machine.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use kafka_protocol::messages::create_partitions_request::{CreatePartitionsAssignment, CreatePartitionsTopic};
use kafka_protocol::messages::create_topics_request::{CreatableReplicaAssignment, CreatableTopic};
use kafka_protocol::messages::describe_configs_request::DescribeConfigsResource;
use kafka_protocol::messages::describe_topic_partitions_request::TopicRequest;
use kafka_protocol::messages::incremental_alter_configs_request::{AlterConfigsResource, AlterableConfig};
use kafka_protocol::messages::metadata_request::MetadataRequestTopic;
use kafka_protocol::messages::{
    BrokerId, CreatePartitionsRequest, CreateTopicsRequest, DescribeClusterRequest, DescribeConfigsRequest, DescribeLogDirsRequest,
    DescribeTopicPartitionsRequest, IncrementalAlterConfigsRequest, MetadataRequest, MetadataResponse,
};
use rdkafka::config::ClientConfig;
use rdkafka::producer::{BaseProducer, BaseRecord, Producer};

use super::lifecycle::get;
use super::moves::{Deliveries, Operator, PARTITIONS, follow};
use crate::batch::Batch;
use crate::broker::{Broker, PATIENCE, free_addresses, unique};
use crate::connection::{Connection, text, topic};

const INVALID_REPLICATION_FACTOR: i16 = 38;
const INVALID_REPLICA_ASSIGNMENT: i16 = 39;
const BROKER: i8 = 4;

/// The ids of node 1's first cores.
const CORES: [i32; 3] = [1, 1_000_001, 2_000_001];

/// A broker of two cores, each with a port of its own.
struct Cores {
    broker: Broker,
    first_port: u16,
}

impl Cores {
    fn start() -> Cores {
        let first_port = free_addresses(3).port();
        let endpoints = format!("ringmill.core.endpoints={first_port}-{}", first_port + 2);
        Cores { broker: Broker::start_with(&[&endpoints, "broker.rack=r1", "auto.create.topics.enable=false"]), first_port }
    }

    fn port(&self, core: usize) -> i32 {
        i32::from(self.first_port) + core as i32
    }

    fn connect(&self, core: usize) -> Connection {
        Connection::at(SocketAddr::from(([127, 0, 0, 1], self.first_port + core as u16)))
    }

    fn with_topic(name: &str) -> (Cores, String) {
        let cores = Cores::start();
        let name = unique(name);
        Connection::to(&cores.broker).create_partitioned_topic(&name, PARTITIONS as i32, &[]);
        (cores, name)
    }

    /// Produce requests, and reads and waits of fetches, that went from one core to another since the start.
    fn hops(&self) -> (u64, u64) {
        let (_, metrics) = get(&self.broker, "/metrics");
        let sum = |name: &str| -> u64 {
            let lines = metrics.lines().filter(|line| line.starts_with(name));
            lines.map(|line| line.rsplit_once(' ').and_then(|(_, value)| value.parse::<u64>().ok()).expect("a number")).sum()
        };
        (sum("ringmill_mesh_produce_total{"), sum("ringmill_mesh_fetch_total{"))
    }
}

fn metadata(connection: &mut Connection, name: &str) -> MetadataResponse {
    let request = MetadataRequestTopic::default().with_name(Some(topic(name)));
    connection.call(12, &MetadataRequest::default().with_topics(Some(vec![request])))
}

/// Leaders, replicas and in-sync replicas of all partitions.
fn leaders(connection: &mut Connection, name: &str) -> Vec<(i32, Vec<BrokerId>, Vec<BrokerId>)> {
    let mut partitions = metadata(connection, name).topics.remove(0).partitions;
    partitions.sort_by_key(|partition| partition.partition_index);
    partitions.into_iter().map(|p| (p.leader_id.0, p.replica_nodes, p.isr_nodes)).collect()
}

fn producer(cores: &Cores, settings: &[(&str, &str)]) -> BaseProducer<Deliveries> {
    let mut config = ClientConfig::new();
    config.set("bootstrap.servers", cores.broker.bootstrap()).set("enable.idempotence", "true").set("linger.ms", "1");
    for (key, value) in settings {
        config.set(*key, *value);
    }
    config.create_with_context(Deliveries::default()).expect("a producer")
}

/// Record n goes to partition n modulo their number, and says at which offset it must be there.
fn send(producer: &BaseProducer<Deliveries>, topic: &str, records: std::ops::Range<usize>) {
    for n in records {
        let value = (n / PARTITIONS).to_string();
        let record = BaseRecord::<(), _, _>::with_opaque_to(topic, n).partition((n % PARTITIONS) as i32).payload(&value);
        producer.send(record).map_err(|(error, _)| error).expect("send");
        producer.poll(Duration::ZERO);
    }
    producer.flush(PATIENCE).expect("flush");
}

fn expect_delivered(producer: &BaseProducer<Deliveries>, count: usize) {
    let delivered = producer.context().0.lock().expect("lock");
    assert_eq!(delivered.len(), count);
    for (n, offset) in delivered.iter() {
        assert_eq!(*offset, (n / PARTITIONS) as i64, "record {n}");
    }
}

#[test]
fn whoever_is_asked_each_core_is_a_broker_that_has_what_it_owns() {
    let (cores, name) = Cores::with_topic("seen");
    let mut seen = Vec::new();
    for mut connection in [Connection::to(&cores.broker), cores.connect(0), cores.connect(1)] {
        let answer = metadata(&mut connection, &name);
        let brokers: Vec<_> =
            answer.brokers.iter().map(|b| (b.node_id.0, b.host.to_string(), b.port, b.rack.as_ref().map(|r| r.to_string()))).collect();
        let on = |core: usize| (CORES[core], "127.0.0.1".to_string(), cores.port(core), Some("r1".to_string()));
        assert_eq!(brokers, [on(0), on(1)]);
        assert!(CORES[..2].contains(&answer.controller_id.0), "the controller is one of the brokers");

        let cluster = connection.call(1, &DescribeClusterRequest::default().with_endpoint_type(1));
        assert_eq!(
            cluster.brokers.iter().map(|b| (b.broker_id.0, b.port)).collect::<Vec<_>>(),
            [(1, cores.port(0)), (1_000_001, cores.port(1))]
        );
        assert_eq!(cluster.controller_id, answer.controller_id);

        let leaders = leaders(&mut connection, &name);
        let page = DescribeTopicPartitionsRequest::default().with_topics(vec![TopicRequest::default().with_name(topic(&name))]);
        let page = connection.call(0, &page.with_response_partition_limit(100)).topics.remove(0).partitions;
        let of_page = page.into_iter().map(|p| (p.leader_id.0, p.replica_nodes, p.isr_nodes)).collect::<Vec<_>>();
        assert_eq!(of_page, leaders);
        seen.push(leaders);
    }
    assert!(seen.iter().all(|leaders| *leaders == seen[0]), "every core says the same: {seen:?}");
    for core in &CORES[..2] {
        let led = seen[0].iter().filter(|(leader, replicas, isr)| leader == core && replicas[..] == [BrokerId(*core)] && isr == replicas);
        assert_eq!(led.count(), PARTITIONS / 2, "{seen:?}");
    }
}

#[test]
fn clients_find_the_owner_by_themselves_and_whoever_does_not_is_served_all_the_same() {
    const RECORDS: usize = 4_000;
    let (cores, name) = Cores::with_topic("local");
    let reader = follow(&cores.broker, &name, RECORDS, &[]);
    let producer = producer(&cores, &[]);
    send(&producer, &name, 0..RECORDS);
    expect_delivered(&producer, RECORDS);
    reader.join().expect("the consumer saw every record once and in order");
    assert_eq!(cores.hops(), (0, 0), "librdkafka asked only owners");

    // The first core's clients that know no better.
    let mut connection = cores.connect(0);
    for partition in 0..PARTITIONS as i32 {
        let answer = connection.produce(&name, partition, Batch::of(&[b"astray"]).build());
        assert_eq!((answer.error_code, answer.base_offset), (0, (RECORDS / PARTITIONS) as i64));
        let fetched = connection.fetch(&name, partition, answer.base_offset);
        assert!(fetched.error_code == 0 && fetched.records.is_some_and(|records| !records.is_empty()));
    }
    assert_eq!(cores.hops(), (2, 2), "the other core's partitions");
}

#[test]
fn a_move_is_a_change_of_leaders_that_clients_follow_without_an_error() {
    const RECORDS: usize = 8_000;
    const FRESH: &[(&str, &str)] = &[("topic.metadata.refresh.interval.ms", "20")];
    let (cores, name) = Cores::with_topic("traded");
    let mut connection = Connection::to(&cores.broker);
    let before = metadata(&mut connection, &name).topics.remove(0).partitions;
    let operator = Operator::of(cores.broker.admin(), &name);
    let reader = follow(&cores.broker, &name, RECORDS, FRESH);
    let producer = producer(&cores, &[FRESH[0], ("batch.num.messages", "10")]);
    for round in 1..=8 {
        operator.wait_for(5 * round as u64);
        send(&producer, &name, RECORDS / 8 * (round - 1)..RECORDS / 8 * round);
    }
    expect_delivered(&producer, RECORDS);
    reader.join().expect("the consumer saw every record once and in order");
    operator.end();
    let after = metadata(&mut connection, &name).topics.remove(0).partitions;
    for (before, after) in before.iter().zip(&after) {
        assert_eq!(after.leader_epoch, before.leader_epoch, "no new leader epoch is needed");
    }

    // Sooner or later the producer has seen the last move.
    let began = Instant::now();
    for sent in (RECORDS..).step_by(PARTITIONS) {
        let (hops, _) = cores.hops();
        send(&producer, &name, sent..sent + PARTITIONS);
        if cores.hops().0 == hops {
            return expect_delivered(&producer, sent + PARTITIONS);
        }
        assert!(began.elapsed() < PATIENCE, "the producer goes on asking the wrong cores");
    }
}

#[test]
fn who_names_a_core_means_its_machine() {
    let (cores, name) = Cores::with_topic("admin");
    let mut connection = cores.connect(1);
    let assigned = |name: &str, brokers: &[i32]| {
        let broker_ids = brokers.iter().map(|id| BrokerId(*id)).collect();
        let assignment = CreatableReplicaAssignment::default().with_partition_index(0).with_broker_ids(broker_ids);
        let topic = CreatableTopic::default().with_name(topic(name)).with_num_partitions(-1).with_replication_factor(-1);
        CreateTopicsRequest::default()
            .with_topics(vec![topic.with_assignments(vec![assignment])])
            .with_timeout_ms(crate::broker::PATIENCE_MS)
    };
    let mut create = |request: &CreateTopicsRequest| connection.call(7, request).topics[0].error_code;
    assert_eq!(create(&assigned(&name.replace("admin", "assigned"), &[1_000_001])), 0);
    assert_eq!(create(&assigned(&name.replace("admin", "twice"), &[1, 1_000_001])), INVALID_REPLICA_ASSIGNMENT, "one machine");
    assert_eq!(create(&assigned(&name.replace("admin", "absent"), &[2_000_001])), INVALID_REPLICA_ASSIGNMENT, "there are two cores");
    let topic_of_two = CreatableTopic::default().with_name(topic(&name.replace("admin", "two"))).with_num_partitions(1);
    let request = CreateTopicsRequest::default()
        .with_topics(vec![topic_of_two.with_replication_factor(2)])
        .with_timeout_ms(crate::broker::PATIENCE_MS);
    assert_eq!(create(&request), INVALID_REPLICATION_FACTOR, "the replication factor counts machines");

    let grown = CreatePartitionsTopic::default().with_name(topic(&name)).with_count(PARTITIONS as i32 + 1);
    let grown = grown.with_assignments(Some(vec![CreatePartitionsAssignment::default().with_broker_ids(vec![BrokerId(1_000_001)])]));
    let answer =
        connection.call(3, &CreatePartitionsRequest::default().with_topics(vec![grown]).with_timeout_ms(crate::broker::PATIENCE_MS));
    assert_eq!(answer.results[0].error_code, 0, "{:?}", answer.results[0].error_message);

    let retention = AlterableConfig::default().with_name(text("log.retention.ms")).with_value(Some(text("3600000")));
    let core = AlterConfigsResource::default().with_resource_type(BROKER).with_resource_name(text("1000001"));
    let request = IncrementalAlterConfigsRequest::default().with_resources(vec![core.with_configs(vec![retention])]);
    let answer = connection.call(1, &request).responses.remove(0);
    assert_eq!((answer.error_code, &*answer.resource_name), (0, "1000001"), "answered by the name that was asked for");
    for (asked, error) in [("1", 0), ("1000001", 0), ("2000001", 42)] {
        let resource = DescribeConfigsResource::default().with_resource_type(BROKER).with_resource_name(text(asked));
        let keys = Some(vec![text("log.retention.ms"), text("node.id")]);
        let request = DescribeConfigsRequest::default().with_resources(vec![resource.with_configuration_keys(keys)]);
        let answer = connection.call(4, &request).results.remove(0);
        assert_eq!((&*answer.resource_name, answer.error_code), (asked, error));
        let values: Vec<_> = answer.configs.iter().filter_map(|config| config.value.as_deref()).collect();
        assert_eq!(values, if error == 0 { vec!["3600000", "1"] } else { vec![] }, "one machine's configuration");
    }
}

#[test]
fn log_directories_are_counted_once() {
    let (cores, name) = Cores::with_topic("sized");
    let owners: Vec<i32> = leaders(&mut cores.connect(0), &name).into_iter().map(|(leader, ..)| leader).collect();
    let listed = |mut connection: Connection| {
        let answer = connection.call(4, &DescribeLogDirsRequest::default().with_topics(None)).results.remove(0);
        let topic = answer.topics.into_iter().find(|topic| *topic.name.0 == *name).expect("the topic");
        let mut partitions: Vec<i32> = topic.partitions.into_iter().map(|partition| partition.partition_index).collect();
        partitions.sort();
        partitions
    };
    let all: Vec<i32> = (0..PARTITIONS as i32).collect();
    for (core, id) in CORES[..2].iter().enumerate() {
        let own: Vec<i32> = all.iter().copied().filter(|partition| owners[*partition as usize] == *id).collect();
        assert_eq!(listed(cores.connect(core)), own, "a core has what it owns");
    }
    assert_eq!(listed(Connection::to(&cores.broker)), all, "the machine has everything");
}

#[test]
fn after_a_restart_with_other_cores_clients_find_them() {
    const RECORDS: usize = 400;
    let (mut cores, name) = Cores::with_topic("regrouped");
    let settings = [("reconnect.backoff.max.ms", "100"), ("topic.metadata.refresh.interval.ms", "100")];
    let producer = producer(&cores, &settings);
    send(&producer, &name, 0..RECORDS);
    for (life, shards) in [3, 1, 2].into_iter().enumerate() {
        cores.broker.stop();
        cores.broker.set(&format!("ringmill.shards={shards}"));
        cores.broker.start_again();
        let records = RECORDS * (life + 1)..RECORDS * (life + 2);
        send(&producer, &name, records.clone());
        expect_delivered(&producer, records.end);
        let seen = leaders(&mut cores.connect(shards - 1), &name);
        for core in &CORES[..shards] {
            assert!(seen.iter().any(|(leader, ..)| leader == core), "{shards} cores lead: {seen:?}");
        }
        follow(&cores.broker, &name, records.end, &[]).join().expect("the consumer saw every record once and in order");
    }
}
