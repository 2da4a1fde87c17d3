//! How a classic group gets from one generation to the next: who waits for whom, and for how long.
//!
//! Pure. Timers are set here and come back through [`super::Groups`].

use super::classic::{ClassicGroup, InitialDelay, Phase};
use super::member::Member;
use super::request::{GroupResponse, JoinAsk};
use super::{Groups, Purpose, Timer, Work, record};
use crate::config::limits;
use crate::types::ErrorCode;
use crate::wire::Str;
use crate::wire::api::join_group::{JoinGroupResponse, JoinGroupResponseMember};
use crate::wire::api::sync_group::SyncGroupResponse;
use bytes::Bytes;

/// A JoinGroup response that refuses.
pub fn join_refused(member_id: Str, error: ErrorCode) -> GroupResponse {
    GroupResponse::Join(JoinGroupResponse { error_code: error, protocol_name: None, member_id, ..Default::default() })
}

/// A SyncGroup response that refuses.
pub fn sync_refused(error: ErrorCode) -> GroupResponse {
    GroupResponse::Sync(SyncGroupResponse { error_code: error, ..Default::default() })
}

impl ClassicGroup {
    /// Takes a new member in.
    pub fn add_and_rebalance(&mut self, ask: &JoinAsk, member_id: Str, work: &mut Work) {
        let member = Member {
            instance_id: ask.request.group_instance_id.as_ref().map(Str::detached),
            client_id: ask.client_id.detached(),
            client_host: ask.client_host.detached(),
            rebalance_timeout_ms: ask.request.rebalance_timeout_ms,
            session_timeout_ms: ask.request.session_timeout_ms,
            protocols: ask.protocols(),
            assignment: Bytes::new(),
            is_new: true,
            join_waiter: Some(ask.token),
            sync_waiter: None,
        };
        if self.phase == (Phase::PreparingRebalance { initial: true }) {
            self.new_member_added = true;
        }
        if self.members.is_empty() {
            self.protocol_type = Some(ask.request.protocol_type.detached());
        }
        self.add(member_id.clone(), member);
        self.expect_within(&member_id, limits::GROUP_NEW_MEMBER_JOIN_MS_MAX, work);
        self.rebalance_or_complete(work);
    }

    /// Takes over what a member offers now; it waits for the answer.
    pub fn update_member(&mut self, id: &str, ask: &JoinAsk) {
        let protocols = ask.protocols();
        self.change(id, |member| {
            member.protocols = protocols;
            member.rebalance_timeout_ms = ask.request.rebalance_timeout_ms;
            member.session_timeout_ms = ask.request.session_timeout_ms;
            member.join_waiter = Some(ask.token);
        });
    }

    /// Something changed: begins a rebalance, or ends the one under way if this was what it waited for.
    pub fn rebalance_or_complete(&mut self, work: &mut Work) {
        if self.phase.is_preparing() { self.complete_if_joined(work) } else { self.prepare_rebalance(work) }
    }

    /// All members have to join again.
    pub fn prepare_rebalance(&mut self, work: &mut Work) {
        if self.phase == Phase::CompletingRebalance {
            self.drop_assignments(ErrorCode::RebalanceInProgress, work);
        }
        self.expect_no_sync(work);
        if self.phase == Phase::Empty {
            let delay = work.config.initial_rebalance_delay_ms;
            self.initial_delay = InitialDelay { now_ms: delay, later_ms: self.rebalance_timeout_ms().saturating_sub(delay) };
            work.timers.set(Timer::Join(self.id.clone()), work.turn.now + delay);
            self.enter(Phase::PreparingRebalance { initial: true }, work.turn.wall);
            return;
        }
        self.enter(Phase::PreparingRebalance { initial: false }, work.turn.wall);
        if self.have_all_joined() {
            self.complete_join(work);
        } else {
            self.wait_for_joins(work);
        }
    }

    fn wait_for_joins(&self, work: &mut Work) {
        work.timers.set(Timer::Join(self.id.clone()), work.turn.now + self.rebalance_timeout_ms());
    }

    /// The first rebalance of an empty group waits its time; any other ends when the last member has joined.
    pub fn complete_if_joined(&mut self, work: &mut Work) {
        if self.phase == (Phase::PreparingRebalance { initial: false }) && self.have_all_joined() {
            self.complete_join(work);
        }
    }

