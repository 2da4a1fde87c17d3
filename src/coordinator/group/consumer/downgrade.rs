//! A consumer group becomes a classic group again: its last member that speaks the consumer protocol is gone, classic members are left.
//!
//! They keep what they have, and join into the next generation: the group's record has no leader, and a group that is loaded without one prepares
//! a rebalance, after a crash too. Pure.

use super::{ConsumerGroup, ConsumerMember, embedded};
use crate::coordinator::group::classic::{CONSUMER_PROTOCOL, ClassicGroup};
use crate::coordinator::group::member::{Member, Protocol};
use crate::coordinator::group::record::{GroupRecord, group_metadata};
use crate::coordinator::group::{GroupResponse, Groups, Purpose};
use crate::coordinator::machine::{Effects, Token, Turn};
use crate::types::Timestamp;
use crate::wire::Str;

impl ConsumerGroup {
    /// Everything that a member may still own: nobody else has it.
    fn classic_member(&self, member: &ConsumerMember) -> Option<Member> {
        let classic = member.about.classic_member_metadata.as_ref()?;
        let mut held = member.assigned.clone();
        for (topic, partitions) in &member.revoking {
            held.entry(*topic).or_default().extend(partitions);
        }
        let offered = |offered: &crate::wire::coordinator::ClassicProtocol| Protocol {
            name: offered.name.clone(),
            metadata: offered.metadata.clone(),
        };
        Some(Member {
            instance_id: member.about.instance_id.clone(),
            client_id: member.about.client_id.clone(),
            client_host: member.about.client_host.clone(),
            rebalance_timeout_ms: member.about.rebalance_timeout_ms,
            session_timeout_ms: classic.session_timeout_ms,
            protocols: classic.supported_protocols.iter().map(offered).collect(),
            assignment: embedded::written(&held, &self.names, member.subscription()?.version)?,
            is_new: false,
            join_waiter: None,
            sync_waiter: None,
        })
    }
}

impl Groups {
    /// The records that make a classic group of this one without those who leave; `None`: it stays what it is.
    pub(super) fn downgraded(&self, group: &ConsumerGroup, leaving: &[Str], now: Timestamp) -> Option<Vec<GroupRecord>> {
        let left = || group.members.iter().filter(|(id, _)| !leaving.contains(id));
        let count = left().count();
        if !self.config.can_downgrade || count == 0 || count > self.config.max_size {
            return None;
        }
        let mut classic = ClassicGroup::new(group.id.clone(), now);
        classic.generation = group.epoch;
        classic.protocol_type = Some(Str::from_static(CONSUMER_PROTOCOL));
        for (id, member) in left() {
            classic.add(id.clone(), group.classic_member(member)?);
        }
        classic.protocol = Some(classic.elected_protocol()?);
        classic.leader = None;
        let mut records = group.deletion();
        records.push(group_metadata(&classic, |member| member.assignment.clone()));
        Some(records)
    }

    /// A group has become a classic one: its members are to join again.
    pub(in crate::coordinator::group) fn rejoin(&mut self, turn: &mut Turn, group: &Str, effects: &mut Effects<Groups>) {
        self.with_group(turn, effects, group, |group, work| {
            let members: Vec<Str> = group.members.keys().cloned().collect();
            for member in members {
                group.expect_heartbeat(&member, work);
            }
            group.prepare_rebalance(work);
        });
    }
}

/// What records of a consumer group are written for: they may make a classic group of it.
pub fn purpose(records: &[GroupRecord], answer: Option<(Token, GroupResponse)>) -> Purpose {
    match (records.last(), answer) {
        (Some(GroupRecord::Group { group, value: Some(_) }), answer) => Purpose::Downgraded { group: group.clone(), answer },
        (_, Some((token, response))) => Purpose::Answer { token, response },
        _ => Purpose::Nothing,
    }
}
