//! The target assignment of a group's epoch, and the hash that says whether the topics are still those it was made for.
//!
//! Pure.

use super::assignor::{Assignor, Subscriber};
use super::heartbeat::TopicDirectory;
use super::{ConsumerGroup, Draft};
use crate::types::{Timestamp, TopicId};
use crate::wire::Str;
use std::collections::{BTreeMap, BTreeSet};

impl ConsumerGroup {
    fn subscribed(&self) -> BTreeSet<&Str> {
        self.members.values().flat_map(|member| &member.about.subscribed_topic_names).chain(self.regexes.topics()).collect()
    }

    /// Of the names, ids and sizes of the topics that members subscribe to; 0 without topics, as in Kafka (whose other values are others).
    pub(super) fn topics_hash(&self, topics: &dyn TopicDirectory) -> i64 {
        let mut hash = 0xcbf2_9ce4_8422_2325u64;
        let mut found = false;
        for name in self.subscribed() {
            let Some((id, size)) = topics.by_name(name) else { continue };
            found = true;
            for byte in name.bytes().chain(id.0).chain(size.to_be_bytes()) {
                hash = (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3);
            }
        }
        if found { hash as i64 } else { 0 }
    }

    /// The assignor that most members ask for.
    pub(super) fn assignor(&self, default: Assignor) -> Assignor {
        let asks = |assignor: Assignor| {
            self.members.values().filter(|member| member.about.server_assignor.as_deref() == Some(assignor.name())).count()
        };
        let most = Assignor::ALL.into_iter().max_by_key(|assignor| (asks(*assignor), *assignor == default));
        most.filter(|assignor| asks(*assignor) > 0).unwrap_or(default)
    }
}

impl Draft {
    /// Assigns anew, for the group's epoch.
    pub(super) fn assign(&mut self, topics: &dyn TopicDirectory, default: Assignor, now: Timestamp) {
        let group = &self.group;
        let found: BTreeMap<&Str, (TopicId, i32)> =
            group.subscribed().into_iter().filter_map(|name| Some((name, topics.by_name(name)?))).collect();
        let sizes: BTreeMap<TopicId, i32> = found.values().copied().collect();
        let subscriber = |(id, member): (&'_ Str, &'_ super::ConsumerMember)| {
            let names = member
                .about
                .subscribed_topic_names
                .iter()
                .chain(group.regexes.topics_of(&member.about).into_iter().flat_map(|topics| topics.iter()));
            (id.clone(), member.about.instance_id.clone(), names.filter_map(|name| found.get(name).map(|(id, _)| *id)).collect())
        };
        let described: Vec<(Str, Option<Str>, BTreeSet<TopicId>)> = group.members.iter().map(subscriber).collect();
        let members = described.iter().map(|(id, instance_id, topics)| Subscriber {
            id,
            instance_id: instance_id.as_ref(),
            topics: topics.clone(),
            before: group.target.get(id).cloned().unwrap_or_default(),
        });
        let assigned = group.assignor(default).assign(members.collect(), &sizes);
        for (member, target) in assigned {
            if self.group.target.get(&member) != Some(&target) {
                self.put_target(&member, &target);
            }
        }
        self.put_target_epoch(self.group.epoch, now);
    }
}
