//! One connection that fetches partitions of one topic, one request at a time.
//!
//! Batches are walked by their headers, and their offsets must be dense; records are not decoded and CRCs not checked, so that
//! the consumer takes little of the machine from the broker. For the end-to-end latency it looks at the time in each batch's first record.

use super::batches::stamp_of;
use super::connection::Connection;
use super::schedule::Schedule;
use super::tally::{Tally, Volume};
use crate::Result;
use crate::client::{frame_of, shown};
use bytes::Bytes;
use ringmill::types::{ErrorCode, Offset, PartitionIndex};
use ringmill::wire::api::fetch::{FetchPartition, FetchRequest, FetchTopic, PartitionData};
use ringmill::wire::decode_response_frame;
use ringmill::wire::records::{Attributes, frame};
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Instant;

/// The last version that names topics.
const VERSION: i16 = 12;
const WAIT_MS: i32 = 500;

/// What a consumer does with the end of its partitions.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum AtEnd {
    /// Waits for more, which carries the time when it was due.
    Follow,
    Rewind,
    Stop,
}

/// How much a fetch asks for, in bytes.
#[derive(Clone, Copy)]
pub struct FetchSize {
    pub partition: i32,
    pub all: i32,
}

/// How far a partition was read.
pub struct Position {
    partition: PartitionIndex,
    next: Offset,
    /// Its high watermark, as the last fetch had it.
    end: Offset,
}

impl Position {
    pub fn at(partition: i32, next: Offset) -> Position {
        Position { partition: PartitionIndex(partition), next, end: Offset(i64::MAX) }
    }
}

pub struct Consumer<'a> {
    pub connection: Connection,
    topic: String,
    size: FetchSize,
    positions: Vec<Position>,
    at_end: AtEnd,
    schedule: Schedule,
    /// Beside the load: only at the times of the schedule.
    catches_up: bool,
    /// Told when the partitions begin again.
    pub rewound: Option<&'a (dyn Fn() -> Result<()> + Sync)>,
    /// Batches with a time of this run.
    seen: &'a AtomicU64,
    awaits: bool,
    stopped: bool,
}

/// How a consumer reads.
pub struct Reading<'a> {
    pub topic: &'a str,
    pub size: FetchSize,
    pub at_end: AtEnd,
    pub catches_up: bool,
    pub seen: &'a AtomicU64,
}

impl<'a> Consumer<'a> {
    pub fn new(connection: Connection, reading: &Reading<'a>, positions: Vec<Position>, schedule: Schedule) -> Consumer<'a> {
        Consumer {
            connection,
            topic: reading.topic.into(),
            size: reading.size,
            positions,
            at_end: reading.at_end,
            schedule,
            catches_up: reading.catches_up,
            rewound: None,
            seen: reading.seen,
            awaits: false,
            stopped: false,
        }
    }

    /// Asks for more, if nothing is asked and it is time.
    pub fn pump(&mut self, now: Instant) -> Result<()> {
        let rests = self.catches_up && !self.schedule.catches_up(now);
        if !self.awaits && !self.stopped && !rests {
            let request = frame_of(&self.request(), VERSION, 0)?;
            self.connection.open_part().0.extend_from_slice(&request);
            self.awaits = true;
        }
        self.connection.flush()
    }

    /// Whether it waits for its time.
    pub fn rests(&self) -> bool {
        self.catches_up && !self.awaits && !self.stopped
    }

    /// Takes the answer, if it is there.
    pub fn receive(&mut self, tally: &mut Tally) -> Result<()> {
        let Some((buffer, range)) = self.connection.receive_one()? else { return Ok(()) };
        self.awaits = false;
        let now = Instant::now();
        let (_, fetched) = decode_response_frame::<FetchRequest>(buffer.slice(range), VERSION).map_err(shown)?;
        if fetched.error_code != ErrorCode::None {
            return Err(format!("fetching: {:?}", fetched.error_code).into());
        }
        let mut volume = Volume { requests: 1, ..Volume::default() };
        for partition in fetched.responses.iter().flat_map(|topic| &topic.partitions) {
            self.advance(partition, now, &mut volume, tally)?;
        }
        drop(fetched);
        self.connection.recycle(buffer);
        // The next request takes another partition first, as consumers do.
        self.positions.rotate_left(1);
        tally.volume(now, volume);
        self.end_of_partitions()
    }

    fn advance(&mut self, partition: &PartitionData, now: Instant, volume: &mut Volume, tally: &mut Tally) -> Result<()> {
        if partition.error_code != ErrorCode::None {
            return Err(format!("fetching partition {}: {:?}", partition.partition_index, partition.error_code).into());
        }
        let position = self.positions.iter_mut().find(|position| position.partition == partition.partition_index);
        let position = position.ok_or("a partition nobody asked for")?;
        let records = partition.records.as_ref().and_then(|records| records.to_bytes()).unwrap_or_default();
        let (start, mut at) = (position.next, 0);
        // The last batch may be cut off.
        while let Ok((header, size)) = frame(&records[at..]) {
            let follows = header.base_offset == position.next || (position.next == start && header.base_offset < position.next);
            if !follows {
                return Err(format!("offset {} follows on {}", header.base_offset, position.next).into());
            }
            position.next = header.next_offset();
            volume.bytes += size as u64;
            volume.records += header.count.max(0) as u64;
            if self.at_end == AtEnd::Follow && header.attributes == Attributes::default() {
                see(&self.schedule, &records.slice(at..at + size), now, tally, self.seen);
            }
            at += size;
        }
        position.end = partition.high_watermark;
        Ok(())
    }

    fn end_of_partitions(&mut self) -> Result<()> {
        match self.at_end {
            AtEnd::Follow => {}
            AtEnd::Stop => self.stopped = self.positions.iter().all(|position| position.next >= position.end),
            AtEnd::Rewind => {
                let mut rewound = false;
                for position in self.positions.iter_mut().filter(|position| position.next >= position.end) {
                    (position.next, rewound) = (Offset(0), true);
                }
                if let Some(tell) = self.rewound.filter(|_| rewound) {
                    tell()?;
                }
            }
        }
        Ok(())
    }

    pub fn wants_to_write(&self) -> bool {
        self.connection.is_blocked()
    }

    /// Whether it read all there was to read, once.
    pub fn is_stopped(&self) -> bool {
        self.stopped
    }

    fn request(&self) -> FetchRequest {
        let partition = |position: &Position| FetchPartition {
            partition: position.partition,
            fetch_offset: position.next,
            partition_max_bytes: self.size.partition,
            ..Default::default()
        };
        let partitions = self.positions.iter().map(partition).collect();
        let topic = FetchTopic { topic: self.topic.as_str().into(), partitions, ..Default::default() };
        FetchRequest { max_wait_ms: WAIT_MS, min_bytes: 1, max_bytes: self.size.all, topics: vec![topic], ..Default::default() }
    }
}

fn see(schedule: &Schedule, batch: &Bytes, now: Instant, tally: &mut Tally, seen: &AtomicU64) {
    if let Some(due) = stamp_of(batch).and_then(|stamp| schedule.time_of(stamp)) {
        tally.latency(due, now);
        if schedule.phase(due).is_some() {
            seen.fetch_add(1, Relaxed);
        }
    }
}
