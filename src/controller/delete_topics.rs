//! DeleteTopics, by name or by id.
//!
//! Pure. A topic named twice, by whatever means, is not deleted.

use super::handler::{HandlerContext, Refusal};
use super::image::TopicImage;
use super::record::{Record, RemoveTopicRecord};
use crate::types::{ErrorCode, TopicId};
use crate::wire::Str;
use crate::wire::api::delete_topics::{DeletableTopicResult, DeleteTopicState, DeleteTopicsRequest, DeleteTopicsResponse};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

pub fn delete_topics(cx: &HandlerContext, request: &DeleteTopicsRequest) -> (Vec<Record>, DeleteTopicsResponse) {
    let by_name = request.topic_names.iter().map(|name| DeleteTopicState { name: Some(name.clone()), ..DeleteTopicState::default() });
    let wanted: Vec<DeleteTopicState> = by_name.chain(request.topics.iter().cloned()).collect();
    let found: Vec<_> = wanted.iter().map(|state| find(cx, state)).collect();
    let named = count_names(&wanted, &found);
    let mut answered = BTreeSet::new();
    let mut records = Vec::new();
    let mut responses = Vec::new();
    for (state, found) in wanted.iter().zip(found) {
        let outcome = found.and_then(|topic| named.check(state).map(|()| topic));
        // The same words twice get one answer.
        if !answered.insert((state.name.as_deref(), state.topic_id)) && outcome != Err(unspecified()) {
            continue;
        }
        if let Ok(topic) = &outcome {
            records.push(Record::RemoveTopic(RemoveTopicRecord { topic_id: topic.id }));
        }
        responses.push(result(state, outcome));
    }
    (records, DeleteTopicsResponse { throttle_time_ms: 0, responses })
}

fn unspecified() -> Refusal {
    Refusal::new(ErrorCode::InvalidRequest, "Neither topic name nor id were specified.")
}

fn find<'a>(cx: &HandlerContext<'a>, state: &DeleteTopicState) -> Result<&'a Arc<TopicImage>, Refusal> {
    match (&state.name, state.topic_id) {
        (None, TopicId::ZERO) => Err(unspecified()),
        (Some(_), id) if id != TopicId::ZERO => {
            Err(Refusal::new(ErrorCode::InvalidRequest, "You may not specify both topic name and topic id."))
        }
        // So does Kafka, by a reply that names no topic.
        _ if !cx.broker.delete_topic_enable => Err(Refusal::new(ErrorCode::TopicDeletionDisabled, "Topic deletion is disabled.")),
        (None, id) => cx.image.topic(id).ok_or_else(|| Refusal::new(ErrorCode::UnknownTopicId, "This server does not host this topic ID.")),
        (Some(name), _) => {
            let unknown = || Refusal::new(ErrorCode::UnknownTopicOrPartition, "This server does not host this topic-partition.");
            cx.image.topic_by_name(name).ok_or_else(unknown)
        }
    }
}

/// How often each topic is meant.
struct Named<'a> {
    names: BTreeMap<&'a str, usize>,
    ids: BTreeMap<TopicId, usize>,
    /// By name and id together.
    topics: BTreeMap<TopicId, usize>,
    topic_of_name: BTreeMap<&'a str, TopicId>,
}

fn count_names<'a>(wanted: &'a [DeleteTopicState], found: &[Result<&Arc<TopicImage>, Refusal>]) -> Named<'a> {
    let mut named = Named { names: BTreeMap::new(), ids: BTreeMap::new(), topics: BTreeMap::new(), topic_of_name: BTreeMap::new() };
    for (state, found) in wanted.iter().zip(found) {
        match &state.name {
            Some(name) => *named.names.entry(name).or_default() += 1,
            None => *named.ids.entry(state.topic_id).or_default() += 1,
        }
        if let Ok(topic) = found {
            *named.topics.entry(topic.id).or_default() += 1;
            if let Some(name) = &state.name {
                named.topic_of_name.insert(name, topic.id);
            }
        }
    }
    named
}

impl Named<'_> {
    fn check(&self, state: &DeleteTopicState) -> Result<(), Refusal> {
        let refuse = |message: &str| Err(Refusal::new(ErrorCode::InvalidRequest, message));
        let id = match &state.name {
            Some(name) if self.names[&**name] > 1 => return refuse("Duplicate topic name."),
            Some(name) => self.topic_of_name[&**name],
            None if self.ids[&state.topic_id] > 1 => return refuse("Duplicate topic id."),
            None => state.topic_id,
        };
        if self.topics[&id] > 1 { refuse("The provided topic name maps to an ID that was already supplied.") } else { Ok(()) }
    }
}

fn result(state: &DeleteTopicState, outcome: Result<&Arc<TopicImage>, Refusal>) -> DeletableTopicResult {
    match outcome {
        Ok(topic) => DeletableTopicResult { name: Some(Str::from(&*topic.name)), topic_id: topic.id, ..DeletableTopicResult::default() },
        Err(refusal) => DeletableTopicResult {
            name: state.name.clone(),
            topic_id: state.topic_id,
            error_code: refusal.code,
            error_message: refusal.message(),
        },
    }
}
