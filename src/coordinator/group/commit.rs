//! OffsetCommit, OffsetFetch and OffsetDelete.
//!
//! Pure.

use super::classic::{ClassicGroup, Phase};
use super::offsets::{CommittedOffset, OffsetKey};
use super::record::GroupRecord;
use super::request::GroupResponse;
use super::{Groups, Purpose};
use crate::coordinator::machine::{Effects, Token, Transaction, Turn};
use crate::types::{ErrorCode, LeaderEpoch, Offset, PartitionIndex, Timestamp};
use crate::wire::Str;
use crate::wire::api::offset_commit::*;
use crate::wire::api::offset_delete::*;
use crate::wire::api::offset_fetch::*;

/// From this version on a commit to a group that is not there says so.
const VERSION_OF_UNKNOWN_GROUP: i16 = 9;

/// Stands for no retention time of its own in a commit.
const DEFAULT_RETENTION: i64 = -1;

impl ClassicGroup {
    /// Whether this member, or nobody in particular, may commit now; [`ErrorCode`] exactly as Kafka's.
    fn check_commit(&self, member: &str, instance: Option<&Str>, generation: i32, is_transactional: bool) -> Result<(), ErrorCode> {
        if generation < 0 && self.phase == Phase::Empty {
            return Ok(());
        }
        if generation >= 0 || !member.is_empty() || instance.is_some() {
            self.check_member(member, instance)?;
            if generation != self.generation {
                return Err(ErrorCode::IllegalGeneration);
            }
        } else if !is_transactional && self.phase != Phase::Empty {
            return Err(ErrorCode::UnknownMemberId);
        }
        if !is_transactional && self.phase == Phase::CompletingRebalance {
            return Err(ErrorCode::RebalanceInProgress);
        }
        Ok(())
    }
}

impl Groups {
    pub(super) fn commit(
        &mut self,
        turn: &mut Turn,
        token: Token,
        request: OffsetCommitRequest,
        version: i16,
        transaction: Option<Transaction>,
        effects: &mut Effects<Groups>,
    ) {
        if let Err(error) = self.check_commit(turn, &request, version, transaction.is_some(), effects) {
            return effects.reply(token, Err(error));
        }
        let expires_at = match request.retention_time_ms {
            DEFAULT_RETENTION => Timestamp::NONE,
            retention => Timestamp(turn.wall.0.saturating_add(retention)),
        };
        let group = request.group_id.detached();
        let mut free = turn.bytes_free;
        let mut records = Vec::new();
        let mut topics = Vec::with_capacity(request.topics.len());
        for topic in request.topics {
            let name = topic.name.detached();
            let mut partitions = Vec::with_capacity(topic.partitions.len());
            for partition in topic.partitions {
                let index = partition.partition_index;
                let committed = self.committed(partition, turn.wall, expires_at);
                let key = OffsetKey { topic: name.clone(), partition: index };
                let error_code = match committed {
                    Ok(offset) => self.take_room(&group, &key, &offset, &mut free).map(|()| {
                        records.push(GroupRecord::Offset { group: group.clone(), key, offset: Some(offset) });
                    }),
                    Err(error) => Err(error),
                };
                let error_code = error_code.err().unwrap_or_default();
                partitions.push(OffsetCommitResponsePartition { partition_index: index, error_code });
            }
            topics.push(OffsetCommitResponseTopic { name: topic.name, topic_id: topic.topic_id, partitions });
        }
        let response = GroupResponse::Commit(OffsetCommitResponse { topics, ..Default::default() });
        if records.is_empty() {
            return effects.reply(token, Ok(response));
        }
        let purpose = Purpose::Answer { token, response };
        match transaction {
            Some(transaction) => effects.write_in(transaction, records, purpose),
            None => effects.write(records, purpose),
        }
    }

    /// Makes the group where a commit may; says that its member was heard of.
    fn check_commit(
        &mut self,
        turn: &mut Turn,
        request: &OffsetCommitRequest,
        version: i16,
        is_transactional: bool,
        effects: &mut Effects<Groups>,
    ) -> Result<(), ErrorCode> {
        let generation = request.generation_id_or_member_epoch;
        if let Some(group) = self.consumers.get(&request.group_id) {
            return group.check_commit(&request.member_id, generation, version, is_transactional);
        }
        if !self.groups.contains_key(&request.group_id) {
            return match generation {
                // The record makes it.
                ..0 if self.has_room_for_group(turn) => Ok(()),
                ..0 => Err(ErrorCode::CoordinatorNotAvailable),
                _ if version >= VERSION_OF_UNKNOWN_GROUP => Err(ErrorCode::GroupIdNotFound),
                _ => Err(ErrorCode::IllegalGeneration),
            };
        }
        self.with_group(turn, effects, &request.group_id, |group, work| {
            group.check_commit(&request.member_id, request.group_instance_id.as_ref(), generation, is_transactional)?;
            if is_transactional {
                return Ok(());
            }
            if group.phase == Phase::Stable || group.phase.is_preparing() {
                group.expect_heartbeat(&request.member_id, work);
            }
            Ok(())
        })
        .unwrap_or(Err(ErrorCode::UnknownMemberId))
    }

    fn committed(
        &self,
        partition: OffsetCommitRequestPartition,
        now: Timestamp,
        expires_at: Timestamp,
    ) -> Result<CommittedOffset, ErrorCode> {
        let metadata = partition.committed_metadata.unwrap_or_default();
        // Java counts UTF-16 units.
        if metadata.encode_utf16().count() > self.config.offset_metadata_max {
            return Err(ErrorCode::OffsetMetadataTooLarge);
        }
        Ok(CommittedOffset {
            offset: partition.committed_offset,
            leader_epoch: partition.committed_leader_epoch,
            metadata: metadata.detached(),
            committed_at: now,
            expires_at,
            record: Offset::NONE,
        })
    }

