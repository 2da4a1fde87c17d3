//! What journals hold that segments may lack: the same summary that replay makes, and every batch in it checked. Pure.

use crate::log::journal::frame::Frame;
use crate::log::journal::{Change, Entry};
use crate::log::recovery::summary::Summary;
use crate::types::{Offset, TopicPartitionId};
use crate::wire::records::batches;

/// What one log directory's journals say of a partition.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct JournalReach {
    /// Where a log that ends at the end asked about ends once the journals are replayed.
    pub end: Offset,
    /// All below had been acknowledged.
    pub acknowledged: Offset,
    pub log_start: Offset,
    pub deleted: bool,
}

/// All journals of a log directory. Show every frame that counts, in order.
#[derive(Default)]
pub struct JournalInspection {
    journals: Vec<Summary>,
    pub frames: u64,
    pub batches: u64,
}

impl JournalInspection {
    /// What comes next is another journal's.
    pub fn begin(&mut self) {
        self.journals.push(Summary::default());
    }

    /// What is wrong in a frame that verified.
    pub fn add(&mut self, frame: &Frame) -> Vec<String> {
        self.frames += 1;
        let mut faults = Vec::new();
        for entry in &frame.entries {
            faults.extend(self.check(entry));
            if let Some(summary) = self.journals.last_mut() {
                summary.add(entry, frame.header.sequence);
            }
        }
        faults
    }

    /// What could be read of a frame that had been durable and does not verify.
    pub fn add_lost(&mut self, entries: &[Entry], sequence: u64) {
        if let Some(summary) = self.journals.last_mut() {
            entries.iter().for_each(|entry| summary.add_lost(entry, sequence));
        }
    }

    fn check(&mut self, entry: &Entry) -> Option<String> {
        let Change::Data { base, end, records, .. } = &entry.change else { return None };
        let bad = |what: String| Some(format!("{}-{} from {base} to {end}: {what}", entry.topic, entry.id.partition));
        let mut next = *base;
        for batch in batches(records.clone()) {
            let batch = match batch {
                Ok(batch) => batch,
                Err(error) => return bad(error.to_string()),
            };
            if let Err(error) = batch.check_crc() {
                return bad(error.to_string());
            }
            if batch.base_offset < next || batch.next_offset() > *end {
                return bad(format!("it holds a batch from {} to {}", batch.base_offset, batch.last_offset()));
            }
            next = batch.next_offset();
            self.batches += 1;
        }
        if next == *end { None } else { bad(format!("its batches end at {next}")) }
    }

    /// The partitions that the journals name, and their topics.
    pub fn partitions(&self) -> Vec<(TopicPartitionId, String)> {
        let mut found: Vec<_> =
            self.journals.iter().flat_map(|summary| summary.partitions.iter().map(|(id, p)| (*id, p.topic.to_string()))).collect();
        found.sort();
        found.dedup();
        found
    }

    /// What becomes of a partition whose segments end at `end`.
    pub fn reach(&self, id: TopicPartitionId, end: Offset) -> JournalReach {
        let mut reach = JournalReach { end, acknowledged: Offset(0), log_start: Offset(0), deleted: false };
        let found: Vec<_> = self.journals.iter().filter_map(|summary| summary.partitions.get(&id)).collect();
        // A partition that moved between shards is in several; each may go on where another ends.
        for _ in 0..found.len() {
            reach.end = found.iter().fold(reach.end, |end, partition| partition.reach(end));
        }
        for partition in found {
            reach.acknowledged = reach.acknowledged.max(partition.acknowledged);
            reach.log_start = reach.log_start.max(partition.log_start);
            reach.deleted |= partition.deleted;
        }
        reach
    }
}
