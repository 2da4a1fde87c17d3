//! What a journal's entries say of each partition, without their records. Pure.

use crate::log::journal::{Change, Entry};
use crate::types::{Offset, TopicPartitionId};
use std::collections::BTreeMap;
use std::rc::Rc;

/// One partition's entries.
#[derive(Clone, Debug, Default)]
pub struct PartitionSummary {
    pub topic: Rc<str>,
    pub deleted: bool,
    /// All below had been acknowledged.
    pub acknowledged: Offset,
    /// Base and end of the data entries, in the order of the frames.
    spans: Vec<(Offset, Offset)>,
    pub log_start: Offset,
    /// The partition left for another shard with this end and did not come back: segments have all, and other journals the rest.
    pub released: Option<Offset>,
    /// Release entries that replay has still to pass: what comes before the last is void.
    pub releases_ahead: usize,
    /// The last frame with records of it.
    last_frame: u64,
}

impl PartitionSummary {
    /// Where a log without segments begins whose log start offset is `log_start`: that may lie inside a batch, so at the first one that the
    /// entries have without a gap before it.
    pub fn begin(&self, log_start: Offset) -> Offset {
        let holds = |(base, end): &&(Offset, Offset)| *base <= log_start && log_start < *end;
        self.spans.iter().rev().find(holds).map_or(log_start, |(base, _)| *base)
    }

    /// Where a log that ends at `end` ends when the entries are appended as far as they go on from it.
    pub fn reach(&self, end: Offset) -> Offset {
        self.spans.iter().fold(end, |end, (base, next)| if *base <= end { end.max(*next) } else { end })
    }
}

#[derive(Clone, Debug, Default)]
pub struct Summary {
    pub partitions: BTreeMap<TopicPartitionId, PartitionSummary>,
}

impl Summary {
    /// Takes an entry of a frame that counts, by the frame's sequence.
    pub fn add(&mut self, entry: &Entry, frame: u64) {
        let partition = self.partition(entry);
        match &entry.change {
            Change::Data { base, end, acknowledged, .. } => {
                partition.acknowledged = partition.acknowledged.max(*acknowledged);
                partition.released = None;
                partition.last_frame = frame;
                match partition.spans.last_mut() {
                    Some((_, last)) if *last == *base => *last = *end,
                    _ => partition.spans.push((*base, *end)),
                }
            }
            Change::LogStart { offset } => partition.log_start = partition.log_start.max(*offset),
            Change::Delete => partition.deleted = true,
            Change::Release { end } => {
                partition.releases_ahead += 1;
                partition.released = Some(*end);
                partition.spans.clear();
            }
            Change::Truncate { .. } => {}
        }
    }

    /// Takes an entry that could still be read of a frame that had been durable and is damaged: what it holds must be there.
    pub fn add_lost(&mut self, entry: &Entry, frame: u64) {
        let partition = self.partition(entry);
        match &entry.change {
            Change::Data { end, .. } => partition.acknowledged = partition.acknowledged.max(*end),
            // Two journals must never be replayed into one partition.
            Change::Release { end } if partition.last_frame < frame => partition.released = Some(*end),
            _ => {}
        }
    }

    fn partition(&mut self, entry: &Entry) -> &mut PartitionSummary {
        let partition = self.partitions.entry(entry.id).or_default();
        partition.topic = Rc::clone(&entry.topic);
        partition
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::types::{PartitionIndex, TopicId};
    use bytes::Bytes;

    fn data(base: i64, end: i64, acknowledged: i64) -> Entry {
        let id = TopicPartitionId { topic_id: TopicId([1; 16]), partition: PartitionIndex(0) };
        let change = Change::Data { base: Offset(base), end: Offset(end), acknowledged: Offset(acknowledged), records: Bytes::new() };
        Entry { id, topic: "orders".into(), change }
    }

    #[test]
    fn entries_reach_as_far_as_they_have_no_gap() {
        let mut summary = Summary::default();
        [data(10, 20, 10), data(20, 25, 20), data(30, 40, 25)].iter().for_each(|entry| summary.add(entry, 1));
        let partition = summary.partitions.first_key_value().unwrap().1;
        assert_eq!(partition.reach(Offset(10)), Offset(25));
        assert_eq!(partition.reach(Offset(12)), Offset(25));
        assert_eq!(partition.reach(Offset(5)), Offset(5), "a gap before the first entry");
        assert_eq!(partition.reach(Offset(30)), Offset(40));
        assert_eq!(partition.acknowledged, Offset(25));
    }

    #[test]
    fn a_log_whose_start_lies_inside_a_batch_begins_with_the_batch() {
        let mut summary = Summary::default();
        [data(10, 20, 10), data(20, 25, 20), data(30, 40, 25)].iter().for_each(|entry| summary.add(entry, 1));
        let partition = summary.partitions.first_key_value().unwrap().1;
        assert_eq!([22, 25, 27, 30, 39].map(|start| partition.begin(Offset(start)).0), [10, 25, 27, 30, 30]);
    }

    #[test]
    fn what_a_damaged_frame_held_must_be_there() {
        let mut summary = Summary::default();
        summary.add(&data(0, 10, 0), 1);
        summary.add_lost(&data(10, 20, 10), 2);
        let partition = summary.partitions.first_key_value().unwrap().1;
        assert_eq!((partition.reach(Offset(0)), partition.acknowledged), (Offset(10), Offset(20)));
    }
    fn release(end: i64) -> Entry {
        Entry { change: Change::Release { end: Offset(end) }, ..data(0, 0, 0) }
    }

    #[test]
    fn a_partition_that_left_is_not_replayed_and_one_that_came_back_only_from_there() {
        let mut summary = Summary::default();
        [data(0, 10, 0), release(10)].iter().for_each(|entry| summary.add(entry, 1));
        assert_eq!(summary.partitions.first_key_value().unwrap().1.released, Some(Offset(10)));

        summary.add(&data(30, 40, 30), 2);
        let partition = summary.partitions.first_key_value().unwrap().1;
        assert_eq!((partition.released, partition.releases_ahead), (None, 1));
        assert_eq!(partition.reach(Offset(0)), Offset(0), "what is before the release counts no more");
        assert_eq!(partition.reach(Offset(30)), Offset(40));
        assert_eq!(partition.acknowledged, Offset(30), "what others appended meanwhile must be there");
    }

    #[test]
    fn a_release_in_a_damaged_frame_counts_unless_the_partition_came_back() {
        let mut left = Summary::default();
        left.add(&data(0, 10, 0), 1);
        left.add_lost(&release(10), 2);
        assert_eq!(left.partitions.first_key_value().unwrap().1.released, Some(Offset(10)));

        let mut back = Summary::default();
        back.add(&data(30, 40, 30), 3);
        back.add_lost(&release(10), 2);
        assert_eq!(back.partitions.first_key_value().unwrap().1.released, None);
    }
}
