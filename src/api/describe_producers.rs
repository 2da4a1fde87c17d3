//! DescribeProducers (61), version 0: which producers partitions know, and which have transactions open.

use super::RequestContext;
use super::scatter::{OwnerAnswer, scatter};
use crate::shard::message::{Reply, Request};
use crate::shard::producers::{ProducersAnswer, producers_of};
use crate::types::{ErrorCode, TopicPartitionId};
use crate::wire::api::describe_producers::*;

pub async fn handle(context: &RequestContext, request: DescribeProducersRequest) -> DescribeProducersResponse {
    let shard = &context.shard;
    let image = shard.image();
    let (mut answers, mut asked) = (Vec::new(), Vec::new());
    for topic in &request.topics {
        let known = image.topic_by_name(&topic.name);
        for partition in &topic.partition_indexes {
            let preset = match known.filter(|known| known.partition(*partition).is_some()) {
                Some(known) => {
                    let id = TopicPartitionId { topic_id: known.id, partition: *partition };
                    asked.push((answers.len(), id, id));
                    ErrorCode::NotLeaderOrFollower
                }
                None => ErrorCode::UnknownTopicOrPartition,
            };
            answers.push(ProducersAnswer::failed(preset));
        }
    }
    scatter(
        shard,
        asked,
        &mut answers,
        async |ids| producers_of(shard, &ids),
        Request::Producers,
        |reply| match reply {
            Reply::Producers(answers) => answers,
            _ => unreachable!("Producers is answered with one for each"),
        },
    )
    .await;
    let mut answers = answers.into_iter();
    let missing = |topic: &str| image.topic_by_name(topic).is_none().then(|| "there is no such topic".into());
    let topic = |topic: TopicRequest| TopicResponse {
        partitions: topic
            .partition_indexes
            .iter()
            .zip(&mut answers)
            .map(|(index, answer)| {
                context.note_error(answer.error);
                PartitionResponse {
                    partition_index: *index,
                    error_code: answer.error,
                    error_message: missing(&topic.name),
                    active_producers: answer.producers,
                }
            })
            .collect(),
        name: topic.name,
    };
    DescribeProducersResponse { topics: request.topics.into_iter().map(topic).collect(), ..Default::default() }
}

impl OwnerAnswer for ProducersAnswer {
    fn error(&self) -> ErrorCode {
        self.error
    }
}
