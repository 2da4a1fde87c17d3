//! Checkpoints: text files of one entry a line.
//!
//! ```text
//! 0                       version
//! 2                       entry count
//! orders 0 4711           topic, partition, offset       (recovery-point-, replication-, log-start-offset-, cleaner-offset-checkpoint)
//! orders 1 4712
//! ```
//! `leader-epoch-checkpoint` has `epoch start-offset` lines instead. Kafka creates these files empty before it first writes them, so an
//! empty file is an empty checkpoint. They are written beside the old one (`.tmp`) and renamed.

use crate::types::{LeaderEpoch, Offset, PartitionIndex};
use std::fmt::{self, Write};

pub const RECOVERY_POINT_CHECKPOINT: &str = "recovery-point-offset-checkpoint";
pub const REPLICATION_OFFSET_CHECKPOINT: &str = "replication-offset-checkpoint";
pub const LOG_START_OFFSET_CHECKPOINT: &str = "log-start-offset-checkpoint";
pub const LEADER_EPOCH_CHECKPOINT: &str = "leader-epoch-checkpoint";

const VERSION: &str = "0";

/// A partition's offset, in one of the three checkpoints of a log directory.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct OffsetCheckpointEntry {
    pub topic: String,
    pub partition: PartitionIndex,
    pub offset: Offset,
}

/// The first offset of a leader epoch.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct EpochEntry {
    pub epoch: LeaderEpoch,
    pub start_offset: Offset,
}

/// Why a checkpoint cannot be read.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum CheckpointError {
    NotText,
    UnknownVersion(String),
    /// Counted from 1.
    BadLine {
        line: usize,
    },
    /// The file is cut, or lines were added.
    BadCount {
        stated: usize,
        found: usize,
    },
}

impl fmt::Display for CheckpointError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            CheckpointError::NotText => f.write_str("a checkpoint that is no text"),
            CheckpointError::UnknownVersion(version) => write!(f, "a checkpoint of unknown version {version:?}"),
            CheckpointError::BadLine { line } => write!(f, "a checkpoint whose line {line} cannot be read"),
            CheckpointError::BadCount { stated, found } => write!(f, "a checkpoint of {found} entries that states {stated}"),
        }
    }
}

impl std::error::Error for CheckpointError {}

pub fn encode_offset_checkpoint<'a>(entries: impl IntoIterator<Item = &'a OffsetCheckpointEntry>) -> String {
    encode(entries, |line, entry| write!(line, "{} {} {}", entry.topic, entry.partition, entry.offset))
}

pub fn decode_offset_checkpoint(bytes: &[u8]) -> Result<Vec<OffsetCheckpointEntry>, CheckpointError> {
    decode(bytes, |line| {
        let mut words = line.split_whitespace();
        let entry = OffsetCheckpointEntry {
            topic: words.next()?.to_owned(),
            partition: PartitionIndex(words.next()?.parse().ok()?),
            offset: Offset(words.next()?.parse().ok()?),
        };
        words.next().is_none().then_some(entry)
    })
}

pub fn encode_leader_epoch_checkpoint<'a>(entries: impl IntoIterator<Item = &'a EpochEntry>) -> String {
    encode(entries, |line, entry| write!(line, "{} {}", entry.epoch, entry.start_offset))
}

pub fn decode_leader_epoch_checkpoint(bytes: &[u8]) -> Result<Vec<EpochEntry>, CheckpointError> {
    decode(bytes, |line| {
        let mut words = line.split_whitespace();
        let entry = EpochEntry { epoch: LeaderEpoch(words.next()?.parse().ok()?), start_offset: Offset(words.next()?.parse().ok()?) };
        words.next().is_none().then_some(entry)
    })
}

fn encode<T>(entries: impl IntoIterator<Item = T>, write: impl Fn(&mut String, T) -> fmt::Result) -> String {
    let mut lines = String::new();
    let mut count = 0;
    for entry in entries {
        write(&mut lines, entry).expect("writing to a string cannot fail");
        lines.push('\n');
        count += 1;
    }
    format!("{VERSION}\n{count}\n{lines}")
}

