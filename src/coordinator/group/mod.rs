//! The group coordinator's state machine: groups and their committed offsets, of one partition of `__consumer_offsets`.
//!
//! Membership lives between rebalances in memory alone, as in Kafka: what is in the log is each group's last accepted assignment, and offsets.
//! Start at [`classic`] for what a group is, [`rebalance`] for how it moves; each request has a file. Pure; `coordinator::driver` runs it.

mod admin;
mod classic;
mod commit;
mod config;
mod consumer;
mod expiry;
mod join;
mod leave;
mod member;
mod offsets;
mod rebalance;
mod record;
mod request;
mod subscription;
mod sync;
#[cfg(test)]
mod tests;

pub use config::GroupConfig;
pub use consumer::{ConsumerAsk, TopicDirectory, Topics};
pub use record::GroupRecord;
pub use request::{GroupAnswer, GroupRequest, GroupResponse, JoinAsk};

use super::machine::{Effects, Position, StateMachine, Token, Turn};
use super::timers::Timers;
use crate::config::limits;
use crate::types::{ErrorCode, ProducerId};
use crate::wire::coordinator::{self, GroupMetadataValue, KeyAndValue, RecordError};
use crate::wire::{EncodeError, Str};
use bytes::Bytes;
use classic::{ClassicGroup, Phase};
use consumer::{ConsumerGroup, Resolution};
use join::Replacement;
use offsets::Offsets;
use rebalance::join_refused;
use std::collections::BTreeMap;

/// What a group's deadline is for.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Timer {
    /// Members have joined, or are late.
    Join(Str),
    /// Members have sent SyncGroup, or are late.
    Sync(Str),
    /// A member, or who was given its id, is heard of.
    Session(Str, Str),
    /// A member of a consumer group is heard of.
    ConsumerSession(Str, Str),
    /// A member of a consumer group gives up what it must.
    ConsumerRebalance(Str, Str),
    /// A consumer group's patterns go on being resolved.
    ConsumerRegexes(Str),
    /// A look for expired offsets.
    Expiry,
}

/// What a write was for.
pub enum Purpose {
    /// An answer waits for it.
    Answer {
        token: Token,
        response: GroupResponse,
    },
    /// The leader's assignments.
    Assigned {
        group: Str,
        generation: i32,
    },
    /// A static member came back under a new id.
    Replaced(Replacement),
    /// A classic member joined a consumer group.
    Joined {
        group: Str,
        topics: Topics,
        token: Token,
        response: GroupResponse,
    },
    /// A consumer group is a classic one from now on.
    Downgraded {
        group: Str,
        answer: Option<(Token, GroupResponse)>,
    },
    Nothing,
}

/// What a group's work is done with.
pub struct Work<'a, 'b> {
    pub config: &'a GroupConfig,
    pub timers: &'a mut Timers<Timer>,
    pub turn: &'a mut Turn<'b>,
    pub effects: &'a mut Effects<Groups>,
}

/// See the module.
pub struct Groups {
    config: GroupConfig,
    groups: BTreeMap<Str, ClassicGroup>,
    consumers: BTreeMap<Str, ConsumerGroup>,
    resolutions: BTreeMap<Str, Resolution>,
    offsets: Offsets,
    timers: Timers<Timer>,
    /// There are requests and time: memory is ahead of the log.
    is_live: bool,
    groups_bytes: u64,
}

impl Groups {
    /// Does something with a group; memory is counted anew. `None` if there is no such group.
    fn with_group<T>(
        &mut self,
        turn: &mut Turn,
        effects: &mut Effects<Groups>,
        id: &str,
        work: impl FnOnce(&mut ClassicGroup, &mut Work) -> T,
    ) -> Option<T> {
        let group = self.groups.get_mut(id)?;
        let before = group.bytes();
        let result = work(group, &mut Work { config: &self.config, timers: &mut self.timers, turn, effects });
        self.groups_bytes = self.groups_bytes + group.bytes() - before;
        Some(result)
    }

    fn has_room_for_group(&self, turn: &Turn) -> bool {
        self.groups.len() + self.consumers.len() < limits::GROUPS_PER_PARTITION_MAX && turn.bytes_free > limits::GROUP_BYTES_MIN
    }

