//! A replacement that a crash interrupted: finished or undone before the partition's segments are looked at, by Apache Kafka's rules.
//!
//! | found | means | done |
//! |---|---|---|
//! | `.cleaned` | being written, or not all renamed | it goes, and `.swap` files from its offset on with it: the sources are all there |
//! | `.log.swap` | whole and durable | segments that begin in its range go, then it takes their place |
//! | another `.swap` | its log is in place already | renamed |
//!
//! Ringmill puts a new transaction index in place before all else, perhaps one without entries; Kafka, which writes none without entries, as it does the
//! other files.
//!
//! Sources behind the last batch of the new segment may stay: they hold nothing but what the next pass removes again.

use crate::log::OpenError;
use crate::log::format::{FileStage, SegmentFile, SegmentFileKind};
use crate::log::segment::scan::HeaderWalk;
use crate::rt::fs::DirEntry;
use crate::rt::{SharedFile, fs};
use crate::types::Offset;
use std::io;
use std::path::Path;

/// Whose replacement it was.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Author {
    Kafka,
    Ringmill,
}

/// Leaves only live (and deleted) segment files in the partition's directory; whether there were others, so that it must be listed again.
pub async fn finish_interrupted(dir: &Path, listing: &[DirEntry], author: Author) -> Result<bool, OpenError> {
    let files: Vec<(SegmentFile, u64)> = listing.iter().filter_map(|entry| Some((SegmentFile::parse(&entry.name)?, entry.len))).collect();
    if files.iter().all(|(file, _)| matches!(file.stage, FileStage::Live | FileStage::Deleted)) {
        return Ok(false);
    }
    tracing::info!(partition = %dir.display(), "finishing what a crash or a stop interrupted: {}", names(&files));
    finish(dir, &files, author).await.map_err(|error| OpenError::Io(dir.to_path_buf(), error))?;
    Ok(true)
}

fn names(files: &[(SegmentFile, u64)]) -> String {
    files
        .iter()
        .filter(|(file, _)| matches!(file.stage, FileStage::Cleaned | FileStage::Swap))
        .map(|(file, _)| file.to_string())
        .collect::<Vec<_>>()
        .join(", ")
}

async fn finish(dir: &Path, files: &[(SegmentFile, u64)], author: Author) -> io::Result<()> {
    let of_stage = |stage| files.iter().filter(move |(file, _)| file.stage == stage);
    // Below it every replacement was complete before this one began.
    let undone = of_stage(FileStage::Cleaned).map(|(file, _)| file.base_offset).min().unwrap_or(Offset(i64::MAX));
    let useless = |file: &SegmentFile| match file.stage {
        FileStage::Live | FileStage::Deleted => false,
        FileStage::Cleaned => true,
        FileStage::Swap => file.base_offset >= undone,
    };
    for (file, _) in files.iter().filter(|(file, _)| useless(file)) {
        fs::remove_file(&dir.join(file.to_string())).await?;
    }
    let mut replaced: Vec<(Offset, Offset)> = Vec::new();
    for (file, len) in of_stage(FileStage::Swap).filter(|(file, _)| file.kind == SegmentFileKind::Log && !useless(file)) {
        replaced.push((file.base_offset, end_of(dir, file, *len).await?));
    }
    let is_replaced = |file: &SegmentFile| {
        let within = |(base, end): &(Offset, Offset)| file.base_offset == *base || (*base..*end).contains(&file.base_offset);
        // What the producers' snapshot says of below the first source stays true. A transaction index of ours is the new one, or goes when the new
        // one takes its place; Kafka's is the source's, and would hide records whose transactions are gone from the segment.
        let may_stay = match file.kind {
            SegmentFileKind::ProducerSnapshot => true,
            SegmentFileKind::TxnIndex => author == Author::Ringmill,
            _ => false,
        };
        let stays = may_stay && replaced.iter().any(|(base, _)| *base == file.base_offset);
        file.stage == FileStage::Live && !stays && replaced.iter().any(within)
    };
    for (file, _) in files.iter().filter(|(file, _)| is_replaced(file)) {
        fs::remove_file(&dir.join(file.to_string())).await?;
    }
    // What is removed must be gone before the mark that says so: the log's `.swap`.
    fs::sync_dir(dir).await?;
    for is_log in [false, true] {
        for (file, _) in of_stage(FileStage::Swap).filter(|(file, _)| !useless(file) && (file.kind == SegmentFileKind::Log) == is_log) {
            let live = SegmentFile::live(file.base_offset, file.kind);
            fs::rename(&dir.join(file.to_string()), &dir.join(live.to_string())).await?;
        }
        fs::sync_dir(dir).await?;
    }
    Ok(())
}

/// The offset behind the last batch of a segment that is to take its place.
async fn end_of(dir: &Path, file: &SegmentFile, len: u64) -> io::Result<Offset> {
    let opened = SharedFile::open(&dir.join(file.to_string())).await?;
    let mut walk = HeaderWalk::new(&opened, 0, len);
    let mut end = file.base_offset;
    while let Some((header, _, _)) = walk.next().await? {
        end = header.next_offset();
    }
    Ok(end)
}
