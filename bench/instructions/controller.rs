//! The cluster's metadata: 1,000 partitions' records applied to an image, one change to a large image, and records to bytes and back.

use crate::timing::{throughput, time};
use ringmill::controller::MetadataImage;
use ringmill::controller::record::{PartitionRecord, Record, TopicRecord, decode_batch, encode_batch};
use ringmill::types::{LeaderEpoch, NodeId, PartitionIndex, TopicId};

const TOPICS: u8 = 10;
const PARTITIONS: i32 = 100;

pub fn run() {
    let records = records();
    let large = applied(&MetadataImage::default(), &records);
    // Many instructions a call, so a few calls are enough.
    throughput("controller/apply 1000 partitions to an empty image", 1000, || applied(&MetadataImage::default(), &records));
    let change = [partition(3, 7, 1)];
    time("controller/apply 1 change to 1000 partitions", || applied(&large, &change));
    let bytes = encode_batch(&records);
    throughput("controller/encode 1000 partitions", 1000, || encode_batch(&records));
    throughput("controller/decode 1000 partitions", 1000, || decode_batch(&bytes).expect("they decode"));
}

fn applied(image: &MetadataImage, records: &[Record]) -> MetadataImage {
    let mut image = image.clone();
    records.iter().for_each(|record| image.replay(record));
    image
}

fn records() -> Vec<Record> {
    let topic = |id: u8| {
        let name = format!("a-topic-of-usual-length-{id}").into();
        let topic = Record::Topic(TopicRecord { name, topic_id: TopicId([id; 16]) });
        std::iter::once(topic).chain((0..PARTITIONS).map(move |index| partition(id, index, 0)))
    };
    (1..=TOPICS).flat_map(topic).collect()
}

fn partition(topic: u8, index: i32, epoch: i32) -> Record {
    Record::Partition(PartitionRecord {
        topic_id: TopicId([topic; 16]),
        partition: PartitionIndex(index),
        replicas: vec![NodeId(1), NodeId(2), NodeId(3)],
        isr: vec![NodeId(1), NodeId(2), NodeId(3)],
        directories: vec![[0; 16]; 3],
        leader: NodeId(1),
        leader_epoch: LeaderEpoch(epoch),
        partition_epoch: epoch,
    })
}
