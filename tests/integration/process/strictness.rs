//! Where Ringmill refuses what Apache Kafka lets in.

use crate::batch::{Batch, PRODUCE, produce_request, record};
use crate::broker::{Broker, unique};
use crate::connection::Connection;

const INVALID_RECORD: i16 = 87;

/// Kafka stores these, and every reader then sees offsets that lie.
#[test]
fn offset_deltas_must_count_up() {
    let broker = Broker::start();
    let mut connection = Connection::to(&broker);
    let topic = unique("deltas");
    connection.create_topic(&topic, &[]);
    for deltas in [[0, 2], [1, 0], [0, 0], [1, 1]] {
        let mut batch = Batch::of(&[b"a", b"b"]);
        batch.payload = [record(deltas[0], None, b"a"), record(deltas[1], None, b"b")].concat();
        assert_eq!(connection.produce(&topic, 0, batch.build()).error_code, INVALID_RECORD, "deltas {deltas:?}");
    }
    assert_eq!(connection.append(&topic, &Batch::of(&[b"a"])), 0);
}

/// Kafka never answers this, and the connection hangs.
#[test]
fn null_records_are_refused() {
    let broker = Broker::start();
    let mut connection = Connection::to(&broker);
    let topic = unique("null");
    connection.create_topic(&topic, &[]);
    let answer = connection.call(PRODUCE, &produce_request(&topic, 0, -1, None));
    assert_eq!(answer.responses[0].partition_responses[0].error_code, INVALID_RECORD);
}
