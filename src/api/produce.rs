//! Produce (0), versions 3-13: appends batches; answers when they are on stable storage (`acks` 1 and -1), or not at all (0).
//!
//! - Records are checked on the connection's core, sequences on the owner's. Appends happen in the order requests came in, while
//!   earlier ones still wait for the disk.
//! - `acks=0` with an error closes the connection, as in Kafka: nothing else could tell the client.
//! - Transactional batches go where their transaction's coordinator says that they may (`admission`); without a transactional id the whole request is
//!   refused with TRANSACTIONAL_ID_AUTHORIZATION_FAILED, as in Kafka.

use super::admission::{Support, Wanted, admit};
use super::scatter::split;
use super::{Handled, RequestContext};
use crate::config::{CompressionType, TimestampType, TopicConfig, limits};
use crate::controller::{MetadataImage, TopicImage};
use crate::rt::{self, timeout, yield_if_needed};
use crate::shard::admission::Applicant;
use crate::shard::calls::PendingCall;
use crate::shard::message::{Reply, Request};
use crate::shard::produce::{Admitted, AppendOutcome, PartitionAppend, PendingAppends, append_all};
use crate::types::{ErrorCode, PartitionIndex, Timestamp, TopicPartitionId};
use crate::wire::Str;
use crate::wire::api::produce::*;
use crate::wire::records::{self, Codec, Compression, ProduceCheck, ProduceRefusal, ProduceRules};
use bytes::Bytes;
use std::any::Any;
use std::collections::BTreeSet;
use std::rc::Rc;
use std::time::Duration;

const ACKS_NONE: i16 = 0;
const ACKS_ALL: i16 = -1;

pub async fn handle(mut context: RequestContext) -> Handled {
    let mut request: ProduceRequest = match context.decode() {
        Ok(request) => request,
        Err(reason) => return Handled::Refuse(reason),
    };
    if context.request_bytes() >= limits::FRAME_OF_ITS_OWN_BYTES && is_one_batch(&request, context.request_bytes()) {
        let_go_of_frame(&mut context, &mut request);
    }
    let acks = request.acks;
    let mut checked = if (ACKS_ALL..=1).contains(&acks) {
        check_all(&context, &mut request).await
    } else {
        Checked::all_failed(&request, ErrorCode::InvalidRequiredAcks)
    };
    // Until all are on their way: a partition moves between two requests, never within one.
    let beginning = context.shard.moving.begin(checked.appends.iter().map(|(_, id, _)| *id)).await;
    if checked.appends.iter().any(|(_, _, append)| append.transaction.is_some()) {
        admit_all(&context, &request, &mut checked).await;
    }
    let begun = begin(&context, checked, acks != ACKS_NONE).await;
    drop(beginning);
    if acks == ACKS_NONE {
        return finish_unacknowledged(context, begun);
    }
    let at_most = Duration::from_millis(request.timeout_ms.max(0) as u64).max(limits::PRODUCE_TIMEOUT_MIN);
    Handled::Later(Box::pin(async move {
        let answers = begun.settle(at_most).await;
        let response = respond(&context, request, answers);
        context.encode(&response)
    }))
}

/// Whether one partition's records are all but a sixteenth of the request: they may keep its memory, which counts as theirs.
fn is_one_batch(request: &ProduceRequest, request_bytes: usize) -> bool {
    let mut partitions = request.topic_data.iter().flat_map(|topic| &topic.partition_data);
    let first = partitions.next().and_then(|partition| partition.records.as_ref());
    partitions.next().is_none() && first.is_some_and(|records| records.len() + request_bytes / 16 >= request_bytes)
}

/// Leaves the request's memory to its records, which can become a log's tail without a copy then.
fn let_go_of_frame(context: &mut RequestContext, request: &mut ProduceRequest) {
    context.let_go_of_frame();
    request.transactional_id = request.transactional_id.take().map(|id| id.detached());
    for topic in &mut request.topic_data {
        topic.name = topic.name.detached();
    }
}