    /// An offset in place of an earlier one always fits.
    fn take_room(&self, group: &str, key: &OffsetKey, offset: &CommittedOffset, free: &mut u64) -> Result<(), ErrorCode> {
        let wanted = super::offsets::size(key, offset);
        if self.offsets.get(group, key).is_some() {
            return Ok(());
        }
        *free = free.checked_sub(wanted).ok_or(ErrorCode::CoordinatorNotAvailable)?;
        Ok(())
    }

    /// The offsets asked for; -1 for those that are not there, also all of a group that is not.
    pub(super) fn fetch(&self, request: OffsetFetchRequestGroup, require_stable: bool) -> OffsetFetchResponseGroup {
        let consumers = self.consumers.get(&request.group_id);
        if let Some(Err(error_code)) = consumers.map(|group| group.check_fetch(request.member_id.as_deref(), request.member_epoch)) {
            return OffsetFetchResponseGroup { group_id: request.group_id, topics: Vec::new(), error_code };
        }
        let is_known = consumers.is_some() || self.groups.contains_key(&request.group_id);
        let group = &request.group_id;
        let topics = match request.topics {
            Some(topics) => topics
                .into_iter()
                .map(|topic| {
                    let name = topic.name.clone();
                    let one = |partition: PartitionIndex| {
                        let key = OffsetKey { topic: name.clone(), partition };
                        self.fetched(group, &key, is_known, require_stable)
                    };
                    let partitions = topic.partition_indexes.into_iter().map(one).collect();
                    OffsetFetchResponseTopics { name: topic.name, topic_id: topic.topic_id, partitions }
                })
                .collect(),
            None if is_known => self.fetch_all(group, require_stable),
            None => Vec::new(),
        };
        OffsetFetchResponseGroup { group_id: request.group_id, topics, error_code: ErrorCode::None }
    }

    fn fetch_all(&self, group: &Str, require_stable: bool) -> Vec<OffsetFetchResponseTopics> {
        let mut topics: Vec<OffsetFetchResponseTopics> = Vec::new();
        for key in self.offsets.of_group(group).into_iter().flat_map(|offsets| offsets.keys()) {
            if topics.last().is_none_or(|last| last.name != key.topic) {
                topics.push(OffsetFetchResponseTopics { name: key.topic.clone(), ..Default::default() });
            }
            let fetched = self.fetched(group, key, true, require_stable);
            topics.last_mut().expect("pushed above").partitions.push(fetched);
        }
        topics
    }

    fn fetched(&self, group: &str, key: &OffsetKey, is_known: bool, require_stable: bool) -> OffsetFetchResponsePartitions {
        let nothing = OffsetFetchResponsePartitions {
            partition_index: key.partition,
            committed_offset: Offset::NONE,
            committed_leader_epoch: LeaderEpoch::NONE,
            metadata: Some(Str::new()),
            error_code: ErrorCode::None,
        };
        if require_stable && self.offsets.is_pending(group, key) {
            return OffsetFetchResponsePartitions { error_code: ErrorCode::UnstableOffsetCommit, ..nothing };
        }
        match self.offsets.get(group, key).filter(|_| is_known) {
            Some(found) => OffsetFetchResponsePartitions {
                committed_offset: found.offset,
                committed_leader_epoch: found.leader_epoch,
                metadata: Some(found.metadata.clone()),
                ..nothing
            },
            None => nothing,
        }
    }

    pub(super) fn delete_offsets(&mut self, token: Token, request: OffsetDeleteRequest, effects: &mut Effects<Groups>) {
        let is_subscribed = |topic: &str| match (self.consumers.get(&request.group_id), self.groups.get(&request.group_id)) {
            (Some(group), _) => group.is_subscribed_to(topic),
            (None, group) => group.is_some_and(|group| group.is_subscribed_to(topic)),
        };
        match self.groups.get(&request.group_id) {
            Some(group) if group.phase != Phase::Empty && !group.is_consumer() => {
                return effects.reply(token, Err(ErrorCode::NonEmptyGroup));
            }
            None if !self.consumers.contains_key(&request.group_id) => {
                return effects.reply(token, Err(ErrorCode::GroupIdNotFound));
            }
            _ => {}
        }
        let id = request.group_id.detached();
        let mut records = Vec::new();
        let mut topics = Vec::with_capacity(request.topics.len());
        for topic in request.topics {
            let error_code = if is_subscribed(&topic.name) { ErrorCode::GroupSubscribedToTopic } else { ErrorCode::None };
            let name = topic.name.detached();
            for partition in topic.partitions.iter().filter(|_| error_code.is_none()) {
                let key = OffsetKey { topic: name.clone(), partition: partition.partition_index };
                if self.offsets.get(&id, &key).is_some() || self.offsets.is_pending(&id, &key) {
                    records.push(GroupRecord::Offset { group: id.clone(), key, offset: None });
                }
            }
            let partitions = topic.partitions.into_iter();
            let answered =
                |p: OffsetDeleteRequestPartition| OffsetDeleteResponsePartition { partition_index: p.partition_index, error_code };
            topics.push(OffsetDeleteResponseTopic { name: topic.name, partitions: partitions.map(answered).collect() });
        }
        let response = GroupResponse::DeleteOffsets(OffsetDeleteResponse { topics, ..Default::default() });
        effects.write(records, Purpose::Answer { token, response });
    }
}
