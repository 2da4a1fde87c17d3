//! LeaveGroup: members that go, by member id or by instance id.
//!
//! Pure.

use super::Work;
use super::classic::{ClassicGroup, Phase};
use crate::types::ErrorCode;
use crate::wire::Str;
use crate::wire::api::leave_group::{LeaveGroupResponse, MemberIdentity, MemberResponse};

impl ClassicGroup {
    pub fn leave(&mut self, members: Vec<MemberIdentity>, work: &mut Work) -> LeaveGroupResponse {
        let mut responses = Vec::with_capacity(members.len());
        for member in members {
            let error_code = self.leave_one(&member, work).err().unwrap_or_default();
            responses.push(MemberResponse { member_id: member.member_id, group_instance_id: member.group_instance_id, error_code });
        }
        if responses.iter().any(|response| response.error_code.is_none()) {
            match self.phase {
                Phase::Stable | Phase::CompletingRebalance => self.rebalance_or_complete(work),
                Phase::PreparingRebalance { .. } => self.complete_if_joined(work),
                Phase::Empty => {}
            }
        }
        LeaveGroupResponse { members: responses, ..Default::default() }
    }

    fn leave_one(&mut self, member: &MemberIdentity, work: &mut Work) -> Result<(), ErrorCode> {
        let id: Str = if member.member_id.is_empty() {
            let instance = member.group_instance_id.as_ref().ok_or(ErrorCode::UnknownMemberId)?;
            self.static_members.get(instance).cloned().ok_or(ErrorCode::UnknownMemberId)?
        } else {
            if !self.pending_joins.contains(&member.member_id) {
                self.check_member(&member.member_id, member.group_instance_id.as_ref())?;
            }
            member.member_id.clone()
        };
        self.expel(&id, work);
        Ok(())
    }
}
