//! What cores say to each other. Plain values: they cross threads.

use super::fetch::{FetchRead, PartitionFetched, Watch};
use super::offsets::{EpochEndAnswer, EpochEndQuery, OffsetAnswer, OffsetQuery};
use super::produce::{AppendOutcome, PartitionAppend};
use crate::admin::metrics::MetricsSnapshot;
use crate::controller::{ControllerRequest, ControllerResponse, Publication};
use crate::log::{DirStatus, LogDirsInfo, Recovered, ShardClosed};
use crate::rt::Incoming;
use crate::types::ShardId;
use std::net::IpAddr;
use std::time::Duration;

/// Asked of another core (or told, where nobody waits).
pub enum Request {
    // --- to a shard, from any shard
    /// Append in the order sent; `wait`: answer when the appends are durable, else at once.
    Produce {
        appends: Vec<PartitionAppend>,
        wait: bool,
    },
    Fetch(FetchRead),
    /// Answer when one of these high watermarks has advanced, at the latest after `at_most`.
    AwaitData {
        watches: Vec<Watch>,
        at_most: Duration,
    },
    /// Ends the sender's [`Request::AwaitData`] with this call number early.
    CancelAwait {
        call: u64,
    },
    ListOffsets(Vec<OffsetQuery>),
    EpochEnds(Vec<EpochEndQuery>),
    LogDirs,
    // --- to a shard, from the controller's core
    Recover(LogDirsInfo),
    OpenStore(LogDirsInfo),
    Publish(Publication),
    Connection {
        incoming: Incoming,
        listener: usize,
    },
    Metrics,
    /// The first step of a stop: no more requests, connections end. No shard closes its logs while another still serves.
    Drain,
    /// The last step: close the store; the core ends.
    Close,
    // --- to the controller's core
    Controller(Box<ControllerRequest>),
    ConnectionClosed {
        address: IpAddr,
        shard: ShardId,
    },
}

/// The answer to a [`Request`].
pub enum Reply {
    Done,
    Produced(Vec<AppendOutcome>),
    Fetched(Vec<PartitionFetched>),
    Offsets(Vec<OffsetAnswer>),
    EpochEnds(Vec<EpochEndAnswer>),
    LogDirs(Vec<DirStatus>),
    Recovered(Result<Recovered, String>),
    Opened(Result<(), String>),
    Metrics(Box<MetricsSnapshot>),
    Closed(ShardClosed),
    Controller(Box<ControllerResponse>),
}
