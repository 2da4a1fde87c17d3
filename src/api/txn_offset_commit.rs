//! TxnOffsetCommit (28), versions 0-5: a group's offsets that count when the transaction commits. From version 5 on (KIP-890) the group's partition
//! becomes part of the transaction by itself; before, AddOffsetsToTxn has made it so.

use super::RequestContext;
use super::admission::{Support, Wanted, admit};
use crate::coordinator::group::{GroupRequest, GroupResponse};
use crate::coordinator::machine::Transaction;
use crate::rt::timeout;
use crate::shard::groups::OFFSETS_TOPIC;
use crate::types::ErrorCode;
use crate::wire::api::offset_commit::{OffsetCommitRequest, OffsetCommitRequestPartition, OffsetCommitRequestTopic};
use crate::wire::api::txn_offset_commit::*;
use std::collections::VecDeque;
use std::time::Duration;

/// From this version on clients know COORDINATOR_LOAD_IN_PROGRESS.
const VERSION_OF_LOADING: i16 = 2;

pub async fn handle(context: &RequestContext, request: TxnOffsetCommitRequest) -> TxnOffsetCommitResponse {
    let image = context.shard.image();
    let is_known = |topic: &str, index| image.topic_by_name(topic).is_some_and(|known| known.partition(index).is_some());
    let known = request.topics.iter().map(|topic| OffsetCommitRequestTopic {
        name: topic.name.clone(),
        partitions: topic.partitions.iter().filter(|p| is_known(&topic.name, p.partition_index)).map(partition).collect(),
        ..Default::default()
    });
    let known: Vec<OffsetCommitRequestTopic> = known.filter(|topic| !topic.partitions.is_empty()).collect();
    let outcome = if known.is_empty() { Ok(VecDeque::new()) } else { commit(context, &request, known).await };
    let (mut each, all) = match outcome {
        Ok(each) => (each, None),
        Err(ErrorCode::CoordinatorLoadInProgress) if context.version() < VERSION_OF_LOADING => {
            (VecDeque::new(), Some(ErrorCode::CoordinatorNotAvailable))
        }
        Err(error) => (VecDeque::new(), Some(error)),
    };
    let mut answer = |topic: &str, index| {
        let error_code = match all {
            _ if !is_known(topic, index) => ErrorCode::UnknownTopicOrPartition,
            Some(error) => error,
            None => each.pop_front().unwrap_or(ErrorCode::UnknownServerError),
        };
        context.note_error(error_code);
        TxnOffsetCommitResponsePartition { partition_index: index, error_code }
    };
    let topics = request.topics.iter().map(|topic| TxnOffsetCommitResponseTopic {
        name: topic.name.clone(),
        partitions: topic.partitions.iter().map(|partition| answer(&topic.name, partition.partition_index)).collect(),
    });
    TxnOffsetCommitResponse { topics: topics.collect(), ..Default::default() }
}

fn partition(partition: &TxnOffsetCommitRequestPartition) -> OffsetCommitRequestPartition {
    OffsetCommitRequestPartition {
        partition_index: partition.partition_index,
        committed_offset: partition.committed_offset,
        committed_leader_epoch: partition.committed_leader_epoch,
        committed_metadata: partition.committed_metadata.clone(),
    }
}

async fn commit(
    context: &RequestContext,
    request: &TxnOffsetCommitRequest,
    topics: Vec<OffsetCommitRequestTopic>,
) -> Result<VecDeque<ErrorCode>, ErrorCode> {
    if request.group_id.is_empty() {
        return Err(ErrorCode::InvalidGroupId);
    }
    let shard = &context.shard;
    let id = shard.group_partition(&request.group_id).ok_or(ErrorCode::NotCoordinator)?;
    let support = match context.version() {
        5.. => Support::Adds,
        4 => Support::Abortable,
        _ => Support::Older,
    };
    let who = (request.producer_id, request.producer_epoch);
    let wanted = [Wanted { id, topic: OFFSETS_TOPIC.into(), partition: id.partition }];
    let admission = admit(context, &request.transactional_id, who, &wanted, support).await.remove(0).map_err(told)?;
    let commit = OffsetCommitRequest {
        group_id: request.group_id.clone(),
        generation_id_or_member_epoch: request.generation_id,
        member_id: request.member_id.clone(),
        group_instance_id: request.group_instance_id.clone(),
        topics,
        ..Default::default()
    };
    let transaction = Transaction { producer_id: request.producer_id, producer_epoch: request.producer_epoch };
    let at_most = Duration::from_millis(shard.config.group.offsets_commit_timeout_ms.max(1) as u64);
    let ask = shard.ask_group(&request.group_id, GroupRequest::TxnCommit { request: commit, transaction, admission });
    match timeout(at_most, ask).await {
        Some(Ok(GroupResponse::Commit(response))) => {
            Ok(response.topics.iter().flat_map(|topic| &topic.partitions).map(|partition| partition.error_code).collect())
        }
        Some(Ok(_)) => unreachable!("the coordinator answers what it was asked"),
        Some(Err(error)) => Err(error),
        None => Err(ErrorCode::CoordinatorNotAvailable),
    }
}

/// As coordinators of groups tell what hinders their own log.
fn told(error: ErrorCode) -> ErrorCode {
    match error {
        ErrorCode::NotEnoughReplicas | ErrorCode::UnknownTopicOrPartition => ErrorCode::CoordinatorNotAvailable,
        ErrorCode::NotLeaderOrFollower | ErrorCode::KafkaStorageError => ErrorCode::NotCoordinator,
        other => other,
    }
}
