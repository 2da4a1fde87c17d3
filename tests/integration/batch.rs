//! Record batches by hand, right or wrong in one place, and the three requests that move them.

use bytes::{BufMut, Bytes, BytesMut};
use kafka_protocol::messages::fetch_request::{FetchPartition, FetchRequest, FetchTopic};
use kafka_protocol::messages::fetch_response::PartitionData;
use kafka_protocol::messages::list_offsets_request::{ListOffsetsPartition, ListOffsetsRequest, ListOffsetsTopic};
use kafka_protocol::messages::produce_request::{PartitionProduceData, ProduceRequest, TopicProduceData};
use kafka_protocol::messages::produce_response::PartitionProduceResponse;

use crate::connection::{Connection, topic};

/// Versions that name topics by name and are as late as that allows.
pub const PRODUCE: i16 = 12;
pub const FETCH: i16 = 12;
pub const LIST_OFFSETS: i16 = 10;

/// A record batch of magic 2, its fields as they will be written. `build` fills in length and CRC.
#[derive(Clone)]
pub struct Batch {
    pub magic: i8,
    pub attributes: i16,
    pub last_offset_delta: i32,
    pub base_timestamp: i64,
    pub max_timestamp: i64,
    pub producer_id: i64,
    pub producer_epoch: i16,
    pub base_sequence: i32,
    pub count: i32,
    /// The records, compressed as the attributes say.
    pub payload: Vec<u8>,
}

impl Batch {
    /// One record for each value, without key, all of now.
    pub fn of(values: &[&[u8]]) -> Batch {
        Batch::keyed(&values.iter().map(|value| (None, *value)).collect::<Vec<_>>())
    }

    pub fn keyed(records: &[(Option<&[u8]>, &[u8])]) -> Batch {
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).expect("after 1970").as_millis() as i64;
        let payload = records.iter().enumerate().flat_map(|(index, (key, value))| record(index as i64, *key, value)).collect();
        Batch {
            magic: 2,
            attributes: 0,
            last_offset_delta: records.len() as i32 - 1,
            base_timestamp: now,
            max_timestamp: now,
            producer_id: -1,
            producer_epoch: -1,
            base_sequence: -1,
            count: records.len() as i32,
            payload,
        }
    }

    pub fn sequenced(mut self, producer_id: i64, epoch: i16, sequence: i32) -> Batch {
        (self.producer_id, self.producer_epoch, self.base_sequence) = (producer_id, epoch, sequence);
        self
    }

    pub fn build(&self) -> Bytes {
        let mut body = BytesMut::new();
        body.put_i16(self.attributes);
        body.put_i32(self.last_offset_delta);
        body.put_i64(self.base_timestamp);
        body.put_i64(self.max_timestamp);
        body.put_i64(self.producer_id);
        body.put_i16(self.producer_epoch);
        body.put_i32(self.base_sequence);
        body.put_i32(self.count);
        body.put_slice(&self.payload);
        let mut batch = BytesMut::new();
        batch.put_i64(0); // base offset
        batch.put_i32(body.len() as i32 + 9);
        batch.put_i32(-1); // partition leader epoch
        batch.put_i8(self.magic);
        batch.put_u32(crc32c::crc32c(&body));
        batch.put_slice(&body);
        batch.freeze()
    }
}

/// One record at an offset delta, with its length before it.
pub fn record(offset_delta: i64, key: Option<&[u8]>, value: &[u8]) -> Vec<u8> {
    let mut body = vec![0]; // attributes
    put_varint(&mut body, 0); // timestamp delta
    put_varint(&mut body, offset_delta);
    match key {
        Some(key) => {
            put_varint(&mut body, key.len() as i64);
            body.extend_from_slice(key);
        }
        None => put_varint(&mut body, -1),
    }
    put_varint(&mut body, value.len() as i64);
    body.extend_from_slice(value);
    put_varint(&mut body, 0); // headers
    let mut record = Vec::new();
    put_varint(&mut record, body.len() as i64);
    record.extend_from_slice(&body);
    record
}

