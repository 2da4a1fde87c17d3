//! JoinGroup: who may be a member, and what a member that joins again sets off.
//!
//! Pure.

use super::classic::{ClassicGroup, Phase};
use super::rebalance::{join_refused, sync_refused};
use super::request::{GroupResponse, JoinAsk};
use super::{Purpose, Timer, Work, record};
use crate::config::limits;
use crate::coordinator::machine::Turn;
use crate::types::ErrorCode;
use crate::wire::Str;
use crate::wire::api::join_group::JoinGroupResponse;

/// From this version on a member must first be given an id (KIP-394).
pub const VERSION_OF_REQUIRED_ID: i16 = 4;
/// From this version on a leader can be told that its assignment is not needed (KIP-814).
const VERSION_OF_SKIPPED_ASSIGNMENT: i16 = 9;

/// A static member has taken an earlier one's place: what its answer depends on.
#[derive(Clone, Debug)]
pub struct Replacement {
    pub group: Str,
    pub member: Str,
    /// Who led before, by its id of then.
    pub leader_before: Option<Str>,
    pub version: i16,
}

impl ClassicGroup {
    /// Whether the request set off nothing: no rebalance, no record.
    pub fn join(&mut self, ask: &JoinAsk, work: &mut Work) -> bool {
        let id = &ask.request.member_id;
        if !self.has_place_for(id, work.config.max_size) {
            self.remove(id);
            work.effects.reply(ask.token, Ok(join_refused(Str::new(), ErrorCode::GroupMaxSizeReached)));
            return true;
        }
        if work.turn.bytes_free < ask.bytes() {
            work.effects.reply(ask.token, Ok(join_refused(id.clone(), ErrorCode::CoordinatorNotAvailable)));
            return true;
        }
        if !self.supports(&ask.request.protocol_type, &ask.protocols()) {
            work.effects.reply(ask.token, Ok(join_refused(id.clone(), ErrorCode::InconsistentGroupProtocol)));
            return true;
        }
        if id.is_empty() { self.join_new(ask, work) } else { self.join_known(ask, work) }
    }

    fn has_place_for(&self, id: &str, max_size: usize) -> bool {
        let known = self.members.get(id);
        match self.phase {
            Phase::Empty => true,
            Phase::PreparingRebalance { .. } => known.is_some_and(|member| member.join_waiter.is_some()) || self.join_waiters < max_size,
            Phase::CompletingRebalance | Phase::Stable => known.is_some() || self.members.len() < max_size,
        }
    }

    fn join_new(&mut self, ask: &JoinAsk, work: &mut Work) -> bool {
        let prefix = ask.request.group_instance_id.as_ref().unwrap_or(&ask.client_id);
        let new_id: Str = format!("{prefix}-{}", uuid(work.turn)).into();
        if let Some(instance) = &ask.request.group_instance_id {
            match self.static_members.get(instance).cloned() {
                Some(before) => self.replace_static(ask, &before, new_id, work),
                None => self.add_and_rebalance(ask, new_id, work),
            }
            return false;
        }
        if ask.version < VERSION_OF_REQUIRED_ID {
            self.add_and_rebalance(ask, new_id, work);
            return false;
        }
        if self.pending_joins.len() >= limits::GROUP_PENDING_JOINS_MAX {
            work.effects.reply(ask.token, Ok(join_refused(Str::new(), ErrorCode::CoordinatorNotAvailable)));
            return true;
        }
        self.pending_joins.insert(new_id.clone());
        self.expect_within(&new_id, ask.request.session_timeout_ms.max(0) as u64, work);
        work.effects.reply(ask.token, Ok(join_refused(new_id, ErrorCode::MemberIdRequired)));
        true
    }

    fn join_known(&mut self, ask: &JoinAsk, work: &mut Work) -> bool {
        let id = ask.request.member_id.detached();
        if self.pending_joins.contains(&id) && ask.request.group_instance_id.is_none() {
            self.add_and_rebalance(ask, id, work);
            return false;
        }
        if let Err(error) = self.check_member(&id, ask.request.group_instance_id.as_ref()) {
            work.effects.reply(ask.token, Ok(join_refused(id, error)));
            return true;
        }
        let is_same = self.members[&id].protocols == ask.protocols();
        let has_news = match self.phase {
            Phase::PreparingRebalance { .. } => true,
            Phase::CompletingRebalance => !is_same,
            Phase::Stable => !is_same || self.is_leader(&id),
            Phase::Empty => unreachable!("an empty group has no members"),
        };
        if has_news {
            self.answer_earlier_join(&id, work);
            self.update_member(&id, ask);
            self.rebalance_or_complete(work);
            return false;
        }
        let mut response = self.join_response(&id);
        if self.phase == Phase::Stable {
            response.members.clear();
        }
        work.effects.reply(ask.token, Ok(GroupResponse::Join(response)));
        true
    }

