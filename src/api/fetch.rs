//! Fetch (1), versions 4-18: records from offsets, with long poll (`max_wait_ms`, `min_bytes`) and incremental sessions.
//!
//! - A fetch offset inside a batch gets the whole batch; the first batch found is sent though larger than the limits.
//! - Answers at once when there is an error; waits on all owning cores for new data otherwise. Waits at most
//!   `limits::FETCH_WAIT_MAX`, however much was asked for.
//! - Data is never copied here: memory slices and file ranges go into the response as they are.
//! - Replica fetches (`replica_id` >= 0) are answered as a consumer's: replication is not served yet.

use super::RequestContext;
use super::scatter::{scatter, split};
use crate::config::limits;
use crate::controller::MetadataImage;
use crate::log::{Slice, format};
use crate::rt::{self, Connection, Instant, timeout};
use crate::shard::Shard;
use crate::shard::budget::Hold;
use crate::shard::fetch::{self, FetchRead, PartitionFetched, PartitionRead, Watch};
use crate::shard::fetch_session::{AnswerFacts, FetchContext, NO_SESSION, PartitionAsk, SessionKey, TopicRef};
use crate::shard::message::{Reply, Request};
use crate::types::{ErrorCode, LeaderEpoch, Offset, PartitionIndex, TopicPartitionId};
use crate::wire::RecordsOut;
use crate::wire::api::fetch::*;
use std::future::Future;
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

type Asked = Vec<(SessionKey, PartitionAsk)>;

pub async fn handle(context: &RequestContext, request: FetchRequest) -> FetchResponse {
    let shard = &context.shard;
    let by_id = context.version() >= 13;
    let asked = asked_partitions(&request, by_id);
    let forgotten = forgotten_partitions(&request, by_id);
    let session = (request.session_id, request.session_epoch);
    let meaning = shard.sessions.borrow_mut().begin(rt::now(), session, by_id, asked.iter().cloned(), forgotten);
    let asked = match meaning {
        FetchContext::Refused(error) => {
            context.note_error(error);
            return FetchResponse { error_code: error, ..Default::default() };
        }
        FetchContext::Full { .. } => asked,
        FetchContext::Incremental { session_id } => shard.sessions.borrow().partitions(session_id),
    };
    // Names and sizes are ours by now.
    context.release_request();
    let wait = LongPoll {
        deadline: rt::now() + Duration::from_millis(request.max_wait_ms.max(0) as u64).min(limits::FETCH_WAIT_MAX),
        bytes_min: request.min_bytes.max(0) as usize,
        bytes_max: request.max_bytes.clamp(0, shard.config.fetch_max_bytes) as usize,
        read_committed: request.isolation_level == 1,
    };
    let (answers, hold) = wait.run(shard, &context.session.connection, &asked).await;
    if let Some(hold) = hold {
        context.hold_response(hold);
    }
    respond(context, meaning, by_id, asked, answers)
}

fn asked_partitions(request: &FetchRequest, by_id: bool) -> Asked {
    let mut asked = Vec::with_capacity(request.topics.iter().map(|t| t.partitions.len()).sum());
    for topic in &request.topics {
        let reference = if by_id { TopicRef::Id(topic.topic_id) } else { TopicRef::Name(topic.topic.detached()) };
        asked.extend(topic.partitions.iter().map(|p| {
            let ask = PartitionAsk {
                current_leader_epoch: p.current_leader_epoch.0,
                fetch_offset: p.fetch_offset.0,
                last_fetched_epoch: p.last_fetched_epoch.0,
                log_start_offset: p.log_start_offset.0,
                partition_max_bytes: p.partition_max_bytes,
            };
            (SessionKey { topic: reference.clone(), partition: p.partition.0 }, ask)
        }));
    }
    asked
}

fn forgotten_partitions(request: &FetchRequest, by_id: bool) -> Vec<SessionKey> {
    let mut forgotten = Vec::new();
    for topic in &request.forgotten_topics_data {
        let reference = if by_id { TopicRef::Id(topic.topic_id) } else { TopicRef::Name(topic.topic.clone()) };
        forgotten.extend(topic.partitions.iter().map(|p| SessionKey { topic: reference.clone(), partition: p.0 }));
    }
    forgotten
}

/// Reads, and reads again when data came, until there is enough, an error, or no time left.
struct LongPoll {
    deadline: Instant,
    bytes_min: usize,
    bytes_max: usize,
    read_committed: bool,
}

