//! Members of a consumer group that speak the classic protocol: JoinGroup, SyncGroup and Heartbeat as steps of the group's reconciliation.
//!
//! A member's epoch is its generation; nobody leads. Pure.

use super::assignor::Assignor;
use super::embedded::{self, Subscription};
use super::heartbeat::TopicDirectory;
use super::{Assignment, ConsumerGroup, ConsumerMember, Draft, LEFT, MemberState};
use crate::coordinator::group::classic::CONSUMER_PROTOCOL;
use crate::coordinator::group::join::{VERSION_OF_REQUIRED_ID, uuid};
use crate::coordinator::group::member::Protocol;
use crate::coordinator::group::rebalance::{join_refused, sync_refused};
use crate::coordinator::group::{GroupResponse, Groups, JoinAsk, Purpose, Timer};
use crate::coordinator::machine::{Effects, Token, Turn};
use crate::types::{ErrorCode, TopicId};
use crate::wire::Str;
use crate::wire::api::heartbeat::HeartbeatRequest;
use crate::wire::api::join_group::JoinGroupResponse;
use crate::wire::api::sync_group::{SyncGroupRequest, SyncGroupResponse};
use crate::wire::coordinator::{ClassicMemberMetadata, ClassicProtocol, ConsumerGroupMemberMetadataValue};
use std::collections::BTreeMap;

impl ConsumerMember {
    pub fn is_classic(&self) -> bool {
        self.about.classic_member_metadata.is_some()
    }

    /// How long nothing may be heard of it, in ms.
    pub fn session_ms(&self, of_consumers: u64) -> u64 {
        self.about.classic_member_metadata.as_ref().map_or(of_consumers, |classic| classic.session_timeout_ms.max(0) as u64)
    }

    /// As it said with the protocol it prefers.
    pub fn subscription(&self) -> Option<Subscription> {
        Subscription::read(&self.about.classic_member_metadata.as_ref()?.supported_protocols.first()?.metadata)
    }

    fn protocol(&self) -> Option<Str> {
        self.about.classic_member_metadata.as_ref()?.supported_protocols.first().map(|offered| offered.name.clone())
    }

    /// Memory of what it offers, about.
    pub fn classic_bytes(&self) -> usize {
        let offered = self.about.classic_member_metadata.iter().flat_map(|classic| &classic.supported_protocols);
        offered.map(|offered| offered.name.len() + offered.metadata.len() + 96).sum()
    }
}

impl ConsumerGroup {
    /// Classic members are told names: those of what they subscribe to, and of what they still have.
    pub fn learn_names(&mut self, topics: &dyn TopicDirectory) {
        let classic = || self.members.values().filter(|member| member.is_classic());
        let mut names: BTreeMap<TopicId, Str> = BTreeMap::new();
        for member in classic() {
            let held = member.assigned.keys().chain(member.revoking.keys());
            names.extend(held.filter_map(|topic| Some((*topic, self.names.get(topic)?.clone()))));
            let subscribed = member.about.subscribed_topic_names.iter();
            names.extend(subscribed.filter_map(|name| Some((topics.by_name(name)?.0, name.clone()))));
        }
        self.names = names;
    }

    fn classic(&self, member: &str, instance: Option<&Str>) -> Result<(&Str, &ConsumerMember), ErrorCode> {
        if let Some(instance) = instance {
            let (known, _) = self.static_member(instance).ok_or(ErrorCode::UnknownMemberId)?;
            if **known != *member {
                return Err(ErrorCode::FencedInstanceId);
            }
        }
        self.members.get_key_value(member).filter(|(_, member)| member.is_classic()).ok_or(ErrorCode::UnknownMemberId)
    }

    /// All classic members share one of these protocols.
    fn supports(&self, kind: &str, protocols: &[Protocol]) -> bool {
        let classic = || self.members.values().filter_map(|member| member.about.classic_member_metadata.as_ref());
        let is_shared = |offered: &Protocol| classic().all(|known| known.supported_protocols.iter().any(|one| one.name == offered.name));
        kind == CONSUMER_PROTOCOL && protocols.iter().any(is_shared)
    }

    /// Something that the member is to own is still another's.
    fn is_waiting(&self, id: &Str, member: &ConsumerMember) -> bool {
        let Some(target) = self.target.get(id) else { return false };
        target.iter().any(|(topic, partitions)| {
            let held = member.assigned.get(topic);
            let is_coming = |partition: &&_| held.is_none_or(|held| !held.contains(partition));
            partitions.iter().filter(is_coming).any(|partition| self.owners.contains_key(&(*topic, *partition)))
        })
    }

    fn has_to_rejoin(&self, id: &Str, member: &ConsumerMember) -> bool {
        member.epoch < self.epoch
            || member.state == MemberState::Unrevoked
            || (member.state == MemberState::Unreleased && !self.is_waiting(id, member))
    }
}

