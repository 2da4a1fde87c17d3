//! Groups on the whole broker: members that join, commit, fall silent and come back, while the broker crashes and starts again.
//!
//! Checked: a partition has one owner in a generation; a commit that was acknowledged never goes back.

use super::client::{Client, Gone};
use super::{boot, connect, live};
use bytes::Bytes;
use ringmill::rt::sim::{NetworkFaults, Options, World, for_each_seed};
use ringmill::rt::{random_u64, sleep};
use ringmill::types::{ErrorCode, Offset, PartitionIndex};
use ringmill::wire::Str;
use ringmill::wire::api::create_topics::{CreatableTopic, CreateTopicsRequest};
use ringmill::wire::api::find_coordinator::FindCoordinatorRequest;
use ringmill::wire::api::heartbeat::HeartbeatRequest;
use ringmill::wire::api::join_group::{JoinGroupRequest, JoinGroupRequestProtocol, JoinGroupResponse};
use ringmill::wire::api::offset_commit::{OffsetCommitRequest, OffsetCommitRequestPartition, OffsetCommitRequestTopic};
use ringmill::wire::api::offset_fetch::{OffsetFetchRequest, OffsetFetchRequestGroup, OffsetFetchRequestTopics};
use ringmill::wire::api::sync_group::{SyncGroupRequest, SyncGroupRequestAssignment};
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::Duration;

pub const TOPIC: &str = "work";
pub const PARTITIONS: i32 = 4;
const GROUPS: [&str; 3] = ["g1", "g2", "another"];
const MEMBERS: u64 = 3;
const LIVES: u64 = 3;

/// What was seen of one group.
#[derive(Default)]
struct Seen {
    /// Who owns each partition in each generation.
    owners: BTreeMap<(i32, i32), Str>,
    /// The highest offset acknowledged for each partition.
    committed: BTreeMap<i32, i64>,
    generations: u64,
    commits: u64,
}

type Oracle = Rc<RefCell<BTreeMap<&'static str, Seen>>>;

/// A member of a group that owns what its leader gives it, commits ever higher offsets, and now and then goes away for a while.
struct Member {
    group: &'static str,
    address: SocketAddr,
    id: Str,
    oracle: Oracle,
}

impl Member {
    async fn run(mut self) {
        loop {
            let mut client = connect(self.address).await;
            while let Ok(joined) = self.join(&mut client).await {
                let Some(response) = joined else {
                    sleep(Duration::from_millis(10)).await;
                    continue;
                };
                if self.live(&mut client, &response).await.is_err() {
                    break;
                }
            }
            // What was on its way may still be done, in this generation: go on in another.
            self.id = Str::new();
            sleep(Duration::from_millis(5)).await;
        }
    }

    /// A generation to be in; `None`: ask again.
    async fn join(&mut self, client: &mut Client) -> Result<Option<JoinGroupResponse>, Gone> {
        let request = JoinGroupRequest {
            group_id: self.group.into(),
            session_timeout_ms: 6_000,
            rebalance_timeout_ms: 4_000,
            member_id: self.id.clone(),
            protocol_type: "consumer".into(),
            protocols: vec![JoinGroupRequestProtocol { name: "range".into(), metadata: Bytes::new() }],
            ..Default::default()
        };
        let response = client.ask(&request, 5).await?;
        match response.error_code {
            ErrorCode::None => Ok(Some(response)),
            ErrorCode::MemberIdRequired => {
                self.id = response.member_id;
                Ok(None)
            }
            ErrorCode::UnknownMemberId => {
                self.id = Str::new();
                Ok(None)
            }
            ErrorCode::NotCoordinator
            | ErrorCode::CoordinatorNotAvailable
            | ErrorCode::CoordinatorLoadInProgress
            | ErrorCode::RebalanceInProgress => {
                find_coordinator(client, self.group).await?;
                Ok(None)
            }
            other => panic!("{}: JoinGroup of {} got {other}", self.group, self.id),
        }
    }

