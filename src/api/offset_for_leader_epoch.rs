//! OffsetForLeaderEpoch (23), versions 2-4: where a leader epoch ends in our log (KIP-101, KIP-320).

use super::RequestContext;
use super::scatter::scatter;
use crate::shard::message::{Reply, Request};
use crate::shard::offsets::{self, EpochEndAnswer, EpochEndQuery};
use crate::types::{ErrorCode, TopicPartitionId};
use crate::wire::api::offset_for_leader_epoch::*;

pub async fn handle(context: &RequestContext, request: OffsetForLeaderEpochRequest) -> OffsetForLeaderEpochResponse {
    let shard = &context.shard;
    let image = shard.image();
    let mut answers = Vec::new();
    let mut queries = Vec::new();
    for topic in &request.topics {
        let known = image.topic_by_name(&topic.topic);
        for asked in &topic.partitions {
            let place = answers.len();
            let preset = match known.filter(|t| t.partition(asked.partition).is_some()) {
                Some(known) => {
                    let id = TopicPartitionId { topic_id: known.id, partition: asked.partition };
                    let query = EpochEndQuery { id, current_leader_epoch: asked.current_leader_epoch, leader_epoch: asked.leader_epoch };
                    queries.push((place, id, query));
                    ErrorCode::NotLeaderOrFollower
                }
                None => ErrorCode::UnknownTopicOrPartition,
            };
            answers.push(EpochEndAnswer::failed(preset));
        }
    }
    scatter(
        shard,
        queries,
        &mut answers,
        async |q| offsets::epoch_ends(shard, &q).await,
        Request::EpochEnds,
        |reply| match reply {
            Reply::EpochEnds(answers) => answers,
            _ => unreachable!("EpochEnds is answered with epoch ends"),
        },
    )
    .await;

    let mut answers = answers.into_iter();
    let topics = request.topics.into_iter().map(|topic| OffsetForLeaderTopicResult {
        partitions: topic
            .partitions
            .iter()
            .zip(&mut answers)
            .map(|(asked, answer)| {
                context.note_error(answer.error);
                EpochEndOffset {
                    error_code: answer.error,
                    partition: asked.partition,
                    leader_epoch: answer.leader_epoch,
                    end_offset: answer.end_offset,
                }
            })
            .collect(),
        topic: topic.topic,
    });
    OffsetForLeaderEpochResponse { topics: topics.collect(), ..Default::default() }
}
