//! Members that leave, for good or for a while, and those who are put out.
//!
//! Pure.

use super::downgrade::purpose;
use super::heartbeat::{Refused, unknown_member};
use super::{Assignment, ConsumerGroup, ConsumerMember, Draft, LEFT_FOR_A_WHILE};
use crate::coordinator::group::record::GroupRecord;
use crate::coordinator::group::{GroupResponse, Groups, Timer};
use crate::coordinator::machine::{Effects, Token, Turn};
use crate::types::{ErrorCode, Timestamp};
use crate::wire::Str;
use crate::wire::api::consumer_group_heartbeat::{ConsumerGroupHeartbeatRequest, ConsumerGroupHeartbeatResponse};
use crate::wire::api::leave_group::{LeaveGroupResponse, MemberIdentity, MemberResponse};

pub fn fenced_instance(member: &str, instance: &str) -> Refused {
    let text = format!("Static member {member} with instance id {instance} was fenced by another member.");
    Refused(ErrorCode::FencedInstanceId, text)
}

impl Draft {
    /// Takes a member out; the others' target is made anew at the next heartbeat.
    fn fence(&mut self, member: &Str) {
        self.remove(member);
        self.put_epoch(self.group.epoch + 1, self.group.metadata_hash);
    }
}

impl ConsumerGroup {
    /// Who is meant: by member id, or by instance id alone.
    fn named(&self, member: &MemberIdentity) -> Result<Str, ErrorCode> {
        let instance = member.group_instance_id.as_deref();
        if member.member_id.is_empty() {
            let found = instance.and_then(|instance| self.static_member(instance));
            return found.map(|(id, _)| id.clone()).ok_or(ErrorCode::UnknownMemberId);
        }
        match instance.map(|instance| self.static_member(instance).ok_or(ErrorCode::UnknownMemberId)).transpose()? {
            Some((id, _)) if *id != member.member_id => Err(ErrorCode::FencedInstanceId),
            _ => self.members.get_key_value(&member.member_id).map(|(id, _)| id.clone()).ok_or(ErrorCode::UnknownMemberId),
        }
    }
}

impl Groups {
    pub(super) fn leave_consumer_group(
        &mut self,
        request: &ConsumerGroupHeartbeatRequest,
        now: Timestamp,
    ) -> Result<(Vec<GroupRecord>, ConsumerGroupHeartbeatResponse), Refused> {
        let id = &request.group_id;
        let Some(group) = self.consumers.get(id) else { return Err(self.no_consumer_group(id)) };
        let found = match &request.instance_id {
            None => group.members.get_key_value(&request.member_id).ok_or_else(|| unknown_member(&request.member_id, id))?,
            Some(instance) => {
                let unknown = || Refused(ErrorCode::UnknownMemberId, format!("Instance id {instance} is unknown."));
                let found = group.static_member(instance).ok_or_else(unknown)?;
                if *found.0 != request.member_id {
                    return Err(fenced_instance(&request.member_id, instance));
                }
                found
            }
        };
        let (member_id, member) = (found.0.clone(), found.1.clone());
        let mut draft = Draft::of(group.clone());
        if request.member_epoch == LEFT_FOR_A_WHILE {
            let left = ConsumerMember { epoch: LEFT_FOR_A_WHILE, previous_epoch: member.epoch, revoking: Assignment::new(), ..member };
            draft.put_current(&member_id, &left);
            self.timers.cancel(&Timer::ConsumerRebalance(draft.group.id.clone(), member_id.clone()));
        } else {
            match self.downgraded(group, std::slice::from_ref(&member_id), now) {
                Some(records) => draft.records = records,
                None => draft.fence(&member_id),
            }
        }
        let response =
            ConsumerGroupHeartbeatResponse { member_id: Some(member_id), member_epoch: request.member_epoch, ..Default::default() };
        Ok((draft.records, response))
    }

    /// LeaveGroup of members of a consumer group, as who administers it sends it.
    pub(in crate::coordinator::group) fn expel_consumers(
        &mut self,
        turn: &Turn,
        token: Token,
        group: &Str,
        members: Vec<MemberIdentity>,
        effects: &mut Effects<Groups>,
    ) {
        let Some(found) = self.consumers.get(group) else { return effects.reply(token, Err(ErrorCode::UnknownMemberId)) };
        let mut draft = Draft::of(found.clone());
        let mut left = Vec::new();
        let mut responses = Vec::with_capacity(members.len());
        for member in members {
            let error_code = match draft.group.named(&member) {
                Ok(id) => {
                    draft.remove(&id);
                    left.push(id);
                    ErrorCode::None
                }
                Err(error) => error,
            };
            responses.push(MemberResponse { member_id: member.member_id, group_instance_id: member.group_instance_id, error_code });
        }
        let response = GroupResponse::Leave(LeaveGroupResponse { members: responses, ..Default::default() });
        if draft.records.is_empty() {
            return effects.reply_durable(token, Ok(response));
        }
        draft.put_epoch(draft.group.epoch + 1, draft.group.metadata_hash);
        let downgraded = self.consumers.get(group).and_then(|group| self.downgraded(group, &left, turn.wall));
        let records = downgraded.unwrap_or(draft.records);
        let purpose = purpose(&records, Some((token, response)));
        effects.write(records, purpose);
    }

    /// A member's time is over. Where the log does not take that, it is tried again.
    pub(in crate::coordinator::group) fn fence_consumer(&mut self, turn: &Turn, group: &Str, member: &Str, effects: &mut Effects<Groups>) {
        let Some(group) = self.consumers.get(group).filter(|group| group.members.contains_key(member)) else { return };
        let mut draft = Draft::of(group.clone());
        match self.downgraded(group, std::slice::from_ref(member), turn.wall) {
            Some(records) => draft.records = records,
            None => draft.fence(member),
        }
        let again = turn.now + self.config.consumer_session_ms;
        self.timers.set(Timer::ConsumerSession(draft.group.id.clone(), member.clone()), again);
        let purpose = purpose(&draft.records, None);
        effects.write(draft.records, purpose);
    }
}
