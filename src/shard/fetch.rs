//! Reading on the core that owns the partitions, and waiting there for more.

use super::Shard;
use crate::log::format::AbortedTransaction;
use crate::log::{PartitionLog, Slice};
use crate::rt::sync::EventListener;
use crate::types::{ErrorCode, LeaderEpoch, Offset, TopicPartitionId};
use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;
use std::task::Poll;

/// One partition of a fetch.
#[derive(Clone, Debug)]
pub struct PartitionRead {
    pub id: TopicPartitionId,
    pub offset: Offset,
    pub bytes_max: usize,
    /// -1: not checked.
    pub current_leader_epoch: LeaderEpoch,
    /// The epoch of the last record the reader has; -1: not checked (KIP-595).
    pub last_fetched_epoch: LeaderEpoch,
}

/// Read these partitions in order, together at most `bytes_max` bytes; the first batch found is given though larger.
#[derive(Clone, Debug)]
pub struct FetchRead {
    pub partitions: Vec<PartitionRead>,
    pub bytes_max: usize,
    pub read_committed: bool,
}

/// The answer for one partition; offsets are -1 on an error.
#[derive(Clone)]
pub struct PartitionFetched {
    pub error: ErrorCode,
    pub high_watermark: Offset,
    pub last_stable_offset: Offset,
    pub log_start_offset: Offset,
    /// Where the reader's history parts from ours: epoch and its end offset (exclusive).
    pub diverging: Option<(LeaderEpoch, Offset)>,
    /// For readers of committed records: what of these records is to be skipped.
    pub aborted: Option<Vec<AbortedTransaction>>,
    pub records: Vec<Slice>,
    pub bytes: usize,
}

impl PartitionFetched {
    pub fn failed(error: ErrorCode) -> PartitionFetched {
        PartitionFetched {
            error,
            high_watermark: Offset::NONE,
            last_stable_offset: Offset::NONE,
            log_start_offset: Offset::NONE,
            diverging: None,
            aborted: None,
            records: Vec::new(),
            bytes: 0,
        }
    }
}

/// Wait until this partition's high watermark is above what was seen.
#[derive(Clone, Copy, Debug)]
pub struct Watch {
    pub id: TopicPartitionId,
    pub seen: Offset,
}

/// Reads partitions of this shard in order within the request's limit.
pub async fn read_all(shard: &Shard, request: FetchRead) -> Vec<PartitionFetched> {
    let mut left = request.bytes_max;
    let mut empty = true;
    let mut answers = Vec::with_capacity(request.partitions.len());
    for partition in &request.partitions {
        let answer = read_one(shard, partition, partition.bytes_max.min(left), empty, request.read_committed).await;
        left = left.saturating_sub(answer.bytes);
        empty &= answer.bytes == 0;
        answers.push(answer);
    }
    answers
}

async fn read_one(shard: &Shard, read: &PartitionRead, bytes_max: usize, first: bool, committed: bool) -> PartitionFetched {
    let log = match shard.led_partition(read.id) {
        Ok((log, epoch)) => match check_epoch(read.current_leader_epoch, epoch) {
            ErrorCode::None => log,
            error => return PartitionFetched::failed(error),
        },
        Err(error) => return PartitionFetched::failed(error),
    };
    let mut answer = PartitionFetched {
        error: ErrorCode::None,
        high_watermark: log.high_watermark(),
        last_stable_offset: log.last_stable_offset(),
        log_start_offset: log.log_start(),
        ..PartitionFetched::failed(ErrorCode::None)
    };
    match diverging_epoch(&log, read).await {
        Ok(None) => {}
        Ok(diverging) => return PartitionFetched { diverging, ..answer },
        Err(error) => return PartitionFetched::failed(error),
    }
    let upto = if committed { answer.last_stable_offset } else { answer.high_watermark };
    match log.read(read.offset, bytes_max, first, upto).await {
        Ok(fetched) => {
            let memory_bytes: usize = fetched.parts.iter().map(memory_bytes).sum();
            let file_bytes = fetched.bytes - memory_bytes;
            shard.metrics.borrow_mut().fetched(log.topic(), memory_bytes as u64, file_bytes as u64);
            log.count_traffic(fetched.bytes);
            if committed {
                match log.aborted_transactions(read.offset, fetched.end).await {
                    Ok(aborted) => answer.aborted = Some(aborted),
                    Err(error) => return PartitionFetched::failed(error.code()),
                }
            }
            answer.bytes = fetched.bytes;
            answer.records = fetched.parts;
            answer
        }
        // It moved while it was read.
        Err(_) if !shard.leads(&log) => PartitionFetched::failed(ErrorCode::NotLeaderOrFollower),
        Err(error) => {
            shard.metrics.borrow_mut().fetch_failed(log.topic());
            PartitionFetched::failed(error.code())
        }
    }
}

/// Kafka's fencing: a reader that knows an older or a newer leader is told so. -1 asks for no check.
pub fn check_epoch(known_to_client: LeaderEpoch, current: LeaderEpoch) -> ErrorCode {
    if known_to_client == LeaderEpoch::NONE || known_to_client == current {
        ErrorCode::None
    } else if known_to_client < current {
        ErrorCode::FencedLeaderEpoch
    } else {
        ErrorCode::UnknownLeaderEpoch
    }
}

async fn diverging_epoch(log: &PartitionLog, read: &PartitionRead) -> Result<Option<(LeaderEpoch, Offset)>, ErrorCode> {
    if read.last_fetched_epoch == LeaderEpoch::NONE {
        return Ok(None);
    }
    log.check_epochs().await;
    // No epoch at or below the reader's: what it has, was here before the log's start.
    let end = log.end_offset_for_epoch(read.last_fetched_epoch).ok_or(ErrorCode::OffsetOutOfRange)?;
    let diverges = end.leader_epoch < read.last_fetched_epoch || end.end_offset < read.offset;
    Ok(diverges.then_some((end.leader_epoch, end.end_offset)))
}

/// Completes when one of the watched high watermarks is above what was seen, or its log is gone. Cancel-safe.
pub async fn data_arrived(shard: &Rc<Shard>, watches: &[Watch]) {
    let mut listeners: Vec<EventListener> = Vec::with_capacity(watches.len());
    loop {
        listeners.clear();
        for watch in watches {
            let Ok((log, _)) = shard.led_partition(watch.id) else { return };
            listeners.push(log.listen_high_watermark());
            if log.high_watermark() > watch.seen || log.is_offline() {
                return;
            }
        }
        std::future::poll_fn(|cx| {
            let fired = listeners.iter_mut().any(|l| Pin::new(l).poll(cx).is_ready());
            if fired { Poll::Ready(()) } else { Poll::Pending }
        })
        .await;
    }
}

/// The slice's bytes that are in memory; 0 for a range of a file.
pub fn memory_bytes(slice: &Slice) -> usize {
    match slice {
        Slice::Memory(bytes) => bytes.len(),
        Slice::File { .. } => 0,
    }
}
