//! Kafka's requests: one file per API, each with its versions, its behaviour, and where it deviates.
//!
//! Runs on the core of the connection; what belongs to other cores is asked of them. Handlers get a decoded request and give a
//! response struct; this module parses headers, refuses what cannot be answered, encodes, and counts.

mod add_offsets_to_txn;
mod add_partitions_to_txn;
mod admission;
mod api_versions;
mod cluster;
mod configs;
mod consumer_group_describe;
mod consumer_group_heartbeat;
mod delete_groups;
mod delete_records;
mod describe_cluster;
mod describe_groups;
mod describe_log_dirs;
mod describe_producers;
mod describe_topic_partitions;
mod describe_transactions;
mod end_txn;
mod fetch;
mod find_coordinator;
mod heartbeat;
mod init_producer_id;
mod join_group;
mod leave_group;
mod list_config_resources;
mod list_groups;
mod list_offsets;
mod list_transactions;
mod metadata;
mod offset_commit;
mod offset_delete;
mod offset_fetch;
mod offset_for_leader_epoch;
mod produce;
mod scatter;
mod sync_group;
mod topics;
mod txn_offset_commit;
mod update_features;
mod view;
mod write_txn_markers;

use crate::rt::task::LocalFuture;
use crate::rt::{Instant, SharedFile, now};
use crate::shard::Shard;
use crate::shard::budget::Hold;
use crate::shard::connection::{Frame, Session};
use crate::shard::outbound::{Outbound, Part};
use crate::types::ErrorCode;
use crate::wire::{self, ApiKey, Reader, Request, RequestHeader, Response, decode_request, encode_response_frame};
use bytes::Bytes;
use std::cell::{Cell, RefCell};
use std::rc::Rc;

/// What became of a request.
pub enum Handled {
    /// Answered.
    Reply(Outbound),
    /// Begun; the answer comes later, and other Produce requests may begin meanwhile.
    Later(LocalFuture<Handled>),
    /// Done, and no answer is due (`acks=0`).
    Nothing,
    /// Cannot be answered: close the connection, for this reason.
    Refuse(String),
}

/// One request on its way through a handler.
pub struct RequestContext {
    pub shard: Rc<Shard>,
    pub session: Rc<Session>,
    pub header: RequestHeader,
    body: Reader,
    hold: Cell<Option<Hold>>,
    /// The same, once another core has a part of the request, too.
    shared_hold: RefCell<Option<Rc<Hold>>>,
    response_hold: Cell<Option<Hold>>,
    received: Instant,
    request_bytes: usize,
    error: Cell<ErrorCode>,
}

impl RequestContext {
    /// Reads the header. Fails, with the reason, on what cannot be answered at all.
    pub fn parse(shard: &Rc<Shard>, session: &Rc<Session>, frame: Frame) -> Result<RequestContext, String> {
        let request_bytes = frame.bytes.len();
        let mut body = Reader::new(frame.bytes);
        let header = RequestHeader::decode(&mut body).map_err(|e| format!("a request header does not parse: {e}"))?;
        Ok(RequestContext {
            shard: Rc::clone(shard),
            session: Rc::clone(session),
            header,
            body,
            hold: Cell::new(Some(frame.hold)),
            shared_hold: RefCell::new(None),
            response_hold: Cell::new(None),
            received: now(),
            request_bytes,
            error: Cell::new(ErrorCode::None),
        })
    }

    /// Whether the next request may begin before this one is answered.
    pub fn is_pipelined(&self) -> bool {
        self.header.api_key == ApiKey::Produce
    }

    /// The request's size in bytes.
    pub fn request_bytes(&self) -> usize {
        self.request_bytes
    }

    /// The API's version that the client speaks.
    pub fn version(&self) -> i16 {
        self.header.api_version
    }

    /// Gives the request's memory back early; for handlers that wait long and keep nothing of it.
    pub fn release_request(&self) {
        self.hold.take();
        self.shared_hold.take();
    }

    /// The request's memory, for who may have it longer than the handler.
    pub fn share_hold(&self) -> Option<Rc<Hold>> {
        if let Some(hold) = self.hold.take() {
            self.shared_hold.replace(Some(Rc::new(hold)));
        }
        self.shared_hold.borrow().clone()
    }

    /// Charges the response's memory to a budget until it is sent.
    pub fn hold_response(&self, hold: Hold) {
        self.response_hold.set(Some(hold));
    }

    /// Counts the request as failed with this code (the first one named stands).
    pub fn note_error(&self, error: ErrorCode) {
        if self.error.get().is_none() {
            self.error.set(error);
        }
    }

    fn decode<Q: Request>(&mut self) -> Result<Q, String> {
        let version = self.header.api_version;
        decode_request(&mut self.body, version).map_err(|e| format!("{} version {version} does not parse: {e}", self.header.api_key.name()))
    }

    /// Holds on to the request's bytes no longer, once it is decoded.
    fn let_go_of_frame(&mut self) {
        self.body = Reader::new(Bytes::new());
        self.header.client_id = self.header.client_id.take().map(|id| id.detached());
    }