    /// The wait for members is over.
    pub fn join_time_is_over(&mut self, work: &mut Work) {
        let InitialDelay { now_ms, later_ms } = self.initial_delay;
        if self.phase == (Phase::PreparingRebalance { initial: true }) && self.new_member_added && later_ms != 0 {
            self.new_member_added = false;
            let next = work.config.initial_rebalance_delay_ms.min(later_ms);
            self.initial_delay = InitialDelay { now_ms: next, later_ms: later_ms.saturating_sub(now_ms) };
            work.timers.set(Timer::Join(self.id.clone()), work.turn.now + next);
        } else if self.phase.is_preparing() {
            self.complete_join(work);
        }
    }

    /// Begins the next generation with those who have joined; static members may be away.
    pub fn complete_join(&mut self, work: &mut Work) {
        work.timers.cancel(&Timer::Join(self.id.clone()));
        let is_late = |member: &Member| member.join_waiter.is_none() && member.instance_id.is_none();
        let late: Vec<Str> = self.members.iter().filter(|(_, member)| is_late(member)).map(|(id, _)| id.clone()).collect();
        for id in late {
            self.remove(&id);
            work.timers.cancel(&Timer::Session(self.id.clone(), id));
        }
        if !self.elect_joined_leader() && !self.members.is_empty() {
            // Only static members are left, and none has come back yet.
            return self.wait_for_joins(work);
        }
        self.begin_generation(work.turn.wall);
        if self.phase == Phase::Empty {
            work.effects.write(vec![record::group_metadata(self, |_| Bytes::new())], Purpose::Nothing);
            return;
        }
        let ids: Vec<Str> = self.members.keys().cloned().collect();
        for id in &ids {
            self.answer_join(id, work);
            self.expect_heartbeat(id, work);
            if let Some(member) = self.members.get_mut(id) {
                member.is_new = false;
            }
        }
        self.pending_syncs.extend(ids);
        work.timers.set(Timer::Sync(self.id.clone()), work.turn.now + self.rebalance_timeout_ms());
    }

    /// What a member of this generation is told; the leader hears of all.
    pub fn join_response(&self, id: &Str) -> JoinGroupResponse {
        JoinGroupResponse {
            generation_id: self.generation,
            protocol_type: self.protocol_type.clone(),
            protocol_name: self.protocol.clone(),
            leader: self.leader.clone().unwrap_or_default(),
            member_id: id.clone(),
            members: if self.is_leader(id) { self.members_for_leader() } else { Vec::new() },
            ..Default::default()
        }
    }

    fn members_for_leader(&self) -> Vec<JoinGroupResponseMember> {
        let protocol = self.protocol.clone().unwrap_or_default();
        let members = self.members.iter().map(|(id, member)| JoinGroupResponseMember {
            member_id: id.clone(),
            group_instance_id: member.instance_id.clone(),
            metadata: member.metadata(&protocol),
        });
        members.collect()
    }

    fn answer_join(&mut self, id: &Str, work: &mut Work) {
        let token = self.members.get_mut(id).and_then(|member| member.join_waiter.take());
        if let Some(token) = token {
            self.join_waiters -= 1;
            work.effects.reply(token, Ok(GroupResponse::Join(self.join_response(id))));
        }
    }

    /// Removes a member; whoever waits in its name is told that it is none.
    pub fn expel(&mut self, id: &Str, work: &mut Work) {
        work.timers.cancel(&Timer::Session(self.id.clone(), id.clone()));
        let Some(member) = self.remove(id) else { return };
        if let Some(token) = member.join_waiter {
            work.effects.reply(token, Ok(join_refused(Str::new(), ErrorCode::UnknownMemberId)));
        }
        if let Some(token) = member.sync_waiter {
            work.effects.reply(token, Ok(sync_refused(ErrorCode::UnknownMemberId)));
        }
    }

    /// Every member that waits for its assignment gets it.
    pub fn propagate_assignments(&mut self, work: &mut Work) {
        let waiting: Vec<Str> = self.members.iter().filter(|(_, m)| m.sync_waiter.is_some()).map(|(id, _)| id.clone()).collect();
        for id in waiting {
            let Some(member) = self.members.get_mut(&id) else { continue };
            if let Some(token) = member.sync_waiter.take() {
                let response = self.sync_response(&id);
                work.effects.reply_durable(token, Ok(GroupResponse::Sync(response)));
                self.expect_heartbeat(&id, work);
            }
        }
    }

