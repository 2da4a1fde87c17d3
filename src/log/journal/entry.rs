//! What a journal frame holds: typed entries. Each names its partition by topic id, which is never reused, and by the topic's name, so that
//! replay can make the directory again.
//!
//! ```text
//!  1 kind                1 data, 2 truncate, 3 log start offset, 4 delete, 5 release
//! 16 topic id
//!  4 partition
//!  1 length of the topic's name, then the name
//!    data:     8 base offset, 8 end (exclusive), 8 acknowledged end (exclusive), 4 length, then that many bytes of whole batches
//!    truncate: 8 the new end (exclusive)       log start: 8 offset       release: 8 end (exclusive)       delete: nothing
//! ```
//! Numbers are big-endian, as in Kafka's own formats. Pure.

use crate::types::{Offset, PartitionIndex, TopicId, TopicPartitionId};
use bytes::Bytes;
use std::rc::Rc;

/// One change of one partition.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Entry {
    pub id: TopicPartitionId,
    pub topic: Rc<str>,
    pub change: Change,
}

/// See [`Entry`].
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Change {
    /// Whole batches from `base` on, below `end`. All below `acknowledged` had been acknowledged when this was written.
    Data { base: Offset, end: Offset, acknowledged: Offset, records: Bytes },
    /// Everything from `end` on is void.
    Truncate { end: Offset },
    /// Records below are deleted.
    LogStart { offset: Offset },
    /// The partition is gone.
    Delete,
    /// The partition left this journal's shard with this end.
    Release { end: Offset },
}

const DATA: u8 = 1;
const TRUNCATE: u8 = 2;
const LOG_START: u8 = 3;
const DELETE: u8 = 4;
const RELEASE: u8 = 5;

/// Bytes an entry takes beside its topic's name and its records, at most.
pub const ENTRY_OVERHEAD_MAX: usize = 1 + 16 + 4 + 1 + 3 * 8 + 4;

impl Entry {
    /// Bytes that [`Entry::put`] appends.
    pub fn encoded_len(&self) -> usize {
        let change = match &self.change {
            Change::Data { records, .. } => 3 * 8 + 4 + records.len(),
            Change::Truncate { .. } | Change::LogStart { .. } | Change::Release { .. } => 8,
            Change::Delete => 0,
        };
        1 + 16 + 4 + 1 + self.topic.len() + change
    }

    /// Appends the entry's bytes by `put`. Panics if the topic's name is longer than 255 bytes (Kafka's limit is 249).
    pub fn put(&self, mut put: impl FnMut(&[u8])) {
        let kind = match &self.change {
            Change::Data { .. } => DATA,
            Change::Truncate { .. } => TRUNCATE,
            Change::LogStart { .. } => LOG_START,
            Change::Delete => DELETE,
            Change::Release { .. } => RELEASE,
        };
        let name_len = u8::try_from(self.topic.len()).expect("a topic's name has at most 249 bytes");
        let mut head = [0u8; 22];
        head[0] = kind;
        head[1..17].copy_from_slice(&self.id.topic_id.0);
        head[17..21].copy_from_slice(&self.id.partition.0.to_be_bytes());
        head[21] = name_len;
        put(&head);
        put(self.topic.as_bytes());
        match &self.change {
            Change::Data { base, end, acknowledged, records } => {
                let mut fields = [0u8; 28];
                fields[..8].copy_from_slice(&base.0.to_be_bytes());
                fields[8..16].copy_from_slice(&end.0.to_be_bytes());
                fields[16..24].copy_from_slice(&acknowledged.0.to_be_bytes());
                fields[24..].copy_from_slice(&(records.len() as u32).to_be_bytes());
                put(&fields);
                put(records);
            }
            Change::Truncate { end } | Change::Release { end } => put(&end.0.to_be_bytes()),
            Change::LogStart { offset } => put(&offset.0.to_be_bytes()),
            Change::Delete => {}
        }
    }

    /// The entry at the front of `bytes`, which then holds what follows. `None` if the bytes are no entry.
    pub fn take(bytes: &mut Bytes) -> Option<Entry> {
        let mut rest = bytes.clone();
        let head: [u8; 22] = *rest.first_chunk()?;
        let name_len = head[21] as usize;
        let name = rest.get(22..22 + name_len)?;
        let topic: Rc<str> = std::str::from_utf8(name).ok()?.into();
        let id = TopicPartitionId {
            topic_id: TopicId(head[1..17].try_into().ok()?),
            partition: PartitionIndex(i32::from_be_bytes(head[17..21].try_into().ok()?)),
        };
        let _ = rest.split_to(22 + name_len);
        let change = match head[0] {
            DATA => take_data(&mut rest)?,
            TRUNCATE => Change::Truncate { end: take_offset(&mut rest)? },
            LOG_START => Change::LogStart { offset: take_offset(&mut rest)? },
            DELETE => Change::Delete,
            RELEASE => Change::Release { end: take_offset(&mut rest)? },
            _ => return None,
        };
        *bytes = rest;
        Some(Entry { id, topic, change })
    }
}

fn take_data(rest: &mut Bytes) -> Option<Change> {
    let (base, end, acknowledged) = (take_offset(rest)?, take_offset(rest)?, take_offset(rest)?);
    let len = u32::from_be_bytes(*rest.first_chunk()?) as usize;
    if rest.len() < 4 + len {
        return None;
    }
    let _ = rest.split_to(4);
    Some(Change::Data { base, end, acknowledged, records: rest.split_to(len) })
}

fn take_offset(rest: &mut Bytes) -> Option<Offset> {
    let value = i64::from_be_bytes(*rest.first_chunk()?);
    let _ = rest.split_to(8);
    Some(Offset(value))
}
