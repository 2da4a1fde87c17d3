//! Stories of groups that change their protocol while their members run: consumers of both protocols, and no partition with two owners at any time.

use super::super::consumer::Topics;
use super::super::request::GroupRequest;
use super::bench::*;
use super::consumers::{Cluster, TOPIC};
use crate::coordinator::machine::Token;
use crate::types::{ErrorCode, PartitionIndex};
use crate::wire::Str;
use crate::wire::api::consumer_group_heartbeat::*;
use crate::wire::api::join_group::{JoinGroupRequest, JoinGroupRequestProtocol, JoinGroupResponse};
use bytes::Bytes;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

const PARTITIONS: i32 = 6;

type Partitions = BTreeSet<i32>;

fn embedded(head: &[u8], owned: &Partitions, tail: &[u8]) -> Bytes {
    let mut bytes = head.to_vec();
    bytes.extend(i32::from(!owned.is_empty()).to_be_bytes());
    if !owned.is_empty() {
        bytes.extend([0, 1, b't']);
        bytes.extend((owned.len() as i32).to_be_bytes());
        bytes.extend(owned.iter().flat_map(|partition| partition.to_be_bytes()));
    }
    bytes.extend(tail);
    bytes.into()
}

/// Of version 1, to topic `t`.
fn subscription(owned: &Partitions) -> Bytes {
    embedded(&[0, 1, 0, 0, 0, 1, 0, 1, b't', 255, 255, 255, 255], owned, &[])
}

fn assignment(owned: &Partitions) -> Bytes {
    embedded(&[0, 1], owned, &[255; 4])
}

fn assigned(bytes: &[u8]) -> Partitions {
    let count = if bytes.len() > 10 { i32::from_be_bytes(bytes[9..13].try_into().unwrap()) as usize } else { 0 };
    (0..count).map(|index| i32::from_be_bytes(bytes[13 + index * 4..17 + index * 4].try_into().unwrap())).collect()
}

/// A member of the classic protocol that gives everything up before it joins again.
#[derive(Default)]
struct Classic {
    id: Str,
    generation: i32,
    joining: Option<Token>,
    syncing: Option<Token>,
}

struct Story {
    bench: Bench,
    classics: BTreeMap<&'static str, Classic>,
    /// Epochs.
    consumers: BTreeMap<&'static str, i32>,
    owned: BTreeMap<&'static str, Partitions>,
}

impl Story {
    fn new() -> Story {
        Story { bench: Bench::new(), classics: BTreeMap::new(), consumers: BTreeMap::new(), owned: BTreeMap::new() }
    }

    fn own(&mut self, name: &'static str, owned: Partitions) {
        self.owned.insert(name, owned);
        let all: Vec<i32> = self.owned.values().flatten().copied().collect();
        assert_eq!(all.iter().collect::<BTreeSet<_>>().len(), all.len(), "a partition has two owners: {:?}", self.owned);
    }

    fn send_join(&mut self, id: &str, owned: &Partitions) -> Token {
        let protocols = vec![JoinGroupRequestProtocol { name: "range".into(), metadata: subscription(owned) }];
        let request = JoinGroupRequest {
            group_id: GROUP.into(),
            session_timeout_ms: SESSION_MS as i32,
            rebalance_timeout_ms: REBALANCE_MS as i32,
            member_id: id.into(),
            protocol_type: "consumer".into(),
            protocols,
            ..Default::default()
        };
        self.bench.join_as(request, 9, PARTITIONS)
    }

    fn classic(&mut self, name: &'static str) {
        let token = self.send_join("", &Partitions::new());
        let id = self.bench.joined(token).member_id;
        self.classics.insert(name, Classic { id, ..Default::default() });
        self.rejoin(name);
    }

    fn rejoin(&mut self, name: &'static str) {
        self.own(name, Partitions::new());
        let id = self.classics[name].id.clone();
        let token = self.send_join(&id, &Partitions::new());
        self.classics.get_mut(name).unwrap().joining = Some(token);
    }

    fn joined(&mut self, name: &'static str, response: &JoinGroupResponse) {
        match response.error_code {
            ErrorCode::None => {}
            ErrorCode::RebalanceInProgress => return self.rejoin(name),
            error => panic!("{name}: {error:?}"),
        }
        let mut given: BTreeMap<Str, Partitions> = BTreeMap::new();
        for partition in 0..if response.members.is_empty() { 0 } else { PARTITIONS } {
            let member = &response.members[partition as usize % response.members.len()];
            given.entry(member.member_id.clone()).or_default().insert(partition);
        }
        let member = self.classics.get_mut(name).unwrap();
        member.generation = response.generation_id;
        let request = crate::wire::api::sync_group::SyncGroupRequest {
            group_id: GROUP.into(),
            generation_id: response.generation_id,
            member_id: member.id.clone(),
            assignments: given
                .iter()
                .map(|(id, owned)| crate::wire::api::sync_group::SyncGroupRequestAssignment {
                    member_id: id.clone(),
                    assignment: assignment(owned),
                })
                .collect(),
            ..Default::default()
        };
        let token = self.bench.ask(GroupRequest::Sync(request));
        self.classics.get_mut(name).unwrap().syncing = Some(token);
    }