fn decode<T>(bytes: &[u8], parse: impl Fn(&str) -> Option<T>) -> Result<Vec<T>, CheckpointError> {
    let text = std::str::from_utf8(bytes).map_err(|_| CheckpointError::NotText)?;
    let mut lines = text.lines();
    let Some(version) = lines.next() else { return Ok(Vec::new()) };
    if version != VERSION {
        return Err(CheckpointError::UnknownVersion(version.to_owned()));
    }
    let Some(stated) = lines.next() else { return Ok(Vec::new()) };
    let stated = stated.parse().map_err(|_| CheckpointError::BadLine { line: 2 })?;
    let entries: Result<Vec<T>, _> =
        lines.enumerate().map(|(index, line)| parse(line).ok_or(CheckpointError::BadLine { line: index + 3 })).collect();
    let entries = entries?;
    // A last line without its end may be half a number.
    if entries.len() != stated || !text.ends_with('\n') {
        return Err(CheckpointError::BadCount { stated, found: entries.len() });
    }
    Ok(entries)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn offsets() -> Vec<OffsetCheckpointEntry> {
        let entry = |topic: &str, partition, offset| OffsetCheckpointEntry {
            topic: topic.to_owned(),
            partition: PartitionIndex(partition),
            offset: Offset(offset),
        };
        vec![entry("orders", 0, 4_711), entry("a.b-c", 12, i64::MAX)]
    }

    #[test]
    fn the_text_is_kafkas() {
        assert_eq!(encode_offset_checkpoint(&offsets()), "0\n2\norders 0 4711\na.b-c 12 9223372036854775807\n");
        let epochs = [EpochEntry { epoch: LeaderEpoch(3), start_offset: Offset(70) }];
        assert_eq!(encode_leader_epoch_checkpoint(&epochs), "0\n1\n3 70\n");
    }

    #[test]
    fn checkpoints_round_trip() {
        assert_eq!(decode_offset_checkpoint(encode_offset_checkpoint(&offsets()).as_bytes()), Ok(offsets()));
        assert_eq!(decode_leader_epoch_checkpoint(b"0\n2\n0 0\n5 99\n").unwrap().len(), 2);
        assert_eq!(decode_leader_epoch_checkpoint(b""), Ok(vec![]), "Kafka creates them empty");
    }

    #[test]
    fn no_truncation_gives_other_entries() {
        let text = encode_offset_checkpoint(&offsets());
        for cut in 0..text.len() {
            if let Ok(entries) = decode_offset_checkpoint(&text.as_bytes()[..cut]) {
                assert!(entries.is_empty() && cut <= 2, "{cut}");
            }
        }
    }

    #[test]
    fn damage_is_named() {
        assert_eq!(decode_offset_checkpoint(b"1\n0\n"), Err(CheckpointError::UnknownVersion("1".to_owned())));
        assert_eq!(decode_offset_checkpoint(b"0\nx\n"), Err(CheckpointError::BadLine { line: 2 }));
        assert_eq!(decode_offset_checkpoint(b"0\n1\nt 0\n"), Err(CheckpointError::BadLine { line: 3 }));
        assert_eq!(decode_offset_checkpoint(b"0\n1\nt 0 1 2\n"), Err(CheckpointError::BadLine { line: 3 }));
        assert_eq!(decode_offset_checkpoint(b"0\n2\nt 0 1\n"), Err(CheckpointError::BadCount { stated: 2, found: 1 }));
        assert_eq!(decode_offset_checkpoint(b"0\n-1\n"), Err(CheckpointError::BadLine { line: 2 }));
        assert_eq!(decode_leader_epoch_checkpoint(&[0xff, 0xfe]), Err(CheckpointError::NotText));
    }
}