    fn insert(&mut self, group: ClassicGroup) {
        self.groups_bytes += group.bytes();
        if let Some(before) = self.groups.insert(group.id.clone(), group) {
            self.groups_bytes -= before.bytes();
        }
    }

    fn remove(&mut self, id: &str) {
        let Some(group) = self.groups.remove(id) else { return };
        self.groups_bytes -= group.bytes();
        self.timers.cancel(&Timer::Join(group.id.clone()));
        self.timers.cancel(&Timer::Sync(group.id.clone()));
        for member in group.members.keys().chain(&group.pending_joins) {
            self.timers.cancel(&Timer::Session(group.id.clone(), member.clone()));
        }
    }

    fn join(&mut self, turn: &mut Turn, ask: JoinAsk, effects: &mut Effects<Groups>) {
        let id = ask.request.group_id.detached();
        match self.consumers.get(&id) {
            Some(group) if !group.members.is_empty() => {
                return self.join_consumers(turn, &ask, effects);
            }
            // Without members it becomes a classic group.
            Some(group) if ask.request.member_id.is_empty() => effects.write(group.deletion(), Purpose::Nothing),
            _ => {}
        }
        let is_new = !self.groups.contains_key(&id);
        if is_new {
            let refusal = match ask.request.member_id.is_empty() {
                false => Some(ErrorCode::UnknownMemberId),
                true if !self.has_room_for_group(turn) => Some(ErrorCode::CoordinatorNotAvailable),
                true => None,
            };
            if let Some(error) = refusal {
                return effects.reply(ask.token, Ok(join_refused(ask.request.member_id, error)));
            }
            self.insert(ClassicGroup::new(id.clone(), turn.wall));
        }
        let was_quiet = self.with_group(turn, effects, &id, |group, work| group.join(&ask, work));
        if is_new && was_quiet == Some(true) {
            // The group outlives its first member's way from one JoinGroup to the next, wherever its coordinator is then.
            let record = self.groups.get(&id).map(|group| record::group_metadata(group, |_| Bytes::new()));
            effects.write(record.into_iter().collect(), Purpose::Nothing);
        }
    }

    pub fn group_count(&self) -> u64 {
        (self.groups.len() + self.consumers.len()) as u64
    }

    pub fn offset_count(&self) -> u64 {
        self.offsets.count()
    }

    pub fn member_count(&self) -> u64 {
        self.groups.values().map(|group| group.members.len()).chain(self.consumers.values().map(|group| group.members.len())).sum::<usize>()
            as u64
    }

    fn replay_group(&mut self, id: Str, value: Option<GroupMetadataValue>) {
        let Some(value) = value else { return self.remove(&id) };
        let Some(group) = self.groups.get_mut(&id).filter(|_| self.is_live) else {
            return self.insert(record::loaded_group(id, value));
        };
        // Memory is ahead of the log, but for what the log alone decides: assignments.
        if group.phase == Phase::CompletingRebalance && group.generation == value.generation && !value.members.is_empty() {
            let before = group.bytes();
            for member in value.members {
                group.set_assignment(&member.member_id, member.assignment);
            }
            group.enter(Phase::Stable, value.current_state_timestamp);
            self.groups_bytes = self.groups_bytes + group.bytes() - before;
        }
    }
}

impl Groups {
    fn replay_consumer(&mut self, record: coordinator::GroupRecord) {
        let Some(id) = record.consumer_group().cloned() else { return };
        if let coordinator::GroupRecord::ConsumerGroupMetadata(_, None) = record {
            if let Some(group) = self.consumers.remove(&id) {
                self.groups_bytes -= group.bytes();
            }
            return;
        }
        if !self.consumers.contains_key(&id) {
            if record.is_tombstone() {
                return;
            }
            // Offsets alone made a group of it.
            self.remove(&id);
            let group = ConsumerGroup::new(id.clone());
            self.groups_bytes += group.bytes();
            self.consumers.insert(id.clone(), group);
        }
        if let coordinator::GroupRecord::ConsumerGroupMemberMetadata(key, None) = &record {
            // Not before: a member that the log has not let go is still waited for.
            self.timers.cancel(&Timer::ConsumerSession(id.clone(), key.member_id.clone()));
            self.timers.cancel(&Timer::ConsumerRebalance(id.clone(), key.member_id.clone()));
        }
        if let Some(group) = self.consumers.get_mut(&id) {
            let before = group.bytes();
            group.apply(record);
            self.groups_bytes = self.groups_bytes + group.bytes() - before;
        }
    }
}

