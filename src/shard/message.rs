//! What cores say to each other. Plain values: they cross threads.

use super::admission::{Applicant, Standing};
use super::connection::Entrance;
use super::delete_records::{DeletionAnswer, RecordsDeletion};
use super::fetch::{FetchRead, PartitionFetched, Watch};
use super::markers::MarkerWrite;
use super::offsets::{EpochEndAnswer, EpochEndQuery, OffsetAnswer, OffsetQuery};
use super::produce::{AppendOutcome, PartitionAppend};
use super::producers::ProducersAnswer;
use crate::admin::metrics::MetricsSnapshot;
use crate::controller::balancer::ShardLoad;
use crate::controller::{ControllerRequest, ControllerResponse, Placement, Publication};
use crate::coordinator::group::{GroupAnswer, GroupRequest};
use crate::coordinator::transaction::{TransactionAnswer, TransactionRequest};
use crate::log::{DirFailure, DirStatus, HandedOver, LogDirsInfo, Recovered, ReleaseError, ShardClosed};
use crate::rt::Incoming;
use crate::types::{ErrorCode, ShardId, TopicPartitionId};
use std::collections::BTreeSet;
use std::net::IpAddr;
use std::sync::Arc;
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
    DeleteRecords(Vec<RecordsDeletion>),
    /// Asks the coordinator of this partition's groups.
    Groups {
        id: TopicPartitionId,
        request: Box<GroupRequest>,
    },
    /// Asks the coordinator of this partition's transactional ids.
    Transactions {
        id: TopicPartitionId,
        request: Box<TransactionRequest>,
    },
    /// In the order of the appends that the sender sent.
    WriteMarkers(Vec<MarkerWrite>),
    /// How these producers stand in their partitions.
    Standings(Vec<Applicant>),
    Producers(Vec<TopicPartitionId>),
    LogDirs,
    /// Answered when all appends that the sender sent before are in the log.
    Fence,
    // --- to a shard, from the controller's core
    /// What the core did since it was last asked.
    Load,
    /// Write the partition's tail: it is about to move.
    PrepareMove(TopicPartitionId),
    /// Begin no more appends to a partition that moves from `owner` to `to`.
    Freeze {
        id: TopicPartitionId,
        owner: ShardId,
        to: ShardId,
    },
    /// Give the partition up.
    Release(TopicPartitionId),
    /// Go on with a partition that another shard gave up.
    Adopt(Box<HandedOver>),
    /// A move is over; partitions are where this says.
    Settle(Arc<Placement>),
    Recover(LogDirsInfo),
    /// Of one shard, when all have answered `Recover` and some journal was left.
    RecoverPostponed(LogDirsInfo),
    OpenStore(LogDirsInfo),
    Publish(Publication),
    /// Another shard found that this log directory fails.
    DirFailed(DirFailure),
    /// The partitions that no shard can serve, of all shards.
    Unavailable(Arc<BTreeSet<TopicPartitionId>>),
    Connection {
        incoming: Incoming,
        entrance: Entrance,
    },
    Metrics,
    /// The first step of a stop: no more requests, connections end. No shard closes its logs while another still serves.
    Drain,
    /// The last step: close the store; the core ends.
    Close,
    // --- to the controller's core
    Controller(Box<ControllerRequest>),
    /// What this shard cannot serve, as of now: log directories and partitions.
    Failures {
        shard: ShardId,
        dirs: Vec<DirFailure>,
        partitions: Vec<TopicPartitionId>,
    },
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
    DeletedRecords(Vec<DeletionAnswer>),
    Groups(Box<GroupAnswer>),
    Transactions(Box<TransactionAnswer>),
    Markers(Vec<ErrorCode>),
    Standings(Vec<Standing>),
    Producers(Vec<ProducersAnswer>),
    LogDirs(Vec<DirStatus>),
    Load(ShardLoad),
    /// Whether the shard has nothing under way that the move must wait for.
    Frozen(bool),
    Released(Result<Box<HandedOver>, ReleaseError>),
    Recovered(Result<Recovered, String>),
    Opened(Result<(), String>),
    Metrics(Box<MetricsSnapshot>),
    Closed(ShardClosed),
    Controller(Box<ControllerResponse>),
}
