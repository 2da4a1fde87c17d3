//! Groups through what happens to a broker: `kill -9` amid commits, their partitions moving between cores.

use kafka_protocol::messages::GroupId;
use kafka_protocol::messages::find_coordinator_request::FindCoordinatorRequest;
use kafka_protocol::messages::heartbeat_request::HeartbeatRequest;
use kafka_protocol::messages::join_group_request::{JoinGroupRequest, JoinGroupRequestProtocol};
use kafka_protocol::messages::offset_commit_request::{OffsetCommitRequest, OffsetCommitRequestPartition, OffsetCommitRequestTopic};
use kafka_protocol::messages::offset_fetch_request::{OffsetFetchRequest, OffsetFetchRequestGroup, OffsetFetchRequestTopics};
use kafka_protocol::messages::sync_group_request::{SyncGroupRequest, SyncGroupRequestAssignment};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use super::moves::{Operator, PARTITIONS};
use crate::broker::{Broker, PATIENCE, unique};
use crate::connection::{Connection, text, topic};

const COORDINATOR_LOAD_IN_PROGRESS: i16 = 14;
const MEMBER_ID_REQUIRED: i16 = 79;

fn group_id(group: &str) -> GroupId {
    GroupId(text(group))
}

/// As many partitions for groups as [`Operator`] moves.
fn broker_with_groups() -> Broker {
    Broker::start_with(&["offsets.topic.num.partitions=4", "group.initial.rebalance.delay.ms=0"])
}

