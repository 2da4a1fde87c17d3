//! Record batches that are wrong in one place, and the error code that Kafka has for each.

use bytes::{Bytes, BytesMut};

use crate::batch::{Batch, PRODUCE, produce_request, put_varint, record};
use crate::broker::{Broker, unique};
use crate::bystander::Bystander;
use crate::connection::Connection;

const CORRUPT_MESSAGE: i16 = 2;
const UNKNOWN_TOPIC_OR_PARTITION: i16 = 3;
const MESSAGE_TOO_LARGE: i16 = 10;
const INVALID_REQUIRED_ACKS: i16 = 21;
const INVALID_TIMESTAMP: i16 = 32;
const UNSUPPORTED_COMPRESSION_TYPE: i16 = 76;
const INVALID_RECORD: i16 = 87;

/// Apache Kafka answers UNKNOWN_SERVER_ERROR where it did not foresee the damage; a broker that did says which it is.
const UNFORESEEN: i16 = -1;

/// Produces each to the same partition: it must be refused with its code, and leave nothing behind.
fn expect_errors(cases: Vec<(&str, Bytes, i16)>) {
    let broker = Broker::start();
    let bystander = Bystander::of(&broker);
    let topic = unique("bad-batches");
    let mut connection = Connection::to(&broker);
    connection.create_topic(&topic, &[]);
    connection.append(&topic, &Batch::of(&[b"before"]));
    let mut wrong = Vec::new();
    for (what, records, expected) in cases {
        let answer = connection.produce(&topic, 0, records);
        let foreseen = [CORRUPT_MESSAGE, INVALID_RECORD, UNSUPPORTED_COMPRESSION_TYPE].contains(&answer.error_code);
        if answer.error_code != expected && !(expected == UNFORESEEN && foreseen) {
            wrong.push(format!("{what}: expected {expected}, got {} ({:?})", answer.error_code, answer.error_message));
        }
    }
    assert_eq!(wrong, Vec::<String>::new());
    assert_eq!(connection.append(&topic, &Batch::of(&[b"after"])), 1, "refused batches take no offsets");
    assert_eq!(connection.values(&topic, 0), vec!["before", "after"]);
    bystander.finish(&broker);
}

/// A good batch with its bytes changed after the CRC was taken.
fn damaged(change: impl FnOnce(&mut BytesMut)) -> Bytes {
    let mut bytes = BytesMut::from(&Batch::of(&[b"one", b"two", b"three"]).build()[..]);
    change(&mut bytes);
    bytes.freeze()
}

/// A good batch with its fields changed before the CRC was taken.
fn changed(change: impl FnOnce(&mut Batch)) -> Bytes {
    let mut batch = Batch::of(&[b"one", b"two", b"three"]);
    change(&mut batch);
    batch.build()
}

#[test]
fn damaged_bytes() {
    expect_errors(vec![
        ("a wrong CRC", damaged(|bytes| bytes[17] ^= 1), CORRUPT_MESSAGE),
        ("a flipped bit in the last record", damaged(|bytes| *bytes.last_mut().expect("bytes") ^= 1), CORRUPT_MESSAGE),
        ("a flipped bit in the header", damaged(|bytes| bytes[30] ^= 1), CORRUPT_MESSAGE),
    ]);
}

#[test]
fn wrong_lengths() {
    let good = Batch::of(&[b"one", b"two"]).build();
    let twice = [&good[..], &good[..]].concat();
    expect_errors(vec![
        ("a batch longer than the records", damaged(|bytes| bytes[11] += 1), INVALID_RECORD),
        ("a length of 0", damaged(|bytes| bytes[8..12].fill(0)), CORRUPT_MESSAGE),
        ("a negative length", damaged(|bytes| bytes[8..12].fill(0xff)), CORRUPT_MESSAGE),
        ("half a header", good.slice(..30), INVALID_RECORD),
        ("two batches", Bytes::from(twice), INVALID_RECORD),
        ("no bytes", Bytes::new(), INVALID_RECORD),
    ]);
}

#[test]
fn wrong_counts() {
    expect_errors(vec![
        ("a count above the records", changed(|batch| batch.count = 4), INVALID_RECORD),
        ("a count below the records", changed(|batch| batch.count = 2), INVALID_RECORD),
        ("a count of 2^31 - 1", changed(|batch| batch.count = i32::MAX), INVALID_RECORD),
        ("a negative count", changed(|batch| batch.count = -3), INVALID_RECORD),
        ("a count of 0", changed(|batch| batch.count = 0), INVALID_RECORD),
        ("a last offset delta that is not the last", changed(|batch| batch.last_offset_delta = 7), INVALID_RECORD),
        ("a negative last offset delta", changed(|batch| batch.last_offset_delta = -1), INVALID_RECORD),
    ]);
}

