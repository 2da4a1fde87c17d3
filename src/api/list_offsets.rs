//! ListOffsets (2), versions 1-11: offsets by time, and the special ones (-1 latest to -6).
//!
//! Topics that do not exist are UNKNOWN_TOPIC_OR_PARTITION; a partition named twice is INVALID_REQUEST, once, and a special offset
//! that nobody knows UNSUPPORTED_VERSION, as in Kafka.

use super::RequestContext;
use super::scatter::scatter;
use crate::shard::message::{Reply, Request};
use crate::shard::offsets::{self, OffsetAnswer, OffsetQuery, special};
use crate::types::{ErrorCode, HashMap, LeaderEpoch, PartitionIndex, TopicPartitionId};
use crate::wire::Str;
use crate::wire::api::list_offsets::*;

/// The first version that may ask for each special offset.
fn is_known_to(version: i16, timestamp: i64) -> bool {
    match timestamp {
        special::MAX_TIMESTAMP => version >= 7,
        special::EARLIEST_LOCAL => version >= 8,
        special::LATEST_TIERED => version >= 9,
        special::EARLIEST_PENDING_UPLOAD => version >= 11,
        timestamp => timestamp >= special::EARLIEST,
    }
}

pub async fn handle(context: &RequestContext, request: ListOffsetsRequest) -> ListOffsetsResponse {
    let shard = &context.shard;
    let image = shard.image();
    let read_committed = request.isolation_level == 1;
    let mut counts: HashMap<(Str, PartitionIndex), usize> = HashMap::default();
    for topic in &request.topics {
        for partition in &topic.partitions {
            *counts.entry((topic.name.clone(), partition.partition_index)).or_default() += 1;
        }
    }
    let mut answers = Vec::new();
    let mut queries = Vec::new();
    for topic in &request.topics {
        let known = image.topic_by_name(&topic.name);
        for partition in &topic.partitions {
            let index = partition.partition_index;
            let place = answers.len();
            let preset = if counts[&(topic.name.clone(), index)] > 1 {
                ErrorCode::InvalidRequest
            } else if !is_known_to(context.version(), partition.timestamp.0) {
                ErrorCode::UnsupportedVersion
            } else if let Some(known) = known.filter(|t| t.partition(index).is_some()) {
                let id = TopicPartitionId { topic_id: known.id, partition: index };
                let query = OffsetQuery {
                    id,
                    timestamp: partition.timestamp.0,
                    current_leader_epoch: partition.current_leader_epoch,
                    read_committed,
                };
                queries.push((place, id, query));
                ErrorCode::NotLeaderOrFollower
            } else {
                ErrorCode::UnknownTopicOrPartition
            };
            answers.push(OffsetAnswer::failed(preset));
        }
    }
    scatter(
        shard,
        queries,
        &mut answers,
        async |q| offsets::list_all(shard, q).await,
        Request::ListOffsets,
        |reply| match reply {
            Reply::Offsets(answers) => answers,
            _ => unreachable!("ListOffsets is answered with offsets"),
        },
    )
    .await;

    let version = context.version();
    let mut answers = answers.into_iter();
    let topics = request.topics.into_iter().map(|topic| ListOffsetsTopicResponse {
        partitions: topic
            .partitions
            .iter()
            .zip(&mut answers)
            .filter(|(partition, _)| counts.remove(&(topic.name.clone(), partition.partition_index)).is_some())
            .map(|(partition, answer)| {
                context.note_error(answer.error);
                ListOffsetsPartitionResponse {
                    partition_index: partition.partition_index,
                    error_code: answer.error,
                    timestamp: answer.timestamp,
                    offset: answer.offset,
                    leader_epoch: if version >= 4 { answer.leader_epoch } else { LeaderEpoch::NONE },
                }
            })
            .collect(),
        name: topic.name,
    });
    ListOffsetsResponse { topics: topics.collect(), ..Default::default() }
}
