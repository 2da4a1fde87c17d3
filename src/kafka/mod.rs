//! Apache Kafka's data directories: taken over by `ringmill serve`, made Kafka's again by `ringmill storage to-kafka`.
//!
//! Record batches, indexes and checkpoints are the same files for both; what differs is the cluster's metadata (Kafka: the log
//! `__cluster_metadata-0`; here: `ringmill-metadata-*`) and what makes an acknowledged batch durable (here: the journals). So this folder
//! translates metadata, and the log does the rest (`log::kafka_recovery` for a directory that Kafka did not stop cleanly). Kafka's metadata log
//! is never changed by taking over, and only gets one more snapshot when a directory is given back.
//!
//! Start reading at `takeover.rs` and `hand_back.rs`. Runs on the controller's core, before and after the broker's life.

mod cluster;
mod hand_back;
mod metadata_log;
mod snapshot;
mod takeover;

pub use hand_back::{HandedBack, finish_hand_back, hand_back};
pub use metadata_log::METADATA_DIRECTORY;
pub use takeover::{TAKEN_OVER_NAME, Takeover, inspect};

#[cfg(test)]
mod tests;

use std::fmt;
use std::io;
use std::path::PathBuf;

/// Why a directory cannot be taken over or given back. Nothing was changed.
#[derive(Debug)]
pub enum KafkaError {
    Io(PathBuf, io::Error),
    /// Kafka's metadata log is damaged or not understood.
    Metadata(PathBuf, String),
    /// What it holds is not for this broker.
    Refused(PathBuf, String),
    /// A step of the log's or the controller's.
    Broker(String),
}

impl fmt::Display for KafkaError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            KafkaError::Io(path, error) => write!(f, "{}: {error}", path.display()),
            KafkaError::Metadata(path, why) => write!(f, "{}: Apache Kafka's cluster metadata: {why}", path.display()),
            KafkaError::Refused(path, why) => write!(f, "{}: {why}; nothing was changed", path.display()),
            KafkaError::Broker(why) => f.write_str(why),
        }
    }
}

impl std::error::Error for KafkaError {}