impl LongPoll {
    async fn run(&self, shard: &Rc<Shard>, connection: &Connection, asked: &Asked) -> (Vec<PartitionFetched>, Option<Hold>) {
        loop {
            let (answers, hold) = self.read_within_budget(shard, connection, asked).await;
            let bytes: usize = answers.iter().map(|a| a.bytes).sum();
            let urgent = answers.iter().any(|a| !a.error.is_none() || a.diverging.is_some());
            let left = self.deadline - rt::now();
            if bytes >= self.bytes_min || urgent || asked.is_empty() || left.is_zero() || shard.is_stopping() {
                return (answers, hold);
            }
            let watches = watches(&shard.image(), asked, &answers);
            drop((answers, hold));
            wait_for_data(shard, watches, left).await;
        }
    }

    /// Reads; what is in memory is charged to the shard's response budget, and read anew if that had to be waited for.
    async fn read_within_budget(&self, shard: &Rc<Shard>, connection: &Connection, asked: &Asked) -> (Vec<PartitionFetched>, Option<Hold>) {
        let answers = self.read(shard, asked, self.bytes_max).await;
        let bytes = memory_bytes(&answers);
        if bytes == 0 {
            return (answers, None);
        }
        if let Some(hold) = shard.response_budget.try_acquire(bytes as u64, connection) {
            return (answers, Some(hold));
        }
        drop(answers);
        let hold = shard.response_budget.acquire(bytes as u64, connection).await;
        (self.read(shard, asked, bytes).await, Some(hold))
    }

    async fn read(&self, shard: &Rc<Shard>, asked: &Asked, bytes_max: usize) -> Vec<PartitionFetched> {
        let image = shard.image();
        let mut answers = Vec::with_capacity(asked.len());
        let mut reads = Vec::with_capacity(asked.len());
        for (place, (key, ask)) in asked.iter().enumerate() {
            let preset = match resolve(&image, key) {
                Ok(id) => {
                    reads.push((place, id, partition_read(id, ask)));
                    ErrorCode::NotLeaderOrFollower
                }
                Err(error) => error,
            };
            answers.push(PartitionFetched::failed(preset));
        }
        let request = |partitions| FetchRead { partitions, bytes_max, read_committed: self.read_committed };
        scatter(
            shard,
            reads,
            &mut answers,
            async |partitions| fetch::read_all(shard, request(partitions)).await,
            |partitions| Request::Fetch(request(partitions)),
            |reply| match reply {
                Reply::Fetched(answers) => answers,
                _ => unreachable!("Fetch is answered with records"),
            },
        )
        .await;
        trim(&mut answers, bytes_max);
        answers
    }
}

fn resolve(image: &MetadataImage, key: &SessionKey) -> Result<TopicPartitionId, ErrorCode> {
    let topic = match &key.topic {
        TopicRef::Name(name) => image.topic_by_name(name).ok_or(ErrorCode::UnknownTopicOrPartition)?,
        TopicRef::Id(id) => image.topic(*id).ok_or(ErrorCode::UnknownTopicId)?,
    };
    let partition = PartitionIndex(key.partition);
    topic.partition(partition).ok_or(ErrorCode::UnknownTopicOrPartition)?;
    Ok(TopicPartitionId { topic_id: topic.id, partition })
}

fn partition_read(id: TopicPartitionId, ask: &PartitionAsk) -> PartitionRead {
    PartitionRead {
        id,
        offset: Offset(ask.fetch_offset),
        bytes_max: ask.partition_max_bytes.max(0) as usize,
        current_leader_epoch: LeaderEpoch(ask.current_leader_epoch),
        last_fetched_epoch: LeaderEpoch(ask.last_fetched_epoch),
    }
}

/// Each owner kept to the limit by itself: what all of them together found too much is taken from the end.
fn trim(answers: &mut [PartitionFetched], bytes_max: usize) {
    let mut total = 0;
    for answer in answers {
        if total > 0 && total + answer.bytes > bytes_max {
            answer.records.clear();
            answer.bytes = 0;
        }
        total += answer.bytes;
    }
}

fn memory_bytes(answers: &[PartitionFetched]) -> usize {
    let slices = answers.iter().flat_map(|a| &a.records);
    slices.map(fetch::memory_bytes).sum()
}

fn watches(image: &MetadataImage, asked: &Asked, answers: &[PartitionFetched]) -> Vec<Watch> {
    let both = asked.iter().zip(answers);
    both.filter_map(|((key, _), answer)| Some(Watch { id: resolve(image, key).ok()?, seen: answer.high_watermark })).collect()
}

