//! Members come and go.

use super::bench::*;
use crate::types::ErrorCode;
use ErrorCode::*;

#[test]
fn a_new_member_is_given_an_id_and_joins_with_it() {
    let mut bench = Bench::new();
    let id = bench.new_id();
    assert!(id.starts_with("c-"), "{id}");
    let token = bench.join(&joining(&id));
    bench.pass(2_999);
    assert!(bench.is_waiting(token), "the first rebalance waits for more members");
    bench.pass(3_001);
    let response = bench.joined(token);
    assert_eq!((response.error_code, response.generation_id, &response.leader), (None, 1, &id));
    assert_eq!(response.protocol_name, Some("range".into()));
    assert_eq!(response.members.iter().map(|m| (&m.member_id, &m.metadata[..])).collect::<Vec<_>>(), [(&id, &b"topics"[..])]);
}

#[test]
fn old_versions_are_let_in_without_an_id() {
    let mut bench = Bench::new();
    let token = bench.join(&Joining { version: 3, ..joining("") });
    bench.pass(6_000);
    assert_eq!(bench.joined(token).generation_id, 1);
}

#[test]
fn the_first_rebalance_waits_anew_for_each_new_member_up_to_the_rebalance_timeout() {
    let mut bench = Bench::new();
    let first = bench.new_id();
    let waiting = bench.join(&joining(&first));
    for _ in 0..22 {
        bench.pass(2_500);
        let id = bench.new_id();
        bench.join(&joining(&id));
    }
    assert!(bench.is_waiting(waiting), "55 s of 60 s have passed");
    bench.pass(8_000);
    assert_eq!(bench.joined(waiting).members.len(), 23);
}

#[test]
fn a_member_nobody_knows_is_told_so() {
    let mut bench = Bench::new();
    let token = bench.join(&joining("who"));
    assert_eq!(bench.joined(token).error_code, UnknownMemberId, "without a group");
    bench.stable(1);
    let token = bench.join(&joining("who"));
    assert_eq!(bench.joined(token).error_code, UnknownMemberId, "in a group of others");
}

#[test]
fn an_id_that_is_not_used_in_its_session_is_forgotten() {
    let mut bench = Bench::new();
    let id = bench.new_id();
    bench.pass(SESSION_MS);
    let token = bench.join(&joining(&id));
    assert_eq!(bench.joined(token).error_code, UnknownMemberId);
}

#[test]
fn protocols_must_have_something_in_common() {
    let mut bench = Bench::new();
    for bad in [Joining { kind: "", ..joining("") }, Joining { protocols: vec![], ..joining("") }] {
        let token = bench.join(&bad);
        assert_eq!(bench.joined(token).error_code, InconsistentGroupProtocol);
    }
    bench.stable(1);
    for bad in [Joining { kind: "connect", ..joining("") }, Joining { protocols: vec![("sticky", "x")], ..joining("") }] {
        let token = bench.join(&bad);
        assert_eq!(bench.joined(token).error_code, InconsistentGroupProtocol);
    }
}

#[test]
fn the_group_agrees_on_what_all_offer_and_most_prefer() {
    let mut bench = Bench::new();
    let offers = [vec![("a", ""), ("b", "")], vec![("b", ""), ("c", ""), ("a", "")], vec![("c", ""), ("b", ""), ("a", "")]];
    let mut tokens = Vec::new();
    for protocols in offers {
        let offer = Joining { protocols, ..joining("") };
        let given = bench.join(&offer);
        let id = bench.joined(given).member_id;
        tokens.push(bench.join(&Joining { member: id, ..offer }));
    }
    bench.pass(6_000);
    let response = bench.joined(tokens[0]);
    assert_eq!(response.protocol_name, Some("b".into()), "c is not offered by all; a has one vote, b two");
}

#[test]
fn a_second_member_sets_off_a_rebalance_and_the_first_hears_of_it() {
    let mut bench = Bench::new();
    let first = bench.stable(1).remove(0);
    let second = bench.new_id();
    assert_eq!(bench.heartbeat(&first, 1), None, "an id alone changes nothing");
    let waiting = bench.join(&joining(&second));
    assert_eq!(bench.heartbeat(&first, 1), RebalanceInProgress);
    assert!(bench.is_waiting(waiting));
    let again = bench.join(&joining(&first));
    let (one, two) = (bench.joined(again), bench.joined(waiting));
    assert_eq!((one.generation_id, two.generation_id), (2, 2));
    assert_eq!((one.members.len(), two.members.len()), (2, 0), "only the leader hears of all");
}

