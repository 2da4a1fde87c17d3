//! ConsumerGroupDescribe and ListGroups of consumer groups. Topics' names are given where the answer goes out.
//!
//! Pure.

use super::heartbeat::Refused;
use super::{Assignment, CONSUMER, ConsumerGroup, ConsumerMember};
use crate::coordinator::group::Groups;
use crate::wire::Str;
use crate::wire::api::consumer_group_describe as api;
use crate::wire::api::list_groups::ListedGroup;

/// A member that speaks the consumer protocol; of the classic one it is 0.
const MEMBER_OF_CONSUMER_PROTOCOL: i8 = 1;

fn described(assignment: &Assignment, and: &Assignment) -> api::Assignment {
    let mut all = assignment.clone();
    for (topic, partitions) in and {
        all.entry(*topic).or_default().extend(partitions);
    }
    let topics = all.into_iter().map(|(topic_id, partitions)| api::TopicPartitions {
        topic_id,
        partitions: partitions.into_iter().collect(),
        ..Default::default()
    });
    api::Assignment { topic_partitions: topics.collect() }
}

impl ConsumerGroup {
    fn described_member(&self, id: &Str, member: &ConsumerMember) -> api::Member {
        let about = &member.about;
        api::Member {
            member_id: id.clone(),
            instance_id: about.instance_id.clone(),
            rack_id: about.rack_id.clone(),
            member_epoch: member.epoch,
            client_id: about.client_id.clone(),
            client_host: about.client_host.clone(),
            subscribed_topic_names: about.subscribed_topic_names.clone(),
            subscribed_topic_regex: Some(about.subscribed_topic_regex.clone().unwrap_or_default()),
            // What it has yet to give up is still its own.
            assignment: described(&member.assigned, &member.revoking),
            target_assignment: self.target.get(id).map(|target| described(target, &Assignment::new())).unwrap_or_default(),
            member_type: if about.classic_member_metadata.is_none() { MEMBER_OF_CONSUMER_PROTOCOL } else { 0 },
        }
    }

    pub fn listed(&self) -> ListedGroup {
        ListedGroup {
            group_id: self.id.clone(),
            protocol_type: Str::from_static(CONSUMER),
            group_state: Str::from_static(self.state_name()),
            group_type: Str::from_static(CONSUMER),
        }
    }
}

impl Groups {
    pub(in crate::coordinator::group) fn describe_consumers(&self, groups: Vec<Str>) -> Vec<api::DescribedGroup> {
        let one = |id: Str| match self.consumers.get(&id) {
            Some(group) => api::DescribedGroup {
                group_state: Str::from_static(group.state_name()),
                group_epoch: group.epoch,
                assignment_epoch: group.target_epoch,
                assignor_name: Str::from_static(group.assignor(self.config.consumer_assignor).name()),
                members: group.members.iter().map(|(id, member)| group.described_member(id, member)).collect(),
                group_id: id,
                ..Default::default()
            },
            None => {
                let Refused(error_code, text) = self.no_consumer_group(&id);
                api::DescribedGroup { error_code, error_message: Some(text.into()), group_id: id, ..Default::default() }
            }
        };
        groups.into_iter().map(one).collect()
    }
}