impl StateMachine for Groups {
    type Config = GroupConfig;
    type Request = GroupRequest;
    type Response = GroupResponse;
    type Record = GroupRecord;
    type Purpose = Purpose;

    fn new(config: GroupConfig) -> Groups {
        Groups {
            config,
            groups: BTreeMap::new(),
            consumers: BTreeMap::new(),
            resolutions: BTreeMap::new(),
            offsets: Offsets::default(),
            timers: Timers::default(),
            is_live: false,
            groups_bytes: 0,
        }
    }

    fn decode(key: &Bytes, value: Option<&Bytes>) -> Result<Option<GroupRecord>, RecordError> {
        GroupRecord::decode(key, value)
    }

    fn encode(record: &GroupRecord) -> Result<KeyAndValue, EncodeError> {
        record.encode()
    }

    fn replay(&mut self, position: Position, record: GroupRecord) {
        match record {
            GroupRecord::Group { group, value } => self.replay_group(group, value),
            GroupRecord::Consumer(record) => self.replay_consumer(*record),
            GroupRecord::Offset { group, key, offset: None } => self.offsets.remove(&group, &key),
            GroupRecord::Offset { group, key, offset: Some(mut offset) } => {
                if !self.groups.contains_key(&group) && !self.consumers.contains_key(&group) {
                    self.insert(ClassicGroup::new(group.clone(), offset.committed_at));
                }
                offset.record = position.offset;
                match position.producer_id {
                    ProducerId::NONE => self.offsets.put(group, key, offset),
                    producer => self.offsets.put_pending(producer, group, key, offset),
                }
            }
        }
    }

    fn end_transaction(&mut self, producer_id: ProducerId, committed: bool) {
        self.offsets.end_transaction(producer_id, committed);
    }

    fn loaded(&mut self, turn: &mut Turn, effects: &mut Effects<Groups>) {
        self.is_live = true;
        self.timers.set(Timer::Expiry, turn.now + self.config.retention_check_ms);
        self.expect_consumers(turn.now);
        let with_members = self.groups.values().filter(|group| !group.members.is_empty()).map(|group| group.id.clone());
        for id in with_members.collect::<Vec<_>>() {
            self.with_group(turn, effects, &id, |group, work| {
                let members: Vec<Str> = group.members.keys().cloned().collect();
                members.iter().for_each(|member| group.expect_heartbeat(member, work));
                if members.len() > work.config.max_size || group.phase.is_preparing() {
                    group.prepare_rebalance(work);
                }
            });
        }
    }

