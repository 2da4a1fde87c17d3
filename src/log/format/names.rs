//! Names of partition directories and of the files in them.
//!
//! ```text
//! orders-0/00000000000000000042.log                          a segment whose first offset is 42
//! orders-0/00000000000000000042.index.deleted                about to be unlinked
//! orders-0.1fce3b...-delete                                  a partition about to be unlinked (32 hex digits)
//! ```

use crate::types::{Offset, PartitionIndex, check_topic_name};
use std::fmt;

/// Which of a segment's files.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Hash)]
pub enum SegmentFileKind {
    Log,
    OffsetIndex,
    TimeIndex,
    TxnIndex,
    /// Producer state up to, not including, the file's offset.
    ProducerSnapshot,
}

impl SegmentFileKind {
    pub const ALL: [SegmentFileKind; 5] = [
        SegmentFileKind::Log,
        SegmentFileKind::OffsetIndex,
        SegmentFileKind::TimeIndex,
        SegmentFileKind::TxnIndex,
        SegmentFileKind::ProducerSnapshot,
    ];

    const fn suffix(self) -> &'static str {
        match self {
            SegmentFileKind::Log => ".log",
            SegmentFileKind::OffsetIndex => ".index",
            SegmentFileKind::TimeIndex => ".timeindex",
            SegmentFileKind::TxnIndex => ".txnindex",
            SegmentFileKind::ProducerSnapshot => ".snapshot",
        }
    }
}

/// Where a file stands in its life: a suffix after its kind's.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Hash, Default)]
pub enum FileStage {
    #[default]
    Live,
    /// To be unlinked.
    Deleted,
    /// Written by a compaction that has not finished: thrown away at start.
    Cleaned,
    /// A finished compaction or split that has not yet replaced its sources: completed at start.
    Swap,
}

impl FileStage {
    const SUFFIXED: [FileStage; 3] = [FileStage::Deleted, FileStage::Cleaned, FileStage::Swap];

    const fn suffix(self) -> &'static str {
        match self {
            FileStage::Live => "",
            FileStage::Deleted => ".deleted",
            FileStage::Cleaned => ".cleaned",
            FileStage::Swap => ".swap",
        }
    }
}

/// A file of a segment, by name.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Hash)]
pub struct SegmentFile {
    pub base_offset: Offset,
    pub kind: SegmentFileKind,
    pub stage: FileStage,
}

impl SegmentFile {
    pub fn live(base_offset: Offset, kind: SegmentFileKind) -> SegmentFile {
        SegmentFile { base_offset, kind, stage: FileStage::Live }
    }

    /// `None` if this is no file of a segment. Only exactly 20 digits are one, as that is all Kafka writes.
    pub fn parse(name: &str) -> Option<SegmentFile> {
        let (digits, rest) = name.split_at_checked(20)?;
        if !digits.bytes().all(|byte| byte.is_ascii_digit()) {
            return None;
        }
        let base_offset = Offset(digits.parse().ok()?);
        let stage = FileStage::SUFFIXED.into_iter().find(|stage| rest.ends_with(stage.suffix())).unwrap_or_default();
        let kind_suffix = &rest[..rest.len() - stage.suffix().len()];
        let kind = SegmentFileKind::ALL.into_iter().find(|kind| kind.suffix() == kind_suffix)?;
        Some(SegmentFile { base_offset, kind, stage })
    }
}

impl fmt::Display for SegmentFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:020}{}{}", self.base_offset.0, self.kind.suffix(), self.stage.suffix())
    }
}

/// Where a partition's directory stands in its life.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash, Default)]
pub enum DirectoryStage {
    #[default]
    Live,
    /// To be unlinked; `tag` keeps names apart when the topic is made and deleted again.
    Deleted { tag: u128 },
    /// Not in the cluster's metadata: kept aside, never unlinked by itself.
    Stray { tag: u128 },
    /// A copy that is to replace the live one on another log directory.
    Future { tag: u128 },
}

/// A partition's directory, by name.
#[derive(Clone, PartialEq, Eq, Debug, Hash)]
pub struct PartitionDirectory {
    /// For a deleted or stray one perhaps only the start of the topic's name.
    pub topic: String,
    pub partition: PartitionIndex,
    pub stage: DirectoryStage,
}

/// Longest file name of ext4 and XFS.
const NAME_LENGTH_MAX: usize = 255;

impl PartitionDirectory {
    pub fn live(topic: impl Into<String>, partition: PartitionIndex) -> PartitionDirectory {
        PartitionDirectory { topic: topic.into(), partition, stage: DirectoryStage::Live }
    }

