//! Lets producers into partitions with their transactions' records (KIP-890): Produce and TxnOffsetCommit.
//!
//! Where a transaction is open already, its partition knows. Else the transaction's coordinator is asked: whether the partition is in (clients that
//! add partitions themselves), or to add it (clients that leave it to the broker). As Kafka does, what only says "later" is told in codes that each
//! client takes for that.

use super::RequestContext;
use super::scatter::{OwnerAnswer, scatter};
use crate::config::limits;
use crate::coordinator::transaction::{AddAsk, TopicPartitions, TransactionRequest, TransactionResponse};
use crate::rt::{now, sleep};
use crate::shard::admission::{Applicant, Standing};
use crate::shard::message::{Reply, Request};
use crate::types::{ErrorCode, PartitionIndex, ProducerEpoch, ProducerId, TopicPartitionId};
use crate::wire::Str;
use std::collections::BTreeMap;

/// What clients expect of the broker, by the version of their request.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Support {
    /// They know no TRANSACTION_ABORTABLE.
    Older,
    Abortable,
    /// The broker adds the partition.
    Adds,
}

/// A partition that a transaction wants to write to.
pub struct Wanted {
    pub id: TopicPartitionId,
    pub topic: Str,
    pub partition: PartitionIndex,
}

/// By what each is let in, or why not.
pub async fn admit(
    context: &RequestContext,
    transactional_id: &Str,
    (producer_id, producer_epoch): (ProducerId, ProducerEpoch),
    wanted: &[Wanted],
    support: Support,
) -> Vec<Result<Option<u64>, ErrorCode>> {
    let shard = &context.shard;
    let applicants = wanted.iter().enumerate().map(|(place, wanted)| {
        let applicant = Applicant { id: wanted.id, producer_id, producer_epoch };
        (place, wanted.id, applicant)
    });
    let mut standings = vec![Standing { error: ErrorCode::NotLeaderOrFollower, admission: None }; wanted.len()];
    scatter(
        shard,
        applicants.collect::<Vec<_>>(),
        &mut standings,
        async |applicants| shard.standings(&applicants),
        Request::Standings,
        |reply| match reply {
            Reply::Standings(standings) => standings,
            _ => unreachable!("Standings is answered with one for each"),
        },
    )
    .await;
    let mut partitions = TopicPartitions::new();
    for (wanted, _) in wanted.iter().zip(&standings).filter(|(_, standing)| standing.admission.is_some()) {
        partitions.entry(wanted.topic.detached()).or_default().insert(wanted.partition);
    }
    let verdicts = if partitions.is_empty() {
        Ok(BTreeMap::new())
    } else {
        let client_version = if support == Support::Adds { 2 } else { 0 };
        let transactional_id = transactional_id.detached();
        ask(context, AddAsk { transactional_id, producer_id, producer_epoch, partitions, client_version }, support).await
    };
    let verdict = |(wanted, standing): (&Wanted, Standing)| {
        if !standing.error.is_none() || standing.admission.is_none() {
            return if standing.error.is_none() { Ok(None) } else { Err(standing.error) };
        }
        let refused = match &verdicts {
            Ok(each) => each.get(&(wanted.topic.clone(), wanted.partition)).copied().filter(|error| !error.is_none()),
            Err(error) => Some(*error),
        };
        refused.map_or(Ok(standing.admission), |error| Err(told(error, support)))
    };
    wanted.iter().zip(standings).map(verdict).collect()
}

type Verdicts = BTreeMap<(Str, PartitionIndex), ErrorCode>;

/// Asks the coordinator; while the transaction before is being ended, for a moment again and again.
async fn ask(context: &RequestContext, ask: AddAsk, support: Support) -> Result<Verdicts, ErrorCode> {
    let id = ask.transactional_id.clone();
    let began = now();
    loop {
        let request = if support == Support::Adds { TransactionRequest::Add(ask.clone()) } else { TransactionRequest::Verify(ask.clone()) };
        match context.shard.ask_transaction(&id, request).await {
            Ok(TransactionResponse::Added) => return Ok(Verdicts::new()),
            Ok(TransactionResponse::Verified(each)) => {
                return Ok(each.into_iter().map(|(topic, partition, error)| ((topic, partition), error)).collect());
            }
            Ok(_) => unreachable!("the coordinator answers what it was asked"),
            Err(ErrorCode::ConcurrentTransactions)
                if support == Support::Adds && now() - began < limits::ADMISSION_RETRY_MAX && !context.shard.is_stopping() =>
            {
                sleep(limits::ADMISSION_RETRY_INTERVAL).await;
            }
            Err(error) => return Err(error),
        }
    }
}

/// The coordinator's error as producers are told it.
fn told(error: ErrorCode, support: Support) -> ErrorCode {
    match error {
        ErrorCode::ProducerFenced => ErrorCode::InvalidProducerEpoch,
        ErrorCode::TransactionAbortable if support == Support::Older => ErrorCode::InvalidTxnState,
        ErrorCode::CoordinatorLoadInProgress | ErrorCode::CoordinatorNotAvailable | ErrorCode::NotCoordinator => {
            ErrorCode::NotEnoughReplicas
        }
        ErrorCode::ConcurrentTransactions if support != Support::Adds => ErrorCode::NotEnoughReplicas,
        other => other,
    }
}

impl OwnerAnswer for Standing {
    fn error(&self) -> ErrorCode {
        self.error
    }
}