fn finish_unacknowledged(context: RequestContext, begun: Begun) -> Handled {
    let failed = begun.local_failures().into_iter().find(|answer| !answer.outcome.error.is_none());
    match failed {
        Some(answer) => {
            context.note_error(answer.outcome.error);
            context.count(0);
            Handled::Refuse(format!("a produce request with acks=0 failed with {}", answer.outcome.error))
        }
        None => {
            context.count(0);
            Handled::Nothing
        }
    }
}

/// What one partition of the request is answered with.
#[derive(Clone)]
struct Answer {
    outcome: AppendOutcome,
    refusal: Option<Box<ProduceRefusal>>,
}

impl Answer {
    fn failed(error: ErrorCode) -> Answer {
        Answer { outcome: AppendOutcome::failed(error), refusal: None }
    }
}

/// The partitions of a request in order: refused ones with their answer, the others with what to append.
struct Checked {
    answers: Vec<Answer>,
    appends: Vec<(usize, TopicPartitionId, PartitionAppend)>,
}

impl Checked {
    fn all_failed(request: &ProduceRequest, error: ErrorCode) -> Checked {
        let count = request.topic_data.iter().map(|t| t.partition_data.len()).sum();
        Checked { answers: vec![Answer::failed(error); count], appends: Vec::new() }
    }
}

async fn check_all(context: &RequestContext, request: &mut ProduceRequest) -> Checked {
    let image = context.shard.image();
    let now = rt::wall_clock();
    let mut checked = Checked { answers: Vec::new(), appends: Vec::new() };
    for topic in &mut request.topic_data {
        let known = find_topic(&image, context.version(), topic);
        for partition in &mut topic.partition_data {
            let place = checked.answers.len();
            let records = partition.records.take().unwrap_or_default();
            let outcome = match &known {
                Ok(topic) => check_one(context, topic, partition.index, records, now).await,
                Err(error) => Err(Answer::failed(*error)),
            };
            match outcome {
                Ok(append) => {
                    checked.answers.push(Answer::failed(ErrorCode::NotLeaderOrFollower));
                    checked.appends.push((place, append.id, append));
                }
                Err(answer) => checked.answers.push(answer),
            }
            yield_if_needed().await;
        }
    }
    checked
}

/// Leaves to be appended what is in no transaction, and what its transaction's coordinator lets in.
async fn admit_all(context: &RequestContext, request: &ProduceRequest, checked: &mut Checked) {
    let producers = checked.appends.iter().filter_map(|(_, _, append)| append.transaction);
    let producers: BTreeSet<_> = producers.map(|of| (of.applicant.producer_id, of.applicant.producer_epoch)).collect();
    let refuse_all = |checked: &mut Checked, error| {
        checked.appends.clear();
        checked.answers.fill(Answer::failed(error));
    };
    let Some(transactional_id) = &request.transactional_id else {
        return refuse_all(checked, ErrorCode::TransactionalIdAuthorizationFailed);
    };
    let Some(producer) = producers.first().copied().filter(|_| producers.len() == 1) else {
        return refuse_all(checked, ErrorCode::InvalidProducerIdMapping);
    };
    let image = context.shard.image();
    let in_transaction = checked.appends.iter().filter(|(_, _, append)| append.transaction.is_some());
    let wanted = in_transaction.map(|(_, id, _)| Wanted {
        id: *id,
        topic: image.topic(id.topic_id).map_or_else(Str::new, |topic| (&*topic.name).into()),
        partition: id.partition,
    });
    let support = match context.version() {
        12.. => Support::Adds,
        11 => Support::Abortable,
        _ => Support::Older,
    };
    let wanted: Vec<Wanted> = wanted.collect();
    let mut verdicts = admit(context, transactional_id, producer, &wanted, support).await.into_iter();
    let answers = &mut checked.answers;
    checked.appends.retain_mut(|(place, _, append)| {
        let Some(of) = &mut append.transaction else { return true };
        match verdicts.next().unwrap_or(Err(ErrorCode::UnknownServerError)) {
            Ok(admission) => {
                of.admission = admission;
                true
            }
            Err(error) => {
                answers[*place] = not_admitted(error);
                false
            }
        }
    });
}