    /// What a classic member does next.
    fn act(&mut self, name: &'static str) {
        let member = self.classics.get_mut(name).unwrap();
        if let Some(token) = member.joining {
            if !self.bench.is_waiting(token) {
                member.joining = None;
                let response = self.bench.joined(token);
                self.joined(name, &response);
            }
        } else if let Some(token) = member.syncing {
            if !self.bench.is_waiting(token) {
                member.syncing = None;
                let response = self.bench.synced(token);
                match response.error_code {
                    ErrorCode::None => self.own(name, assigned(&response.assignment)),
                    ErrorCode::RebalanceInProgress | ErrorCode::IllegalGeneration => self.rejoin(name),
                    error => panic!("{name}: {error:?}"),
                }
            }
        } else {
            let (id, generation) = (member.id.clone(), member.generation);
            match self.bench.heartbeat(&id, generation) {
                ErrorCode::None => {}
                ErrorCode::RebalanceInProgress | ErrorCode::IllegalGeneration => self.rejoin(name),
                error => panic!("{name}: {error:?}"),
            }
        }
    }

    fn send(&mut self, request: ConsumerGroupHeartbeatRequest) -> ConsumerGroupHeartbeatResponse {
        self.bench.consumer_heartbeat(request, Topics(Arc::new(Cluster(PARTITIONS))))
    }

    fn consumer(&mut self, name: &'static str) -> ConsumerGroupHeartbeatResponse {
        let response = self.send(ConsumerGroupHeartbeatRequest {
            member_id: name.into(),
            rebalance_timeout_ms: REBALANCE_MS as i32,
            subscribed_topic_names: Some(vec!["t".into()]),
            topic_partitions: Some(Vec::new()),
            ..Default::default()
        });
        if response.error_code.is_none() {
            self.own(name, Partitions::new());
            self.take(name, &response);
        }
        response
    }

    fn take(&mut self, name: &'static str, response: &ConsumerGroupHeartbeatResponse) {
        assert_eq!(response.error_code, ErrorCode::None, "{:?}", response.error_message);
        self.consumers.insert(name, response.member_epoch);
        if let Some(assignment) = &response.assignment {
            let owned = assignment.topic_partitions.iter().flat_map(|topic| topic.partitions.iter().map(|p| p.0)).collect();
            self.own(name, owned);
        }
    }

    fn beat(&mut self, name: &'static str) {
        let partitions: Vec<PartitionIndex> = self.owned[name].iter().copied().map(PartitionIndex).collect();
        let owned = if partitions.is_empty() { Vec::new() } else { vec![TopicPartitions { topic_id: TOPIC, partitions }] };
        let response = self.send(ConsumerGroupHeartbeatRequest {
            member_id: name.into(),
            member_epoch: self.consumers[name],
            topic_partitions: Some(owned),
            ..Default::default()
        });
        self.take(name, &response);
    }

    fn leave(&mut self, name: &'static str) {
        let response = self.send(ConsumerGroupHeartbeatRequest { member_id: name.into(), member_epoch: -1, ..Default::default() });
        assert_eq!(response.error_code, ErrorCode::None);
        self.consumers.remove(name);
        self.owned.remove(name);
    }

    /// The coordinator dies; who waited for it asks again.
    fn crash(&mut self) {
        self.bench.crash(config());
        for name in self.classics.keys().copied().collect::<Vec<_>>() {
            let member = self.classics.get_mut(name).unwrap();
            let was_waiting = [member.joining.take(), member.syncing.take()].iter().any(Option::is_some);
            if was_waiting {
                self.rejoin(name);
            }
        }
    }

    fn round(&mut self) {
        self.bench.pass(3_000);
        for name in self.consumers.clone().into_keys() {
            self.beat(name);
        }
        for name in self.classics.keys().copied().collect::<Vec<_>>() {
            self.act(name);
        }
    }

    fn settle(&mut self) {
        for _ in 0..16 {
            self.round();
        }
        let count: usize = self.owned.values().map(Partitions::len).sum();
        assert_eq!(count, PARTITIONS as usize, "all is given out: {:?}", self.owned);
    }
}

#[test]
fn a_group_goes_to_the_consumer_protocol_and_back_while_its_members_run() {
    let mut story = Story::new();
    story.classic("x");
    story.classic("y");
    story.settle();
    assert_eq!(story.consumer("a").error_code, ErrorCode::None);
    assert_eq!(story.bench.state().0, "Dead", "it is no classic group now");
    story.settle();
    assert_eq!(story.owned.values().map(Partitions::len).collect::<Vec<_>>(), [2, 2, 2]);
    story.leave("a");
    assert_eq!(story.bench.state(), ("PreparingRebalance".into(), 2));
    story.settle();
    assert_eq!(story.bench.state(), ("Stable".into(), 2));
    assert_eq!((story.owned["x"].len(), story.owned["y"].len()), (3, 3));
}

