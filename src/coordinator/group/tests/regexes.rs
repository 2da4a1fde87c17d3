//! Stories of consumer groups whose members subscribe by regular expression.

use super::super::GroupRecord;
use super::super::consumer::{TopicDirectory, Topics};
use super::bench::*;
use crate::coordinator::machine::StateMachine;
use crate::types::{ErrorCode, TopicId};
use crate::wire::Str;
use crate::wire::api::consumer_group_heartbeat::*;
use crate::wire::coordinator::GroupRecord as Record;
use std::collections::BTreeMap;
use std::sync::Arc;

/// Topics by name, with their ids and sizes.
#[derive(Clone, Default)]
struct Cluster {
    topics: BTreeMap<String, (TopicId, i32)>,
    version: u64,
    configs: BTreeMap<&'static str, i32>,
}

impl Cluster {
    fn add(&mut self, name: &str, partitions: i32) {
        self.version += 1;
        let mut id = [0; 16];
        id[..8].copy_from_slice(&self.version.to_be_bytes());
        self.topics.insert(name.into(), (TopicId(id), partitions));
    }

    fn delete(&mut self, name: &str) {
        self.version += 1;
        self.topics.remove(name);
    }
}

impl TopicDirectory for Cluster {
    fn version(&self) -> u64 {
        self.version
    }

    fn by_name(&self, name: &str) -> Option<(TopicId, i32)> {
        self.topics.get(name).copied()
    }

    fn group_config(&self, group: &str, name: &str) -> Option<i32> {
        (group == GROUP).then(|| self.configs.get(name).copied()).flatten()
    }

    fn names_after<'a>(&'a self, name: &'a str) -> Box<dyn Iterator<Item = &'a str> + 'a> {
        Box::new(self.topics.keys().map(String::as_str).filter(move |found| *found > name))
    }
}

struct Story {
    bench: Bench,
    cluster: Cluster,
    epochs: BTreeMap<&'static str, i32>,
    /// Of each member, the topics and how many partitions of each.
    owned: BTreeMap<&'static str, Vec<TopicPartitions>>,
}

impl Story {
    fn new(topics: &[&str]) -> Story {
        let mut cluster = Cluster::default();
        topics.iter().for_each(|name| cluster.add(name, 2));
        Story { bench: Bench::new(), cluster, epochs: BTreeMap::new(), owned: BTreeMap::new() }
    }

    fn send(&mut self, request: ConsumerGroupHeartbeatRequest) -> ConsumerGroupHeartbeatResponse {
        self.bench.consumer_heartbeat(request, Topics(Arc::new(self.cluster.clone())))
    }

    fn take(&mut self, member: &'static str, response: ConsumerGroupHeartbeatResponse) {
        assert_eq!(response.error_code, ErrorCode::None, "{:?}", response.error_message);
        self.epochs.insert(member, response.member_epoch);
        if let Some(assignment) = response.assignment {
            self.owned.insert(member, assignment.topic_partitions);
        }
    }

    fn joining(&self, member: &str, regex: &str) -> ConsumerGroupHeartbeatRequest {
        ConsumerGroupHeartbeatRequest {
            member_id: member.into(),
            rebalance_timeout_ms: REBALANCE_MS as i32,
            subscribed_topic_regex: Some(regex.into()),
            topic_partitions: Some(Vec::new()),
            ..Default::default()
        }
    }

    fn join(&mut self, member: &'static str, regex: &str) {
        let response = self.send(self.joining(member, regex));
        self.take(member, response);
    }

    fn beating(&self, member: &'static str) -> ConsumerGroupHeartbeatRequest {
        ConsumerGroupHeartbeatRequest {
            member_id: member.into(),
            member_epoch: self.epochs[member],
            topic_partitions: Some(self.owned[member].clone()),
            ..Default::default()
        }
    }

    /// Patterns are resolved, and all members hear of it.
    fn settle(&mut self) {
        for _ in 0..4 {
            self.bench.pass(50);
            for member in self.epochs.clone().into_keys() {
                let response = self.send(self.beating(member));
                self.take(member, response);
            }
        }
    }

    fn topics(&self, member: &str) -> Vec<&str> {
        let ids: Vec<TopicId> = self.owned[member].iter().map(|topic| topic.topic_id).collect();
        self.cluster.topics.iter().filter(|(_, (id, _))| ids.contains(id)).map(|(name, _)| &**name).collect()
    }