fn not_admitted(code: ErrorCode) -> Answer {
    let message = match code {
        ErrorCode::InvalidTxnState => "the partition is not in the transaction",
        ErrorCode::NotEnoughReplicas => "the transaction's coordinator cannot say now whether the partition is in it",
        _ => return Answer::failed(code),
    };
    let refusal = ProduceRefusal { code, reason: message.into(), message: Some(message.into()), record_errors: Vec::new() };
    Answer { outcome: AppendOutcome::failed(code), refusal: Some(Box::new(refusal)) }
}

fn find_topic<'a>(image: &'a MetadataImage, version: i16, topic: &TopicProduceData) -> Result<&'a TopicImage, ErrorCode> {
    let found = if version >= 13 { image.topic(topic.topic_id) } else { image.topic_by_name(&topic.name) };
    let missing = if version >= 13 { ErrorCode::UnknownTopicId } else { ErrorCode::UnknownTopicOrPartition };
    match found {
        // Only the coordinators write there.
        Some(topic) if topic.is_internal() => Err(ErrorCode::InvalidTopicException),
        found => found.map(|t| &**t).ok_or(missing),
    }
}

async fn check_one(
    context: &RequestContext,
    topic: &TopicImage,
    partition: PartitionIndex,
    records: Bytes,
    now: Timestamp,
) -> Result<PartitionAppend, Answer> {
    let config = context.shard.topic_config(topic.id).filter(|_| topic.partition(partition).is_some());
    let config = config.ok_or_else(|| Answer::failed(ErrorCode::UnknownTopicOrPartition))?;
    let rules = rules(&config, &topic.name, partition, context.version(), now);
    let refuse = |refusal: ProduceRefusal| {
        tracing::debug!(topic = %topic.name, %partition, code = %refusal.code, reason = refusal.reason, "a batch is refused");
        Answer { outcome: AppendOutcome::failed(refusal.code), refusal: Some(Box::new(refusal)) }
    };
    let mut check = ProduceCheck::begin(records, &rules).map_err(refuse)?;
    while !check.advance(&rules, limits::RECORD_BYTES_PER_STEP).map_err(refuse)? {
        yield_if_needed().await;
    }
    let batch = check.finish(&rules).map_err(refuse)?.batch;
    let id = TopicPartitionId { topic_id: topic.id, partition };
    let header = batch.header();
    let transaction = header.attributes.is_transactional().then(|| {
        let applicant = Applicant { id, producer_id: header.producer_id, producer_epoch: header.producer_epoch };
        Admitted { applicant, admission: None }
    });
    Ok(PartitionAppend { id, records: batch.into_bytes(), transaction })
}

fn rules<'a>(config: &TopicConfig, topic: &'a str, partition: PartitionIndex, api_version: i16, now: Timestamp) -> ProduceRules<'a> {
    ProduceRules {
        topic,
        partition,
        api_version,
        now,
        max_message_bytes: config.max_message_bytes.max(0) as usize,
        compacted: config.cleanup_compact,
        timestamp_type: match config.message_timestamp_type {
            TimestampType::CreateTime => records::TimestampType::CreateTime,
            TimestampType::LogAppendTime => records::TimestampType::LogAppendTime,
        },
        timestamp_before_max_ms: config.message_timestamp_before_max_ms,
        timestamp_after_max_ms: config.message_timestamp_after_max_ms,
        compression: compression(config),
    }
}

fn compression(config: &TopicConfig) -> Option<Compression> {
    let (codec, level) = match config.compression_type {
        CompressionType::Producer => return None,
        CompressionType::Uncompressed => return Some(Compression::of(Codec::None)),
        CompressionType::Snappy => return Some(Compression::of(Codec::Snappy)),
        CompressionType::Gzip => (Codec::Gzip, config.compression_gzip_level),
        CompressionType::Lz4 => (Codec::Lz4, config.compression_lz4_level),
        CompressionType::Zstd => (Codec::Zstd, config.compression_zstd_level),
    };
    Some(Compression { codec, level })
}

