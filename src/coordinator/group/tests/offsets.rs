//! Offsets: who may commit when, what comes back, and when they expire.

use super::super::request::{GroupRequest, GroupResponse};
use super::bench::*;
use crate::coordinator::machine::{Position, StateMachine};
use crate::types::{ErrorCode::*, Offset, ProducerId};

#[test]
fn who_is_no_member_may_commit_to_a_group_without_members() {
    let mut bench = Bench::new();
    assert_eq!(bench.fetch(), (-1, String::new(), None), "of a group that is not there");
    assert_eq!(bench.commit_with("", -1, 42, "note", -1, 9), Ok(None));
    assert_eq!(bench.fetch(), (42, "note".into(), None));
    assert_eq!(bench.state(), ("Empty".into(), 0));
    assert_eq!(bench.commit("", -1, 41), Ok(None), "backwards, if that is what is wanted");
    assert_eq!(bench.fetch().0, 41);
}

#[test]
fn a_commit_from_nowhere_is_refused_with_kafkas_codes() {
    let mut bench = Bench::new();
    assert_eq!(bench.commit_with("who", 1, 1, "", -1, 9), Err(GroupIdNotFound));
    assert_eq!(bench.commit_with("who", 1, 1, "", -1, 8), Err(IllegalGeneration));
    let id = bench.stable(1).remove(0);
    assert_eq!(bench.commit("", -1, 1), Err(UnknownMemberId), "the group has members");
    assert_eq!(bench.commit("who", 1, 1), Err(UnknownMemberId));
    assert_eq!(bench.commit(&id, 0, 1), Err(IllegalGeneration));
    assert_eq!(bench.commit(&id, 2, 1), Err(IllegalGeneration));
    assert_eq!(bench.commit(&id, 1, 1), Ok(None));
}

#[test]
fn commits_during_a_rebalance_are_taken_until_the_next_generation_has_begun() {
    let mut bench = Bench::new();
    let ids = bench.stable(2);
    let leader = bench.join(&joining(&ids[0]));
    assert_eq!(bench.commit(&ids[1], 1, 7), Ok(None), "what it has done so far");
    let follower = bench.join(&joining(&ids[1]));
    bench.joined(leader);
    bench.joined(follower);
    assert_eq!(bench.commit(&ids[1], 1, 8), Err(IllegalGeneration));
    assert_eq!(bench.commit(&ids[1], 2, 8), Err(RebalanceInProgress));
    assert_eq!(bench.fetch().0, 7);
}

#[test]
fn a_commit_keeps_its_member_alive() {
    let mut bench = Bench::new();
    let id = bench.stable(1).remove(0);
    for offset in 0..5 {
        bench.pass(SESSION_MS - 1);
        assert_eq!(bench.commit(&id, 1, offset), Ok(None));
    }
}

#[test]
fn metadata_has_a_limit_of_its_own() {
    let mut bench = Bench::new();
    assert_eq!(bench.commit_with("", -1, 1, "0123456789", -1, 9), Ok(None));
    assert_eq!(bench.commit_with("", -1, 2, "0123456789a", -1, 9), Ok(OffsetMetadataTooLarge));
    assert_eq!(bench.fetch().0, 1);
}

#[test]
fn what_the_log_refuses_is_not_committed() {
    let mut bench = Bench::new();
    bench.log_refuses = Some(NotCoordinator);
    assert_eq!(bench.commit("", -1, 1), Err(NotCoordinator));
    assert_eq!((bench.fetch().0, bench.state().0.as_str()), (-1, "Dead"));
}

#[test]
fn without_memory_only_known_offsets_move() {
    let mut bench = Bench::new();
    assert_eq!(bench.commit("", -1, 1), Ok(None));
    bench.bytes_free = 0;
    assert_eq!(bench.commit("", -1, 2), Ok(None));
    assert_eq!(bench.fetch().0, 2);
    let mut fresh = Bench::new();
    fresh.bytes_free = 0;
    assert_eq!(fresh.commit("", -1, 1), Err(CoordinatorNotAvailable));
}

#[test]
fn offsets_without_a_group_expire_after_their_commit() {
    let mut bench = Bench::new();
    bench.commit("", -1, 1).unwrap();
    bench.pass(95_000);
    assert_eq!(bench.fetch().0, 1);
    bench.pass(20_000);
    assert_eq!((bench.fetch().0, bench.state().0.as_str()), (-1, "Dead"), "and with them the group");
}

#[test]
fn offsets_of_a_group_expire_after_its_last_member_left() {
    let mut bench = Bench::new();
    let id = bench.stable(1).remove(0);
    bench.commit(&id, 1, 1).unwrap();
    for _ in 0..30 {
        bench.pass(SESSION_MS - 1);
        assert_eq!(bench.heartbeat(&id, 1), None);
    }
    assert_eq!(bench.fetch().0, 1, "long after the commit, but in use");
    bench.leave(&[(&id, Option::None)]).unwrap();
    bench.pass(95_000);
    assert_eq!(bench.fetch().0, 1);
    bench.pass(20_000);
    assert_eq!((bench.fetch().0, bench.state().0.as_str()), (-1, "Dead"));
}

#[test]
fn a_commit_may_bring_its_own_time() {
    let mut bench = Bench::new();
    bench.commit_with("", -1, 1, "", 25_000, 4).unwrap();
    bench.pass(20_000);
    assert_eq!(bench.fetch().0, 1);
    bench.pass(11_000);
    assert_eq!(bench.fetch().0, -1);
}

#[test]
fn offsets_of_an_open_transaction_are_unstable_and_count_when_it_commits() {
    let mut bench = Bench::new();
    bench.commit("", -1, 1).unwrap();
    let pending = bench.log[0].clone();
    let begin = |bench: &mut Bench, producer: i64| {
        bench.groups.replay(Position { offset: Offset(100), producer_id: ProducerId(producer) }, pending.clone());
    };
    begin(&mut bench, 7);
    assert_eq!(bench.fetch(), (-1, String::new(), UnstableOffsetCommit));
    bench.groups.end_transaction(ProducerId(7), false);
    assert_eq!(bench.fetch().0, 1);
    bench.commit("", -1, 2).unwrap();
    begin(&mut bench, 8);
    bench.groups.end_transaction(ProducerId(8), true);
    assert_eq!(bench.fetch().0, 1, "its record is the later one");
}

#[test]
fn groups_are_deleted_with_their_offsets_once_they_are_empty() {
    let mut bench = Bench::new();
    let delete = |bench: &mut Bench| {
        let token = bench.ask(GroupRequest::Delete { groups: vec![GROUP.into()] });
        match bench.answer(token) {
            Some(Ok(GroupResponse::Delete(results))) => results[0].error_code,
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(delete(&mut bench), GroupIdNotFound);
    let id = bench.stable(1).remove(0);
    bench.commit(&id, 1, 1).unwrap();
    assert_eq!(delete(&mut bench), NonEmptyGroup);
    bench.leave(&[(&id, Option::None)]).unwrap();
    assert_eq!(delete(&mut bench), None);
    assert_eq!((bench.fetch().0, bench.state().0.as_str()), (-1, "Dead"));
    assert_eq!(bench.groups.bytes(), 0, "all memory is given back");
}

#[test]
fn offsets_of_deleted_topics_go() {
    let mut bench = Bench::new();
    bench.commit("", -1, 1).unwrap();
    bench.ask(GroupRequest::TopicsDeleted(vec!["other".into()]));
    assert_eq!(bench.fetch().0, 1);
    bench.ask(GroupRequest::TopicsDeleted(vec!["t".into()]));
    assert_eq!(bench.fetch().0, -1);
}
