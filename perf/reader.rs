//! Reads partitions of one topic over one connection, from an offset on, as a consumer does.
//!
//! Batches are walked by their headers, and their offsets must be dense; records are not decoded and CRCs not checked, so that the reader takes
//! little of the machine from the broker.

use crate::Result;
use crate::client::{Client, frame_of, shown};
use bytes::Bytes;
use ringmill::types::{ErrorCode, Offset, PartitionIndex};
use ringmill::wire::api::fetch::{FetchPartition, FetchRequest, FetchTopic, PartitionData};
use ringmill::wire::decode_response_frame;
use ringmill::wire::records::{BatchHeader, frame};

/// The last version that names topics.
const VERSION: i16 = 12;
const WAIT_MS: i32 = 500;

/// How much a fetch asks for, in bytes.
#[derive(Clone, Copy)]
pub struct FetchSize {
    /// As consumers' `max.partition.fetch.bytes`.
    pub partition: i32,
    /// As consumers' `fetch.max.bytes`.
    pub all: i32,
}

impl Default for FetchSize {
    fn default() -> Self {
        FetchSize { partition: 1 << 20, all: 50 << 20 }
    }
}

pub struct Reader {
    client: Client,
    topic: String,
    size: FetchSize,
    positions: Vec<Position>,
}

/// How far a partition was read.
struct Position {
    partition: PartitionIndex,
    next: Offset,
    /// Its high watermark, as the last fetch had it.
    end: Offset,
}

impl Reader {
    /// A reader of `partitions` from `start` on.
    pub fn new(client: Client, topic: &str, partitions: impl Iterator<Item = usize>, start: Offset, size: FetchSize) -> Reader {
        let position = |index| Position { partition: PartitionIndex(index as i32), next: start, end: Offset(i64::MAX) };
        let positions = partitions.map(position).collect();
        Reader { client, topic: topic.into(), size, positions }
    }

    /// One fetch; shows each batch with its partition and size in bytes.
    pub fn fetch(&mut self, mut seen: impl FnMut(PartitionIndex, &BatchHeader, usize)) -> Result<()> {
        self.client.send(&frame_of(&self.request(), VERSION, 0)?)?;
        let response = self.client.receive()?;
        let (_, fetched) = decode_response_frame::<FetchRequest>(response.clone(), VERSION).map_err(shown)?;
        if fetched.error_code != ErrorCode::None {
            return Err(format!("fetching: {:?}", fetched.error_code).into());
        }
        for partition in fetched.responses.iter().flat_map(|topic| &topic.partitions) {
            let index = partition.partition_index;
            let position = self.positions.iter_mut().find(|position| position.partition == index);
            let position = position.ok_or("a partition nobody asked for")?;
            position.next = walk(position.next, &records_of(partition)?, |header, size| seen(index, header, size))?;
            position.end = partition.high_watermark;
        }
        // The next request takes another partition first, as consumers do.
        self.positions.rotate_left(1);
        drop(fetched);
        self.client.recycle(response);
        Ok(())
    }

    /// Puts those partitions back to offset 0 that were read to their ends; whether there was one.
    pub fn rewind(&mut self) -> bool {
        let mut rewound = false;
        for position in self.positions.iter_mut().filter(|position| position.next >= position.end) {
            (position.next, rewound) = (Offset(0), true);
        }
        rewound
    }

    fn request(&self) -> FetchRequest {
        let partition = |position: &Position| FetchPartition {
            partition: position.partition,
            fetch_offset: position.next,
            partition_max_bytes: self.size.partition,
            ..Default::default()
        };
        let topic = FetchTopic {
            topic: self.topic.as_str().into(),
            partitions: self.positions.iter().map(partition).collect(),
            ..Default::default()
        };
        FetchRequest { max_wait_ms: WAIT_MS, min_bytes: 1, max_bytes: self.size.all, topics: vec![topic], ..Default::default() }
    }
}

fn records_of(partition: &PartitionData) -> Result<Bytes> {
    if partition.error_code != ErrorCode::None {
        return Err(format!("fetching partition {}: {:?}", partition.partition_index, partition.error_code).into());
    }
    Ok(partition.records.as_ref().and_then(|records| records.to_bytes()).unwrap_or_default())
}

/// Where to go on behind the batches in `records`.
fn walk(start: Offset, records: &Bytes, mut seen: impl FnMut(&BatchHeader, usize)) -> Result<Offset> {
    let (mut position, mut at) = (start, 0);
    // The last batch may be cut off.
    while let Ok((header, size)) = frame(&records[at..]) {
        let follows = header.base_offset == position || (position == start && header.base_offset < position);
        if !follows {
            return Err(format!("offset {} follows on {position}", header.base_offset).into());
        }
        position = header.next_offset();
        seen(&header, size);
        at += size;
    }
    Ok(position)
}
