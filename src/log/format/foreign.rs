//! Which names are nothing of Kafka's or Ringmill's: such files are left alone, with one log line.

use super::{
    CLEAN_SHUTDOWN, LEADER_EPOCH_CHECKPOINT, LOG_START_OFFSET_CHECKPOINT, META_PROPERTIES, PARTITION_METADATA, PartitionDirectory,
    RECOVERY_POINT_CHECKPOINT, REPLICATION_OFFSET_CHECKPOINT, SegmentFile,
};

/// Up to where compaction has cleaned, by partition.
pub const CLEANER_OFFSET_CHECKPOINT: &str = "cleaner-offset-checkpoint";

/// At the root of a log directory.
pub fn is_foreign_to_root(name: &str, is_dir: bool) -> bool {
    if is_dir {
        return PartitionDirectory::parse(name).is_none() && name != "lost+found";
    }
    let known = [
        ".lock",
        CLEAN_SHUTDOWN,
        META_PROPERTIES,
        RECOVERY_POINT_CHECKPOINT,
        REPLICATION_OFFSET_CHECKPOINT,
        LOG_START_OFFSET_CHECKPOINT,
        CLEANER_OFFSET_CHECKPOINT,
        "bootstrap.checkpoint",
    ];
    !(known.contains(&name) || name.starts_with("ringmill-") || name.ends_with(".tmp"))
}

/// In a partition's directory.
pub fn is_foreign_to_partition(name: &str, is_dir: bool) -> bool {
    let known = [PARTITION_METADATA, LEADER_EPOCH_CHECKPOINT, "quorum-state"];
    // Kafka's metadata log has snapshots of its own.
    let is_known = known.contains(&name) || [".tmp", ".checkpoint"].iter().any(|ending| name.ends_with(ending));
    is_dir || !(is_known || name.starts_with("ringmill-") || SegmentFile::parse(name).is_some())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_kafka_and_ringmill_write_is_told_from_the_rest() {
        for name in ["meta.properties", ".lock", "ringmill-journal-0-1", "ringmill-checkpoint", "replication-offset-checkpoint", "x.tmp"] {
            assert!(!is_foreign_to_root(name, false), "{name}");
        }
        assert!(!is_foreign_to_root("orders-0", true) && !is_foreign_to_root("lost+found", true));
        assert!(is_foreign_to_root("notes.txt", false) && is_foreign_to_root("backup", true) && is_foreign_to_root("orders-0", false));
        for name in ["00000000000000000000.log", "00000000000000000000.index.deleted", "partition.metadata", "leader-epoch-checkpoint"] {
            assert!(!is_foreign_to_partition(name, false), "{name}");
        }
        assert!(is_foreign_to_partition("00000000000000000000.log.bak", false) && is_foreign_to_partition("sub", true));
    }
}
