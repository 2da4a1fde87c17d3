//! SyncGroup and Heartbeat: the members of a generation get their assignments, and keep in touch.
//!
//! Pure.

use super::classic::{ClassicGroup, Phase};
use super::rebalance::sync_refused;
use super::request::GroupResponse;
use super::{Purpose, Work, record};
use crate::coordinator::machine::Token;
use crate::types::ErrorCode;
use crate::wire::Str;
use crate::wire::api::heartbeat::HeartbeatRequest;
use crate::wire::api::sync_group::SyncGroupRequest;
use bytes::Bytes;
use std::collections::BTreeMap;

impl ClassicGroup {
    pub fn sync(&mut self, token: Token, request: SyncGroupRequest, work: &mut Work) {
        let refusal = match self.check_sync(&request) {
            Err(error) => Some(error),
            Ok(()) if self.phase.is_preparing() => Some(ErrorCode::RebalanceInProgress),
            Ok(()) => None,
        };
        if let Some(error) = refusal {
            return work.effects.reply(token, Ok(sync_refused(error)));
        }
        let id = request.member_id.clone();
        self.note_sync(&id, work);
        if self.phase == Phase::Stable {
            return work.effects.reply_durable(token, Ok(GroupResponse::Sync(self.sync_response(&id))));
        }
        let earlier = self.members.get_mut(&id).and_then(|member| member.sync_waiter.replace(token));
        if let Some(earlier) = earlier {
            work.effects.reply(earlier, Ok(sync_refused(ErrorCode::RebalanceInProgress)));
        }
        if self.is_leader(&id) {
            self.take_assignments(request, work);
        }
    }

    fn check_sync(&self, request: &SyncGroupRequest) -> Result<(), ErrorCode> {
        self.check_member(&request.member_id, request.group_instance_id.as_ref())?;
        if request.generation_id != self.generation {
            return Err(ErrorCode::IllegalGeneration);
        }
        let differs = |said: &Option<Str>, is: &Option<Str>| said.as_ref().zip(is.as_ref()).is_some_and(|(said, is)| said != is);
        if differs(&request.protocol_type, &self.protocol_type) || differs(&request.protocol_name, &self.protocol) {
            return Err(ErrorCode::InconsistentGroupProtocol);
        }
        Ok(())
    }

    /// The leader's assignments become the record that makes the group stable.
    fn take_assignments(&mut self, request: SyncGroupRequest, work: &mut Work) {
        let given: BTreeMap<Str, Bytes> = request.assignments.into_iter().map(|one| (one.member_id, one.assignment)).collect();
        let bytes: usize = given.values().map(Bytes::len).sum();
        let purpose = Purpose::Assigned { group: self.id.clone(), generation: self.generation };
        if work.turn.bytes_free < bytes as u64 {
            return self.not_assigned(self.generation, ErrorCode::CoordinatorNotAvailable, work);
        }
        let assigned = self.members.keys().map(|id| (id.clone(), given.get(id).map(|own| Bytes::copy_from_slice(own)).unwrap_or_default()));
        let assigned: BTreeMap<Str, Bytes> = assigned.collect();
        let record = record::group_metadata_with(self, |id, _| assigned.get(id).cloned().unwrap_or_default());
        work.effects.write(vec![record], purpose);
    }

    /// The record with the assignments was accepted, and replayed.
    pub fn assigned(&mut self, generation: i32, work: &mut Work) {
        if self.phase == Phase::Stable && self.generation == generation {
            self.propagate_assignments(work);
        }
    }

    /// The record with the assignments was refused: all have to join again.
    pub fn not_assigned(&mut self, generation: i32, error: ErrorCode, work: &mut Work) {
        if self.phase == Phase::CompletingRebalance && self.generation == generation {
            self.drop_assignments(error, work);
            self.rebalance_or_complete(work);
        }
    }

    /// Gives every member its assignment.
    pub fn set_assignments(&mut self, mut assignment: impl FnMut(&Str) -> Bytes) {
        let ids: Vec<Str> = self.members.keys().cloned().collect();
        for id in ids {
            let assignment = assignment(&id);
            self.set_assignment(&id, assignment);
        }
    }

    pub fn heartbeat(&mut self, request: &HeartbeatRequest, work: &mut Work) -> ErrorCode {
        if let Err(error) = self.check_member(&request.member_id, request.group_instance_id.as_ref()) {
            return error;
        }
        if request.generation_id != self.generation {
            return ErrorCode::IllegalGeneration;
        }
        self.expect_heartbeat(&request.member_id.detached(), work);
        if self.phase.is_preparing() { ErrorCode::RebalanceInProgress } else { ErrorCode::None }
    }
}
