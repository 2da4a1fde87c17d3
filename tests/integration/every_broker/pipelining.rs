//! Many requests in flight on one connection: answers come in the order of the requests, whatever each takes.

use kafka_protocol::messages::{ApiVersionsRequest, FetchRequest, MetadataRequest, ProduceRequest};

use crate::batch::{Batch, FETCH, PRODUCE, fetch_request, produce_request};
use crate::broker::{Broker, unique};
use crate::connection::{Connection, frame};

#[test]
fn answers_come_in_the_order_of_requests() {
    let broker = Broker::start();
    let mut connection = Connection::to(&broker);
    let topic = unique("pipelined");
    connection.create_partitioned_topic(&topic, 16, &[]);
    let mut expected = Vec::new();
    for round in 0..200 {
        let records = Batch::of(&[b"pipelined"]).build();
        expected.push((connection.send(PRODUCE, &produce_request(&topic, round % 16, -1, Some(records))), "produce"));
        if round % 3 == 0 {
            expected.push((connection.send(12, &MetadataRequest::default().with_topics(None)), "metadata"));
        }
        if round % 7 == 0 {
            expected.push((connection.send(0, &ApiVersionsRequest::default()), "versions"));
        }
    }
    for (correlation_id, kind) in expected {
        match kind {
            "produce" => {
                let answer = connection.receive::<ProduceRequest>(PRODUCE, correlation_id);
                assert_eq!(answer.responses[0].partition_responses[0].error_code, 0);
            }
            "metadata" => drop(connection.receive::<MetadataRequest>(12, correlation_id)),
            _ => drop(connection.receive::<ApiVersionsRequest>(0, correlation_id)),
        }
    }
    let total: i64 = (0..16).map(|partition| connection.list_offset(&topic, partition, -1).1).sum();
    assert_eq!(total, 200);
}

#[test]
fn produces_without_acks_have_no_answer() {
    let broker = Broker::start();
    let mut connection = Connection::to(&broker);
    let topic = unique("silent");
    connection.create_topic(&topic, &[]);
    for _ in 0..20 {
        connection.send(PRODUCE, &produce_request(&topic, 0, 0, Some(Batch::of(&[b"silent"]).build())));
    }
    assert_eq!(connection.append(&topic, &Batch::of(&[b"loud"])), 20, "one connection's requests are done in order");
}

#[test]
fn a_waiting_fetch_is_answered_by_a_later_produce() {
    let broker = Broker::start();
    let mut reader = Connection::to(&broker);
    let topic = unique("long-poll");
    reader.create_topic(&topic, &[]);
    let waiting = fetch_request(&topic, 0, 0, 1000).with_max_wait_ms(50_000);
    let correlation_id = reader.send(FETCH, &waiting);
    Connection::to(&broker).append(&topic, &Batch::of(&[b"awaited"]));
    let answer = reader.receive::<FetchRequest>(FETCH, correlation_id);
    assert!(!answer.responses[0].partitions[0].records.clone().expect("records").is_empty());
}

#[test]
fn one_write_may_hold_many_frames_and_one_frame_many_writes() {
    let broker = Broker::start();
    let mut connection = Connection::to(&broker);
    let many: Vec<u8> = (1..=100).flat_map(|id| frame(0, id, &ApiVersionsRequest::default())).collect();
    connection.write(&many);
    for id in 1..=100 {
        connection.receive::<ApiVersionsRequest>(0, id);
    }
    for byte in frame(0, 101, &ApiVersionsRequest::default()) {
        connection.write(&[byte]);
    }
    connection.receive::<ApiVersionsRequest>(0, 101);
}

/// Requests one at a time with pauses between them, in which the cores fall asleep: none may be forgotten on the way between cores.
#[test]
fn every_single_request_is_answered() {
    let broker = Broker::start();
    let mut connection = Connection::to(&broker);
    let topic = unique("paused");
    connection.create_partitioned_topic(&topic, 8, &[]);
    for round in 0..3_000_u64 {
        assert_eq!(connection.list_offset(&topic, (round % 8) as i32, -1), (0, 0), "round {round}");
        // Between 0 and 8 ms, differing from round to round.
        std::thread::sleep(std::time::Duration::from_micros(round.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 51));
    }
}
