//! DescribeTopicPartitions (75), version 0: topics page by page (KIP-966). No topics named: all of them.
//!
//! Pages hold at most `response_partition_limit` partitions (bounded by `max.request.partition.size.limit`); the cursor names
//! the first topic and partition left out.

use super::RequestContext;
use super::cluster::{self, name_of};
use super::view::View;
use crate::controller::{MetadataImage, TopicImage, is_internal_topic};
use crate::shard::Shard;
use crate::types::{ErrorCode, PartitionIndex, TopicPartitionId, check_topic_name};
use crate::wire::Str;
use crate::wire::api::describe_topic_partitions::*;
use std::collections::BTreeSet;

pub async fn handle(context: &RequestContext, request: DescribeTopicPartitionsRequest) -> DescribeTopicPartitionsResponse {
    let image = context.shard.image();
    if request.cursor.as_ref().is_some_and(|cursor| cursor.partition_index.0 < 0) {
        return refused(context, &request);
    }
    let limit = request.response_partition_limit.clamp(1, context.shard.config.max_request_partition_size_limit) as usize;
    let mut page = Page { shard: &context.shard, view: View::of(context), image: &image, limit, topics: Vec::new(), next: None };
    let (first, from) = match &request.cursor {
        Some(cursor) => (cursor.topic_name.clone(), cursor.partition_index.0.max(0) as usize),
        None => (Str::default(), 0),
    };
    let start = |name: &str| if name == &*first { from } else { 0 };
    if request.topics.is_empty() {
        for topic in image.topics_from(&first) {
            if !page.add(topic, start(&topic.name)) {
                break;
            }
        }
    } else {
        let names: BTreeSet<&Str> = request.topics.iter().map(|t| &t.name).filter(|n| **n >= first).collect();
        for name in names {
            let goes_on = match image.topic_by_name(name) {
                Some(topic) => page.add(topic, start(name)),
                None => page.add_missing(name),
            };
            if !goes_on {
                break;
            }
        }
    }
    page.topics.iter().for_each(|t| context.note_error(t.error_code));
    DescribeTopicPartitionsResponse { topics: page.topics, next_cursor: page.next, ..Default::default() }
}

/// A cursor that points nowhere: INVALID_REQUEST for every topic named, as in Kafka.
fn refused(context: &RequestContext, request: &DescribeTopicPartitionsRequest) -> DescribeTopicPartitionsResponse {
    context.note_error(ErrorCode::InvalidRequest);
    let topics = request.topics.iter().map(|topic| DescribeTopicPartitionsResponseTopic {
        error_code: ErrorCode::InvalidRequest,
        name: Some(topic.name.clone()),
        ..Default::default()
    });
    DescribeTopicPartitionsResponse { topics: topics.collect(), ..Default::default() }
}

struct Page<'a> {
    shard: &'a Shard,
    view: View<'a>,
    image: &'a MetadataImage,
    /// Partitions that still fit.
    limit: usize,
    topics: Vec<DescribeTopicPartitionsResponseTopic>,
    next: Option<Cursor>,
}

impl Page<'_> {
    /// Adds a topic from a partition on; false when the page is full.
    fn add(&mut self, topic: &TopicImage, from: usize) -> bool {
        let from = from.min(topic.partitions.len());
        let until = topic.partitions.len().min(from + self.limit);
        if self.limit == 0 {
            self.next = Some(Cursor { topic_name: name_of(topic), partition_index: PartitionIndex(from as i32) });
            return false;
        }
        self.limit -= until - from;
        self.topics.push(self.describe(topic, from, until));
        if until < topic.partitions.len() {
            self.next = Some(Cursor { topic_name: name_of(topic), partition_index: PartitionIndex(until as i32) });
            return false;
        }
        true
    }

    fn add_missing(&mut self, name: &Str) -> bool {
        let error_code = match check_topic_name(name) {
            Ok(()) => ErrorCode::UnknownTopicOrPartition,
            Err(_) => ErrorCode::InvalidTopicException,
        };
        self.topics.push(DescribeTopicPartitionsResponseTopic {
            error_code,
            name: Some(name.clone()),
            is_internal: is_internal_topic(name),
            topic_authorized_operations: cluster::TOPIC_OPERATIONS,
            ..Default::default()
        });
        true
    }

    fn describe(&self, topic: &TopicImage, from: usize, until: usize) -> DescribeTopicPartitionsResponseTopic {
        let partitions = (from..until).map(|index| {
            let partition = &topic.partitions[index];
            let id = TopicPartitionId { topic_id: topic.id, partition: PartitionIndex(index as i32) };
            let leadership = cluster::leadership(self.shard, &self.view, self.image, id, partition);
            DescribeTopicPartitionsResponsePartition {
                error_code: leadership.error,
                partition_index: id.partition,
                leader_id: leadership.leader,
                leader_epoch: partition.leader_epoch,
                replica_nodes: leadership.replicas,
                isr_nodes: leadership.isr,
                eligible_leader_replicas: Some(Vec::new()),
                last_known_elr: Some(Vec::new()),
                offline_replicas: leadership.offline_replicas,
            }
        });
        DescribeTopicPartitionsResponseTopic {
            error_code: ErrorCode::None,
            name: Some(name_of(topic)),
            topic_id: topic.id,
            is_internal: topic.is_internal(),
            partitions: partitions.collect(),
            topic_authorized_operations: cluster::TOPIC_OPERATIONS,
        }
    }
}
