//! ListGroups, DescribeGroups, DeleteGroups, and topics that are gone.
//!
//! Pure.

use super::classic::{ClassicGroup, Phase};
use super::consumer::CONSUMER;
use super::member::Member;
use super::record::GroupRecord;
use super::request::GroupResponse;
use super::{Groups, Purpose};
use crate::coordinator::machine::{Effects, Token};
use crate::types::ErrorCode;
use crate::wire::Str;
use crate::wire::api::delete_groups::DeletableGroupResult;
use crate::wire::api::describe_groups::{DescribedGroup, DescribedGroupMember};
use crate::wire::api::list_groups::ListedGroup;
use std::collections::BTreeSet;

/// From this version on a group that is not there is an error; before, it is dead.
const VERSION_OF_UNKNOWN_GROUP: i16 = 6;

/// Offsets of deleted topics that go at once: far below what one write may have.
const RECORDS_PER_WRITE: usize = 1_000;

/// Kafka's name for groups of this kind.
pub const CLASSIC: &str = "classic";

impl ClassicGroup {
    fn listed(&self) -> ListedGroup {
        ListedGroup {
            group_id: self.id.clone(),
            protocol_type: self.protocol_type.clone().unwrap_or_default(),
            group_state: Str::from_static(self.phase.name()),
            group_type: Str::from_static(CLASSIC),
        }
    }

    fn described(&self) -> DescribedGroup {
        let protocol = self.protocol.clone().filter(|_| self.phase == Phase::Stable);
        let member = |(id, member): (&Str, &Member)| DescribedGroupMember {
            member_id: id.clone(),
            group_instance_id: member.instance_id.clone(),
            client_id: member.client_id.clone(),
            client_host: member.client_host.clone(),
            member_metadata: protocol.as_ref().map(|protocol| member.metadata(protocol)).unwrap_or_default(),
            member_assignment: member.assignment.clone(),
        };
        DescribedGroup {
            group_id: self.id.clone(),
            group_state: Str::from_static(self.phase.name()),
            protocol_type: self.protocol_type.clone().unwrap_or_default(),
            protocol_data: protocol.clone().unwrap_or_default(),
            members: self.members.iter().map(member).collect(),
            ..Default::default()
        }
    }
}

impl Groups {
    pub(super) fn list(&self, states: &[Str], types: &[Str]) -> Vec<ListedGroup> {
        let wanted = |filter: &[Str], name: &str| filter.is_empty() || filter.iter().any(|one| one.eq_ignore_ascii_case(name));
        let groups = self.groups.values().filter(|group| wanted(states, group.phase.name()) && wanted(types, CLASSIC));
        let consumers = self.consumers.values().filter(|group| wanted(states, group.state_name()) && wanted(types, CONSUMER));
        groups.map(ClassicGroup::listed).chain(consumers.map(|group| group.listed())).collect()
    }

    pub(super) fn describe(&self, groups: Vec<Str>, version: i16) -> Vec<DescribedGroup> {
        let one = |id: Str| match self.groups.get(&id) {
            Some(group) => group.described(),
            None => {
                let mut described = DescribedGroup { group_state: Str::from_static("Dead"), ..Default::default() };
                if version >= VERSION_OF_UNKNOWN_GROUP {
                    described.error_code = ErrorCode::GroupIdNotFound;
                    described.error_message = Some(match self.consumers.contains_key(&id) {
                        true => format!("Group {id} is not a classic group.").into(),
                        false => format!("Group {id} not found.").into(),
                    });
                }
                DescribedGroup { group_id: id, ..described }
            }
        };
        groups.into_iter().map(one).collect()
    }

    /// Deletes groups without members, with their offsets.
    pub(super) fn delete(&self, token: Token, groups: Vec<Str>, effects: &mut Effects<Groups>) {
        let mut records = Vec::new();
        let mut results = Vec::with_capacity(groups.len());
        for id in groups {
            let error_code = match self.groups.get(&id) {
                None if self.consumers.get(&id).is_some_and(|group| !group.members.is_empty()) => ErrorCode::NonEmptyGroup,
                None if self.consumers.contains_key(&id) => {
                    records.extend(self.deletion(&id.detached()));
                    ErrorCode::None
                }
                None => ErrorCode::GroupIdNotFound,
                Some(group) if group.phase != Phase::Empty => ErrorCode::NonEmptyGroup,
                Some(_) => {
                    records.extend(self.deletion(&id.detached()));
                    ErrorCode::None
                }
            };
            results.push(DeletableGroupResult { group_id: id, error_code });
        }
        effects.write(records, Purpose::Answer { token, response: GroupResponse::Delete(results) });
    }

    /// The records that take a group away.
    pub(super) fn deletion(&self, id: &Str) -> Vec<GroupRecord> {
        let keys = self.offsets.keys_of(id).into_iter();
        let mut records: Vec<GroupRecord> = keys.map(|key| GroupRecord::Offset { group: id.clone(), key, offset: None }).collect();
        match self.consumers.get(id) {
            Some(group) => records.extend(group.deletion()),
            None => records.push(GroupRecord::Group { group: id.clone(), value: None }),
        }
        records
    }

    pub(super) fn forget_topics(&self, token: Token, topics: Vec<Str>, effects: &mut Effects<Groups>) {
        let gone: BTreeSet<Str> = topics.into_iter().collect();
        let of_them = self.offsets.in_topics(|topic| gone.contains(topic)).into_iter();
        let records = of_them.map(|(group, key)| GroupRecord::Offset { group, key, offset: None });
        let records: Vec<GroupRecord> = records.collect();
        for some in records.chunks(RECORDS_PER_WRITE) {
            effects.write(some.to_vec(), Purpose::Nothing);
        }
        effects.write(Vec::new(), Purpose::Answer { token, response: GroupResponse::TopicsDeleted });
    }
}
