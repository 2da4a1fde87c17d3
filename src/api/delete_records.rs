//! DeleteRecords (21), versions 0-2: moves log start offsets up; -1 stands for the high watermark. Segments go with the next look of retention.
//!
//! As in Kafka: OFFSET_OUT_OF_RANGE below -1 or above the high watermark, POLICY_VIOLATION for topics that are only compacted, no error for an
//! offset below the log start; of a partition named twice the last offset counts, and
//! there is one answer. An answer means that the new start is durable.

use super::RequestContext;
use super::scatter::{OwnerAnswer, scatter};
use crate::shard::delete_records::{self, DeletionAnswer, RecordsDeletion};
use crate::shard::message::{Reply, Request};
use crate::types::{ErrorCode, Offset, PartitionIndex, TopicPartitionId};
use crate::wire::Str;
use crate::wire::api::delete_records::*;
use std::collections::BTreeMap;

pub async fn handle(context: &RequestContext, request: DeleteRecordsRequest) -> DeleteRecordsResponse {
    let shard = &context.shard;
    let image = shard.image();
    let asked = offsets_by_partition(&request);
    let mut answers = Vec::new();
    let mut deletions = Vec::new();
    for (name, partitions) in &asked {
        let known = image.topic_by_name(name);
        for (&partition, &offset) in partitions {
            let preset = match known.filter(|t| t.partition(partition).is_some()) {
                Some(known) if known.is_internal() => ErrorCode::InvalidTopicException,
                Some(known) => {
                    let id = TopicPartitionId { topic_id: known.id, partition };
                    deletions.push((answers.len(), id, RecordsDeletion { id, offset }));
                    ErrorCode::NotLeaderOrFollower
                }
                None => ErrorCode::UnknownTopicOrPartition,
            };
            answers.push(DeletionAnswer::failed(preset));
        }
    }
    scatter(
        shard,
        deletions,
        &mut answers,
        async |deletions| delete_records::delete_all(shard, deletions).await,
        Request::DeleteRecords,
        |reply| match reply {
            Reply::DeletedRecords(answers) => answers,
            _ => unreachable!("DeleteRecords is answered with log start offsets"),
        },
    )
    .await;

    let mut answers = answers.into_iter();
    let topics = asked.into_iter().map(|(name, partitions)| DeleteRecordsTopicResult {
        partitions: partitions.into_keys().zip(&mut answers).map(|(partition, answer)| result(context, partition, answer)).collect(),
        name,
    });
    DeleteRecordsResponse { topics: topics.collect(), ..Default::default() }
}

/// Each topic and partition once; of a partition that is named twice the last offset.
fn offsets_by_partition(request: &DeleteRecordsRequest) -> BTreeMap<Str, BTreeMap<PartitionIndex, Offset>> {
    let mut asked: BTreeMap<Str, BTreeMap<PartitionIndex, Offset>> = BTreeMap::new();
    for topic in request.topics.iter().filter(|topic| !topic.partitions.is_empty()) {
        let partitions = topic.partitions.iter().map(|partition| (partition.partition_index, partition.offset));
        asked.entry(topic.name.clone()).or_default().extend(partitions);
    }
    asked
}

fn result(context: &RequestContext, partition_index: PartitionIndex, answer: DeletionAnswer) -> DeleteRecordsPartitionResult {
    context.note_error(answer.error);
    DeleteRecordsPartitionResult { partition_index, low_watermark: answer.low_watermark, error_code: answer.error }
}

impl OwnerAnswer for DeletionAnswer {
    fn error(&self) -> ErrorCode {
        self.error
    }
}