    /// What the log holds of patterns.
    fn resolved(&self) -> BTreeMap<Str, Vec<Str>> {
        let mut resolved = BTreeMap::new();
        for record in &self.bench.log {
            let GroupRecord::Consumer(record) = record else { continue };
            if let Record::ConsumerGroupRegularExpression(key, value) = &**record {
                match value {
                    Some(value) => resolved.insert(key.regular_expression.clone(), value.topics.clone()),
                    None => resolved.remove(&key.regular_expression),
                };
            }
        }
        resolved
    }
}

#[test]
fn who_joins_by_a_pattern_gets_its_topics_when_it_is_resolved() {
    let mut story = Story::new(&["other", "t-1", "t-2"]);
    story.join("a", "t-.*");
    assert_eq!((story.epochs["a"], story.topics("a").len()), (1, 0), "the heartbeat does not wait");
    story.settle();
    assert_eq!((story.epochs["a"], story.topics("a")), (2, vec!["t-1", "t-2"]));
    assert_eq!(story.resolved(), BTreeMap::from([("t-.*".into(), vec!["t-1".into(), "t-2".into()])]));
    story.join("b", "t-.*");
    story.settle();
    assert_eq!(story.epochs, BTreeMap::from([("a", 3), ("b", 3)]), "what is resolved acts at once");
    let count = |member| story.owned[member].iter().map(|topic| topic.partitions.len()).sum::<usize>();
    assert_eq!((count("a"), count("b")), (2, 2));
}

#[test]
fn topics_that_come_and_go_are_noticed_ten_seconds_later_at_most() {
    let mut story = Story::new(&["t-1"]);
    story.join("a", "t-.*");
    story.settle();
    story.cluster.add("t-2", 1);
    story.settle();
    assert_eq!(story.topics("a"), ["t-1"]);
    story.bench.pass(10_000);
    story.settle();
    assert_eq!(story.topics("a"), ["t-1", "t-2"]);
    story.cluster.delete("t-1");
    story.settle();
    assert_eq!(story.topics("a"), ["t-2"], "what is gone is gone at once");
    story.bench.pass(10_000);
    story.settle();
    assert_eq!(story.resolved()["t-.*"], ["t-2"]);
    let (epoch, records) = (story.epochs["a"], story.bench.log.len());
    story.bench.pass(20_000);
    story.settle();
    assert_eq!((story.epochs["a"], story.bench.log.len()), (epoch, records), "nothing is written where nothing changes");
}

#[test]
fn a_pattern_is_gone_with_its_last_member() {
    let mut story = Story::new(&["t-1", "u-1"]);
    story.join("a", "t-.*");
    story.join("b", "t-.*");
    story.settle();
    let changed = ConsumerGroupHeartbeatRequest { subscribed_topic_regex: Some("u-.*".into()), ..story.beating("a") };
    let response = story.send(changed);
    story.take("a", response);
    story.bench.pass(10_000);
    story.settle();
    assert_eq!((story.topics("a"), story.topics("b")), (vec!["u-1"], vec!["t-1"]));
    assert_eq!(story.resolved().into_keys().collect::<Vec<_>>(), ["t-.*", "u-.*"]);
    let leaving = ConsumerGroupHeartbeatRequest { member_epoch: -1, ..story.beating("b") };
    assert_eq!(story.send(leaving).member_epoch, -1);
    story.epochs.remove("b");
    assert_eq!(story.resolved().into_keys().collect::<Vec<_>>(), ["u-.*"]);
    let by_name = ConsumerGroupHeartbeatRequest {
        subscribed_topic_regex: Some("".into()),
        subscribed_topic_names: Some(vec!["t-1".into()]),
        ..story.beating("a")
    };
    let response = story.send(by_name);
    story.take("a", response);
    story.settle();
    assert_eq!((story.topics("a"), story.resolved().len()), (vec!["t-1"], 0));
}

#[test]
fn names_and_a_pattern_add_up() {
    let mut story = Story::new(&["other", "t-1", "third"]);
    let both = ConsumerGroupHeartbeatRequest { subscribed_topic_names: Some(vec!["other".into()]), ..story.joining("a", "t-.*") };
    let response = story.send(both);
    story.take("a", response);
    assert_eq!(story.topics("a"), ["other"]);
    story.settle();
    assert_eq!(story.topics("a"), ["other", "t-1"]);
}

