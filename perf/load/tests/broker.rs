//! A broker of a few lines that keeps batches in memory, checks what it is sent, and stalls when it is told to.

use bytes::Bytes;
use ringmill::types::{ErrorCode, LeaderEpoch, NodeId, Offset, PartitionIndex, ProducerEpoch, ProducerId};
use ringmill::wire::api::create_topics::{CreatableTopicResult, CreateTopicsRequest, CreateTopicsResponse};
use ringmill::wire::api::fetch::{FetchPartition, FetchRequest, FetchResponse, FetchableTopicResponse, PartitionData};
use ringmill::wire::api::init_producer_id::{InitProducerIdRequest, InitProducerIdResponse};
use ringmill::wire::api::list_offsets::*;
use ringmill::wire::api::metadata::*;
use ringmill::wire::api::produce::{PartitionProduceResponse, ProduceRequest, ProduceResponse, TopicProduceResponse};
use ringmill::wire::records::RecordBatch;
use ringmill::wire::{ApiKey, Part, Reader, RequestHeader, Response, decode_request, encode_response_frame};
use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

/// Which produce request stalls everything, counted from 0 and from the first that is not of one byte a record, and for how long.
#[derive(Clone, Copy)]
pub struct Stall {
    pub at: usize,
    pub time: Duration,
}

#[derive(Default)]
pub struct Kept {
    /// By partition.
    pub batches: BTreeMap<i32, Vec<RecordBatch>>,
    /// Produce requests but for those that only see whether a partition takes records.
    pub requests: usize,
    producers: i64,
    next_sequence: BTreeMap<(i64, i32), i32>,
}

pub struct FakeBroker {
    pub address: String,
    pub kept: Arc<Mutex<Kept>>,
}

impl FakeBroker {
    /// Lives as long as the process; its threads end with their connections.
    pub fn start(partitions: i32, stall: Option<Stall>) -> FakeBroker {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let kept = Arc::new(Mutex::new(Kept::default()));
        let shared = kept.clone();
        thread::spawn(move || {
            for stream in listener.incoming() {
                let kept = shared.clone();
                thread::spawn(move || serve(stream.unwrap(), &kept, partitions, stall));
            }
        });
        FakeBroker { address, kept }
    }
}

/// To the end of a connection.
fn serve(mut stream: TcpStream, kept: &Mutex<Kept>, partitions: i32, stall: Option<Stall>) {
    stream.set_nodelay(true).unwrap();
    loop {
        let mut size = [0; 4];
        if stream.read_exact(&mut size).is_err() {
            return;
        }
        let mut frame = vec![0; i32::from_be_bytes(size) as usize];
        if stream.read_exact(&mut frame).is_err() {
            return;
        }
        let mut reader = Reader::new(frame.into());
        let header = RequestHeader::decode(&mut reader).unwrap();
        let answer = answer(&header, &mut reader, kept, partitions, stall);
        if answer.iter().any(|part| stream.write_all(part).is_err()) {
            return;
        }
    }
}

fn answer(header: &RequestHeader, reader: &mut Reader, kept: &Mutex<Kept>, partitions: i32, stall: Option<Stall>) -> Vec<Bytes> {
    let version = header.api_version;
    match header.api_key {
        ApiKey::CreateTopics => frame_of(header, &created(&decode_request(reader, version).unwrap())),
        ApiKey::Metadata => frame_of(header, &described(&decode_request(reader, version).unwrap(), partitions)),
        ApiKey::InitProducerId => {
            let _: InitProducerIdRequest = decode_request(reader, version).unwrap();
            let mut kept = kept.lock().unwrap();
            kept.producers += 1;
            let (producer_id, producer_epoch) = (ProducerId(kept.producers), ProducerEpoch(3));
            frame_of(header, &InitProducerIdResponse { producer_id, producer_epoch, ..Default::default() })
        }
        ApiKey::ListOffsets => frame_of(header, &ends(&decode_request(reader, version).unwrap(), &kept.lock().unwrap())),
        ApiKey::Produce => {
            let request: ProduceRequest = decode_request(reader, version).unwrap();
            let response = kept.lock().unwrap().append(&request, stall);
            if request.acks == 0 { Vec::new() } else { frame_of(header, &response) }
        }
        ApiKey::Fetch => {
            let request: FetchRequest = decode_request(reader, version).unwrap();
            let response = fetched(&request, &kept.lock().unwrap());
            if response.responses[0].partitions.iter().all(|partition| partition.records.is_none()) {
                thread::sleep(Duration::from_millis(2));
            }
            frame_of(header, &response)
        }
        other => panic!("nobody asks a fake broker for {other:?}"),
    }
}