    /// A generation from its assignment to its end.
    async fn live(&mut self, client: &mut Client, joined: &JoinGroupResponse) -> Result<(), Gone> {
        let mine = match self.sync(client, joined).await? {
            Some(mine) => mine,
            None => return Ok(()),
        };
        let generation = joined.generation_id;
        for partition in &mine {
            let mut oracle = self.oracle.borrow_mut();
            let seen = oracle.entry(self.group).or_default();
            let before = seen.owners.insert((generation, *partition), self.id.clone());
            assert!(before.is_none_or(|before| before == self.id), "{}: {partition} has two owners in generation {generation}", self.group);
            seen.generations = seen.generations.max(generation as u64);
        }
        for _ in 0..random_u64() % 12 {
            sleep(Duration::from_micros(random_u64() % 200_000)).await;
            for partition in &mine {
                if !self.commit(client, generation, *partition).await? {
                    return Ok(());
                }
            }
            if !self.heartbeat(client, generation).await? {
                return Ok(());
            }
        }
        match random_u64() % 8 {
            // Away for longer than a session.
            0 => sleep(Duration::from_secs(7)).await,
            // Somebody new.
            1 => self.id = Str::new(),
            _ => {}
        }
        Ok(())
    }

    async fn sync(&mut self, client: &mut Client, joined: &JoinGroupResponse) -> Result<Option<Vec<i32>>, Gone> {
        let count = joined.members.len().max(1);
        let given = |index: usize| (0..PARTITIONS).filter(move |partition| *partition as usize % count == index);
        let assignments = joined.members.iter().enumerate().map(|(index, member)| SyncGroupRequestAssignment {
            member_id: member.member_id.clone(),
            assignment: given(index).map(|partition| partition as u8).collect::<Vec<u8>>().into(),
        });
        let request = SyncGroupRequest {
            group_id: self.group.into(),
            generation_id: joined.generation_id,
            member_id: self.id.clone(),
            assignments: assignments.collect(),
            ..Default::default()
        };
        let response = client.ask(&request, 3).await?;
        match response.error_code {
            ErrorCode::None => Ok(Some(response.assignment.iter().map(|partition| i32::from(*partition)).collect())),
            ErrorCode::UnknownMemberId => {
                self.id = Str::new();
                Ok(None)
            }
            ErrorCode::RebalanceInProgress | ErrorCode::IllegalGeneration | ErrorCode::NotCoordinator => Ok(None),
            other => panic!("{}: SyncGroup of {} got {other}", self.group, self.id),
        }
    }

    /// Commits one more than what is committed. False: it is out of the generation.
    async fn commit(&mut self, client: &mut Client, generation: i32, partition: i32) -> Result<bool, Gone> {
        let known = self.oracle.borrow().get(self.group).and_then(|seen| seen.committed.get(&partition).copied()).unwrap_or(-1);
        let Some(found) = fetch(client, self.group, partition).await? else { return Ok(true) };
        assert!(found >= known, "{}: partition {partition} went back from {known} to {found}", self.group);
        let one = OffsetCommitRequestPartition {
            partition_index: PartitionIndex(partition),
            committed_offset: Offset(found + 1),
            ..Default::default()
        };
        let request = OffsetCommitRequest {
            group_id: self.group.into(),
            generation_id_or_member_epoch: generation,
            member_id: self.id.clone(),
            topics: vec![OffsetCommitRequestTopic { name: TOPIC.into(), partitions: vec![one], ..Default::default() }],
            ..Default::default()
        };
        let response = client.ask(&request, 7).await?;
        match response.topics[0].partitions[0].error_code {
            ErrorCode::None => {
                let mut oracle = self.oracle.borrow_mut();
                let seen = oracle.entry(self.group).or_default();
                seen.commits += 1;
                let highest = seen.committed.entry(partition).or_insert(-1);
                *highest = (*highest).max(found + 1);
                Ok(true)
            }
            ErrorCode::CoordinatorLoadInProgress => Ok(true),
            ErrorCode::UnknownMemberId
            | ErrorCode::IllegalGeneration
            | ErrorCode::RebalanceInProgress
            | ErrorCode::NotCoordinator
            | ErrorCode::CoordinatorNotAvailable => Ok(false),
            other => panic!("{}: a commit got {other}", self.group),
        }
    }

    async fn heartbeat(&mut self, client: &mut Client, generation: i32) -> Result<bool, Gone> {
        let request = HeartbeatRequest {
            group_id: self.group.into(),
            generation_id: generation,
            member_id: self.id.clone(),
            group_instance_id: None,
        };
        let response = client.ask(&request, 3).await?;
        Ok(response.error_code.is_none())
    }
}

