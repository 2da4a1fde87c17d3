//! Idempotent producers by hand: sequences, duplicates and epochs.

use kafka_protocol::messages::InitProducerIdRequest;

use crate::batch::Batch;
use crate::broker::{Broker, unique};
use crate::connection::Connection;

const OUT_OF_ORDER_SEQUENCE_NUMBER: i16 = 45;
const INVALID_PRODUCER_EPOCH: i16 = 47;

fn new_producer(connection: &mut Connection) -> (i64, i16) {
    let request = InitProducerIdRequest::default().with_transactional_id(None).with_transaction_timeout_ms(1000);
    let answer = connection.call(4, &request);
    assert_eq!(answer.error_code, 0);
    (answer.producer_id.0, answer.producer_epoch)
}

#[test]
fn producers_get_ids_of_their_own() {
    let broker = Broker::start();
    let mut connection = Connection::to(&broker);
    let mut ids: Vec<_> = (0..50).map(|_| new_producer(&mut connection)).collect();
    assert!(ids.iter().all(|(id, epoch)| *id >= 0 && *epoch == 0));
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), 50);
}

#[test]
fn duplicates_are_answered_with_their_first_offsets() {
    let broker = Broker::start();
    let mut connection = Connection::to(&broker);
    let topic = unique("duplicates");
    connection.create_topic(&topic, &[]);
    let (id, epoch) = new_producer(&mut connection);
    let batches: Vec<_> = (0..8).map(|i| Batch::of(&[b"a", b"b"]).sequenced(id, epoch, i * 2)).collect();
    for (i, batch) in batches.iter().enumerate() {
        assert_eq!(connection.append(&topic, batch), i as i64 * 2);
    }
    // The last five are remembered.
    for (i, batch) in batches.iter().enumerate().skip(3) {
        assert_eq!(connection.append(&topic, batch), i as i64 * 2, "duplicate {i}");
    }
    assert_eq!(connection.list_offset(&topic, 0, -1), (0, 16), "no duplicate was appended");
}

#[test]
fn gaps_are_refused() {
    let broker = Broker::start();
    let mut connection = Connection::to(&broker);
    let topic = unique("gaps");
    connection.create_topic(&topic, &[]);
    let (id, epoch) = new_producer(&mut connection);
    connection.append(&topic, &Batch::of(&[b"a"]).sequenced(id, epoch, 0));
    let gap = Batch::of(&[b"c"]).sequenced(id, epoch, 2);
    assert_eq!(connection.produce(&topic, 0, gap.build()).error_code, OUT_OF_ORDER_SEQUENCE_NUMBER);
    assert_eq!(connection.append(&topic, &Batch::of(&[b"b"]).sequenced(id, epoch, 1)), 1);
    assert_eq!(connection.append(&topic, &gap), 2, "in its turn it is taken");
}

#[test]
fn older_epochs_are_refused() {
    let broker = Broker::start();
    let mut connection = Connection::to(&broker);
    let topic = unique("epochs");
    connection.create_topic(&topic, &[]);
    let (id, _) = new_producer(&mut connection);
    connection.append(&topic, &Batch::of(&[b"a"]).sequenced(id, 5, 0));
    let old = Batch::of(&[b"b"]).sequenced(id, 4, 1);
    assert_eq!(connection.produce(&topic, 0, old.build()).error_code, INVALID_PRODUCER_EPOCH);
    let not_from_zero = Batch::of(&[b"b"]).sequenced(id, 6, 1);
    assert_eq!(connection.produce(&topic, 0, not_from_zero.build()).error_code, OUT_OF_ORDER_SEQUENCE_NUMBER, "a new epoch begins with 0");
    assert_eq!(connection.append(&topic, &Batch::of(&[b"b"]).sequenced(id, 6, 0)), 1);
}

#[test]
fn sequences_wrap_around() {
    let broker = Broker::start();
    let mut connection = Connection::to(&broker);
    let topic = unique("wraps");
    connection.create_topic(&topic, &[]);
    let (id, epoch) = new_producer(&mut connection);
    // A producer that the partition does not know may begin anywhere.
    connection.append(&topic, &Batch::of(&[b"a", b"b"]).sequenced(id, epoch, i32::MAX - 1));
    connection.append(&topic, &Batch::of(&[b"c"]).sequenced(id, epoch, 0));
    assert_eq!(connection.values(&topic, 0), vec!["a", "b", "c"]);
}