#[test]
fn no_partition_has_two_owners_wherever_the_coordinator_dies() {
    for at in 0..14 {
        let mut story = Story::new();
        story.classic("x");
        story.classic("y");
        story.settle();
        assert_eq!(story.consumer("a").error_code, ErrorCode::None);
        for round in 0..7 {
            if round == at {
                story.crash();
            }
            story.round();
        }
        story.settle();
        story.leave("a");
        for round in 7..14 {
            if round == at {
                story.crash();
            }
            story.round();
        }
        story.settle();
    }
}

#[test]
fn a_silent_consumer_leaves_a_classic_group_behind() {
    let mut story = Story::new();
    story.classic("x");
    story.settle();
    story.consumer("a");
    story.settle();
    story.consumers.remove("a");
    story.owned.remove("a");
    for _ in 0..16 {
        story.round();
    }
    story.settle();
    assert_eq!(story.bench.state(), ("Stable".into(), 1));
    assert_eq!(story.owned["x"].len(), PARTITIONS as usize);
}

#[test]
fn classic_members_join_a_consumer_group_and_change_over_one_by_one() {
    let mut story = Story::new();
    story.consumer("a");
    story.classic("x");
    story.settle();
    assert_eq!((story.owned["a"].len(), story.owned["x"].len()), (3, 3));
    // The same member id comes with the other protocol.
    let id = story.classics.remove("x").unwrap().id;
    story.owned.remove("x");
    let name: &'static str = Box::leak(id.to_string().into_boxed_str());
    assert_eq!(story.consumer(name).error_code, ErrorCode::None);
    story.settle();
    assert_eq!(story.bench.heartbeat(name, story.consumers[name]), ErrorCode::UnknownMemberId);
}

#[test]
fn what_a_classic_member_owns_is_given_up_before_another_gets_it() {
    let mut story = Story::new();
    story.classic("x");
    story.settle();
    let id = story.classics["x"].id.clone();
    let all: Partitions = (0..PARTITIONS).collect();
    assert_eq!((story.owned["x"].clone(), story.classics["x"].generation), (all.clone(), 1));
    assert_eq!(story.consumer("a").member_epoch, 2);
    assert_eq!(story.bench.heartbeat(&id, 2), ErrorCode::IllegalGeneration);
    assert_eq!(story.bench.heartbeat(&id, 1), ErrorCode::RebalanceInProgress);
    let token = story.send_join(&id, &all);
    let joined = story.bench.joined(token);
    assert_eq!((joined.generation_id, &*joined.leader, joined.members.len()), (1, "", 0));
    let token = story.bench.sync(&id, 1, &[]);
    let kept = assigned(&story.bench.synced(token).assignment);
    assert_eq!(kept.len(), 3);
    story.beat("a");
    assert_eq!(story.owned["a"].len(), 0, "the classic member may still own all");
    story.own("x", kept.clone());
    assert_eq!(story.bench.heartbeat(&id, 1), ErrorCode::RebalanceInProgress);
    let token = story.send_join(&id, &kept);
    assert_eq!(story.bench.joined(token).generation_id, 2);
    assert_eq!(story.bench.commit(&id, 1, 5), Err(ErrorCode::IllegalGeneration));
    assert_eq!(story.bench.commit_with(&id, 2, 5, "", -1, 2), Ok(ErrorCode::None));
    story.beat("a");
    assert_eq!(story.owned["a"].len(), 3);
    let token = story.bench.sync(&id, 2, &[]);
    assert_eq!(assigned(&story.bench.synced(token).assignment), kept);
    assert_eq!(story.bench.heartbeat(&id, 2), ErrorCode::None);
}

#[test]
fn who_does_not_join_again_in_time_is_put_out() {
    let mut story = Story::new();
    story.classic("x");
    story.settle();
    let id = story.classics["x"].id.clone();
    story.consumer("a");
    for _ in 0..(REBALANCE_MS / 3_000) {
        assert_eq!(story.bench.heartbeat(&id, 1), ErrorCode::RebalanceInProgress);
        story.beat("a");
        story.bench.pass(3_000);
    }
    assert_eq!(story.bench.heartbeat(&id, 1), ErrorCode::UnknownMemberId);
    story.classics.clear();
    story.owned.remove("x");
    story.settle();
}

#[test]
fn the_policy_decides_which_way_a_group_may_go() {
    let mut story = Story::new();
    story.bench = Bench::with(super::super::GroupConfig { can_upgrade: false, ..config() });
    story.classic("x");
    story.settle();
    assert_eq!(story.consumer("a").error_code, ErrorCode::GroupIdNotFound);
    story.settle();

    let mut story = Story::new();
    story.bench = Bench::with(super::super::GroupConfig { can_downgrade: false, ..config() });
    story.classic("x");
    story.settle();
    story.consumer("a");
    story.settle();
    story.leave("a");
    story.settle();
    assert_eq!(story.bench.state().0, "Dead", "a consumer group of a classic member");
}

#[test]
fn a_group_whose_members_say_nothing_readable_stays_classic() {
    let mut story = Story::new();
    story.bench.stable(2);
    assert_eq!(story.consumer("a").error_code, ErrorCode::GroupIdNotFound);
    assert_eq!(story.bench.state(), ("Stable".into(), 2));
}
