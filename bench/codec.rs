//! The wire codec on the path of every request: a produce and a fetch of one large and of many small partitions, metadata.

use crate::timing::time;
use bytes::Bytes;
use ringmill::types::{NodeId, Offset, PartitionIndex, TopicId};
use ringmill::wire::api::{fetch, metadata, produce};
use ringmill::wire::*;
use std::collections::VecDeque;

pub fn run() {
    for (version, partitions) in [(9, 1), (9, 100), (13, 1), (13, 100)] {
        let request = produce_request(partitions);
        let frame = joined(encode_request_frame(&request, version, 1, Some("bench".into())).unwrap());
        time(&format!("produce v{version} decode, {partitions} partitions"), || decode::<produce::ProduceRequest>(&frame));
        let response = produce_response(partitions);
        time(&format!("produce v{version} response, {partitions} partitions"), || encode_response_frame(&response, version, 1).unwrap());
    }
    for (version, partitions) in [(12, 1), (12, 100), (18, 1), (18, 100)] {
        let request = fetch_request(partitions);
        let frame = joined(encode_request_frame(&request, version, 1, Some("bench".into())).unwrap());
        time(&format!("fetch v{version} decode, {partitions} partitions"), || decode::<fetch::FetchRequest>(&frame));
        let response = fetch_response(partitions);
        time(&format!("fetch v{version} response, {partitions} partitions"), || encode_response_frame(&response, version, 1).unwrap());
    }
    let response = metadata_response(10, 100);
    time("metadata v13 response, 1000 partitions", || encode_response_frame(&response, 13, 1).unwrap());
    let name = Str::from("a-topic-of-usual-length");
    time("str as &str, 23 bytes", || name.as_str().len());
}

fn decode<Q: Request>(frame: &Bytes) -> Q {
    let mut reader = Reader::new(frame.clone());
    let header = RequestHeader::decode(&mut reader).unwrap();
    decode_request(&mut reader, header.api_version).unwrap()
}

fn produce_request(partitions: i32) -> produce::ProduceRequest {
    let records = Bytes::from(vec![7; 16 << 10]);
    let partition_data = (0..partitions)
        .map(|index| produce::PartitionProduceData { index: PartitionIndex(index), records: Some(records.clone()) })
        .collect();
    let topic = produce::TopicProduceData { name: "a-topic-of-usual-length".into(), topic_id: TopicId([5; 16]), partition_data };
    produce::ProduceRequest { acks: -1, timeout_ms: 30_000, topic_data: vec![topic], ..Default::default() }
}

fn produce_response(partitions: i32) -> produce::ProduceResponse {
    let partition_responses = (0..partitions)
        .map(|index| produce::PartitionProduceResponse {
            index: PartitionIndex(index),
            base_offset: Offset(1 << 33),
            log_start_offset: Offset(0),
            ..Default::default()
        })
        .collect();
    let topic = produce::TopicProduceResponse { name: "a-topic-of-usual-length".into(), topic_id: TopicId([5; 16]), partition_responses };
    produce::ProduceResponse { responses: vec![topic], ..Default::default() }
}

fn fetch_request(partitions: i32) -> fetch::FetchRequest {
    let partitions = (0..partitions)
        .map(|partition| fetch::FetchPartition {
            partition: PartitionIndex(partition),
            fetch_offset: Offset(1 << 33),
            partition_max_bytes: 1 << 20,
            ..Default::default()
        })
        .collect();
    let topic = fetch::FetchTopic { topic: "a-topic-of-usual-length".into(), topic_id: TopicId([5; 16]), partitions };
    fetch::FetchRequest { max_wait_ms: 500, min_bytes: 1, topics: vec![topic], ..Default::default() }
}

fn fetch_response(partitions: i32) -> fetch::FetchResponse {
    let records = Bytes::from(vec![7; 16 << 10]);
    let partitions = (0..partitions)
        .map(|index| fetch::PartitionData {
            partition_index: PartitionIndex(index),
            high_watermark: Offset(1 << 33),
            records: Some(records.clone().into()),
            ..Default::default()
        })
        .collect();
    let topic = fetch::FetchableTopicResponse { topic: "a-topic-of-usual-length".into(), topic_id: TopicId([5; 16]), partitions };
    fetch::FetchResponse { responses: vec![topic], ..Default::default() }
}

fn metadata_response(topics: i32, partitions: i32) -> metadata::MetadataResponse {
    let partition = |index| metadata::MetadataResponsePartition {
        partition_index: PartitionIndex(index),
        leader_id: NodeId(1),
        replica_nodes: vec![NodeId(1), NodeId(2), NodeId(3)],
        isr_nodes: vec![NodeId(1), NodeId(2), NodeId(3)],
        ..Default::default()
    };
    let topic = |index| metadata::MetadataResponseTopic {
        name: Some(format!("a-topic-of-usual-length-{index}").into()),
        partitions: (0..partitions).map(partition).collect(),
        ..Default::default()
    };
    metadata::MetadataResponse { topics: (0..topics).map(topic).collect(), ..Default::default() }
}

fn joined(parts: VecDeque<Part>) -> Bytes {
    let mut whole = Vec::new();
    for part in parts {
        let Part::Bytes(bytes) = part else { panic!("a file") };
        whole.extend_from_slice(&bytes);
    }
    // Without the size in front.
    Bytes::from(whole).slice(4..)
}
