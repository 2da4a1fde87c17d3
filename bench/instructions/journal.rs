//! A frame of the journal: its entries put together, its CRC, padding; and read back as replay does.

use crate::timing::time;
use crate::world::batch;
use bytes::Bytes;
use ringmill::log::journal::frame::{Frame, FrameBuilder, FrameHeader};
use ringmill::log::journal::{Change, Entry};
use ringmill::rt::AlignedBuffer;
use ringmill::types::{Offset, PartitionIndex, TopicId, TopicPartitionId};

const HEADER: FrameHeader = FrameHeader { epoch: 7, sequence: 1_000, low: 900, durable: 999 };

pub fn run() {
    for (name, entries, size) in [("1 x 1 KiB", 1, 1_000), ("100 x 1 KiB", 100, 1_000), ("4 x 64 KiB", 4, 64_000)] {
        let entries: Vec<Entry> = (0..entries).map(|partition| data(partition, batch(size))).collect();
        let mut spare = Some(AlignedBuffer::with_capacity(1 << 20));
        time(&format!("journal/encode a frame of {name}"), || {
            let mut frame = FrameBuilder::new(spare.take().expect("put back each time"));
            entries.iter().for_each(|entry| frame.push(entry));
            spare = Some(frame.finish(HEADER));
        });
        let bytes = Bytes::copy_from_slice(spare.expect("put back each time").as_slice());
        time(&format!("journal/read a frame of {name}"), || Frame::read(&bytes, HEADER.epoch).expect("it verifies"));
    }
}

fn data(partition: i32, records: Bytes) -> Entry {
    Entry {
        id: TopicPartitionId { topic_id: TopicId([5; 16]), partition: PartitionIndex(partition) },
        topic: "a-topic-of-usual-length".into(),
        change: Change::Data { base: Offset(1 << 33), end: Offset((1 << 33) + 1), acknowledged: Offset(1 << 33), records },
    }
}
