//! The controller's driver: takes requests, proposes their records, makes them durable, applies and publishes them, answers.
//!
//! Neutral; one task on the controller core. A turn takes what is waiting, up to a bound, and costs one durable write for all of
//! it. A reply is parked until its records are committed, applied and published. Handlers see the image with all that was
//! proposed; subscribers only what is committed. Never answers a request whose records could be lost.

use super::delta::{MetadataDelta, Touched};
use super::handler::HandlerContext;
use super::image::MetadataImage;
use super::placement::Placement;
use super::raft_log::{LogEntry, MetadataLog, Snapshot};
use super::raft_node::RaftNode;
use super::record::{Record, decode_batch, encode_batch};
use super::request::{ControllerReply, ControllerRequest, ControllerResponse};
use crate::config::BrokerConfig;
use crate::rt::sync::{Event, OneshotSender, QueueReceiver, QueueSender};
use crate::rt::{random_u64, yield_if_needed};
use crate::types::ErrorCode;
use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::io;
use std::rc::Rc;
use std::sync::Arc;

/// Bytes of entries of one turn after which no further request joins it, so that a turn stays short.
const TURN_BYTES: usize = 1 << 20;
/// What is published: an image, what changed since the one before it, and where partitions live.
#[derive(Clone)]
pub struct Publication {
    pub image: Arc<MetadataImage>,
    pub delta: Arc<MetadataDelta>,
    pub placement: Arc<Placement>,
}

/// What the driver shares with the controller's handle.
pub struct Published {
    pub image: RefCell<Arc<MetadataImage>>,
    pub placement: RefCell<Arc<Placement>>,
    pub subscribers: RefCell<Vec<QueueSender<Publication>>>,
    /// The log failed: nothing more can be changed.
    pub is_failed: Cell<bool>,
    pub failed: Event,
}

/// A request and where its answer goes.
pub struct Submission {
    pub request: ControllerRequest,
    pub reply: OneshotSender<ControllerReply>,
}

struct Parked {
    /// Answered once this entry is applied.
    index: u64,
    response: ControllerResponse,
    reply: OneshotSender<ControllerReply>,
}

pub struct Driver {
    pub node: RaftNode,
    pub log: MetadataLog,
    /// With everything that was proposed.
    pub tip: MetadataImage,
    /// With everything that is committed.
    pub committed: MetadataImage,
    /// The index of the last applied entry.
    pub applied: u64,
    pub broker: Rc<BrokerConfig>,
    pub published: Rc<Published>,
    parked: VecDeque<Parked>,
    turn_bytes: usize,
    /// See `LOG_BYTES_BEFORE_SNAPSHOT`.
    log_bytes_before_snapshot: u64,
    /// The length of the log at which the next snapshot is taken.
    snapshot_at: u64,
}

impl Driver {
    /// `committed` is the image of the log's snapshot, which is applied.
    pub fn new(
        node: RaftNode,
        log: MetadataLog,
        committed: MetadataImage,
        broker: Rc<BrokerConfig>,
        published: Rc<Published>,
        log_bytes_before_snapshot: u64,
    ) -> Driver {
        Driver {
            node,
            log,
            tip: committed.clone(),
            applied: committed.version(),
            committed,
            broker,
            published,
            parked: VecDeque::new(),
            turn_bytes: 0,
            log_bytes_before_snapshot,
            snapshot_at: log_bytes_before_snapshot,
        }
    }

    /// Serves until every sender is gone, or until the log fails.
    pub async fn run(mut self, mut submissions: QueueReceiver<Submission>) {
        while let Some(first) = submissions.receive().await {
            self.take(first).await;
            while self.turn_bytes < TURN_BYTES {
                let Some(next) = submissions.try_receive() else { break };
                self.take(next).await;
                yield_if_needed().await;
            }
            let mut outcome = self.commit().await;
            if outcome.is_ok() {
                outcome = self.snapshot_if_due().await;
            }
            if let Err(error) = outcome {
                self.fail(&error);
                // What came meanwhile; whoever comes later finds nobody.
                while let Some(Submission { request, reply }) = submissions.try_receive() {
                    reply.send(self.published.refuse(request, &self.broker));
                }
                return;
            }
        }
    }

