//! Members that leave, for good or for a while, and those who are put out.
//!
//! Pure.

use super::heartbeat::{Refused, unknown_member};
use super::{Assignment, ConsumerMember, Draft, LEFT_FOR_A_WHILE};
use crate::coordinator::group::record::GroupRecord;
use crate::coordinator::group::{Groups, Purpose, Timer};
use crate::coordinator::machine::Effects;
use crate::types::ErrorCode;
use crate::wire::Str;
use crate::wire::api::consumer_group_heartbeat::{ConsumerGroupHeartbeatRequest, ConsumerGroupHeartbeatResponse};

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

impl Groups {
    pub(super) fn leave_consumer_group(
        &mut self,
        request: &ConsumerGroupHeartbeatRequest,
    ) -> Result<(Vec<GroupRecord>, ConsumerGroupHeartbeatResponse), Refused> {
        let id = &request.group_id;
        let Some(group) = self.consumers.get(id) else {
            let text = if self.groups.contains_key(id) {
                format!("Group {id} is not a consumer group.")
            } else {
                format!("Group {id} not found.")
            };
            return Err(Refused(ErrorCode::GroupIdNotFound, text));
        };
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
        } else {
            draft.fence(&member_id);
            self.timers.cancel(&Timer::ConsumerSession(draft.group.id.clone(), member_id.clone()));
        }
        self.timers.cancel(&Timer::ConsumerRebalance(draft.group.id.clone(), member_id.clone()));
        let response =
            ConsumerGroupHeartbeatResponse { member_id: Some(member_id), member_epoch: request.member_epoch, ..Default::default() };
        Ok((draft.records, response))
    }

    /// A member's time is over.
    pub(in crate::coordinator::group) fn fence_consumer(&mut self, group: &Str, member: &Str, effects: &mut Effects<Groups>) {
        let Some(group) = self.consumers.get(group).filter(|group| group.members.contains_key(member)) else { return };
        let mut draft = Draft::of(group.clone());
        draft.fence(member);
        self.timers.cancel(&Timer::ConsumerSession(draft.group.id.clone(), member.clone()));
        self.timers.cancel(&Timer::ConsumerRebalance(draft.group.id.clone(), member.clone()));
        effects.write(draft.records, Purpose::Nothing);
    }
}