    /// Encodes a response and counts the request as done.
    fn encode<P: Response>(&self, response: &P) -> Handled {
        self.encode_as(response, self.header.api_version)
    }

    fn encode_as<P: Response>(&self, response: &P, version: i16) -> Handled {
        let parts = match encode_response_frame(response, version, self.header.correlation_id) {
            Ok(parts) => parts,
            Err(error) => {
                // A handler's mistake, seen by one client; the others are none the worse.
                let api = self.header.api_key.name();
                tracing::error!(api, version, %error, "a response does not encode");
                return Handled::Refuse(format!("the {api} response does not encode in version {version}"));
            }
        };
        let mut outbound = Outbound::default();
        for part in parts {
            outbound.push(match part {
                wire::Part::Bytes(bytes) => Part::Memory(bytes),
                wire::Part::File(run) => {
                    let file = run.file::<SharedFile>().expect("fetch puts shared files into responses").clone();
                    Part::File { file, offset: run.offset, len: run.size }
                }
            });
        }
        self.response_hold.take().into_iter().for_each(|hold| outbound.hold(hold));
        self.count(outbound.len());
        Handled::Reply(outbound)
    }

    fn count(&self, response_bytes: usize) {
        let elapsed = now() - self.received;
        self.shard.metrics.borrow_mut().request(self.header.api_key, self.request_bytes, response_bytes, self.error.get(), elapsed);
    }
}

/// Works on one request. Returns when the next one may begin.
pub async fn handle(context: RequestContext) -> Handled {
    use ApiKey::*;
    let key = context.header.api_key;
    if !context.header.is_supported() {
        if key == ApiVersions {
            return api_versions::unsupported(&context);
        }
        return Handled::Refuse(format!("{} version {} is not supported", key.name(), context.header.api_version));
    }
    match key {
        Produce => produce::handle(context).await,
        Fetch => answer(context, fetch::handle).await,
        ListOffsets => answer(context, list_offsets::handle).await,
        Metadata => answer(context, metadata::handle).await,
        ApiVersions => answer(context, api_versions::handle).await,
        CreateTopics => answer(context, topics::create).await,
        DeleteTopics => answer(context, topics::delete).await,
        DeleteRecords => answer(context, delete_records::handle).await,
        CreatePartitions => answer(context, topics::create_partitions).await,
        DescribeConfigs => answer(context, configs::describe).await,
        AlterConfigs => answer(context, configs::alter).await,
        IncrementalAlterConfigs => answer(context, configs::incremental_alter).await,
        InitProducerId => answer(context, init_producer_id::handle).await,
        OffsetForLeaderEpoch => answer(context, offset_for_leader_epoch::handle).await,
        ListConfigResources => answer(context, list_config_resources::handle).await,
        UpdateFeatures => answer(context, update_features::handle).await,
        DescribeCluster => answer(context, describe_cluster::handle).await,
        DescribeTopicPartitions => answer(context, describe_topic_partitions::handle).await,
        DescribeLogDirs => answer(context, describe_log_dirs::handle).await,
        FindCoordinator => answer(context, find_coordinator::handle).await,
        JoinGroup => join_group::handle(context).await,
        SyncGroup => sync_group::handle(context).await,
        Heartbeat => answer(context, heartbeat::handle).await,
        LeaveGroup => answer(context, leave_group::handle).await,
        OffsetCommit => answer(context, offset_commit::handle).await,
        OffsetFetch => answer(context, offset_fetch::handle).await,
        ListGroups => answer(context, list_groups::handle).await,
        DescribeGroups => answer(context, describe_groups::handle).await,
        ConsumerGroupHeartbeat => answer(context, consumer_group_heartbeat::handle).await,
        ConsumerGroupDescribe => answer(context, consumer_group_describe::handle).await,
        DeleteGroups => answer(context, delete_groups::handle).await,
        OffsetDelete => answer(context, offset_delete::handle).await,
        AddPartitionsToTxn => answer(context, add_partitions_to_txn::handle).await,
        AddOffsetsToTxn => answer(context, add_offsets_to_txn::handle).await,
        EndTxn => answer(context, end_txn::handle).await,
        WriteTxnMarkers => answer(context, write_txn_markers::handle).await,
        TxnOffsetCommit => answer(context, txn_offset_commit::handle).await,
        DescribeProducers => answer(context, describe_producers::handle).await,
        DescribeTransactions => answer(context, describe_transactions::handle).await,
        ListTransactions => answer(context, list_transactions::handle).await,
    }
}

async fn answer<Q: Request>(mut context: RequestContext, handler: impl AsyncFnOnce(&RequestContext, Q) -> Q::Response) -> Handled {
    match context.decode::<Q>() {
        Ok(request) => {
            let response = handler(&context, request).await;
            context.encode(&response)
        }
        Err(reason) => Handled::Refuse(reason),
    }
}