    /// A member asks twice: only its last question stays open.
    fn answer_earlier_join(&mut self, id: &Str, work: &mut Work) {
        let token = self.change(id, |member| member.join_waiter.take()).flatten();
        if let Some(token) = token {
            work.effects.reply(token, Ok(join_refused(id.clone(), ErrorCode::RebalanceInProgress)));
        }
    }

    /// A static member is back under a new id. What it had is its own again, and if it still offers what the group agreed on nobody else notices.
    fn replace_static(&mut self, ask: &JoinAsk, before: &Str, id: Str, work: &mut Work) {
        let leader_before = self.leader.clone();
        self.rename_static(before, &id, work);
        self.expect_heartbeat(&id, work);
        self.update_member(&id, ask);
        match self.phase {
            Phase::Stable if self.elected_protocol() == self.protocol => {
                let record = record::group_metadata(self, |member| member.assignment.clone());
                let replacement = Replacement { group: self.id.clone(), member: id, leader_before, version: ask.version };
                work.effects.write(vec![record], Purpose::Replaced(replacement));
            }
            Phase::Stable => self.rebalance_or_complete(work),
            Phase::CompletingRebalance => self.prepare_rebalance(work),
            Phase::PreparingRebalance { .. } => self.complete_if_joined(work),
            Phase::Empty => unreachable!("an empty group has no members"),
        }
    }

    fn rename_static(&mut self, before: &Str, id: &Str, work: &mut Work) {
        let was_leader = self.is_leader(before);
        let was_pending_sync = self.pending_syncs.contains(before);
        work.timers.cancel(&Timer::Session(self.id.clone(), before.clone()));
        let Some(mut member) = self.remove(before) else { return };
        if let Some(token) = member.join_waiter.take() {
            work.effects.reply(token, Ok(join_refused(before.clone(), ErrorCode::FencedInstanceId)));
        }
        if let Some(token) = member.sync_waiter.take() {
            work.effects.reply(token, Ok(sync_refused(ErrorCode::FencedInstanceId)));
        }
        member.is_new = false;
        self.add(id.clone(), member);
        if was_leader {
            self.leader = Some(id.clone());
        }
        if was_pending_sync {
            self.pending_syncs.insert(id.clone());
        }
    }

    /// The record of the replacement was accepted.
    pub fn replaced(&mut self, replacement: &Replacement, work: &mut Work) {
        let id = &replacement.member;
        let token = self.change(id, |member| member.join_waiter.take()).flatten();
        let Some(token) = token else { return };
        let mut response = self.join_response(id);
        if replacement.version >= VERSION_OF_SKIPPED_ASSIGNMENT {
            response.skip_assignment = self.is_leader(id);
        } else {
            // It must not take itself for the leader: it would assign anew what all others go on with.
            response.members.clear();
            response.leader = replacement.leader_before.clone().unwrap_or_default();
        }
        work.effects.reply_durable(token, Ok(GroupResponse::Join(response)));
    }

    /// The record of the replacement was refused: the member has to ask again.
    pub fn not_replaced(&mut self, replacement: &Replacement, error: ErrorCode, work: &mut Work) {
        let token = self.change(&replacement.member, |member| member.join_waiter.take()).flatten();
        if let Some(token) = token {
            let response = JoinGroupResponse {
                error_code: error,
                generation_id: self.generation,
                protocol_type: self.protocol_type.clone(),
                protocol_name: self.protocol.clone(),
                leader: replacement.leader_before.clone().unwrap_or_default(),
                ..Default::default()
            };
            work.effects.reply(token, Ok(GroupResponse::Join(response)));
        }
    }
}

/// A random UUID (version 4) as text.
pub fn uuid(turn: &mut Turn) -> String {
    let bits = u128::from((turn.random)()) << 64 | u128::from((turn.random)());
    let bits = bits & !(0xf000 << 64) | (0x4000 << 64);
    let bits = bits & !(0xc000 << 48) | (0x8000 << 48);
    let hex = format!("{bits:032x}");
    format!("{}-{}-{}-{}-{}", &hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..])
}

/// The most members that a group may have.
pub fn max_size(configured: i32) -> usize {
    (configured.max(1) as usize).min(limits::GROUP_MEMBERS_MAX)
}