pub async fn find_coordinator(client: &mut Client, group: &str) -> Result<(), Gone> {
    let request = FindCoordinatorRequest { key: group.into(), ..Default::default() };
    client.ask(&request, 3).await?;
    sleep(Duration::from_millis(20)).await;
    Ok(())
}

/// The committed offset, -1 if there is none; `None`: nobody can say now.
pub async fn fetch(client: &mut Client, group: &str, partition: i32) -> Result<Option<i64>, Gone> {
    let topic = OffsetFetchRequestTopics { name: TOPIC.into(), partition_indexes: vec![PartitionIndex(partition)], ..Default::default() };
    let asked = OffsetFetchRequestGroup { group_id: group.into(), topics: Some(vec![topic]), ..Default::default() };
    let request = OffsetFetchRequest { groups: vec![asked], ..Default::default() };
    let response = client.ask(&request, 8).await?;
    let answer = &response.groups[0];
    match answer.error_code {
        ErrorCode::None => Ok(Some(answer.topics[0].partitions[0].committed_offset.0)),
        ErrorCode::CoordinatorLoadInProgress | ErrorCode::NotCoordinator => Ok(None),
        other => panic!("{group}: fetching offsets got {other}"),
    }
}

pub async fn create_topic(address: SocketAddr) {
    let topic = CreatableTopic { name: TOPIC.into(), num_partitions: PARTITIONS, replication_factor: 1, ..Default::default() };
    let request = CreateTopicsRequest { topics: vec![topic], timeout_ms: 10_000, ..Default::default() };
    while connect(address).await.ask(&request, 7).await.is_err() {}
}

/// Every acknowledged commit is still there.
pub async fn check_commits(address: SocketAddr, committed: Vec<(&'static str, i32, i64)>) {
    let mut client = connect(address).await;
    for (group, partition, offset) in committed {
        loop {
            match fetch(&mut client, group, partition).await {
                Ok(Some(found)) => {
                    assert!(found >= offset, "{group}: partition {partition} was at {offset}, and is at {found}");
                    break;
                }
                Ok(None) => sleep(Duration::from_millis(20)).await,
                Err(Gone) => client = connect(address).await,
            }
        }
    }
}

/// Commits that were acknowledged, and the highest generation.
fn consume_together(seed: u64) -> (u64, u64) {
    let world = World::new(seed, Options::default());
    let (broker, clients) = (world.add_machine(), world.add_machine());
    let address = SocketAddr::new(broker.ip(), 9092);
    world.set_network_faults(NetworkFaults { cut_one_in: 2_000, refuse_one_in: 50, stall_one_in: 300 });
    let oracle: Oracle = Rc::default();
    for number in 0..MEMBERS * GROUPS.len() as u64 {
        let group = GROUPS[number as usize % GROUPS.len()];
        let member = Member { group, address, id: Str::new(), oracle: Rc::clone(&oracle) };
        world.spawn_on(clients, async move {
            create_topic(address).await;
            member.run().await;
        });
    }
    for _ in 0..LIVES {
        live(&world, broker, 6_000);
    }
    world.kill(clients);
    world.set_network_faults(NetworkFaults::default());
    let _node = boot(&world, broker, 2);
    let oracle = oracle.borrow();
    let committed = oracle.iter().flat_map(|(group, seen)| seen.committed.iter().map(|(partition, offset)| (*group, *partition, *offset)));
    let committed: Vec<_> = committed.collect();
    world.block_on(clients, check_commits(address, committed));
    (oracle.values().map(|seen| seen.commits).sum(), oracle.values().map(|seen| seen.generations).max().unwrap_or(0))
}

#[test]
fn groups_survive_crashes_with_one_owner_each_and_no_commit_lost() {
    let (commits, generations) = (std::sync::atomic::AtomicU64::new(0), std::sync::atomic::AtomicU64::new(0));
    let ran = for_each_seed(20, |seed| {
        let (committed, generation) = consume_together(seed);
        commits.fetch_add(committed, std::sync::atomic::Ordering::Relaxed);
        generations.fetch_max(generation, std::sync::atomic::Ordering::Relaxed);
    });
    ran.must_have_seen(commits.into_inner() > 0, &"an acknowledged commit");
    ran.must_have_seen(generations.into_inner() > 3, &"several generations of a group");
}
