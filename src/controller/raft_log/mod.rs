//! The metadata log on disk: what the raft quorum of this node must not forget.
//!
//! Neutral; runs on the controller core. Plain files at the root of the metadata log directory:
//! - `ringmill-metadata-log-<index>`: frames appended one at a time, each durable before the next is written; the name tells
//!   the first entry's index. A new file begins with each snapshot, and older ones are then removed.
//! - `ringmill-metadata-snapshot`: the whole image as of one entry, replaced atomically.
//!
//! So only the last frame of the last file can be torn. Anything else that does not verify is damage, and the node does not start.

mod files;
mod frame;
mod snapshot;

pub use files::{MetadataLog, OpenError, Recovered, fault_of};
pub use frame::{LogEntry, Origin, Vote};
pub use snapshot::Snapshot;
