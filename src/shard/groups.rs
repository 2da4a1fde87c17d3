//! The way to a group's coordinator, whichever core of this machine it is on.

use super::Shard;
use super::admission::Applicant;
use super::message::{Reply, Request};
use super::transactions::TRANSACTIONS_TOPIC;
use crate::config::{BrokerConfig, limits};
use crate::coordinator::group::{GroupAnswer, GroupConfig, GroupRequest, Groups};
use crate::coordinator::{Host, HostSettings};
use crate::log::PartitionLog;
use crate::types::{ErrorCode, LeaderEpoch, TopicPartitionId};
use crate::wire::Str;
use crate::wire::records::{Codec, Compression};
use std::rc::Rc;

/// The topic that has groups and their offsets.
pub const OFFSETS_TOPIC: &str = "__consumer_offsets";

/// The host of this shard's group coordinators.
pub fn host(config: &BrokerConfig) -> Rc<Host<Groups>> {
    let group = &config.group;
    let codec = u8::try_from(group.offsets_topic_compression_codec).ok().and_then(Codec::from_id);
    let settings = HostSettings {
        load_bytes: group.offsets_load_buffer_size.max(1) as usize,
        compression: Compression::of(codec.unwrap_or(Codec::None)),
        bytes_max: config.ringmill.memory_bytes / 16 * limits::COORDINATOR_MEMORY_SIXTEENTHS,
    };
    Host::new(GroupConfig::of(group), settings)
}

impl Shard {
    /// The partition that a group's coordinator is on; `None` as long as there is no topic for them.
    pub fn group_partition(&self, group: &str) -> Option<TopicPartitionId> {
        self.coordinator_partition(OFFSETS_TOPIC, group)
    }

    /// All partitions that have groups.
    pub fn group_partitions(&self) -> Vec<TopicPartitionId> {
        self.coordinator_partitions(OFFSETS_TOPIC)
    }

    /// Asks a group's coordinator.
    pub async fn ask_group(self: &Rc<Self>, group: &str, request: GroupRequest) -> GroupAnswer {
        match self.group_partition(group) {
            Some(id) => self.ask_groups_of(id, request).await,
            None => Err(ErrorCode::NotCoordinator),
        }
    }

    /// Asks the coordinator of a partition's groups; where the partition moves meanwhile, again at its new core.
    pub async fn ask_groups_of(self: &Rc<Self>, id: TopicPartitionId, request: GroupRequest) -> GroupAnswer {
        self.ask_owner(
            id,
            async || self.ask_groups_here(id, request.clone()).await,
            || Request::Groups { id, request: Box::new(request.clone()) },
            |reply| match reply {
                Reply::Groups(answer) => *answer,
                _ => unreachable!("Groups is answered by the coordinator"),
            },
        )
        .await
    }

    /// A partition's log is open here: its groups, or transactions, are coordinated here from now on.
    pub(super) fn begin_coordinating(self: &Rc<Self>, topic: &str, log: &Rc<PartitionLog>, leader_epoch: LeaderEpoch) {
        match topic {
            OFFSETS_TOPIC => self.groups.take(log, leader_epoch),
            TRANSACTIONS_TOPIC => self.begin_coordinating_transactions(log, leader_epoch),
            _ => {}
        }
    }

    /// A partition leaves this core.
    pub(super) fn give_up_coordinating(&self, id: TopicPartitionId) {
        self.groups.give_up(id);
        self.transactions.give_up(id);
        self.admissions.forget_partition(id);
    }

    /// Asks the coordinator of a partition of this core; what comes in a transaction, only if the producer was let in.
    pub(super) async fn ask_groups_here(&self, id: TopicPartitionId, request: GroupRequest) -> GroupAnswer {
        if let GroupRequest::TxnCommit { transaction, admission, .. } = &request {
            let applicant = Applicant { id, producer_id: transaction.producer_id, producer_epoch: transaction.producer_epoch };
            if !self.admits(&applicant, *admission) {
                return Err(ErrorCode::InvalidTxnState);
            }
        }
        self.groups.ask(id, request).await
    }

    /// Offsets of topics that are gone go too.
    pub(super) async fn forget_offsets(self: &Rc<Self>, topics: Vec<Str>) {
        for id in self.groups.partitions() {
            if let Err(error) = self.groups.ask(id, GroupRequest::TopicsDeleted(topics.clone())).await {
                tracing::warn!(partition = %id, %error, "offsets of deleted topics stay until they expire");
            }
        }
    }
}