/// Returns when the group's coordinator can be asked.
pub fn await_coordinator(connection: &mut Connection, group: &str) {
    let began = Instant::now();
    let request = FindCoordinatorRequest::default().with_key(text(group));
    while connection.call(3, &request).error_code != 0 || fetch(connection, group, "nothing").is_err() {
        assert!(began.elapsed() < PATIENCE, "no coordinator");
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// A commit for partition 0 of a topic; from outside the group with generation -1.
pub fn commit_request(group: &str, member: &str, generation: i32, of: &str, offset: i64) -> OffsetCommitRequest {
    let partition = OffsetCommitRequestPartition::default().with_partition_index(0).with_committed_offset(offset);
    let topic = OffsetCommitRequestTopic::default().with_name(topic(of)).with_partitions(vec![partition]);
    OffsetCommitRequest::default()
        .with_group_id(group_id(group))
        .with_generation_id_or_member_epoch(generation)
        .with_member_id(text(member))
        .with_topics(vec![topic])
}

pub fn commit(connection: &mut Connection, group: &str, of: &str, offset: i64) -> i16 {
    connection.call(8, &commit_request(group, "", -1, of, offset)).topics[0].partitions[0].error_code
}

/// What is committed for partition 0 of a topic, -1 if nothing is; else the error.
pub fn fetch(connection: &mut Connection, group: &str, of: &str) -> Result<i64, i16> {
    let topic = OffsetFetchRequestTopics::default().with_name(topic(of)).with_partition_indexes(vec![0]);
    let asked = OffsetFetchRequestGroup::default().with_group_id(group_id(group)).with_topics(Some(vec![topic]));
    let answer = connection.call(8, &OffsetFetchRequest::default().with_groups(vec![asked]));
    let group = &answer.groups[0];
    if group.error_code == 0 { Ok(group.topics[0].partitions[0].committed_offset) } else { Err(group.error_code) }
}

/// The same, asked until the coordinator has loaded.
pub fn fetch_when_loaded(connection: &mut Connection, group: &str, of: &str) -> i64 {
    let began = Instant::now();
    loop {
        match fetch(connection, group, of) {
            Ok(offset) => return offset,
            Err(error) => assert_eq!(error, COORDINATOR_LOAD_IN_PROGRESS),
        }
        assert!(began.elapsed() < PATIENCE, "the coordinator does not load");
        std::thread::sleep(Duration::from_millis(2));
    }
}

/// Commits ever higher offsets until the broker is gone: what was acknowledged and what was sent last.
fn commit_on(broker: &Broker, group: String, of: String, from: i64, acknowledged: &Arc<AtomicU64>) -> JoinHandle<(i64, i64)> {
    let (mut connection, acknowledged) = (Connection::to(broker), Arc::clone(acknowledged));
    std::thread::spawn(move || {
        for offset in from + 1.. {
            match connection.try_call(8, &commit_request(&group, "", -1, &of, offset)) {
                None => return (offset - 1, offset),
                Some(answer) => assert_eq!(answer.topics[0].partitions[0].error_code, 0, "commit of {offset}"),
            }
            acknowledged.fetch_add(1, Ordering::Relaxed);
        }
        unreachable!("the broker is killed before that")
    })
}

#[test]
fn an_acknowledged_commit_is_never_lost_and_never_goes_back_over_kills() {
    const GROUPS: usize = 8;
    let mut broker = broker_with_groups();
    let name = unique("committed");
    let mut connection = Connection::to(&broker);
    connection.create_topic(&name, &[]);
    let groups: Vec<String> = (0..GROUPS).map(|n| unique(&format!("group-{n}"))).collect();
    groups.iter().for_each(|group| await_coordinator(&mut connection, group));
    let mut committed = [0_i64; GROUPS];
    for life in 0..5 {
        let acknowledged = Arc::default();
        let committers: Vec<_> = groups
            .iter()
            .zip(committed)
            .map(|(group, from)| commit_on(&broker, group.clone(), name.clone(), from, &acknowledged))
            .collect();
        let began = Instant::now();
        while acknowledged.load(Ordering::Relaxed) < 300 {
            assert!(began.elapsed() < PATIENCE, "commits are not acknowledged");
            std::thread::sleep(Duration::from_millis(1));
        }
        broker.kill();
        let ends: Vec<(i64, i64)> = committers.into_iter().map(|committer| committer.join().expect("no commit was refused")).collect();
        broker.start_again();
        let mut connection = Connection::to(&broker);
        for (index, (acknowledged, sent)) in ends.into_iter().enumerate() {
            let found = fetch_when_loaded(&mut connection, &groups[index], &name);
            assert!(
                (acknowledged..=sent).contains(&found),
                "life {life}: {found} is committed, {acknowledged} was acknowledged, {sent} sent"
            );
            committed[index] = found;
        }
    }
}

/// The only member of a group, in its first generation; its id.
fn join_alone(connection: &mut Connection, group: &str) -> String {
    let request = |member: &str| {
        let protocol = JoinGroupRequestProtocol::default().with_name(text("range"));
        JoinGroupRequest::default()
            .with_group_id(group_id(group))
            .with_session_timeout_ms(600_000)
            .with_rebalance_timeout_ms(600_000)
            .with_member_id(text(member))
            .with_protocol_type(text("consumer"))
            .with_protocols(vec![protocol])
    };
    let given = connection.call(5, &request(""));
    assert_eq!(given.error_code, MEMBER_ID_REQUIRED);
    let joined = connection.call(5, &request(&given.member_id));
    assert_eq!((joined.error_code, joined.generation_id, joined.members.len()), (0, 1, 1));
    let assignment = SyncGroupRequestAssignment::default().with_member_id(joined.member_id.clone()).with_assignment("mine".into());
    let sync = SyncGroupRequest::default()
        .with_group_id(group_id(group))
        .with_generation_id(1)
        .with_member_id(joined.member_id.clone())
        .with_assignments(vec![assignment]);
    assert_eq!(connection.call(3, &sync).error_code, 0);
    joined.member_id.to_string()
}

/// Asks until it is answered by something else than that the coordinator loads.
fn when_loaded(mut ask: impl FnMut() -> i16) -> i16 {
    let began = Instant::now();
    loop {
        match ask() {
            COORDINATOR_LOAD_IN_PROGRESS if began.elapsed() < PATIENCE => std::thread::sleep(Duration::from_millis(1)),
            other => return other,
        }
    }
}

#[test]
fn members_stay_and_commits_go_on_while_their_partitions_move() {
    const COMMITS: i64 = 25;
    let broker = broker_with_groups();
    let name = unique("consumed");
    let mut connection = Connection::to(&broker);
    connection.create_topic(&name, &[]);
    let groups: Vec<String> = (0..2 * PARTITIONS).map(|n| unique(&format!("moved-{n}"))).collect();
    let mut members = Vec::new();
    for group in &groups {
        await_coordinator(&mut connection, group);
        members.push(join_alone(&mut connection, group));
    }
    let operator = Operator::of(broker.admin(), "__consumer_offsets");
    for offset in 1..=COMMITS {
        for (group, member) in groups.iter().zip(&members) {
            let error =
                when_loaded(|| connection.call(8, &commit_request(group, member, 1, &name, offset)).topics[0].partitions[0].error_code);
            assert_eq!(error, 0, "{member} commits {offset} in its first generation");
            assert_eq!(fetch_when_loaded(&mut connection, group, &name), offset);
            let heartbeat = HeartbeatRequest::default().with_group_id(group_id(group)).with_generation_id(1).with_member_id(text(member));
            assert_eq!(when_loaded(|| connection.call(3, &heartbeat).error_code), 0, "{member} stays");
        }
    }
    operator.wait_for(20);
    assert!(operator.end() >= 20);
    for group in &groups {
        assert_eq!(fetch_when_loaded(&mut connection, group, &name), COMMITS);
    }
}