    fn handle(&mut self, turn: &mut Turn, token: Token, request: GroupRequest, effects: &mut Effects<Groups>) {
        let in_group = |found: Option<ErrorCode>| found.unwrap_or(ErrorCode::UnknownMemberId);
        match request {
            GroupRequest::Join(ask) => self.join(turn, JoinAsk { token, ..*ask }, effects),
            GroupRequest::Sync(request) if self.consumers.contains_key(&request.group_id) => {
                self.sync_consumers(turn, token, &request, effects);
            }
            GroupRequest::Heartbeat(request) if self.consumers.contains_key(&request.group_id) => {
                let error = self.heartbeat_consumers(turn, &request);
                effects.reply(token, Ok(GroupResponse::Heartbeat(error)));
            }
            GroupRequest::Sync(request) => {
                let id = request.group_id.clone();
                if self.with_group(turn, effects, &id, |group, work| group.sync(token, request, work)).is_none() {
                    effects.reply(token, Err(ErrorCode::UnknownMemberId));
                }
            }
            GroupRequest::Heartbeat(request) => {
                let error = self.with_group(turn, effects, &request.group_id, |group, work| group.heartbeat(&request, work));
                effects.reply(token, Ok(GroupResponse::Heartbeat(in_group(error))));
            }
            GroupRequest::Leave { group, members } if self.consumers.contains_key(&group) => {
                self.expel_consumers(turn, token, &group, members, effects)
            }
            GroupRequest::Leave { group, members } => {
                match self.with_group(turn, effects, &group, |group, work| group.leave(members, work)) {
                    Some(response) => effects.reply_durable(token, Ok(GroupResponse::Leave(response))),
                    None => effects.reply(token, Err(ErrorCode::UnknownMemberId)),
                }
            }
            GroupRequest::Commit { request, version } => self.commit(turn, token, request, version, None, effects),
            GroupRequest::TxnCommit { request, transaction, .. } => self.commit(turn, token, request, 0, Some(transaction), effects),
            GroupRequest::EndTransaction(ending) => {
                effects.end_transaction(ending, Purpose::Answer { token, response: GroupResponse::TransactionEnded });
            }
            GroupRequest::Fetch { group, require_stable } => {
                effects.reply_durable(token, Ok(GroupResponse::Fetch(self.fetch(group, require_stable))));
            }
            GroupRequest::DeleteOffsets(request) => self.delete_offsets(token, request, effects),
            GroupRequest::Describe { groups, version } => {
                effects.reply_durable(token, Ok(GroupResponse::Describe(self.describe(groups, version))));
            }
            GroupRequest::ConsumerHeartbeat(ask) => self.consumer_heartbeat(turn, token, *ask, effects),
            GroupRequest::DescribeConsumers { groups } => {
                effects.reply_durable(token, Ok(GroupResponse::DescribeConsumers(self.describe_consumers(groups))));
            }
            GroupRequest::Delete { groups } => self.delete(token, groups, effects),
            GroupRequest::List { states, types } => effects.reply_durable(token, Ok(GroupResponse::List(self.list(&states, &types)))),
            GroupRequest::TopicsDeleted(topics) => self.forget_topics(token, topics, effects),
        }
    }

    fn written(&mut self, turn: &mut Turn, purpose: Purpose, effects: &mut Effects<Groups>) {
        match purpose {
            Purpose::Answer { token, response } => effects.reply_durable(token, Ok(response)),
            Purpose::Assigned { group, generation } => {
                self.with_group(turn, effects, &group, |group, work| group.assigned(generation, work));
            }
            Purpose::Replaced(replacement) => {
                self.with_group(turn, effects, &replacement.group, |group, work| group.replaced(&replacement, work));
            }
            Purpose::Joined { group, topics, token, response } => {
                if let Some(group) = self.consumers.get_mut(&group) {
                    group.learn_names(&*topics.0);
                }
                effects.reply_durable(token, Ok(response));
            }
            Purpose::Downgraded { group, answer } => {
                self.rejoin(turn, &group, effects);
                if let Some((token, response)) = answer {
                    effects.reply_durable(token, Ok(response));
                }
            }
            Purpose::Nothing => {}
        }
    }

    fn refused(&mut self, turn: &mut Turn, purpose: Purpose, error: ErrorCode, effects: &mut Effects<Groups>) {
        match purpose {
            Purpose::Answer { token, .. } | Purpose::Joined { token, .. } | Purpose::Downgraded { answer: Some((token, _)), .. } => {
                effects.reply(token, Err(error));
            }
            Purpose::Assigned { group, generation } => {
                self.with_group(turn, effects, &group, |group, work| group.not_assigned(generation, error, work));
            }
            Purpose::Replaced(replacement) => {
                self.with_group(turn, effects, &replacement.group, |group, work| group.not_replaced(&replacement, error, work));
            }
            Purpose::Downgraded { .. } | Purpose::Nothing => {}
        }
    }

    fn next_timeout(&self) -> Option<u64> {
        self.timers.next()
    }

    fn fire(&mut self, turn: &mut Turn, effects: &mut Effects<Groups>) {
        let Some(timer) = self.timers.pop_due(turn.now) else { return };
        let group = match &timer {
            Timer::Expiry => return self.expire(turn, effects),
            Timer::ConsumerRegexes(group) => return self.resolve_regexes(turn, group, effects),
            Timer::ConsumerSession(group, member) | Timer::ConsumerRebalance(group, member) => {
                return self.fence_consumer(turn, group, member, effects);
            }
            Timer::Join(group) | Timer::Sync(group) | Timer::Session(group, _) => group.clone(),
        };
        self.with_group(turn, effects, &group, |group, work| Groups::fire_of_group(timer, group, work));
    }

    fn bytes(&self) -> u64 {
        self.groups_bytes + self.offsets.bytes()
    }
}