fn about(before: &ConsumerGroupMemberMetadataValue, ask: &JoinAsk, subscription: &Subscription) -> ConsumerGroupMemberMetadataValue {
    let offered = ask.protocols().into_iter();
    ConsumerGroupMemberMetadataValue {
        instance_id: ask.request.group_instance_id.as_ref().map(Str::detached).or_else(|| before.instance_id.clone()),
        rack_id: subscription.rack.clone().or_else(|| before.rack_id.clone()),
        client_id: ask.client_id.detached(),
        client_host: ask.client_host.detached(),
        subscribed_topic_names: subscription.topics.clone(),
        subscribed_topic_regex: None,
        rebalance_timeout_ms: ask.request.rebalance_timeout_ms,
        server_assignor: before.server_assignor.clone(),
        classic_member_metadata: Some(ClassicMemberMetadata {
            session_timeout_ms: ask.request.session_timeout_ms,
            supported_protocols: offered.map(|one| ClassicProtocol { name: one.name, metadata: one.metadata }).collect(),
        }),
    }
}

impl Draft {
    /// Who joins; a static member without an id takes the place of the one before.
    fn classic_joiner(&mut self, ask: &JoinAsk, id: &Str) -> Result<ConsumerMember, ErrorCode> {
        let new = || ConsumerMember { previous_epoch: LEFT, ..Default::default() };
        let known = self.group.members.get(id).cloned();
        let Some(instance) = &ask.request.group_instance_id else { return Ok(known.unwrap_or_else(new)) };
        let existing = self.group.static_member(instance).map(|(id, member)| (id.clone(), member.clone()));
        match existing {
            Some((before, member)) if ask.request.member_id.is_empty() => {
                let target = self.group.target.get(&before).cloned().unwrap_or_default();
                let member = ConsumerMember { epoch: 0, previous_epoch: 0, ..member };
                self.put_about(id, member.about.clone());
                self.remove(&before);
                self.put_target(id, &target);
                self.put_current(id, &member);
                Ok(member)
            }
            Some((before, _)) if before != *id => Err(ErrorCode::FencedInstanceId),
            Some((_, member)) => Ok(member),
            None if ask.request.member_id.is_empty() => Ok(new()),
            None => Err(ErrorCode::UnknownMemberId),
        }
    }

    fn classic_join(&mut self, ask: &JoinAsk, id: &Str, default: Assignor, turn: &Turn) -> Result<ConsumerMember, ErrorCode> {
        let first = ask.request.protocols.first().and_then(|offered| Subscription::read(&offered.metadata));
        let subscription = first.ok_or(ErrorCode::UnknownServerError)?;
        let before = self.classic_joiner(ask, id)?;
        let topics = &*ask.topics.0;
        let owned: Assignment = embedded::by_id(&subscription.owned, topics);
        let about = about(&before.about, ask, &subscription);
        let is_new = !self.group.members.contains_key(id);
        let is_changed = is_new || about.subscribed_topic_names != before.about.subscribed_topic_names;
        if is_new || about != before.about {
            self.put_about(id, about);
        }
        if let Some(regex) = &before.about.subscribed_topic_regex {
            self.forget_regex(regex);
        }
        let hash = self.group.topics_hash(topics);
        if is_changed || hash != self.group.metadata_hash {
            self.put_epoch(self.group.epoch + 1, hash);
        }
        if self.group.epoch > self.group.target_epoch {
            self.assign(topics, default, turn.wall);
        }
        let target = self.group.target.get(id).cloned().unwrap_or_default();
        let member = self.group.members.get(id).cloned().unwrap_or_default();
        let member = ConsumerMember { epoch: before.epoch, previous_epoch: before.previous_epoch, ..member };
        let next = self.group.step(&member, &target, Some(&owned)).map_err(|()| ErrorCode::FencedMemberEpoch)?;
        if next != member || is_new {
            self.put_current(id, &next);
        }
        Ok(next)
    }
}

impl Groups {
    /// JoinGroup to a consumer group with members.
    pub(in crate::coordinator::group) fn join_consumers(&mut self, turn: &mut Turn, ask: &JoinAsk, effects: &mut Effects<Groups>) {
        let named = &ask.request.member_id;
        let refuse = |effects: &mut Effects<Groups>, id: Str, error| effects.reply(ask.token, Ok(join_refused(id, error)));
        let Some(group) = self.consumers.get(&ask.request.group_id) else {
            return refuse(effects, named.clone(), ErrorCode::UnknownMemberId);
        };
        let error = if group.members.len() >= self.config.consumer_max_size && !group.members.contains_key(named) {
            Some(ErrorCode::GroupMaxSizeReached)
        } else if !group.supports(&ask.request.protocol_type, &ask.protocols()) {
            Some(ErrorCode::InconsistentGroupProtocol)
        } else if turn.bytes_free < ask.bytes() {
            Some(ErrorCode::CoordinatorNotAvailable)
        } else {
            None
        };
        if let Some(error) = error {
            return refuse(effects, named.clone(), error);
        }
        let id = if named.is_empty() { Str::from(uuid(turn)) } else { named.detached() };
        if named.is_empty() && ask.request.group_instance_id.is_none() && ask.version >= VERSION_OF_REQUIRED_ID {
            return refuse(effects, id, ErrorCode::MemberIdRequired);
        }
        let mut draft = Draft::of(group.clone());
        let member = match draft.classic_join(ask, &id, self.config.consumer_assignor, turn) {
            Ok(member) => member,
            Err(error) => return refuse(effects, id, error),
        };
        let group = draft.group.id.clone();
        self.timers.set(Timer::ConsumerSession(group.clone(), id.clone()), turn.now + ask.request.session_timeout_ms.max(0) as u64);
        // It has to send SyncGroup by then.
        let late = turn.now + ask.request.rebalance_timeout_ms.max(0) as u64;
        self.timers.set(Timer::ConsumerRebalance(group, id.clone()), late);
        let response = GroupResponse::Join(JoinGroupResponse {
            generation_id: member.epoch,
            protocol_type: Some(Str::from_static(CONSUMER_PROTOCOL)),
            protocol_name: ask.protocols().first().map(|offered| offered.name.clone()),
            member_id: id,
            ..Default::default()
        });
        let purpose = Purpose::Joined { group: draft.group.id.clone(), topics: ask.topics.clone(), token: ask.token, response };
        effects.write(draft.records, purpose);
    }