pub fn put_varint(to: &mut Vec<u8>, value: i64) {
    let mut rest = ((value << 1) ^ (value >> 63)) as u64;
    while rest >= 0x80 {
        to.push(rest as u8 | 0x80);
        rest >>= 7;
    }
    to.push(rest as u8);
}

pub fn produce_request(to: &str, partition: i32, acks: i16, records: Option<Bytes>) -> ProduceRequest {
    let data = PartitionProduceData::default().with_index(partition).with_records(records);
    let topic = TopicProduceData::default().with_name(topic(to)).with_partition_data(vec![data]);
    ProduceRequest::default().with_acks(acks).with_timeout_ms(crate::broker::PATIENCE_MS).with_topic_data(vec![topic])
}

pub fn fetch_request(from: &str, partition: i32, offset: i64, max_bytes: i32) -> FetchRequest {
    let partition = FetchPartition::default().with_partition(partition).with_fetch_offset(offset).with_partition_max_bytes(max_bytes);
    let topic = FetchTopic::default().with_topic(topic(from)).with_partitions(vec![partition]);
    FetchRequest::default()
        .with_replica_id((-1).into())
        .with_max_wait_ms(500)
        .with_min_bytes(1)
        .with_max_bytes(max_bytes)
        .with_session_epoch(-1)
        .with_topics(vec![topic])
}

/// Cuts off the piece of a batch that a fetch limit may leave at the end.
fn whole_batches(records: Bytes) -> Bytes {
    let mut end = 0;
    while let Some(length) = records.get(end + 8..end + 12) {
        let next = end + 12 + i32::from_be_bytes(length.try_into().expect("four bytes")) as usize;
        if next > records.len() {
            break;
        }
        end = next;
    }
    records.slice(..end)
}

impl Connection {
    /// Produces to a partition with acks=all; its part of the answer.
    pub fn produce(&mut self, to: &str, partition: i32, records: Bytes) -> PartitionProduceResponse {
        let response = self.call(PRODUCE, &produce_request(to, partition, -1, Some(records)));
        response.responses[0].partition_responses[0].clone()
    }

    /// Produces to partition 0 what must be accepted; its base offset.
    pub fn append(&mut self, to: &str, batch: &Batch) -> i64 {
        let answer = self.produce(to, 0, batch.build());
        assert_eq!(answer.error_code, 0, "{:?}", answer.error_message);
        answer.base_offset
    }

    pub fn fetch(&mut self, from: &str, partition: i32, offset: i64) -> PartitionData {
        let response = self.call(FETCH, &fetch_request(from, partition, offset, 1 << 20));
        assert_eq!(response.error_code, 0);
        response.responses[0].partitions[0].clone()
    }

    /// Error code and offset at a timestamp, or at one of the special ones.
    pub fn list_offset(&mut self, of: &str, partition: i32, timestamp: i64) -> (i16, i64) {
        let partition = ListOffsetsPartition::default().with_partition_index(partition).with_timestamp(timestamp);
        let topic = ListOffsetsTopic::default().with_name(topic(of)).with_partitions(vec![partition]);
        let request = ListOffsetsRequest::default().with_replica_id((-1).into()).with_topics(vec![topic]);
        let partition = &self.call(LIST_OFFSETS, &request).topics[0].partitions[0];
        (partition.error_code, partition.offset)
    }

    /// The values of all records of a partition from its beginning to its end.
    pub fn values(&mut self, of: &str, partition: i32) -> Vec<Bytes> {
        let (error, end) = self.list_offset(of, partition, -1);
        assert_eq!(error, 0);
        let mut values = Vec::new();
        while (values.len() as i64) < end {
            let answer = self.fetch(of, partition, values.len() as i64);
            assert_eq!(answer.error_code, 0);
            let mut records = whole_batches(answer.records.expect("records below the end"));
            for set in kafka_protocol::records::RecordBatchDecoder::decode_all(&mut records).expect("records") {
                for record in set.records.into_iter().filter(|record| record.offset >= values.len() as i64).collect::<Vec<_>>() {
                    assert_eq!(record.offset, values.len() as i64, "offsets are dense");
                    values.push(record.value.expect("a value"));
                }
            }
        }
        values
    }
}
