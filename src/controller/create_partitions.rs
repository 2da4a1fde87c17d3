//! CreatePartitions: more partitions for topics that exist.
//!
//! Pure. Counts are totals. A topic that is refused does not keep the others from growing.

use super::handler::{HandlerContext, Refusal, duplicates};
use super::image::TopicImage;
use super::record::Record;
use super::replica_placement::{check_manual, first_state, place};
use crate::config::limits::PARTITIONS_PER_REQUEST_MAX;
use crate::types::{ErrorCode, NodeId};
use crate::wire::api::create_partitions::{
    CreatePartitionsAssignment, CreatePartitionsRequest, CreatePartitionsResponse, CreatePartitionsTopic, CreatePartitionsTopicResult,
};
use std::collections::BTreeSet;

pub fn create_partitions(cx: &mut HandlerContext, request: &CreatePartitionsRequest) -> (Vec<Record>, CreatePartitionsResponse) {
    let repeated = duplicates(request.topics.iter().map(|topic| &*topic.name));
    let mut answered = BTreeSet::new();
    let mut records = Vec::new();
    let mut results = Vec::new();
    for topic in request.topics.iter().filter(|topic| answered.insert(&*topic.name)) {
        let outcome = if repeated.contains(&*topic.name) {
            Err(Refusal::new(ErrorCode::InvalidRequest, "Duplicate topic name."))
        } else {
            grow(cx, topic, PARTITIONS_PER_REQUEST_MAX - records.len())
        };
        let mut result = CreatePartitionsTopicResult { name: topic.name.clone(), ..CreatePartitionsTopicResult::default() };
        match outcome {
            Ok(more) => records.extend(more),
            Err(refusal) => (result.error_code, result.error_message) = (refusal.code, refusal.message()),
        }
        results.push(result);
    }
    if request.validate_only {
        records.clear();
    }
    (records, CreatePartitionsResponse { throttle_time_ms: 0, results })
}

fn grow(cx: &mut HandlerContext, request: &CreatePartitionsTopic, more_max: usize) -> Result<Vec<Record>, Refusal> {
    let unknown = || Refusal::bare(ErrorCode::UnknownTopicOrPartition);
    let topic = cx.image.topic_by_name(&request.name).ok_or_else(unknown)?;
    let more = additional(topic, request)?;
    let factor = topic.partitions[0].replicas.len();
    let replicas = match &request.assignments {
        Some(assignments) => assigned(cx, assignments, more, factor)?,
        None if more > more_max => {
            return Err(Refusal::new(ErrorCode::PolicyViolation, "Excessively large number of partitions per request."));
        }
        None => place(cx.image, more, factor as i16, (cx.random)())?,
    };
    let numbered = replicas.into_iter().enumerate().map(|(n, replicas)| (topic.partitions.len() + n, replicas));
    let states = numbered.map(|(index, replicas)| {
        first_state(cx.image, topic.id, index, replicas).map(Record::Partition).ok_or_else(|| {
            let message = format!(
                "All brokers specified in the manual partition assignment for partition {index} are fenced or in controlled shutdown."
            );
            Refusal::new(ErrorCode::InvalidReplicaAssignment, message)
        })
    });
    states.collect()
}

/// How many partitions are to be added: at least one.
fn additional(topic: &TopicImage, request: &CreatePartitionsTopic) -> Result<usize, Refusal> {
    let (current, wanted) = (topic.partitions.len() as i64, i64::from(request.count));
    let refuse = |message: String| Err(Refusal::new(ErrorCode::InvalidPartitions, message));
    if wanted == current {
        return refuse(format!("Topic already has {current} partition(s)."));
    }
    if wanted < current {
        return refuse(format!("The topic {} currently has {current} partition(s); {wanted} would not be an increase.", request.name));
    }
    Ok((wanted - current) as usize)
}

fn assigned(
    cx: &HandlerContext,
    assignments: &[CreatePartitionsAssignment],
    more: usize,
    factor: usize,
) -> Result<Vec<Vec<NodeId>>, Refusal> {
    if assignments.len() != more {
        let message =
            format!("Attempted to add {more} additional partition(s), but only {} assignment(s) were specified.", assignments.len());
        return Err(Refusal::new(ErrorCode::InvalidReplicaAssignment, message));
    }
    for assignment in assignments {
        check_manual(cx.image, &assignment.broker_ids, Some(factor))?;
    }
    Ok(assignments.iter().map(|assignment| assignment.broker_ids.clone()).collect())
}
