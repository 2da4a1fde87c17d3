//! Members with an instance id (KIP-345).

use super::bench::*;
use crate::coordinator::machine::Token;
use crate::types::ErrorCode::*;
use crate::wire::Str;

/// A stable group of a dynamic leader and a static member `i`, whose id is second.
fn with_static(bench: &mut Bench) -> (Str, Str) {
    let leader = bench.stable(1).remove(0);
    let token = bench.join(&joining("").with_instance("i"));
    let again = bench.join(&joining(&leader));
    let (second, first) = (bench.joined(token), bench.joined(again));
    assert_eq!((first.generation_id, first.members.len()), (2, 2));
    let id = second.member_id.clone();
    assert!(id.starts_with("i-"), "{id}");
    let waiting = bench.sync(&id, 2, &[]);
    let leading = bench.sync(&leader, 2, &[(&leader, "lead"), (&id, "follow")]);
    assert_eq!((bench.synced(leading).assignment, bench.synced(waiting).assignment), ("lead".into(), "follow".into()));
    (leader, id)
}

#[test]
fn a_static_member_that_comes_back_gets_what_it_had_and_nobody_notices() {
    let mut bench = Bench::new();
    let (leader, before) = with_static(&mut bench);
    let token = bench.join(&joining("").with_instance("i"));
    let response = bench.joined(token);
    assert_eq!((response.error_code, response.generation_id, response.skip_assignment), (None, 2, false));
    assert_ne!(response.member_id, before);
    let sync = bench.sync(&response.member_id, 2, &[]);
    assert_eq!(bench.synced(sync).assignment, "follow");
    assert_eq!(bench.heartbeat(&leader, 2), None);
    assert_eq!(bench.heartbeat(&before, 2), UnknownMemberId);
}

#[test]
fn the_one_before_is_fenced() {
    let mut bench = Bench::new();
    let (_, before) = with_static(&mut bench);
    let token = bench.join(&joining("").with_instance("i"));
    bench.joined(token);
    let token = bench.join(&joining(&before).with_instance("i"));
    assert_eq!(bench.joined(token).error_code, FencedInstanceId);
    assert_eq!(bench.leave(&[(&before, Some("i"))]), Ok(vec![FencedInstanceId]));
    let token = bench.join(&joining(&before).with_instance("j"));
    assert_eq!(bench.joined(token).error_code, UnknownMemberId, "an instance nobody knows");
}

#[test]
fn a_static_leader_that_comes_back_is_told_that_its_assignment_stands() {
    let mut bench = Bench::new();
    let token = bench.join(&joining("").with_instance("i"));
    bench.pass(6_000);
    let leader = bench.joined(token).member_id;
    let token = bench.sync(&leader, 1, &[(&leader, "all")]);
    bench.synced(token);
    let token = bench.join(&joining("").with_instance("i"));
    let response = bench.joined(token);
    assert_eq!((response.generation_id, response.skip_assignment, &response.leader), (1, true, &response.member_id));
    assert_eq!(response.members.len(), 1);
    // Before KIP-814 it was made to believe that somebody else leads.
    let token = bench.join(&Joining { version: 8, ..joining("").with_instance("i") });
    let old = bench.joined(token);
    assert_eq!((old.skip_assignment, &old.leader, old.members.len()), (false, &response.member_id, 0));
}

#[test]
fn two_that_wait_under_one_instance_are_one_and_the_earlier_is_fenced() {
    let mut bench = Bench::new();
    let earlier = bench.join(&joining("").with_instance("i"));
    let later = bench.join(&joining("").with_instance("i"));
    assert_eq!(bench.joined(earlier).error_code, FencedInstanceId);
    bench.pass(6_000);
    assert_eq!(bench.joined(later).error_code, None);
    assert_eq!(bench.state().1, 1);
}

#[test]
fn a_static_member_that_is_away_keeps_its_place_in_a_rebalance() {
    let mut bench = Bench::new();
    let (leader, _) = with_static(&mut bench);
    let third = bench.new_id();
    let waiting = bench.join(&joining(&third));
    let again = bench.join(&joining(&leader));
    // The rebalance timeout passes before its session does.
    assert!([waiting, again].iter().all(|token: &Token| bench.is_waiting(*token)));
    assert_eq!(bench.leave(&[("", Some("i"))]), Ok(vec![None]), "an operator may send it away by its instance");
    assert_eq!(bench.joined(again).members.len(), 2);
}

#[test]
fn a_static_member_with_another_protocol_sets_off_a_rebalance() {
    let mut bench = Bench::new();
    let token = bench.join(&Joining { protocols: vec![("range", ""), ("sticky", "")], ..joining("").with_instance("i") });
    bench.pass(6_000);
    let leader = bench.joined(token).member_id;
    let token = bench.sync(&leader, 1, &[]);
    bench.synced(token);
    let token = bench.join(&Joining { protocols: vec![("sticky", "")], ..joining("").with_instance("i") });
    let response = bench.joined(token);
    assert_eq!((response.generation_id, response.protocol_name), (2, Some("sticky".into())));
}
