//! Files of others in a log directory: left alone, with one log line for a directory.

use crate::rt::fs::DirEntry;
use std::path::Path;

/// Names shown, at most.
const SHOWN_MAX: usize = 8;

pub fn note(dir: &Path, listing: &[DirEntry], is_foreign: fn(&str, bool) -> bool) {
    let foreign: Vec<&str> =
        listing.iter().filter(|entry| is_foreign(&entry.name, entry.is_dir)).map(|entry| entry.name.as_str()).collect();
    if !foreign.is_empty() {
        let shown = foreign[..foreign.len().min(SHOWN_MAX)].join(", ");
        tracing::info!(dir = %dir.display(), "{} entries are nothing of Kafka's or Ringmill's and are left alone: {shown}", foreign.len());
    }
}