/// Appends under way: in local memory, and at other owners.
struct Begun {
    answers: Vec<Answer>,
    here: Option<(Vec<usize>, PendingAppends)>,
    there: Vec<(Vec<usize>, PendingCall)>,
}

/// Starts every append, in order; waits only for memory and room in the mesh.
async fn begin(context: &RequestContext, checked: Checked, wait: bool) -> Begun {
    let shard = &context.shard;
    let split = split(shard, checked.appends);
    let mut there = Vec::with_capacity(split.there.len());
    for (owner, batch) in split.there {
        let kept = context.share_hold().map(|hold| hold as Rc<dyn Any>);
        let call = shard.calls.begin_keeping(owner.0 as usize, Request::Produce { appends: batch.items, wait }, kept).await;
        there.push((batch.places, call));
    }
    let here = if split.here.items.is_empty() { None } else { Some((split.here.places, append_all(shard, split.here.items).await)) };
    Begun { answers: checked.answers, here, there }
}

impl Begun {
    /// The answers once everything is durable, or REQUEST_TIMED_OUT for what is not after `at_most`.
    async fn settle(self, at_most: Duration) -> Vec<Answer> {
        let Begun { mut answers, here, there } = self;
        let pending: Vec<usize> = here.iter().flat_map(|(p, _)| p).chain(there.iter().flat_map(|(p, _)| p)).copied().collect();
        let work = async {
            let mut outcomes = Vec::with_capacity(pending.len());
            if let Some((_, appends)) = here {
                outcomes.extend(appends.durable().await);
            }
            for (_, call) in there {
                match call.reply().await {
                    Reply::Produced(more) => outcomes.extend(more),
                    _ => unreachable!("Produce is answered with outcomes"),
                }
            }
            outcomes
        };
        let outcomes =
            timeout(at_most, work).await.unwrap_or_else(|| vec![AppendOutcome::failed(ErrorCode::RequestTimedOut); pending.len()]);
        assert_eq!(pending.len(), outcomes.len(), "every append has an outcome");
        for (place, outcome) in pending.into_iter().zip(outcomes) {
            answers[place] = Answer { outcome, refusal: None };
        }
        answers
    }

    /// For `acks=0`: what is known to have failed by now; other shards' failures stay unknown.
    fn local_failures(self) -> Vec<Answer> {
        let Begun { mut answers, here, there } = self;
        for (places, _) in &there {
            places.iter().for_each(|&place| answers[place] = Answer::failed(ErrorCode::None));
        }
        if let Some((places, appends)) = here {
            for (place, outcome) in places.into_iter().zip(appends.now()) {
                answers[place] = Answer { outcome, refusal: None };
            }
        }
        answers
    }
}

fn respond(context: &RequestContext, request: ProduceRequest, answers: Vec<Answer>) -> ProduceResponse {
    let mut answers = answers.into_iter();
    let responses = request.topic_data.into_iter().map(|topic| TopicProduceResponse {
        partition_responses: topic
            .partition_data
            .iter()
            .zip(&mut answers)
            .map(|(partition, answer)| {
                context.note_error(answer.outcome.error);
                partition_response(partition.index, answer)
            })
            .collect(),
        name: topic.name,
        topic_id: topic.topic_id,
    });
    ProduceResponse { responses: responses.collect(), ..Default::default() }
}

fn partition_response(index: PartitionIndex, answer: Answer) -> PartitionProduceResponse {
    let (message, faults) = match answer.refusal {
        Some(refusal) => (refusal.message, refusal.record_errors),
        None => (None, Vec::new()),
    };
    PartitionProduceResponse {
        index,
        error_code: answer.outcome.error,
        base_offset: answer.outcome.base_offset,
        log_append_time_ms: answer.outcome.log_append_time,
        log_start_offset: answer.outcome.log_start_offset,
        record_errors: faults
            .into_iter()
            .map(|fault| BatchIndexAndErrorMessage {
                batch_index: fault.batch_index,
                batch_index_error_message: Some(fault.message.into()),
            })
            .collect(),
        error_message: message.map(Str::from),
        ..Default::default()
    }
}
