//! The process stays within its configured memory, whatever clients send: producers slow down, nothing is refused and nobody is cut off.

use crate::batch::{Batch, PRODUCE, produce_request};
use crate::broker::{Broker, unique};
use crate::connection::Connection;
use kafka_protocol::messages::ProduceRequest;
use kafka_protocol::messages::produce_request::PartitionProduceData;
use std::collections::VecDeque;

const MIB: u64 = 1 << 20;
const SHARDS: u64 = 2;
/// The least that may be configured for a shard.
const SHARD_MEMORY: u64 = 16 * MIB;
/// What the process has beside its budgets, as docs/performance.md says: code, stacks, rings, indexes, up to 13 MiB a shard of buffers for writes, and
/// what the allocator keeps.
const BESIDE: u64 = 64 * MIB;
const PRODUCERS: i32 = 16;
const BATCHES: usize = 40;
const IN_FLIGHT: usize = 8;

/// A connection that sends several requests ahead of their answers, and how far it is.
struct Pipeline {
    connection: Connection,
    under_way: VecDeque<i32>,
    answered: usize,
}

impl Pipeline {
    fn to(broker: &Broker) -> Pipeline {
        Pipeline { connection: Connection::to(broker), under_way: VecDeque::new(), answered: 0 }
    }

    fn send(&mut self, request: &ProduceRequest) {
        if self.under_way.len() == IN_FLIGHT {
            self.receive();
        }
        self.under_way.push_back(self.connection.send(PRODUCE, request));
    }

    /// The first partition's batch must have been appended where the one before it ends.
    fn receive(&mut self) {
        let id = self.under_way.pop_front().expect("a request under way");
        let answer = &self.connection.receive::<ProduceRequest>(PRODUCE, id).responses[0].partition_responses[0];
        assert_eq!((answer.error_code, answer.base_offset), (0, self.answered as i64), "partition {}", answer.index);
        self.answered += 1;
    }

    fn finish(mut self) {
        while !self.under_way.is_empty() {
            self.receive();
        }
    }
}

/// As many clients at once as there are partitions, each with `requests` of those that `request` makes for its partition.
fn produce_all(broker: &Broker, requests: usize, request: impl Fn(&str, i32) -> ProduceRequest + Sync) {
    let topic = unique("heavy");
    Connection::to(broker).create_partitioned_topic(&topic, PRODUCERS, &[]);
    std::thread::scope(|scope| {
        for partition in 0..PRODUCERS {
            let (topic, request) = (&topic, &request);
            scope.spawn(move || {
                let (mut pipeline, request) = (Pipeline::to(broker), request(topic, partition));
                (0..requests).for_each(|_| pipeline.send(&request));
                pipeline.finish();
            });
        }
    });
}

fn check_memory(broker: &Broker) {
    let most = broker.resident_bytes_max();
    let allowed = SHARDS * SHARD_MEMORY + BESIDE;
    println!("at most {} MiB of {} MiB", most / MIB, allowed / MIB);
    assert!(most <= allowed, "{} MiB resident, {} MiB allowed", most / MIB, allowed / MIB);
}

#[test]
fn many_producers_and_little_memory() {
    let broker = Broker::start_with(&[&format!("ringmill.memory.bytes={SHARD_MEMORY}")]);
    produce_all(&broker, BATCHES, |topic, partition| {
        let batch = Batch::of(&[&[partition as u8; 500_000]]).build();
        produce_request(topic, partition, -1, Some(batch))
    });
    check_memory(&broker);
}

/// What is refused of a request is not kept by the little of it that is appended.
#[test]
fn large_requests_of_which_little_is_appended() {
    let broker = Broker::start_with(&[&format!("ringmill.memory.bytes={SHARD_MEMORY}")]);
    produce_all(&broker, BATCHES, |topic, partition| {
        let batch = Batch::of(&[&[partition as u8; 40_000]]).build();
        let mut request = produce_request(topic, partition, -1, Some(batch));
        let unknown = PartitionProduceData::default().with_index(PRODUCERS).with_records(Some(vec![0; 500_000].into()));
        request.topic_data[0].partition_data.push(unknown);
        request
    });
    check_memory(&broker);
}