/// Waits on every owner; the first to have data ends it.
async fn wait_for_data(shard: &Rc<Shard>, watches: Vec<Watch>, at_most: Duration) {
    let split = split(shard, watches.into_iter().map(|watch| (0, watch.id, watch)));
    let mut calls = Vec::with_capacity(split.there.len());
    for (owner, batch) in split.there {
        calls.push(shard.calls.begin(owner.0 as usize, Request::AwaitData { watches: batch.items, at_most }).await);
    }
    let here = split.here.items;
    let stopping = shard.stop_signal();
    let first = async {
        let mut local = pin!(fetch::data_arrived(shard, &here));
        let mut stopping = pin!(stopping);
        std::future::poll_fn(|cx| {
            let local_ready = !here.is_empty() && local.as_mut().poll(cx).is_ready();
            let stop = stopping.as_mut().poll(cx).is_ready();
            let remote_ready = calls.iter_mut().any(|call| Pin::new(call).poll(cx).is_ready());
            if local_ready || remote_ready || stop { Poll::Ready(()) } else { Poll::Pending }
        })
        .await;
    };
    timeout(at_most, first).await;
    for call in calls.iter().filter(|call| !call.is_answered()) {
        let (core, call) = call.target();
        shard.calls.tell(core, Request::CancelAwait { call }).await;
    }
}

fn respond(context: &RequestContext, meaning: FetchContext, by_id: bool, asked: Asked, answers: Vec<PartitionFetched>) -> FetchResponse {
    let mut sessions = context.shard.sessions.borrow_mut();
    let session_id = match meaning {
        FetchContext::Full { make_session: true } => {
            let both = asked.iter().zip(&answers);
            let remembered = both.map(|((key, ask), answer)| (key.clone(), ask.clone(), facts(answer))).collect();
            sessions.create(rt::now(), rt::random_u64(), by_id, remembered)
        }
        FetchContext::Incremental { session_id } => session_id,
        _ => NO_SESSION,
    };
    let mut responses: Vec<FetchableTopicResponse> = Vec::new();
    let mut last: Option<TopicRef> = None;
    for ((key, _), answer) in asked.into_iter().zip(answers) {
        let incremental = matches!(meaning, FetchContext::Incremental { .. });
        if incremental && !sessions.note(session_id, &key, facts(&answer)) {
            continue;
        }
        context.note_error(answer.error);
        if last.as_ref() != Some(&key.topic) {
            responses.push(topic_response(&key.topic));
            last = Some(key.topic);
        }
        let topic = responses.last_mut().expect("just pushed");
        topic.partitions.push(partition_response(key.partition, answer));
    }
    FetchResponse { session_id, responses, ..Default::default() }
}

fn facts(answer: &PartitionFetched) -> AnswerFacts {
    AnswerFacts {
        error: answer.error,
        high_watermark: answer.high_watermark.0,
        log_start_offset: answer.log_start_offset.0,
        has_records: answer.bytes > 0,
        has_diverging_epoch: answer.diverging.is_some(),
    }
}

fn topic_response(topic: &TopicRef) -> FetchableTopicResponse {
    match topic {
        TopicRef::Name(name) => FetchableTopicResponse { topic: name.clone(), ..Default::default() },
        TopicRef::Id(id) => FetchableTopicResponse { topic_id: *id, ..Default::default() },
    }
}

fn is_unknown(error: ErrorCode) -> bool {
    matches!(error, ErrorCode::UnknownTopicOrPartition | ErrorCode::UnknownTopicId | ErrorCode::InconsistentTopicId)
}

/// As Apache Kafka has it: null for readers of everything, but an empty list where the partition was not looked at.
fn aborted_transactions(error: ErrorCode, found: Option<Vec<format::AbortedTransaction>>) -> Option<Vec<AbortedTransaction>> {
    let Some(found) = found else { return is_unknown(error).then(Vec::new) };
    let on_wire =
        |entry: format::AbortedTransaction| AbortedTransaction { producer_id: entry.producer_id, first_offset: entry.first_offset };
    Some(found.into_iter().map(on_wire).collect())
}

fn partition_response(partition: i32, answer: PartitionFetched) -> PartitionData {
    let mut records = RecordsOut::default();
    for slice in answer.records {
        match slice {
            Slice::Memory(bytes) => records.push_bytes(bytes),
            Slice::File { file, offset, len } => records.push_file(Arc::new(file), offset, len),
        }
    }
    let diverging_epoch = match answer.diverging {
        Some((epoch, end_offset)) => EpochEndOffset { epoch, end_offset },
        None => EpochEndOffset::default(),
    };
    PartitionData {
        partition_index: PartitionIndex(partition),
        error_code: answer.error,
        high_watermark: answer.high_watermark,
        last_stable_offset: answer.last_stable_offset,
        log_start_offset: answer.log_start_offset,
        diverging_epoch,
        aborted_transactions: aborted_transactions(answer.error, answer.aborted),
        records: Some(records),
        ..Default::default()
    }
}