    fn has_to_rejoin(&mut self, now: u64, group: &str, member: &str) -> bool {
        let Some(group) = self.consumers.get(group) else { return true };
        let Some((id, member)) = group.members.get_key_value(member) else { return true };
        let has_to = group.has_to_rejoin(id, member);
        if has_to {
            let late = now + member.about.rebalance_timeout_ms.max(0) as u64;
            self.timers.set_if_absent(Timer::ConsumerRebalance(group.id.clone(), id.clone()), late);
        }
        has_to
    }

    fn expect_classic(&mut self, now: u64, group: &str, member: &str) {
        let Some(group) = self.consumers.get(group) else { return };
        if let Some((id, member)) = group.members.get_key_value(member) {
            self.timers.set(Timer::ConsumerSession(group.id.clone(), id.clone()), now + member.session_ms(0));
        }
    }

    /// Heartbeat to a consumer group.
    pub(in crate::coordinator::group) fn heartbeat_consumers(&mut self, turn: &Turn, request: &HeartbeatRequest) -> ErrorCode {
        let Some(group) = self.consumers.get(&request.group_id) else { return ErrorCode::UnknownMemberId };
        match group.classic(&request.member_id, request.group_instance_id.as_ref()) {
            Err(error) => return error,
            Ok((_, member)) if member.epoch != request.generation_id => return ErrorCode::IllegalGeneration,
            Ok(_) => {}
        }
        self.expect_classic(turn.now, &request.group_id, &request.member_id);
        match self.has_to_rejoin(turn.now, &request.group_id, &request.member_id) {
            true => ErrorCode::RebalanceInProgress,
            false => ErrorCode::None,
        }
    }

    fn synced(&mut self, turn: &Turn, request: &SyncGroupRequest) -> Result<SyncGroupResponse, ErrorCode> {
        let group = self.consumers.get(&request.group_id).ok_or(ErrorCode::UnknownMemberId)?;
        let (id, member) = group.classic(&request.member_id, request.group_instance_id.as_ref())?;
        if member.epoch != request.generation_id {
            return Err(ErrorCode::IllegalGeneration);
        }
        let protocol = member.protocol();
        let is_other = |said: &Option<Str>, is: Option<&str>| said.as_ref().is_some_and(|said| Some(&**said) != is);
        if is_other(&request.protocol_type, Some(CONSUMER_PROTOCOL)) || is_other(&request.protocol_name, protocol.as_deref()) {
            return Err(ErrorCode::InconsistentGroupProtocol);
        }
        let is_behind = group.epoch > member.epoch && member.state != MemberState::Unrevoked;
        let version = member.subscription().map_or(0, |subscription| subscription.version);
        // After a crash names are known when the member has joined again.
        let assignment = embedded::written(&member.assigned, &group.names, version).filter(|_| !is_behind);
        let timer = Timer::ConsumerRebalance(group.id.clone(), id.clone());
        let Some(assignment) = assignment else {
            let late = turn.now + member.about.rebalance_timeout_ms.max(0) as u64;
            self.timers.set_if_absent(timer, late);
            return Err(ErrorCode::RebalanceInProgress);
        };
        self.timers.cancel(&timer);
        self.expect_classic(turn.now, &request.group_id, &request.member_id);
        let protocol_type = Some(Str::from_static(CONSUMER_PROTOCOL));
        Ok(SyncGroupResponse { protocol_type, protocol_name: protocol, assignment, ..Default::default() })
    }

    /// SyncGroup to a consumer group.
    pub(in crate::coordinator::group) fn sync_consumers(
        &mut self,
        turn: &Turn,
        token: Token,
        request: &SyncGroupRequest,
        effects: &mut Effects<Groups>,
    ) {
        match self.synced(turn, request) {
            Ok(response) => effects.reply_durable(token, Ok(GroupResponse::Sync(response))),
            Err(error) => effects.reply(token, Ok(sync_refused(error))),
        }
    }
}