    /// A member's assignment as of this generation.
    pub fn sync_response(&self, id: &str) -> SyncGroupResponse {
        SyncGroupResponse {
            protocol_type: self.protocol_type.clone(),
            protocol_name: self.protocol.clone(),
            assignment: self.members.get(id).map(|member| member.assignment.clone()).unwrap_or_default(),
            ..Default::default()
        }
    }

    /// There is no assignment in this generation; who waits for one hears why.
    pub fn drop_assignments(&mut self, error: ErrorCode, work: &mut Work) {
        self.set_assignments(|_| Bytes::new());
        self.drop_sync_waiters(error, work);
    }

    fn drop_sync_waiters(&mut self, error: ErrorCode, work: &mut Work) {
        let waiting: Vec<Str> = self.members.iter().filter(|(_, m)| m.sync_waiter.is_some()).map(|(id, _)| id.clone()).collect();
        for id in waiting {
            let token = self.members.get_mut(&id).and_then(|member| member.sync_waiter.take());
            if let Some(token) = token {
                work.effects.reply(token, Ok(sync_refused(error)));
                self.expect_heartbeat(&id, work);
            }
        }
    }

    /// Nobody waits any more: the group ends.
    pub fn release(&mut self, error: ErrorCode, work: &mut Work) {
        let ids: Vec<Str> = self.members.keys().cloned().collect();
        for id in ids {
            let waiter = self.change(&id, |member| member.join_waiter.take()).flatten();
            if let Some(token) = waiter {
                work.effects.reply(token, Ok(join_refused(id, error)));
            }
        }
        self.drop_sync_waiters(error, work);
    }

    /// The members' time to send SyncGroup is over.
    pub fn sync_time_is_over(&mut self, work: &mut Work) {
        if !matches!(self.phase, Phase::CompletingRebalance | Phase::Stable) || self.pending_syncs.is_empty() {
            return;
        }
        for id in std::mem::take(&mut self.pending_syncs) {
            self.remove(&id);
            work.timers.cancel(&Timer::Session(self.id.clone(), id));
        }
        self.prepare_rebalance(work);
    }

    fn expect_no_sync(&mut self, work: &mut Work) {
        self.pending_syncs.clear();
        work.timers.cancel(&Timer::Sync(self.id.clone()));
    }

    /// A member sent SyncGroup.
    pub fn note_sync(&mut self, id: &str, work: &mut Work) {
        self.pending_syncs.remove(id);
        if self.pending_syncs.is_empty() {
            work.timers.cancel(&Timer::Sync(self.id.clone()));
        }
    }

    /// The member was heard of: its session begins anew.
    pub fn expect_heartbeat(&self, id: &Str, work: &mut Work) {
        if let Some(member) = self.members.get(id) {
            self.expect_within(id, member.session_timeout_ms.max(0) as u64, work);
        }
    }

    /// The member, or who was given this id, must be heard of within `timeout_ms`.
    pub fn expect_within(&self, id: &Str, timeout_ms: u64, work: &mut Work) {
        work.timers.set(Timer::Session(self.id.clone(), id.clone()), work.turn.now + timeout_ms);
    }

    /// Nothing was heard of a member in its time.
    pub fn session_is_over(&mut self, id: &Str, work: &mut Work) {
        if self.pending_joins.contains(id) {
            self.remove(id);
            if self.phase.is_preparing() && self.have_all_joined() {
                self.complete_join(work);
            }
            return;
        }
        if self.members.get(id).is_none_or(Member::is_excused) {
            return;
        }
        self.expel(id, work);
        match self.phase {
            Phase::Stable | Phase::CompletingRebalance => self.rebalance_or_complete(work),
            Phase::PreparingRebalance { .. } if self.have_all_joined() => self.complete_join(work),
            _ => {}
        }
    }
}

impl Groups {
    /// A group's timer for [`Timer::Join`], [`Timer::Sync`] or [`Timer::Session`] is due.
    pub(super) fn fire_of_group(timer: Timer, group: &mut ClassicGroup, work: &mut Work) {
        match timer {
            Timer::Join(_) => group.join_time_is_over(work),
            Timer::Sync(_) => group.sync_time_is_over(work),
            Timer::Session(_, member) => group.session_is_over(&member, work),
            Timer::Expiry | Timer::ConsumerSession(..) | Timer::ConsumerRebalance(..) | Timer::ConsumerRegexes(_) => {
                unreachable!("no classic group's")
            }
        }
    }
}