#[test]
fn what_was_resolved_survives_a_crash() {
    let mut story = Story::new(&["t-1"]);
    story.join("a", "t-.*");
    story.settle();
    story.bench.crash(config());
    let (epoch, records) = (story.epochs["a"], story.bench.log.len());
    story.settle();
    assert_eq!((story.epochs["a"], story.bench.log.len()), (epoch, records));
    story.join("b", "t-.*");
    assert_eq!(story.epochs["b"], epoch + 1, "known, and so an epoch at once");
    story.settle();
    assert_eq!((story.owned["a"][0].partitions.len(), story.owned["b"][0].partitions.len()), (1, 1));
}

#[test]
fn a_bad_pattern_is_refused_and_the_member_stays_as_it_was() {
    let mut story = Story::new(&["t-1"]);
    let stranger = ConsumerGroupHeartbeatRequest { member_epoch: 1, ..story.joining("x", "(a") };
    let refused = story.send(stranger.clone());
    assert_eq!(refused.error_code, ErrorCode::GroupIdNotFound);
    let bad = story.send(story.joining("a", "(a"));
    assert_eq!(bad.error_code, ErrorCode::InvalidRegularExpression);
    let text = bad.error_message.unwrap();
    assert!(text.starts_with("SubscribedTopicRegex `(a` is not a valid regular expression: "), "{text}");
    story.join("a", "t-.*");
    story.settle();
    assert_eq!(story.send(stranger).error_code, ErrorCode::UnknownMemberId, "the member comes first");
    let worse = ConsumerGroupHeartbeatRequest { subscribed_topic_regex: Some("(a".into()), ..story.beating("a") };
    assert_eq!(story.send(worse).error_code, ErrorCode::InvalidRegularExpression);
    story.settle();
    assert_eq!(story.topics("a"), ["t-1"]);
}

#[test]
fn a_static_member_that_comes_back_finds_its_pattern_resolved() {
    let mut story = Story::new(&["t-1"]);
    let of_instance = |request| ConsumerGroupHeartbeatRequest { instance_id: Some("i".into()), ..request };
    let response = story.send(of_instance(story.joining("a", "t-.*")));
    story.take("a", response);
    story.bench.pass(50);
    let response = story.send(of_instance(story.beating("a")));
    story.take("a", response);
    let leaving = ConsumerGroupHeartbeatRequest { member_epoch: -2, ..of_instance(story.beating("a")) };
    assert_eq!(story.send(leaving).member_epoch, -2);
    let back = story.send(of_instance(story.joining("b", "t-.*")));
    story.take("b", back);
    assert_eq!((story.epochs["b"], story.topics("b"), story.resolved().len()), (2, vec!["t-1"], 1));
}

#[test]
fn a_groups_own_times_count() {
    let mut story = Story::new(&["t-1"]);
    story.cluster.configs.insert("consumer.session.timeout.ms", 60_000);
    story.cluster.configs.insert("consumer.heartbeat.interval.ms", 15_000);
    assert_eq!(story.send(story.joining("b", "t-.*")).heartbeat_interval_ms, 15_000);
    story.join("a", "t-.*");
    story.settle();
    assert_eq!(story.send(story.beating("a")).heartbeat_interval_ms, 15_000);
    story.bench.pass(59_000);
    assert_eq!(story.send(story.beating("a")).error_code, ErrorCode::None);
    story.cluster.configs.clear();
    assert_eq!(story.send(story.beating("a")).heartbeat_interval_ms, 5_000);
    story.bench.pass(45_000);
    assert_eq!(story.send(story.beating("a")).error_code, ErrorCode::UnknownMemberId);
}

#[test]
fn many_topics_take_many_turns() {
    let names: Vec<String> = (0..1000).map(|topic| format!("topic-with-a-long-name-{topic:04}")).collect();
    let mut story = Story::new(&names.iter().map(String::as_str).collect::<Vec<_>>());
    story.join("a", ".*[05]");
    let mut turns = 0;
    while let Some(at) = story.bench.groups.next_timeout().filter(|at| *at <= story.bench.now + 1) {
        story.bench.now = story.bench.now.max(at);
        story.bench.call(|groups, turn, effects| groups.fire(turn, effects));
        turns += 1;
    }
    assert!((5..50).contains(&turns), "{turns} turns");
    assert_eq!(story.resolved()[".*[05]"].len(), 200);
}