fn frame_of<P: Response>(header: &RequestHeader, response: &P) -> Vec<Bytes> {
    let parts = encode_response_frame(response, header.api_version, header.correlation_id).unwrap();
    let bytes = |part| match part {
        Part::Bytes(bytes) => bytes,
        Part::File(_) => unreachable!("it has no files"),
    };
    parts.into_iter().map(bytes).collect()
}

fn created(request: &CreateTopicsRequest) -> CreateTopicsResponse {
    let topic = CreatableTopicResult { name: request.topics[0].name.clone(), ..Default::default() };
    CreateTopicsResponse { topics: vec![topic], ..Default::default() }
}

fn described(request: &MetadataRequest, partitions: i32) -> MetadataResponse {
    let partition =
        |index| MetadataResponsePartition { partition_index: PartitionIndex(index), leader_id: NodeId(1), ..Default::default() };
    let name = request.topics.as_ref().unwrap()[0].name.clone();
    let topic = MetadataResponseTopic { name, partitions: (0..partitions).map(partition).collect(), ..Default::default() };
    // Nobody can reach it under this name.
    let broker = MetadataResponseBroker { node_id: NodeId(1), host: "elsewhere.invalid".into(), port: 1, ..Default::default() };
    MetadataResponse { brokers: vec![broker], topics: vec![topic], ..Default::default() }
}

fn ends(request: &ListOffsetsRequest, kept: &Kept) -> ListOffsetsResponse {
    let partition = |asked: &ListOffsetsPartition| ListOffsetsPartitionResponse {
        partition_index: asked.partition_index,
        offset: kept.end(asked.partition_index.0),
        ..Default::default()
    };
    let topic = &request.topics[0];
    let topic = ListOffsetsTopicResponse { name: topic.name.clone(), partitions: topic.partitions.iter().map(partition).collect() };
    ListOffsetsResponse { topics: vec![topic], ..Default::default() }
}

impl Kept {
    fn end(&self, partition: i32) -> Offset {
        self.batches.get(&partition).and_then(|batches| batches.last()).map_or(Offset(0), |batch| batch.next_offset())
    }

    fn append(&mut self, request: &ProduceRequest, stall: Option<Stall>) -> ProduceResponse {
        let topic = &request.topic_data[0];
        let mut partition_responses = Vec::new();
        for data in &topic.partition_data {
            let batch = RecordBatch::split_from(&mut data.records.clone().unwrap()).unwrap();
            batch.check_crc().unwrap();
            if partition_responses.is_empty() && batch.size() > 80 {
                if let Some(stall) = stall.filter(|stall| stall.at == self.requests) {
                    thread::sleep(stall.time);
                }
                self.requests += 1;
            }
            let error_code = self.check_sequence(data.index.0, &batch);
            let base_offset = self.end(data.index.0);
            self.batches.entry(data.index.0).or_default().push(batch.stamped(base_offset, LeaderEpoch(0)));
            partition_responses.push(PartitionProduceResponse { index: data.index, error_code, base_offset, ..Default::default() });
        }
        let topic = TopicProduceResponse { name: topic.name.clone(), partition_responses, ..Default::default() };
        ProduceResponse { responses: vec![topic], ..Default::default() }
    }

    fn check_sequence(&mut self, partition: i32, batch: &RecordBatch) -> ErrorCode {
        if !batch.has_producer_id() {
            return ErrorCode::None;
        }
        assert_eq!(batch.producer_epoch, ProducerEpoch(3));
        let next = self.next_sequence.entry((batch.producer_id.0, partition)).or_default();
        let follows = *next == batch.base_sequence;
        *next = batch.last_sequence() + 1;
        if follows { ErrorCode::None } else { ErrorCode::OutOfOrderSequenceNumber }
    }
}

/// One batch of each partition.
fn fetched(request: &FetchRequest, kept: &Kept) -> FetchResponse {
    let partition = |asked: &FetchPartition| {
        let index = asked.partition.0;
        let batches = kept.batches.get(&index).map_or(&[][..], |batches| batches.as_slice());
        let at = batches.partition_point(|batch| batch.last_offset() < asked.fetch_offset);
        let records = batches.get(at).map(|batch| batch.bytes().clone().into());
        PartitionData { partition_index: asked.partition, high_watermark: kept.end(index), records, ..Default::default() }
    };
    let topic = &request.topics[0];
    let topic = FetchableTopicResponse {
        topic: topic.topic.clone(),
        partitions: topic.partitions.iter().map(partition).collect(),
        ..Default::default()
    };
    FetchResponse { responses: vec![topic], ..Default::default() }
}
