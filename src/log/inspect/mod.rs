//! What can be said of a log directory's files by reading them: the judgement behind `ringmill storage check`.
//!
//! Pure: whoever reads files (the command line, on its own threads) shows their bytes in order and is given [`Finding`]s. The formats are the
//! broker's own readers; nothing is parsed twice. Start at [`PartitionInspection`]; journals are `journal.rs`'s.

mod indexes;
mod journal;
mod partition;

#[cfg(test)]
mod tests;

pub use super::checkpoint::{Checkpoint, Checkpoints, decode as decode_checkpoints, is_name as is_checkpoint_name, merge};
pub use journal::{JournalInspection, JournalReach};
pub use partition::{Counts, Ended, FIRST_BYTES, PartitionInspection, SegmentFiles, Step};

use super::format::SegmentFileKind;
use crate::types::Offset;
use std::fmt;

/// How bad it is.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Severity {
    /// Records are lost or cannot be trusted.
    Damage,
    /// Beside the records; the broker makes it anew when it is next needed.
    Rebuildable,
}

/// Which of a partition's files.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Subject {
    Segment(Offset, SegmentFileKind),
    LeaderEpochs,
    /// The directory as a whole.
    Partition,
}

/// Something that is wrong: where, and what.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Finding {
    pub subject: Subject,
    /// Byte position in the file.
    pub position: Option<u64>,
    /// The record offset that is expected there.
    pub offset: Option<Offset>,
    pub severity: Severity,
    pub what: String,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(position) = self.position {
            write!(f, "at position {position}")?;
            if let Some(offset) = self.offset {
                write!(f, " (offset {offset})")?;
            }
            f.write_str(": ")?;
        }
        f.write_str(&self.what)?;
        if self.severity == Severity::Rebuildable { f.write_str(" [the broker rebuilds this]") } else { Ok(()) }
    }
}
