//! What is encoded decodes to the same value, from exactly the bytes written.

use super::{Check, Entropy, Sample, Subject, check_all, encode};
use crate::types::{LeaderEpoch, NodeId, Offset, PartitionIndex};
use crate::wire::api::{create_topics, fetch, metadata, produce};
use crate::wire::primitives::Field;
use crate::wire::versions::ApiKey;
use crate::wire::*;
use bytes::Bytes;
use proptest::prelude::*;
use std::sync::Arc;

struct RoundTrip(Vec<u8>);

impl Check for RoundTrip {
    fn check<M: Field + Sample + Default + Clone + PartialEq + std::fmt::Debug>(&mut self, subject: &Subject) {
        let value = M::sample(&mut Entropy::new(self.0.clone()), subject.codec);
        let bytes = encode(&value, subject.codec).unwrap_or_else(|e| panic!("{subject}: {e}: {value:?}"));
        let mut reader = Reader::new(bytes.clone());
        let decoded = M::read(&mut reader, subject.codec).unwrap_or_else(|e| panic!("{subject}: {e}: {value:?}"));
        assert_eq!(reader.remaining(), 0, "{subject}: bytes left over of {value:?}");
        assert_eq!(decoded, value, "{subject}");
        assert!(M::size_min(subject.codec) <= bytes.len(), "{subject}: smaller than its smallest size");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn every_message_in_every_version_comes_back(bytes in prop::collection::vec(any::<u8>(), 0..1200)) {
        check_all(&mut RoundTrip(bytes));
    }

    #[test]
    fn varints_come_back(int in any::<i32>(), long in any::<i64>(), unsigned in any::<u32>()) {
        let mut writer = Writer::new();
        writer.varint(int);
        writer.varlong(long);
        writer.uvarint(unsigned);
        let mut reader = Reader::new(writer.into_bytes());
        prop_assert_eq!((reader.varint(), reader.varlong(), reader.uvarint()), (Ok(int), Ok(long), Ok(unsigned)));
        prop_assert_eq!(reader.remaining(), 0);
    }
}

/// The ends of each length, as Kafka's documentation of varints gives them.
#[test]
fn varints_take_the_bytes_they_should() {
    for (value, size) in [(0, 1), (127, 1), (128, 2), (16_383, 2), (16_384, 3), (u32::MAX, 5)] {
        let mut writer = Writer::new();
        writer.uvarint(value);
        assert_eq!(writer.size(), size, "{value}");
    }
    for (value, size) in [(0, 1), (-1, 1), (63, 1), (-65, 2), (i64::MAX, 10), (i64::MIN, 10)] {
        let mut writer = Writer::new();
        writer.varlong(value);
        assert_eq!(writer.size(), size, "{value}");
    }
}

#[test]
fn a_whole_request_frame_comes_back() {
    let request = metadata::MetadataRequest { topics: None, ..Default::default() };
    for version in 1..=13 {
        let parts = encode_request_frame(&request, version, 7, Some("me".into())).unwrap();
        let frame = joined(parts);
        assert_eq!(frame[..4], (frame.len() as i32 - 4).to_be_bytes());

        let mut reader = Reader::new(frame.slice(4..));
        let header = RequestHeader::decode(&mut reader).unwrap();
        assert_eq!(
            header,
            RequestHeader { api_key: ApiKey::Metadata, api_version: version, correlation_id: 7, client_id: Some("me".into()) }
        );
        assert_eq!(decode_request::<metadata::MetadataRequest>(&mut reader, version).unwrap(), request);
        assert_eq!(reader.remaining(), 0);
    }
}

#[test]
fn a_whole_response_frame_comes_back() {
    let response = api::api_versions::ApiVersionsResponse { finalized_features_epoch: 5, ..Default::default() };
    let frame = joined(encode_response_frame(&response, 3, 9).unwrap());
    assert_eq!(frame[..4], (frame.len() as i32 - 4).to_be_bytes());
    // The header of ApiVersions has no tagged fields even in a flexible version: the error code follows the correlation id.
    assert_eq!(frame[4..10], [0, 0, 0, 9, 0, 0]);
    let (correlation_id, decoded) = decode_response_frame::<api::api_versions::ApiVersionsRequest>(frame.slice(4..), 3).unwrap();
    assert_eq!((correlation_id, decoded), (9, response));
}

/// Given a fetch response with memory and file ranges, its pieces are those very slices and ranges, in order, and the
/// size in front counts them all.
#[test]
fn records_are_laid_in_uncopied() {
    let memory = Bytes::from(vec![7u8; 4096]);
    let file = Arc::new("a file's handle".to_string());
    let mut records = RecordsOut::default();
    records.push_bytes(memory.clone());
    records.push_file(file.clone(), 1 << 40, 100_000);
    let mut small = RecordsOut::default();
    small.push_bytes(Bytes::from_static(b"copied"));
    let partition =
        |index, records| fetch::PartitionData { partition_index: PartitionIndex(index), records: Some(records), ..Default::default() };
    let response = fetch::FetchResponse {
        responses: vec![fetch::FetchableTopicResponse {
            partitions: vec![partition(0, records), partition(1, small)],
            ..Default::default()
        }],
        ..Default::default()
    };

    for version in [4, 11, 12, 18] {
        let parts = Vec::from(encode_response_frame(&response, version, 1).unwrap());
        let [Part::Bytes(head), Part::Bytes(first), Part::File(second), Part::Bytes(tail)] = &parts[..] else {
            panic!("version {version}: {parts:?}")
        };
        assert_eq!(first.as_ptr(), memory.as_ptr());
        assert_eq!((second.offset, second.size, second.file::<String>()), (1 << 40, 100_000, Some(&*file)));
        assert!(tail.windows(6).any(|w| w == b"copied"));
        let size: usize = parts.iter().map(Part::size).sum();
        assert_eq!(i32::from_be_bytes(head[..4].try_into().unwrap()) as usize, size - 4);
    }
}

/// KIP-482: a reader passes over tags it does not know.
#[test]
fn unknown_tagged_fields_are_passed_over() {
    let request = create_topics::CreateTopicsRequest::default();
    let bytes = encode(&request, ApiKey::CreateTopics.codec(7)).unwrap();
    let mut tagged = bytes[..bytes.len() - 1].to_vec();
    tagged.extend([2, 100, 3, b'x', b'y', b'z', 101, 0]);
    let mut reader = Reader::new(tagged.into());
    assert_eq!(decode_request::<create_topics::CreateTopicsRequest>(&mut reader, 7).unwrap(), request);
    assert_eq!(reader.remaining(), 0);
}

#[test]
fn a_value_that_the_version_cannot_carry_is_refused_unless_it_may_be_dropped() {
    // Leader epochs came with version 12, topic ids with 13: the first must not be lost, the second may.
    let partition = fetch::FetchPartition { last_fetched_epoch: LeaderEpoch(3), fetch_offset: Offset(1), ..Default::default() };
    let topic = fetch::FetchTopic { topic_id: crate::types::TopicId([1; 16]), partitions: vec![partition], ..Default::default() };
    let mut request = fetch::FetchRequest { topics: vec![topic], ..Default::default() };
    let refused = EncodeError { problem: EncodeProblem::NotInVersion(11), field: "last_fetched_epoch" };
    assert_eq!(encode_request_frame(&request, 11, 0, None).unwrap_err(), refused);
    request.topics[0].partitions[0].last_fetched_epoch = LeaderEpoch::NONE;
    assert!(encode_request_frame(&request, 11, 0, None).is_ok());
    // A leader hint is a tagged field from version 10 on.
    let partition = produce::PartitionProduceResponse {
        current_leader: produce::LeaderIdAndEpoch { leader_id: NodeId(1), leader_epoch: LeaderEpoch(2) },
        ..Default::default()
    };
    let topic = produce::TopicProduceResponse { partition_responses: vec![partition], ..Default::default() };
    let response = produce::ProduceResponse { responses: vec![topic], ..Default::default() };
    assert!(encode_response_frame(&response, 10, 0).is_ok());
    assert_eq!(encode_response_frame(&response, 9, 0).unwrap_err().problem, EncodeProblem::NotInVersion(9));
}

#[test]
fn null_is_refused_where_the_version_has_none() {
    let request = metadata::MetadataRequest { topics: None, ..Default::default() };
    assert_eq!(encode_request_frame(&request, 0, 0, None).unwrap_err(), EncodeError { problem: EncodeProblem::Null, field: "topics" });
    let mut reader = Reader::new(Bytes::from_static(&[0xff; 4]));
    let error = decode_request::<metadata::MetadataRequest>(&mut reader, 0).unwrap_err();
    assert_eq!(error, DecodeError { problem: DecodeProblem::Null, field: "topics" });
}

#[test]
fn versions_outside_the_table_are_refused() {
    let error = decode_request::<produce::ProduceRequest>(&mut Reader::new(Bytes::new()), 2).unwrap_err();
    assert_eq!(error.problem, DecodeProblem::UnknownVersion(2));
    assert_eq!(encode_request_frame(&fetch::FetchRequest::default(), 19, 0, None).unwrap_err().problem, EncodeProblem::UnknownVersion(19));
}

fn joined(parts: std::collections::VecDeque<Part>) -> Bytes {
    let mut whole = Vec::new();
    for part in parts {
        let Part::Bytes(bytes) = part else { panic!("a file") };
        whole.extend_from_slice(&bytes);
    }
    whole.into()
}