#[test]
fn who_does_not_join_again_in_time_is_out() {
    let mut bench = Bench::new();
    let ids = bench.stable(2);
    let third = bench.new_id();
    let waiting = bench.join(&joining(&third));
    let again = bench.join(&joining(&ids[1]));
    for _ in 0..12 {
        bench.pass(REBALANCE_MS / 12);
        let error = bench.heartbeat(&ids[0], 1);
        assert!([RebalanceInProgress, UnknownMemberId].contains(&error), "heartbeats do not help: {error}");
    }
    let response = bench.joined(waiting);
    assert_eq!((response.error_code, response.generation_id), (None, 2));
    assert_ne!(response.leader, ids[0], "the leader was late");
    assert_eq!(bench.joined(again).generation_id, 2);
    assert_eq!(bench.heartbeat(&ids[0], 1), UnknownMemberId);
}

#[test]
fn a_member_that_falls_silent_is_removed_and_the_others_rebalance() {
    let mut bench = Bench::new();
    let ids = bench.stable(2);
    bench.pass(SESSION_MS - 1);
    assert_eq!(bench.heartbeat(&ids[0], 1), None);
    bench.pass(1);
    assert_eq!(bench.state(), ("PreparingRebalance".into(), 1));
    assert_eq!(bench.heartbeat(&ids[0], 1), RebalanceInProgress);
    assert_eq!(bench.heartbeat(&ids[1], 1), UnknownMemberId);
}

#[test]
fn members_that_leave_are_gone_at_once() {
    let mut bench = Bench::new();
    let ids = bench.stable(2);
    assert_eq!(bench.leave(&[(&ids[1], Option::None), ("who", Option::None)]), Ok(vec![None, UnknownMemberId]));
    assert_eq!(bench.heartbeat(&ids[0], 1), RebalanceInProgress);
    assert_eq!(bench.leave(&[(&ids[0], Option::None)]), Ok(vec![None]));
    bench.pass(1);
    assert_eq!(bench.state(), ("Empty".into(), 0));
}

#[test]
fn nobody_is_left_of_a_group_that_is_not_there() {
    let mut bench = Bench::new();
    assert_eq!(bench.leave(&[("who", Option::None)]), Err(UnknownMemberId));
    assert_eq!(bench.heartbeat("who", 1), UnknownMemberId);
    assert_eq!(bench.state(), ("Dead".into(), 0));
}

#[test]
fn a_full_group_takes_nobody_else() {
    let mut bench = Bench::with(super::super::GroupConfig { max_size: 2, ..config() });
    let ids = bench.stable(2);
    let token = bench.join(&joining(""));
    assert_eq!(bench.joined(token).error_code, GroupMaxSizeReached);
    let token = bench.join(&joining(&ids[1]));
    assert_eq!(bench.joined(token).error_code, None, "members stay members");
}

#[test]
fn a_member_without_news_stays_in_its_generation_but_a_leader_rebalances() {
    let mut bench = Bench::new();
    let ids = bench.stable(2);
    let token = bench.join(&joining(&ids[1]));
    assert_eq!(bench.joined(token).generation_id, 1, "a follower that repeats itself");
    assert_eq!(bench.state().0, "Stable");
    let leader = bench.join(&joining(&ids[0]));
    assert!(bench.is_waiting(leader));
    assert_eq!(bench.state().0, "PreparingRebalance");
}

#[test]
fn a_member_with_other_metadata_sets_off_a_rebalance() {
    let mut bench = Bench::new();
    let ids = bench.stable(2);
    let news = bench.join(&Joining { protocols: vec![("range", "other topics")], ..joining(&ids[1]) });
    assert!(bench.is_waiting(news));
    let leader = bench.join(&joining(&ids[0]));
    let told = bench.joined(leader);
    assert!(told.members.iter().any(|member| member.metadata == "other topics"), "{told:?}");
}

#[test]
fn a_member_that_asks_twice_waits_once() {
    let mut bench = Bench::new();
    let id = bench.new_id();
    let first = bench.join(&joining(&id));
    let second = bench.join(&joining(&id));
    assert_eq!(bench.joined(first).error_code, RebalanceInProgress);
    bench.pass(6_000);
    assert_eq!(bench.joined(second).error_code, None);
}

#[test]
fn without_memory_nobody_is_let_in() {
    let mut bench = Bench::new();
    bench.bytes_free = 0;
    let token = bench.join(&joining(""));
    assert_eq!(bench.joined(token).error_code, CoordinatorNotAvailable);
}
