//! Frames that no client should send: each costs its sender the connection, and nobody else anything.

use bytes::{BufMut, Bytes, BytesMut};
use kafka_protocol::messages::{ApiKey, ApiVersionsRequest, CreateTopicsRequest, FetchRequest, ListOffsetsRequest, MetadataRequest};

use crate::batch::{Batch, FETCH, LIST_OFFSETS, PRODUCE, fetch_request, produce_request};
use crate::broker::Broker;
use crate::bystander::Bystander;
use crate::connection::{Connection, frame, framed};

/// Sends each to the broker on a connection of its own, which must be closed.
fn expect_refused(bytes: impl IntoIterator<Item = (String, Bytes)>) {
    let broker = Broker::start();
    let bystander = Bystander::of(&broker);
    for (what, bytes) in bytes {
        let mut connection = Connection::to(&broker);
        connection.try_write(&bytes);
        assert!(connection.is_closed(), "{what} was answered");
    }
    bystander.finish(&broker);
}

#[test]
fn sizes_that_no_frame_has() {
    let sizes = [-1, i32::MIN, i32::MAX, 100 * 1024 * 1024 + 1];
    expect_refused(sizes.map(|size: i32| (format!("a frame of {size} bytes"), Bytes::copy_from_slice(&size.to_be_bytes()))));
}

#[test]
fn frames_too_short_for_a_header() {
    expect_refused((0..8).map(|size| (format!("a frame of {size} bytes"), framed(&vec![0; size]))));
}

#[test]
fn other_protocols() {
    let http = Bytes::from_static(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n");
    let tls = Bytes::from_static(b"\x16\x03\x01\x00\xc8\x01\x00\x00\xc4\x03\x03");
    expect_refused([("an HTTP request".to_string(), http), ("a TLS hello".to_string(), tls)]);
}

fn header(key: i16, version: i16) -> BytesMut {
    let mut body = BytesMut::new();
    body.put_i16(key);
    body.put_i16(version);
    body.put_i32(1);
    body.put_i16(-1); // client id
    body
}

#[test]
fn unknown_keys_and_versions() {
    let keys = [(9999, 0), (-1, 0), (i16::MAX, i16::MAX), (i16::MIN, i16::MIN)];
    let versions = [(ApiKey::Metadata as i16, 99), (ApiKey::Metadata as i16, -1), (ApiKey::Produce as i16, 2), (ApiKey::Fetch as i16, 3)];
    let requests = keys.into_iter().chain(versions).map(|(key, version)| {
        let mut body = header(key, version);
        body.put_bytes(0, 40);
        (format!("key {key}, version {version}"), framed(&body))
    });
    expect_refused(requests);
}

/// Every way to end each request too early, in a frame whose size is that of what is there.
#[test]
fn requests_that_end_too_early() {
    let records = Batch::of(&[b"one", b"two"]).build();
    let whole = [
        ("Metadata", frame(12, 1, &MetadataRequest::default().with_topics(Some(vec![])))),
        ("Produce", frame(PRODUCE, 1, &produce_request("absent", 0, -1, Some(records)))),
        ("Fetch", frame(FETCH, 1, &fetch_request("absent", 0, 0, 1000))),
        ("ListOffsets", frame(LIST_OFFSETS, 1, &ListOffsetsRequest::default())),
        ("CreateTopics", frame(7, 1, &CreateTopicsRequest::default())),
    ];
    expect_refused(whole.into_iter().flat_map(|(name, frame)| {
        let body = frame.slice(4..);
        (0..body.len()).map(move |end| (format!("{name} cut at byte {end}"), framed(&body[..end])))
    }));
}

#[test]
fn counts_that_no_request_holds() {
    let mut array = header(ApiKey::Metadata as i16, 1);
    array.put_i32(i32::MAX);
    let mut negative = header(ApiKey::Produce as i16, 3);
    negative.put_i16(-1);
    negative.put_i16(-1);
    negative.put_i32(1000);
    negative.put_i32(-2);
    let mut string = header(ApiKey::Metadata as i16, 1);
    string.put_i32(1);
    string.put_i16(i16::MAX);
    string.put_slice(b"short");
    let mut compact = header(ApiKey::Metadata as i16, 12);
    compact.put_u8(0); // tagged fields of the header
    compact.put_slice(&[0xff, 0xff, 0xff, 0xff, 0x0f]); // 2^32 - 1, one more than the count
    let mut endless = header(ApiKey::Metadata as i16, 12);
    endless.put_u8(0);
    endless.put_slice(&[0xff; 20]);
    let mut tags = header(ApiKey::Metadata as i16, 12);
    tags.put_slice(&[0xff, 0xff, 0xff, 0xff, 0x07]);
    let bodies = [
        ("an array of 2^31 - 1 topics", array),
        ("an array of -2 topics", negative),
        ("a name longer than its request", string),
        ("a compact array of 2^32 - 2 topics", compact),
        ("a varint without end", endless),
        ("2^31 - 1 tagged fields", tags),
    ];
    expect_refused(bodies.map(|(what, body)| (what.to_string(), framed(&body))));
}

#[test]
fn noise() {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut random = move || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state
    };
    let broker = Broker::start();
    let bystander = Bystander::of(&broker);
    for _ in 0..500 {
        let length = (random() % 200) as usize;
        let mut body = header((random() % 93) as i16, (random() % 14) as i16);
        body.extend((0..length).map(|_| random() as u8));
        let mut connection = Connection::to(&broker);
        connection.try_write(&framed(&body));
        // Some of it may mean something and be answered; what counts is that the broker lives on.
        connection.finish_writing();
    }
    bystander.finish(&broker);
}

#[test]
fn a_connection_that_ends_inside_a_frame() {
    let broker = Broker::start();
    let bystander = Bystander::of(&broker);
    let whole = frame(3, 1, &ApiVersionsRequest::default());
    for end in 0..whole.len() {
        let mut connection = Connection::to(&broker);
        connection.write(&whole[..end]);
        connection.finish_writing();
        assert!(connection.is_closed(), "{end} bytes were answered");
    }
    bystander.finish(&broker);
}

/// What was asked properly before the bad frame is still answered.
#[test]
fn requests_before_a_bad_frame_are_answered() {
    let broker = Broker::start();
    let mut connection = Connection::to(&broker);
    let topic = crate::broker::unique("before-bad-frame");
    connection.create_topic(&topic, &[]);
    connection.append(&topic, &Batch::of(&[b"kept"]));
    let correlation_id = connection.send(FETCH, &fetch_request(&topic, 0, 0, 1000));
    let answer = connection.receive::<FetchRequest>(FETCH, correlation_id);
    assert_eq!(answer.responses[0].partitions[0].high_watermark, 1);
    connection.try_write(&(-5_i32).to_be_bytes());
    assert!(connection.is_closed());
    assert_eq!(Connection::to(&broker).values(&topic, 0), vec!["kept"]);
}
