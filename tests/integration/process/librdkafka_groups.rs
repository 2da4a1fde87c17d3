//! librdkafka's consumers in a group, by the `rdkafka` crate: they share a topic, one leaves, the broker dies; all is consumed, and what was committed
//! stays.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use rdkafka::config::ClientConfig;
use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer};
use rdkafka::message::Message;
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};

use crate::batch::Batch;
use crate::broker::{Broker, PATIENCE, unique};
use crate::connection::Connection;

const PARTITIONS: usize = 6;

/// Members of one group, polled in turn, and what came to them: partition and offset.
struct Group {
    members: Vec<BaseConsumer>,
    came: BTreeSet<(i32, i64)>,
}

impl Group {
    fn of(broker: &Broker, topic: &str, group: &str, strategy: &str, count: usize) -> Group {
        let member = |_| {
            let consumer: BaseConsumer = ClientConfig::new()
                .set("bootstrap.servers", broker.bootstrap())
                .set("group.id", group)
                .set("partition.assignment.strategy", strategy)
                .set("enable.auto.commit", "false")
                .set("auto.offset.reset", "earliest")
                .set("heartbeat.interval.ms", "200")
                .set("reconnect.backoff.max.ms", "100")
                .create()
                .expect("a consumer");
            consumer.subscribe(&[topic]).expect("subscribe");
            consumer
        };
        Group { members: (0..count).map(member).collect(), came: BTreeSet::new() }
    }

    /// Polls until it is so; errors tell of the broker's death.
    fn poll_until(&mut self, what: &str, done: impl Fn(&Group) -> bool) {
        let began = Instant::now();
        while !done(self) {
            assert!(began.elapsed() < PATIENCE, "{what}: {} records came, owned are {:?}", self.came.len(), self.owned());
            for member in &self.members {
                if let Some(Ok(message)) = member.poll(Duration::from_millis(5)) {
                    self.came.insert((message.partition(), message.offset()));
                }
            }
        }
    }

    /// How many partitions each member has.
    fn owned(&self) -> Vec<usize> {
        self.members.iter().map(|member| member.assignment().map_or(0, |assignment| assignment.count())).collect()
    }

    fn is_shared(&self) -> bool {
        self.owned().iter().all(|count| *count == PARTITIONS / self.members.len())
    }

    fn has(&self, records: usize) -> bool {
        self.came.len() == records
    }

    /// Commits for all partitions at once, by their owners; again where a rebalance comes between.
    fn commit(&mut self, offset: i64) {
        let began = Instant::now();
        for index in 0..self.members.len() {
            loop {
                let mut offsets = TopicPartitionList::new();
                for mine in self.members[index].assignment().expect("an assignment").elements() {
                    offsets.add_partition_offset(mine.topic(), mine.partition(), Offset::Offset(offset)).expect("an offset");
                }
                match self.members[index].commit(&offsets, CommitMode::Sync) {
                    Ok(()) => break,
                    Err(error) => assert!(began.elapsed() < PATIENCE, "no commit: {error}"),
                }
                self.poll_until("a settled group", Group::is_shared);
            }
        }
    }
}

fn produce(broker: &Broker, topic: &str, count: usize) {
    let mut connection = Connection::to(broker);
    for n in 0..count {
        let answer = connection.produce(topic, (n % PARTITIONS) as i32, Batch::of(&[n.to_string().as_bytes()]).build());
        assert_eq!(answer.error_code, 0);
    }
}

fn committed(broker: &Broker, topic: &str, group: &str) -> Vec<i64> {
    let consumer: BaseConsumer =
        ClientConfig::new().set("bootstrap.servers", broker.bootstrap()).set("group.id", group).create().expect("a consumer");
    let mut asked = TopicPartitionList::new();
    asked.add_partition_range(topic, 0, PARTITIONS as i32 - 1);
    let found = consumer.committed_offsets(asked, PATIENCE).expect("committed offsets");
    found.elements().iter().map(|one| one.offset().to_raw().unwrap_or(-1)).collect()
}

fn shares_and_survives(strategy: &str) {
    let mut broker = Broker::start_with(&["offsets.topic.num.partitions=4", "group.initial.rebalance.delay.ms=100"]);
    let (topic, name) = (unique("shared"), unique("librdkafka"));
    Connection::to(&broker).create_partitioned_topic(&topic, PARTITIONS as i32, &[]);
    produce(&broker, &topic, 600);
    let mut group = Group::of(&broker, &topic, &name, strategy, 3);
    group.poll_until("three share all", |group| group.is_shared() && group.has(600));
    group.commit(100);
    // One leaves, the others take what it had.
    drop(group.members.pop());
    group.poll_until("two share all", Group::is_shared);
    // The broker dies; they stay, or come back, and go on.
    broker.kill();
    broker.start_again();
    produce(&broker, &topic, 600);
    group.poll_until("two go on after the broker's death", |group| group.is_shared() && group.has(1200));
    group.commit(200);
    drop(group);
    assert_eq!(committed(&broker, &topic, &name), [200; PARTITIONS]);
    // Who comes next begins where they ended.
    produce(&broker, &topic, 6);
    let mut next = Group::of(&broker, &topic, &name, strategy, 1);
    next.poll_until("one has the rest", |group| group.has(PARTITIONS));
    assert!(next.came.iter().all(|(_, offset)| *offset == 200), "{:?}", next.came);
}

#[test]
fn librdkafka_consumers_share_a_topic_and_survive_the_brokers_death_eagerly() {
    shares_and_survives("range");
}

#[test]
fn librdkafka_consumers_share_a_topic_and_survive_the_brokers_death_cooperatively() {
    shares_and_survives("cooperative-sticky");
}
