//! `kill -9`: what was acknowledged is there afterwards, once and in order.

use kafka_protocol::messages::InitProducerIdRequest;

use crate::batch::{Batch, PRODUCE, produce_request};
use crate::broker::{Broker, unique};
use crate::connection::Connection;

#[test]
fn acknowledged_records_survive_many_kills() {
    let mut broker = Broker::start();
    let topic = unique("killed");
    Connection::to(&broker).create_partitioned_topic(&topic, 4, &[]);
    let mut acknowledged = vec![Vec::new(); 4];
    for life in 0..8 {
        let mut connection = Connection::to(&broker);
        for i in 0..50 {
            let (partition, value) = (i % 4, format!("life {life} record {i} {}", "x".repeat(i * 97 % 3000)));
            let answer = connection.produce(&topic, partition as i32, Batch::of(&[value.as_bytes()]).build());
            assert_eq!(answer.error_code, 0);
            acknowledged[partition].push((answer.base_offset, value));
        }
        // Some more on the way, never acknowledged: they may be there or not.
        for partition in 0..4 {
            connection.send(PRODUCE, &produce_request(&topic, partition, -1, Some(Batch::of(&[b"unacknowledged"]).build())));
        }
        broker.kill();
        broker.start_again();
    }
    let mut connection = Connection::to(&broker);
    for (partition, expected) in acknowledged.iter().enumerate() {
        let values = connection.values(&topic, partition as i32);
        for (offset, value) in expected {
            assert_eq!(values[*offset as usize], value.as_bytes(), "partition {partition}, offset {offset}");
        }
        let others = values.len() - expected.len();
        assert!(others <= 8, "{others} records beside the acknowledged ones");
    }
}

/// A start script that waits for the port must not take the dead broker's socket for the new broker.
#[test]
fn the_port_of_a_killed_broker_is_closed_at_once() {
    let mut broker = Broker::start();
    for _ in 0..20 {
        let address = broker.address();
        broker.kill();
        let error = std::net::TcpStream::connect(address).expect_err("nobody listens any more");
        assert_eq!(error.kind(), std::io::ErrorKind::ConnectionRefused);
        broker.start_again();
    }
}

#[test]
fn a_retry_after_a_kill_is_known_as_a_duplicate() {
    let mut broker = Broker::start();
    let topic = unique("retried");
    let mut connection = Connection::to(&broker);
    connection.create_topic(&topic, &[]);
    let producer = connection.call(4, &InitProducerIdRequest::default().with_transactional_id(None));
    let batches: Vec<_> = (0..5).map(|i| Batch::of(&[b"a", b"b"]).sequenced(producer.producer_id.0, 0, i * 2)).collect();
    for batch in &batches {
        connection.append(&topic, batch);
    }
    broker.kill();
    broker.start_again();
    let mut connection = Connection::to(&broker);
    for (i, batch) in batches.iter().enumerate() {
        assert_eq!(connection.append(&topic, batch), i as i64 * 2, "batch {i} again");
    }
    assert_eq!(connection.list_offset(&topic, 0, -1), (0, 10));
    let next = connection.call(4, &InitProducerIdRequest::default().with_transactional_id(None));
    assert!(next.producer_id.0 > producer.producer_id.0, "an id is never given twice");
}

/// A segment of many batches, rolled several times, then killed while its tail is only in the journal.
#[test]
fn small_segments_roll_and_recover() {
    let mut broker = Broker::start();
    let topic = unique("rolled");
    let mut connection = Connection::to(&broker);
    connection.create_topic(&topic, &[("segment.bytes", "1048576")]);
    let value = |i: usize| format!("{i} {}", "y".repeat(9_000));
    for i in 0..600 {
        connection.append(&topic, &Batch::of(&[value(i).as_bytes()]));
    }
    broker.kill();
    broker.start_again();
    let mut connection = Connection::to(&broker);
    let values = connection.values(&topic, 0);
    assert_eq!(values.len(), 600);
    for (i, found) in values.iter().enumerate() {
        assert_eq!(*found, value(i).as_bytes(), "record {i}");
    }
    for offset in [0, 1, 116, 300, 599] {
        let fetched = connection.fetch(&topic, 0, offset);
        assert_eq!(fetched.high_watermark, 600);
        let first = fetched.records.expect("records")[..8].to_vec();
        assert_eq!(first, offset.to_be_bytes(), "a fetch begins with the batch of its offset");
    }
}

#[test]
fn deleted_topics_stay_deleted() {
    let mut broker = Broker::start();
    let topic = unique("deleted");
    let mut connection = Connection::to(&broker);
    connection.create_topic(&topic, &[]);
    connection.append(&topic, &Batch::of(&[b"gone"]));
    let request = kafka_protocol::messages::DeleteTopicsRequest::default()
        .with_topic_names(vec![crate::connection::topic(&topic)])
        .with_timeout_ms(crate::broker::PATIENCE_MS);
    assert_eq!(connection.call(5, &request).responses[0].error_code, 0);
    broker.kill();
    broker.start_again();
    let mut connection = Connection::to(&broker);
    assert_eq!(connection.list_offset(&topic, 0, -1).0, 3, "UNKNOWN_TOPIC_OR_PARTITION");
    connection.create_topic(&topic, &[]);
    assert_eq!(connection.values(&topic, 0), Vec::<bytes::Bytes>::new(), "a new topic of the same name is empty");
}
