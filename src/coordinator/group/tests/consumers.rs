//! Stories of consumer groups (KIP-848): members that go to their target by heartbeats.

use super::super::consumer::{TopicDirectory, Topics};
use super::super::request::{GroupRequest, GroupResponse};
use super::bench::*;
use crate::types::{ErrorCode, PartitionIndex, TopicId};
use crate::wire::Str;
use crate::wire::api::consumer_group_heartbeat::*;
use crate::wire::api::leave_group::MemberIdentity;
use std::collections::BTreeMap;
use std::sync::Arc;

pub const TOPIC: TopicId = TopicId([7; 16]);

/// A cluster with one topic, `t`, of so many partitions.
pub struct Cluster(pub i32);

impl TopicDirectory for Cluster {
    fn version(&self) -> u64 {
        self.0 as u64
    }

    fn by_name(&self, name: &str) -> Option<(TopicId, i32)> {
        (name == "t").then_some((TOPIC, self.0))
    }

    fn group_config(&self, _: &str, _: &str) -> Option<i32> {
        None
    }

    fn names_after<'a>(&'a self, name: &'a str) -> Box<dyn Iterator<Item = &'a str> + 'a> {
        Box::new(["t"].into_iter().filter(move |found| *found > name))
    }
}

/// Members by what they last heard, and a checker: no partition has two owners.
struct Story {
    bench: Bench,
    partitions: i32,
    epochs: BTreeMap<&'static str, i32>,
    owned: BTreeMap<&'static str, Vec<i32>>,
}

impl Story {
    fn new(partitions: i32) -> Story {
        Story { bench: Bench::new(), partitions, epochs: BTreeMap::new(), owned: BTreeMap::new() }
    }

    fn send(&mut self, request: ConsumerGroupHeartbeatRequest) -> ConsumerGroupHeartbeatResponse {
        self.bench.consumer_heartbeat(request, Topics(Arc::new(Cluster(self.partitions))))
    }

    fn joining(&self, member: &str, instance: Option<&str>) -> ConsumerGroupHeartbeatRequest {
        ConsumerGroupHeartbeatRequest {
            member_id: member.into(),
            instance_id: instance.map(Str::from),
            rebalance_timeout_ms: REBALANCE_MS as i32,
            subscribed_topic_names: Some(vec!["t".into()]),
            topic_partitions: Some(Vec::new()),
            ..Default::default()
        }
    }

    fn take(&mut self, member: &'static str, response: &ConsumerGroupHeartbeatResponse) {
        assert_eq!(response.error_code, ErrorCode::None, "{:?}", response.error_message);
        self.epochs.insert(member, response.member_epoch);
        if let Some(assignment) = &response.assignment {
            let of_topic = assignment.topic_partitions.iter().flat_map(|topic| topic.partitions.iter().map(|p| p.0));
            self.owned.insert(member, of_topic.collect());
        }
        let mut all: Vec<i32> = self.owned.values().flatten().copied().collect();
        all.sort_unstable();
        let count = all.len();
        all.dedup();
        assert_eq!(all.len(), count, "a partition has two owners: {:?}", self.owned);
    }

    fn join(&mut self, member: &'static str) {
        let response = self.send(self.joining(member, None));
        self.take(member, &response);
    }

    fn beating(&self, member: &'static str) -> ConsumerGroupHeartbeatRequest {
        let partitions: Vec<PartitionIndex> = self.owned[member].iter().copied().map(PartitionIndex).collect();
        let owned = if partitions.is_empty() { Vec::new() } else { vec![TopicPartitions { topic_id: TOPIC, partitions }] };
        let member_epoch = self.epochs[member];
        ConsumerGroupHeartbeatRequest { member_id: member.into(), member_epoch, topic_partitions: Some(owned), ..Default::default() }
    }

    fn beat(&mut self, member: &'static str) {
        let response = self.send(self.beating(member));
        self.take(member, &response);
    }

    fn settle(&mut self) {
        for _ in 0..4 {
            for member in self.epochs.clone().into_keys() {
                self.beat(member);
            }
        }
    }

    fn counts(&self) -> Vec<usize> {
        self.owned.values().map(Vec::len).collect()
    }
}