    /// Runs a request's handler and proposes its records.
    async fn take(&mut self, submission: Submission) {
        let Submission { request, reply } = submission;
        let mut random = random_u64;
        let mut cx = HandlerContext { image: &self.tip, broker: &self.broker, random: &mut random };
        let (records, response) = request.handle(&mut cx);
        if let Err(error) = self.propose(&records).await {
            tracing::warn!(%error, "the metadata log cannot grow");
            let response = response.refused(ErrorCode::KafkaStorageError);
            reply.send(ControllerReply { version: self.committed.version(), response });
            return;
        }
        // A reply without records waits for what it saw, too.
        self.parked.push_back(Parked { index: self.node.last_index(), response, reply });
    }

    /// Appends the records as one entry. An error leaves everything as it was: there is no space.
    pub async fn propose(&mut self, records: &[Record]) -> io::Result<()> {
        if records.is_empty() {
            return Ok(());
        }
        let data = encode_batch(records);
        let turn_bytes = self.turn_bytes + LogEntry::encoded_len(data.len());
        self.log.reserve(turn_bytes).await?;
        self.turn_bytes = turn_bytes;
        self.node.propose(data);
        records.iter().for_each(|record| self.tip.replay(record));
        Ok(())
    }

    /// Makes what was proposed durable, applies what that commits, and answers.
    pub async fn commit(&mut self) -> io::Result<()> {
        while let Some((mut unsaved, committed)) = self.node.take_unsaved() {
            self.apply(committed);
            self.log.append(unsaved.vote, std::mem::take(&mut unsaved.entries)).await?;
            let committed = self.node.saved(unsaved);
            self.apply(committed);
        }
        assert_eq!(self.applied, self.node.last_index(), "a quorum of one commits what it saved");
        self.turn_bytes = 0;
        self.tip = self.committed.clone();
        self.answer();
        Ok(())
    }

    fn apply(&mut self, entries: Vec<LogEntry>) {
        let mut touched = Touched::default();
        let mut after = self.committed.clone();
        let mut has_records = false;
        for entry in entries {
            let records = decode_batch(&entry.data).expect("entries are checked when they are proposed and when the log is opened");
            for record in &records {
                after.replay(record);
                touched.note(record);
            }
            has_records |= !records.is_empty();
            after.advance_version(entry.index);
            self.applied = entry.index;
        }
        let delta = touched.delta(&self.committed, &after);
        self.committed = after;
        if has_records {
            self.publish(delta);
        }
    }

    fn publish(&self, delta: MetadataDelta) {
        let image = Arc::new(self.committed.clone());
        let mut placement = Placement::clone(&self.published.placement.borrow());
        placement.apply(&delta);
        let publication = Publication { image: Arc::clone(&image), delta: Arc::new(delta), placement: Arc::new(placement) };
        self.published.image.replace(image);
        self.published.placement.replace(Arc::clone(&publication.placement));
        self.published.subscribers.borrow_mut().retain(|subscriber| subscriber.send(publication.clone()).is_ok());
    }

    fn answer(&mut self) {
        let version = self.published.image.borrow().version();
        while let Some(parked) = self.parked.pop_front_if(|parked| parked.index <= self.applied) {
            parked.reply.send(ControllerReply { version, response: parked.response });
        }
    }

    /// Puts a snapshot in the place of a long log.
    async fn snapshot_if_due(&mut self) -> io::Result<()> {
        if self.log.len() < self.snapshot_at {
            return Ok(());
        }
        let records = encode_batch(&self.committed.to_records());
        let snapshot = Snapshot { index: self.applied, term: self.node.term_of(self.applied), records };
        if self.log.replace_by(&snapshot).await? {
            self.node.compact(&snapshot);
        }
        self.snapshot_at = self.log.len() + self.log_bytes_before_snapshot.max(snapshot.records.len() as u64);
        Ok(())
    }

    /// What is on disk is unknown from now on: nothing more is changed, until a restart reads it.
    fn fail(&mut self, error: &io::Error) {
        tracing::error!(%error, "the metadata log failed: no topic and no config can be changed until a restart");
        self.published.is_failed.set(true);
        self.published.failed.notify();
        let version = self.published.image.borrow().version();
        for parked in self.parked.drain(..) {
            let response = parked.response.refused(ErrorCode::KafkaStorageError);
            parked.reply.send(ControllerReply { version, response });
        }
    }
}