    /// `None` if this is no partition's directory.
    pub fn parse(name: &str) -> Option<PartitionDirectory> {
        let (name, stage) = match staged(name) {
            Some(staged) => staged?,
            None => (name, DirectoryStage::Live),
        };
        let (topic, partition) = name.rsplit_once('-')?;
        check_topic_name(topic).ok()?;
        if partition.is_empty() || !partition.bytes().all(|byte| byte.is_ascii_digit()) {
            return None;
        }
        Some(PartitionDirectory { topic: topic.to_owned(), partition: PartitionIndex(partition.parse().ok()?), stage })
    }
}

/// Outer `None`: no suffix of a stage. Inner `None`: such a suffix without its tag.
fn staged(name: &str) -> Option<Option<(&str, DirectoryStage)>> {
    type Stage = fn(u128) -> DirectoryStage;
    let stages: [(&str, Stage); 3] = [
        ("-delete", |tag| DirectoryStage::Deleted { tag }),
        ("-stray", |tag| DirectoryStage::Stray { tag }),
        ("-future", |tag| DirectoryStage::Future { tag }),
    ];
    let (rest, stage) = stages.into_iter().find_map(|(suffix, stage)| Some((name.strip_suffix(suffix)?, stage)))?;
    let tagged = rest.rsplit_once('.').and_then(|(name, tag)| Some((name, parse_tag(tag)?)));
    Some(tagged.map(|(name, tag)| (name, stage(tag))))
}

fn parse_tag(text: &str) -> Option<u128> {
    let hex = text.len() == 32 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
    u128::from_str_radix(text, 16).ok().filter(|_| hex)
}

impl fmt::Display for PartitionDirectory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (tag, suffix, capped) = match self.stage {
            DirectoryStage::Live => return write!(f, "{}-{}", self.topic, self.partition),
            DirectoryStage::Deleted { tag } => (tag, "delete", true),
            DirectoryStage::Stray { tag } => (tag, "stray", true),
            DirectoryStage::Future { tag } => (tag, "future", false),
        };
        let tail = format!("-{}.{tag:032x}-{suffix}", self.partition);
        let room = NAME_LENGTH_MAX - tail.len();
        let topic = if capped { self.topic.get(..room).unwrap_or(&self.topic) } else { &self.topic };
        write!(f, "{topic}{tail}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn segment_files_round_trip() {
        for kind in SegmentFileKind::ALL {
            for stage in [FileStage::Live, FileStage::Deleted, FileStage::Cleaned, FileStage::Swap] {
                let file = SegmentFile { base_offset: Offset(i64::MAX), kind, stage };
                assert_eq!(SegmentFile::parse(&file.to_string()), Some(file));
            }
        }
        let log = SegmentFile::live(Offset(42), SegmentFileKind::Log);
        assert_eq!(log.to_string(), "00000000000000000042.log");
    }

    #[test]
    fn foreign_files_are_no_segments() {
        for name in [
            "",
            "leader-epoch-checkpoint",
            "42.log",
            "00000000000000000042",
            "00000000000000000042.log.bak",
            "0000000000000000004x.log",
            "99999999999999999999.log",
            "+0000000000000000042.log",
            "é000000000000000000.log",
        ] {
            assert_eq!(SegmentFile::parse(name), None, "{name}");
        }
    }

    #[test]
    fn partition_directories_round_trip() {
        let tag = 0x1fce_3b00;
        for stage in [
            DirectoryStage::Live,
            DirectoryStage::Deleted { tag },
            DirectoryStage::Stray { tag: u128::MAX },
            DirectoryStage::Future { tag },
        ] {
            for topic in ["a", "with-dash-7", "a.b", "x-delete", "-"] {
                let directory = PartitionDirectory { topic: topic.to_owned(), partition: PartitionIndex(13), stage };
                assert_eq!(PartitionDirectory::parse(&directory.to_string()), Some(directory));
            }
        }
        assert_eq!(PartitionDirectory::live("with-dash", PartitionIndex(3)).to_string(), "with-dash-3");
    }

    #[test]
    fn the_longest_topic_still_fits_a_name_when_deleted() {
        let topic = "t".repeat(249);
        let directory =
            PartitionDirectory { topic: topic.clone(), partition: PartitionIndex(100_000), stage: DirectoryStage::Deleted { tag: 7 } };
        let name = directory.to_string();
        assert_eq!(name.len(), 255);
        let parsed = PartitionDirectory::parse(&name).unwrap();
        assert!(topic.starts_with(&parsed.topic));
        assert_eq!(parsed.stage, directory.stage);
    }

    #[test]
    fn foreign_directories_are_no_partitions() {
        for name in
            ["", "-", "lost+found", "topic", "topic-", "-1", "topic-x", "topic--", "a b-1", "t-1-delete", "t-1.12-delete", "t-99999999999"]
        {
            assert_eq!(PartitionDirectory::parse(name), None, "{name}");
        }
    }
}