#[test]
fn a_partition_is_given_when_its_owner_has_given_it_up() {
    let mut story = Story::new(6);
    story.join("a");
    assert_eq!(story.owned["a"], [0, 1, 2, 3, 4, 5]);
    story.join("b");
    assert_eq!((story.owned["b"].len(), story.epochs["b"]), (0, 3), "nothing is free yet");
    story.beat("a");
    assert_eq!((story.owned["a"].len(), story.epochs["a"]), (3, 2), "it is told to give up, in its old epoch");
    story.beat("b");
    assert_eq!(story.owned["b"].len(), 0);
    story.beat("a");
    story.beat("b");
    assert_eq!((story.counts(), &story.epochs), (vec![3, 3], &BTreeMap::from([("a", 3), ("b", 3)])));
}

#[test]
fn the_state_survives_a_crash_and_goes_on() {
    let mut story = Story::new(6);
    story.join("a");
    story.join("b");
    story.beat("a");
    story.bench.crash(config());
    story.settle();
    assert_eq!(story.counts(), [3, 3]);
}

#[test]
fn a_topic_that_grows_is_given_out_anew() {
    let mut story = Story::new(2);
    story.join("a");
    story.join("b");
    story.settle();
    assert_eq!(story.counts(), [1, 1]);
    story.partitions = 6;
    story.settle();
    assert_eq!(story.counts(), [3, 3]);
}

#[test]
fn who_is_silent_is_put_out_and_fenced() {
    let mut story = Story::new(4);
    story.join("a");
    story.join("b");
    story.settle();
    story.bench.pass(30_000);
    story.beat("a");
    story.bench.pass(30_000);
    assert_eq!(story.send(story.beating("b")).error_code, ErrorCode::UnknownMemberId);
    story.epochs.remove("b");
    story.owned.remove("b");
    story.settle();
    assert_eq!(story.counts(), [4]);
}

#[test]
fn who_does_not_give_up_in_time_is_put_out() {
    let mut story = Story::new(4);
    story.join("a");
    story.join("b");
    story.beat("a");
    // It says nothing of what it owns: it may own all of it still.
    let silent = ConsumerGroupHeartbeatRequest { topic_partitions: None, ..story.beating("a") };
    for _ in 0..5 {
        story.bench.pass(REBALANCE_MS / 6);
        story.beat("b");
        assert_eq!(story.send(silent.clone()).error_code, ErrorCode::None);
    }
    story.bench.pass(REBALANCE_MS / 6);
    assert_eq!(story.send(silent).error_code, ErrorCode::UnknownMemberId);
    story.epochs.remove("a");
    story.owned.remove("a");
    story.settle();
    assert_eq!(story.counts(), [4]);
}

#[test]
fn epochs_that_are_not_the_members_are_fenced() {
    let mut story = Story::new(4);
    story.join("a");
    let ahead = ConsumerGroupHeartbeatRequest { member_epoch: 5, ..story.beating("a") };
    assert_eq!(story.send(ahead).error_code, ErrorCode::FencedMemberEpoch);
    let stranger = ConsumerGroupHeartbeatRequest { member_id: "x".into(), ..story.beating("a") };
    assert_eq!(story.send(stranger).error_code, ErrorCode::UnknownMemberId);
}

#[test]
fn who_joins_again_goes_on_where_it_was() {
    let mut story = Story::new(4);
    story.join("a");
    story.join("b");
    story.settle();
    let epoch = story.epochs["b"];
    story.join("b");
    assert_eq!((story.epochs["b"], story.counts()), (epoch, vec![2, 2]));
}

#[test]
fn a_static_member_comes_back_to_what_it_had() {
    let mut story = Story::new(4);
    let response = story.send(story.joining("a", Some("i")));
    story.take("a", &response);
    let taken = story.send(story.joining("b", Some("i")));
    assert_eq!(taken.error_code, ErrorCode::UnreleasedInstanceId);
    let leaving = ConsumerGroupHeartbeatRequest { member_epoch: -2, instance_id: Some("i".into()), ..story.beating("a") };
    assert_eq!(story.send(leaving).member_epoch, -2);
    let back = story.send(story.joining("b", Some("i")));
    assert_eq!(back.member_epoch, 2, "the group noticed nothing");
    story.owned.remove("a");
    story.take("b", &back);
    assert_eq!(story.owned["b"], [0, 1, 2, 3]);
    let zombie = ConsumerGroupHeartbeatRequest { member_id: "a".into(), instance_id: Some("i".into()), ..story.beating("b") };
    assert_eq!(story.send(zombie).error_code, ErrorCode::FencedInstanceId);
}

