//! Assignments, and what goes wrong on their way.

use super::super::request::GroupRequest;
use super::bench::*;
use crate::types::ErrorCode::*;
use crate::wire::api::sync_group::SyncGroupRequest;

#[test]
fn assignments_are_given_out_when_their_record_is_written() {
    let mut bench = Bench::new();
    let id = bench.new_id();
    let token = bench.join(&joining(&id));
    bench.pass(6_000);
    bench.joined(token);
    let written = bench.log.len();
    let token = bench.sync(&id, 1, &[(&id, "mine")]);
    assert_eq!(bench.log.len(), written + 1);
    assert!(bench.waited_for_the_disk(token), "a crash must not take back what a member was given");
    let response = bench.synced(token);
    assert_eq!((response.error_code, &response.assignment[..]), (None, &b"mine"[..]));
    assert_eq!((response.protocol_type, response.protocol_name), (Some("consumer".into()), Some("range".into())));
    let again = bench.sync(&id, 1, &[]);
    assert_eq!(bench.synced(again).assignment, "mine", "asked again, answered again");
}

#[test]
fn an_assignment_of_megabytes_goes_through() {
    let mut bench = Bench::new();
    let id = bench.new_id();
    let token = bench.join(&joining(&id));
    bench.pass(6_000);
    bench.joined(token);
    let large = "x".repeat(5 << 20);
    let token = bench.sync(&id, 1, &[(&id, &large)]);
    assert_eq!(bench.synced(token).assignment.len(), 5 << 20);
    assert!(crate::coordinator::machine::StateMachine::bytes(&bench.groups) > 5 << 20, "and is counted");
}

#[test]
fn who_says_the_wrong_thing_is_told_what_is_wrong() {
    let mut bench = Bench::new();
    let id = bench.stable(1).remove(0);
    for (member, generation, error) in [(&*id, 0, IllegalGeneration), (&*id, 2, IllegalGeneration), ("who", 1, UnknownMemberId)] {
        let token = bench.sync(member, generation, &[]);
        assert_eq!(bench.synced(token).error_code, error);
        assert_eq!(bench.heartbeat(member, generation), error);
    }
    for (kind, name) in [("connect", "range"), ("consumer", "sticky")] {
        let request = SyncGroupRequest {
            group_id: GROUP.into(),
            generation_id: 1,
            member_id: id.clone(),
            protocol_type: Some(kind.into()),
            protocol_name: Some(name.into()),
            ..Default::default()
        };
        let token = bench.ask(GroupRequest::Sync(request));
        assert_eq!(bench.synced(token).error_code, InconsistentGroupProtocol);
    }
}

#[test]
fn who_waits_for_an_assignment_hears_of_the_next_rebalance() {
    let mut bench = Bench::new();
    let ids = bench.stable(2);
    let leader = bench.join(&joining(&ids[0]));
    let follower = bench.join(&joining(&ids[1]));
    assert_eq!((bench.joined(leader).generation_id, bench.joined(follower).generation_id), (2, 2));
    let waiting = bench.sync(&ids[1], 2, &[]);
    assert!(bench.is_waiting(waiting));
    bench.leave(&[(&ids[0], Option::None)]).unwrap();
    assert_eq!(bench.synced(waiting).error_code, RebalanceInProgress);
    let early = bench.sync(&ids[1], 2, &[]);
    assert_eq!(bench.synced(early).error_code, RebalanceInProgress, "it must join first");
}

#[test]
fn who_joins_and_never_asks_for_its_assignment_is_out() {
    let mut bench = Bench::new();
    let ids = bench.stable(2);
    let leader = bench.join(&joining(&ids[0]));
    let follower = bench.join(&joining(&ids[1]));
    bench.joined(leader);
    bench.joined(follower);
    let token = bench.sync(&ids[0], 2, &[]);
    assert_eq!(bench.synced(token).error_code, None);
    for _ in 0..REBALANCE_MS / 5_000 {
        bench.pass(5_000);
        bench.heartbeat(&ids[0], 2);
        bench.heartbeat(&ids[1], 2);
    }
    assert_eq!(bench.heartbeat(&ids[1], 2), UnknownMemberId);
    assert_eq!(bench.heartbeat(&ids[0], 2), RebalanceInProgress);
}

#[test]
fn a_log_that_takes_no_assignments_means_another_rebalance() {
    let mut bench = Bench::new();
    let ids = bench.stable(2);
    let leader = bench.join(&joining(&ids[0]));
    let follower = bench.join(&joining(&ids[1]));
    bench.joined(leader);
    bench.joined(follower);
    bench.log_refuses = Some(NotCoordinator);
    let follower = bench.sync(&ids[1], 2, &[]);
    let leader = bench.sync(&ids[0], 2, &[(&ids[0], "a"), (&ids[1], "b")]);
    for token in [leader, follower] {
        let response = bench.synced(token);
        assert_eq!((response.error_code, response.assignment.len()), (NotCoordinator, 0));
    }
    assert_eq!(bench.state().0, "PreparingRebalance");
}
