//! A coordinator dies, and another goes on with what is in the log.

use super::bench::*;
use crate::types::ErrorCode::*;

#[test]
fn a_stable_group_goes_on_in_its_generation() {
    let mut bench = Bench::new();
    let ids = bench.stable(3);
    bench.commit(&ids[1], 1, 5).unwrap();
    bench.crash(config());
    assert_eq!(bench.state(), ("Stable".into(), 3));
    for (index, id) in ids.iter().enumerate() {
        assert_eq!(bench.heartbeat(id, 1), None);
        let token = bench.sync(id, 1, &[]);
        assert_eq!(bench.synced(token).assignment, format!("part {index}"));
    }
    assert_eq!(bench.fetch().0, 5);
}

#[test]
fn who_does_not_come_back_is_missed_after_its_session() {
    let mut bench = Bench::new();
    let ids = bench.stable(2);
    bench.crash(config());
    bench.pass(SESSION_MS / 2);
    assert_eq!(bench.heartbeat(&ids[0], 1), None);
    bench.pass(SESSION_MS / 2);
    assert_eq!(bench.heartbeat(&ids[0], 1), RebalanceInProgress);
    assert_eq!(bench.state().1, 1);
}

#[test]
fn a_generation_whose_assignment_was_never_written_never_was() {
    let mut bench = Bench::new();
    let ids = bench.stable(2);
    let leader = bench.join(&joining(&ids[0]));
    let follower = bench.join(&joining(&ids[1]));
    assert_eq!((bench.joined(leader).generation_id, bench.joined(follower).generation_id), (2, 2));
    bench.crash(config());
    assert_eq!(bench.heartbeat(&ids[0], 2), IllegalGeneration);
    let leader = bench.join(&joining(&ids[0]));
    let follower = bench.join(&joining(&ids[1]));
    assert_eq!((bench.joined(leader).generation_id, bench.joined(follower).generation_id), (2, 2), "nobody got anything in the first");
}

#[test]
fn an_empty_group_remembers_its_generation_and_since_when_it_is_empty() {
    let mut bench = Bench::new();
    let id = bench.stable(1).remove(0);
    bench.commit(&id, 1, 5).unwrap();
    bench.leave(&[(&id, Option::None)]).unwrap();
    bench.pass(50_000);
    bench.crash(config());
    assert_eq!((bench.state().0.as_str(), bench.fetch().0), ("Empty", 5));
    bench.pass(65_000);
    assert_eq!(bench.fetch().0, -1, "its time did not begin anew");
}

#[test]
fn a_deleted_group_stays_deleted() {
    let mut bench = Bench::new();
    bench.commit("", -1, 5).unwrap();
    bench.pass(120_000);
    assert_eq!(bench.fetch().0, -1);
    bench.crash(config());
    assert_eq!((bench.fetch().0, bench.state().0.as_str()), (-1, "Dead"));
}

#[test]
fn a_group_that_is_too_large_by_now_rebalances_to_become_smaller() {
    let mut bench = Bench::new();
    let ids = bench.stable(3);
    bench.crash(super::super::GroupConfig { max_size: 2, ..config() });
    assert_eq!(bench.state().0, "PreparingRebalance");
    let tokens: Vec<_> = ids.iter().map(|id| bench.join(&joining(id))).collect();
    assert_eq!(bench.joined(tokens[2]).error_code, GroupMaxSizeReached);
    bench.pass(REBALANCE_MS);
    assert_eq!(bench.joined(tokens[0]).error_code, None);
    assert_eq!(bench.state().1, 2);
}
