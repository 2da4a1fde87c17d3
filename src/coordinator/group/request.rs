//! What the group coordinator is asked and what it answers: plain values that cross cores.
//!
//! Errors of a whole request are the driver's `Err`; what a member or a partition gets is in the response.

use super::Groups;
use super::consumer::{ConsumerAsk, Topics};
use super::member::Protocol;
use crate::coordinator::machine::{Ending, Token, Transaction};
use crate::types::ErrorCode;
use crate::wire::Str;
use crate::wire::api::consumer_group_describe;
use crate::wire::api::consumer_group_heartbeat::ConsumerGroupHeartbeatResponse;
use crate::wire::api::delete_groups::DeletableGroupResult;
use crate::wire::api::describe_groups::DescribedGroup;
use crate::wire::api::heartbeat::HeartbeatRequest;
use crate::wire::api::join_group::{JoinGroupRequest, JoinGroupResponse};
use crate::wire::api::leave_group::{LeaveGroupResponse, MemberIdentity};
use crate::wire::api::list_groups::ListedGroup;
use crate::wire::api::offset_commit::{OffsetCommitRequest, OffsetCommitResponse};
use crate::wire::api::offset_delete::{OffsetDeleteRequest, OffsetDeleteResponse};
use crate::wire::api::offset_fetch::{OffsetFetchRequestGroup, OffsetFetchResponseGroup};
use crate::wire::api::sync_group::{SyncGroupRequest, SyncGroupResponse};
use bytes::Bytes;

/// JoinGroup, with what its connection knows.
#[derive(Clone, Debug)]
pub struct JoinAsk {
    /// Set by the coordinator.
    pub token: Token,
    pub request: JoinGroupRequest,
    pub version: i16,
    pub client_id: Str,
    pub client_host: Str,
    /// For members that come to a consumer group.
    pub topics: Topics,
}

impl JoinAsk {
    /// The member's protocols in memory of their own; of a name that is there twice the first.
    pub fn protocols(&self) -> Vec<Protocol> {
        let mut protocols: Vec<Protocol> = Vec::with_capacity(self.request.protocols.len());
        for offered in &self.request.protocols {
            if protocols.iter().all(|before| before.name != offered.name) {
                protocols.push(Protocol { name: offered.name.detached(), metadata: Bytes::copy_from_slice(&offered.metadata) });
            }
        }
        protocols
    }

    /// Memory that the member would take, about.
    pub fn bytes(&self) -> u64 {
        let protocols: usize = self.request.protocols.iter().map(|offered| offered.name.len() + offered.metadata.len() + 64).sum();
        (1024 + self.client_id.len() + protocols) as u64
    }
}

/// Of one group's coordinator; all of them for lists of groups and topics.
#[derive(Clone, Debug)]
pub enum GroupRequest {
    Join(Box<JoinAsk>),
    Sync(SyncGroupRequest),
    Heartbeat(HeartbeatRequest),
    Leave {
        group: Str,
        members: Vec<MemberIdentity>,
    },
    Commit {
        request: OffsetCommitRequest,
        version: i16,
    },
    /// Offsets that count when the transaction commits.
    TxnCommit {
        request: OffsetCommitRequest,
        transaction: Transaction,
        /// By which the partition's core let the producer in.
        admission: Option<u64>,
    },
    /// A transaction ends that had offsets in this partition.
    EndTransaction(Ending),
    Fetch {
        group: OffsetFetchRequestGroup,
        require_stable: bool,
    },
    ConsumerHeartbeat(Box<ConsumerAsk>),
    DescribeConsumers {
        groups: Vec<Str>,
    },
    DeleteOffsets(OffsetDeleteRequest),
    Describe {
        groups: Vec<Str>,
        version: i16,
    },
    Delete {
        groups: Vec<Str>,
    },
    /// In these states and of these types; no filter: all.
    List {
        states: Vec<Str>,
        types: Vec<Str>,
    },
    /// These topics are gone, and with them the offsets in them.
    TopicsDeleted(Vec<Str>),
}

/// The answer to the request of the same name.
#[derive(Debug, PartialEq)]
pub enum GroupResponse {
    Join(JoinGroupResponse),
    Sync(SyncGroupResponse),
    Heartbeat(ErrorCode),
    Leave(LeaveGroupResponse),
    Commit(OffsetCommitResponse),
    TransactionEnded,
    Fetch(OffsetFetchResponseGroup),
    ConsumerHeartbeat(ConsumerGroupHeartbeatResponse),
    DescribeConsumers(Vec<consumer_group_describe::DescribedGroup>),
    DeleteOffsets(OffsetDeleteResponse),
    Describe(Vec<DescribedGroup>),
    Delete(Vec<DeletableGroupResult>),
    List(Vec<ListedGroup>),
    TopicsDeleted,
}

/// The coordinator's answer to a request.
pub type GroupAnswer = crate::coordinator::machine::Answer<Groups>;
