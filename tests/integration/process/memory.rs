//! The process stays within its configured memory, whatever clients send: producers slow down, nothing is refused and nobody is cut off.

use crate::batch::{Batch, PRODUCE, produce_request};
use crate::broker::{Broker, unique};
use crate::connection::Connection;
use kafka_protocol::messages::ProduceRequest;
use std::collections::VecDeque;

const MIB: u64 = 1 << 20;
const SHARDS: u64 = 2;
/// The least that may be configured for a shard.
const SHARD_MEMORY: u64 = 16 * MIB;
/// What the process has beside its budgets, as docs/performance.md says: code, stacks, rings, indexes, buffers of writes under way, and what the
/// allocator keeps.
const BESIDE: u64 = 64 * MIB;
const PRODUCERS: i32 = 16;
const BATCHES: usize = 40;
const IN_FLIGHT: usize = 8;

/// Sends large batches, several ahead of their answers; every one must be acknowledged, in order.
fn produce(broker: &Broker, topic: &str, partition: i32) {
    let batch = Batch::of(&[&[partition as u8; 500_000]]).build();
    let mut connection = Connection::to(broker);
    let mut under_way = VecDeque::new();
    for number in 0..BATCHES + IN_FLIGHT {
        if number >= IN_FLIGHT {
            let id = under_way.pop_front().expect("a request under way");
            let answer = &connection.receive::<ProduceRequest>(PRODUCE, id).responses[0].partition_responses[0];
            assert_eq!((answer.error_code, answer.base_offset), (0, (number - IN_FLIGHT) as i64), "partition {partition}");
        }
        if number < BATCHES {
            under_way.push_back(connection.send(PRODUCE, &produce_request(topic, partition, -1, Some(batch.clone()))));
        }
    }
}

#[test]
fn many_producers_and_little_memory() {
    let broker = Broker::start_with(&[&format!("ringmill.memory.bytes={SHARD_MEMORY}")]);
    let topic = unique("heavy");
    Connection::to(&broker).create_partitioned_topic(&topic, PRODUCERS, &[]);
    std::thread::scope(|scope| {
        for partition in 0..PRODUCERS {
            let (broker, topic) = (&broker, &topic);
            scope.spawn(move || produce(broker, topic, partition));
        }
    });
    let most = broker.resident_bytes_max();
    let allowed = SHARDS * SHARD_MEMORY + BESIDE;
    println!("at most {} MiB of {} MiB", most / MIB, allowed / MIB);
    assert!(most <= allowed, "{} MiB resident, {} MiB allowed", most / MIB, allowed / MIB);
}
