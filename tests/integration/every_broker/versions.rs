//! ApiVersions, by which every client begins.

use bytes::{Buf, BufMut, BytesMut};
use kafka_protocol::messages::{ApiKey, ApiVersionsRequest, MetadataRequest};
use kafka_protocol::protocol::StrBytes;

use crate::broker::Broker;
use crate::connection::{Connection, framed};

const UNSUPPORTED_VERSION: i16 = 35;
const INVALID_REQUEST: i16 = 42;

#[test]
fn every_version_is_answered_with_the_same_ranges() {
    let broker = Broker::start();
    let mut connection = Connection::to(&broker);
    let request = ApiVersionsRequest::default()
        .with_client_software_name(StrBytes::from_static_str("integration"))
        .with_client_software_version(StrBytes::from_static_str("1"));
    let first = connection.call(0, &ApiVersionsRequest::default());
    assert!(first.api_keys.iter().any(|api| (api.api_key, api.min_version) == (ApiKey::Produce as i16, 0)));
    for version in 0..=4 {
        let answer = connection.call(version, &request);
        assert_eq!(answer.error_code, 0);
        let ranges = |keys: &[kafka_protocol::messages::api_versions_response::ApiVersion]| {
            keys.iter().map(|api| (api.api_key, api.min_version, api.max_version)).collect::<Vec<_>>()
        };
        assert_eq!(ranges(&answer.api_keys), ranges(&first.api_keys), "version {version}");
    }
}

#[test]
fn an_unknown_version_is_answered_in_version_0_with_the_range() {
    let broker = Broker::start();
    let mut connection = Connection::to(&broker);
    let mut body = BytesMut::new();
    body.put_i16(ApiKey::ApiVersions as i16);
    body.put_i16(99);
    body.put_i32(7);
    body.put_i16(-1);
    body.put_u8(0); // a header with tagged fields, as later versions have
    body.put_slice(b"whatever a version 99 holds");
    connection.write(&framed(&body));
    let mut answer = connection.receive_frame();
    assert_eq!(answer.get_i32(), 7, "correlation id");
    assert_eq!(answer.get_i16(), UNSUPPORTED_VERSION);
    assert_eq!(answer.get_i32(), 1, "one range");
    assert_eq!(answer.get_i16(), ApiKey::ApiVersions as i16);
    assert_eq!((answer.get_i16(), answer.get_i16()), (0, 4));
    assert_eq!(answer.remaining(), 0);
    // The connection goes on, as clients expect that then ask in a version of the range.
    assert_eq!(connection.call(0, &ApiVersionsRequest::default()).error_code, 0);
}

#[test]
fn a_client_without_a_proper_name_is_refused() {
    let broker = Broker::start();
    let mut connection = Connection::to(&broker);
    let request = ApiVersionsRequest::default()
        .with_client_software_name(StrBytes::from_static_str("no/slashes"))
        .with_client_software_version(StrBytes::from_static_str("1"));
    assert_eq!(connection.call(3, &request).error_code, INVALID_REQUEST);
}

#[test]
fn metadata_in_every_version() {
    let broker = Broker::start();
    let mut connection = Connection::to(&broker);
    let topic = crate::broker::unique("metadata");
    connection.create_partitioned_topic(&topic, 3, &[]);
    for version in 0..=13 {
        let named =
            kafka_protocol::messages::metadata_request::MetadataRequestTopic::default().with_name(Some(crate::connection::topic(&topic)));
        let request = MetadataRequest::default().with_topics(Some(vec![named])).with_allow_auto_topic_creation(true);
        let answer = connection.call(version, &request);
        assert_eq!(answer.brokers.len(), 1, "version {version}");
        assert_eq!(answer.topics[0].partitions.len(), 3, "version {version}");
        for partition in &answer.topics[0].partitions {
            assert_eq!((partition.error_code, partition.leader_id.0), (0, answer.brokers[0].node_id.0), "version {version}");
        }
    }
}