#[test]
fn wrong_records() {
    let records = |parts: &[Vec<u8>]| {
        let payload = parts.concat();
        changed(|batch| (batch.payload, batch.count, batch.last_offset_delta) = (payload, parts.len() as i32, parts.len() as i32 - 1))
    };
    let mut endless = Vec::new();
    put_varint(&mut endless, 1_000_000);
    endless.extend_from_slice(b"short");
    let mut negative = Vec::new();
    put_varint(&mut negative, -5);
    expect_errors(vec![
        ("a record longer than the batch", records(&[endless]), INVALID_RECORD),
        ("a record of negative length", records(&[negative]), INVALID_RECORD),
        ("bytes behind the last record", records(&[[record(0, None, b"a"), vec![0; 3]].concat()]), INVALID_RECORD),
        ("a varint without end", records(&[vec![0xff; 30]]), UNFORESEEN),
    ]);
}

#[test]
fn wrong_attributes() {
    expect_errors(vec![
        ("magic 0", changed(|batch| batch.magic = 0), INVALID_RECORD),
        ("magic 1", changed(|batch| batch.magic = 1), INVALID_RECORD),
        ("magic 3", changed(|batch| batch.magic = 3), CORRUPT_MESSAGE),
        ("a control batch", changed(|batch| batch.attributes = 0x20), INVALID_RECORD),
        ("compression type 7", changed(|batch| batch.attributes = 7), UNFORESEEN),
    ]);
}

#[test]
fn compressed_noise() {
    let noise: Vec<u8> = (0..200_u32).map(|i| ((i * 7919) >> 3) as u8).collect();
    let cases = [(1, "gzip"), (2, "snappy"), (3, "lz4"), (4, "zstd")].map(|(attributes, name)| {
        let noise = noise.clone();
        (name, changed(move |batch| (batch.attributes, batch.payload) = (attributes, noise)), UNFORESEEN)
    });
    expect_errors(cases.into());
}

#[test]
fn timestamps_far_ahead() {
    let hours = |hours: i64| {
        changed(|batch| {
            (batch.base_timestamp, batch.max_timestamp) =
                (batch.base_timestamp + hours * 3_600_000, batch.max_timestamp + hours * 3_600_000)
        })
    };
    expect_errors(vec![("two hours ahead", hours(2), INVALID_TIMESTAMP)]);
}

#[test]
fn records_that_a_topic_refuses() {
    let broker = Broker::start();
    let mut connection = Connection::to(&broker);
    let (compacted, small) = (unique("compacted"), unique("small"));
    connection.create_topic(&compacted, &[("cleanup.policy", "compact")]);
    connection.create_topic(&small, &[("max.message.bytes", "1000")]);

    let keyless = Batch::keyed(&[(Some(b"k"), b"1"), (None, b"2"), (Some(b"k"), b"3")]);
    let answer = connection.produce(&compacted, 0, keyless.build());
    assert_eq!(answer.error_code, INVALID_RECORD);
    assert_eq!(answer.record_errors.iter().map(|error| error.batch_index).collect::<Vec<_>>(), [1], "the keyless record is named");
    assert_eq!(connection.append(&compacted, &Batch::keyed(&[(Some(b"k"), b"v")])), 0);

    assert_eq!(connection.produce(&small, 0, Batch::of(&[&[7; 1000]]).build()).error_code, MESSAGE_TOO_LARGE);
    assert_eq!(connection.append(&small, &Batch::of(&[&[7; 900]])), 0);
}

#[test]
fn partitions_and_acks_that_do_not_exist() {
    let broker = Broker::start();
    let mut connection = Connection::to(&broker);
    let topic = unique("acks");
    connection.create_topic(&topic, &[]);
    let good = Batch::of(&[b"v"]).build();
    assert_eq!(connection.produce(&unique("absent"), 0, good.clone()).error_code, UNKNOWN_TOPIC_OR_PARTITION);
    for partition in [1, -1, i32::MAX] {
        assert_eq!(connection.produce(&topic, partition, good.clone()).error_code, UNKNOWN_TOPIC_OR_PARTITION, "partition {partition}");
    }
    for acks in [2, -2, i16::MAX] {
        let answer = connection.call(PRODUCE, &produce_request(&topic, 0, acks, Some(good.clone())));
        assert_eq!(answer.responses[0].partition_responses[0].error_code, INVALID_REQUIRED_ACKS, "acks {acks}");
    }
    // zstd came with version 7 of Produce.
    let zstd = changed(|batch| batch.attributes = 4);
    let answer = connection.call(3, &produce_request(&topic, 0, -1, Some(zstd)));
    assert_eq!(answer.responses[0].partition_responses[0].error_code, UNSUPPORTED_COMPRESSION_TYPE);
    assert_eq!(connection.append(&topic, &Batch::of(&[b"v"])), 0);
}

/// As a fetch of a consumer may end in the middle of a batch, so may what a mirror produces.
#[test]
fn a_piece_of_a_batch_behind_a_whole_one_is_cut_off() {
    let broker = Broker::start();
    let mut connection = Connection::to(&broker);
    let topic = unique("piece");
    connection.create_topic(&topic, &[]);
    let longer = [&Batch::of(&[b"whole"]).build()[..], b"xyz"].concat();
    assert_eq!(connection.produce(&topic, 0, Bytes::from(longer)).error_code, 0);
    assert_eq!(connection.append(&topic, &Batch::of(&[b"next"])), 1);
    assert_eq!(connection.values(&topic, 0), vec!["whole", "next"]);
}