#[test]
fn who_left_leaves_its_partitions_to_others() {
    let mut story = Story::new(4);
    story.join("a");
    story.join("b");
    story.settle();
    let leaving = ConsumerGroupHeartbeatRequest { member_epoch: -1, ..story.beating("a") };
    assert_eq!(story.send(leaving).member_epoch, -1);
    story.epochs.remove("a");
    story.owned.remove("a");
    story.settle();
    assert_eq!(story.counts(), [4]);
}

#[test]
fn who_administers_a_group_takes_members_out() {
    let mut story = Story::new(4);
    story.join("a");
    let response = story.send(story.joining("s", Some("i")));
    story.take("s", &response);
    story.settle();
    let named = |member: &str, instance: Option<&str>| MemberIdentity {
        member_id: member.into(),
        group_instance_id: instance.map(Str::from),
        ..Default::default()
    };
    let members = vec![named("x", None), named("", Some("j")), named("a", Some("i")), named("a", None), named("", Some("i"))];
    let token = story.bench.ask(GroupRequest::Leave { group: GROUP.into(), members });
    let Some(Ok(GroupResponse::Leave(response))) = story.bench.answer(token) else { panic!("no answer") };
    let errors: Vec<ErrorCode> = response.members.iter().map(|member| member.error_code).collect();
    let (unknown, gone) = (ErrorCode::UnknownMemberId, ErrorCode::None);
    assert_eq!(errors, [unknown, unknown, ErrorCode::FencedInstanceId, gone, gone]);
    assert_eq!(story.send(story.beating("a")).error_code, unknown);
}

#[test]
fn a_heartbeat_that_changes_nothing_writes_nothing() {
    let mut story = Story::new(4);
    story.join("a");
    story.settle();
    let before = story.bench.log.len();
    story.settle();
    assert_eq!(story.bench.log.len(), before);
    // Told all of a member, the coordinator tells all that it is to own.
    let whole = ConsumerGroupHeartbeatRequest { member_epoch: story.epochs["a"], ..story.joining("a", None) };
    let whole = ConsumerGroupHeartbeatRequest { topic_partitions: story.beating("a").topic_partitions, ..whole };
    assert!(story.send(whole).assignment.is_some());
    assert_eq!(story.bench.log.len(), before);
}

#[test]
fn a_static_member_comes_back_under_its_own_id() {
    let mut story = Story::new(4);
    let response = story.send(story.joining("a", Some("i")));
    story.take("a", &response);
    let leaving = ConsumerGroupHeartbeatRequest { member_epoch: -2, instance_id: Some("i".into()), ..story.beating("a") };
    assert_eq!(story.send(leaving).member_epoch, -2);
    let back = story.send(story.joining("a", Some("i")));
    story.take("a", &back);
    assert_eq!(story.owned["a"], [0, 1, 2, 3]);
    let beating = ConsumerGroupHeartbeatRequest { instance_id: Some("i".into()), ..story.beating("a") };
    let response = story.send(beating);
    story.take("a", &response);
    story.bench.crash(config());
    story.partitions = 6;
    let beating = ConsumerGroupHeartbeatRequest { instance_id: Some("i".into()), ..story.beating("a") };
    let response = story.send(beating);
    story.take("a", &response);
    assert_eq!(story.owned["a"], [0, 1, 2, 3, 4, 5], "it subscribes to what it did");
}

#[test]
fn who_is_silent_is_put_out_when_the_log_takes_records_again() {
    let mut story = Story::new(4);
    story.join("a");
    story.join("b");
    story.settle();
    story.bench.log_refuses = Some(ErrorCode::NotCoordinator);
    for _ in 0..3 {
        story.bench.pass(20_000);
        story.beat("a");
    }
    story.bench.log_refuses = None;
    let late = story.beating("b");
    story.owned.remove("b");
    for _ in 0..3 {
        story.bench.pass(20_000);
        story.beat("a");
    }
    assert_eq!(story.send(late).error_code, ErrorCode::UnknownMemberId);
    assert_eq!(story.counts(), [4]);
}

#[test]
fn uniform_takes_from_nobody_more_than_it_must() {
    let mut story = Story::new(3);
    story.join("b");
    story.join("a");
    story.settle();
    assert_eq!((story.owned["a"].len(), story.owned["b"].len()), (1, 2));
}
