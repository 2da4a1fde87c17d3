//! Consumer groups (KIP-848) on the whole broker: members that join, commit, leave, fall silent, die and come back, some of them under an instance id,
//! while the broker crashes and starts again; at the end all behave, and each group must come to rest.
//!
//! Checked: a partition has one owner at a time, and in an epoch; a commit that was acknowledged never goes back; no partition is left without an owner.

use super::client::{Client, Gone};
use super::groups::{PARTITIONS, TOPIC, check_commits, create_topic, fetch, find_coordinator};
use super::{boot, connect, live};
use ringmill::rt::sim::{NetworkFaults, Options, World, for_each_seed};
use ringmill::rt::{Instant, now, random_u64, sleep};
use ringmill::types::{ErrorCode, Offset, PartitionIndex, TopicId};
use ringmill::wire::Str;
use ringmill::wire::api::consumer_group_heartbeat::{ConsumerGroupHeartbeatRequest, ConsumerGroupHeartbeatResponse, TopicPartitions};
use ringmill::wire::api::offset_commit::{OffsetCommitRequest, OffsetCommitRequestPartition, OffsetCommitRequestTopic};
use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::Duration;

/// One of each assignor.
const GROUPS: [&str; 2] = ["uniform", "range"];
const MEMBERS: u64 = 3;
const LIVES: u64 = 3;
/// As `boot` configures it.
const SESSION: Duration = Duration::from_secs(6);
/// Longer than a session: a member is put out for its silence, never for its slowness.
const REBALANCE_TIMEOUT_MS: i32 = 60_000;

/// Who uses a partition.
struct Owner {
    member: u64,
    /// It was sent then, and answered: the coordinator keeps the member until a session later.
    heard: Instant,
}

/// What was seen of one group.
#[derive(Default)]
struct Seen {
    owners: BTreeMap<i32, Owner>,
    owners_of_epochs: BTreeMap<(i32, i32), u64>,
    committed: BTreeMap<i32, i64>,
    epoch_max: i32,
    commits: u64,
    handovers: u64,
}

type Oracle = Rc<RefCell<BTreeMap<&'static str, Seen>>>;

/// What became of a heartbeat.
enum Heard {
    Well(ConsumerGroupHeartbeatResponse),
    /// All is lost: join again.
    PutOut,
    Later,
}

struct Member {
    number: u64,
    group: &'static str,
    address: SocketAddr,
    oracle: Oracle,
    /// From now on it does nothing but work.
    is_calm: Rc<Cell<bool>>,
    instance: Option<Str>,
    id: Str,
    epoch: i32,
    owned: BTreeSet<i32>,
    topic: Option<TopicId>,
    /// The coordinator knows what it owns.
    is_reported: bool,
    /// The epochs of commits without an answer: they may still be done, so nothing is committed in that epoch any more.
    unsure: BTreeMap<i32, i32>,
}

impl Member {
    async fn run(mut self) {
        loop {
            let mut client = connect(self.address).await;
            while self.turn(&mut client).await.is_ok() {}
            self.is_reported = false;
            sleep(Duration::from_millis(5)).await;
        }
    }

    fn seen<T>(&self, look: impl FnOnce(&mut Seen) -> T) -> T {
        look(self.oracle.borrow_mut().entry(self.group).or_default())
    }

    /// It does not use them any more, and says so next.
    fn release(&mut self, partitions: &BTreeSet<i32>) {
        self.seen(|seen| seen.owners.retain(|partition, owner| owner.member != self.number || !partitions.contains(partition)));
        self.owned.retain(|partition| !partitions.contains(partition));
        self.is_reported = false;
    }

    fn abandon(&mut self) {
        let all = self.owned.clone();
        self.release(&all);
        self.epoch = 0;
    }

    fn new_id(&mut self) {
        self.unsure.clear();
        self.id = format!("{}-{:016x}", self.number, random_u64()).into();
    }

    async fn turn(&mut self, client: &mut Client) -> Result<(), Gone> {
        let sent = now();
        match self.heartbeat(client, self.epoch).await? {
            Heard::Well(response) => self.learn(&response, sent),
            Heard::PutOut => self.abandon(),
            Heard::Later => {
                find_coordinator(client, self.group).await?;
                return Ok(());
            }
        }
        for partition in self.owned.clone() {
            self.commit(client, partition).await?;
        }
        sleep(Duration::from_micros(random_u64() % 400_000)).await;
        if !self.is_calm.get() {
            self.misbehave(client).await?;
        }
        Ok(())
    }

    async fn misbehave(&mut self, client: &mut Client) -> Result<(), Gone> {
        match random_u64() % 40 {
            // Away for longer than a session, with all that it owns; it commits before it hears of it.
            0 => {
                sleep(SESSION + Duration::from_millis(random_u64() % 3_000)).await;
                for partition in self.owned.clone() {
                    self.commit(client, partition).await?;
                }
            }
            // Leaves; comes back as somebody else.
            1 => {
                self.abandon();
                self.heartbeat(client, if self.instance.is_some() && random_u64().is_multiple_of(2) { -2 } else { -1 }).await?;
                self.new_id();
            }
            // Dies without a word.
            2 => {
                self.abandon();
                self.new_id();
            }
            // Joins again, under its name.
            3 => self.abandon(),
            _ => {}
        }
        Ok(())
    }

    async fn heartbeat(&mut self, client: &mut Client, epoch: i32) -> Result<Heard, Gone> {
        let topics =
            self.topic.map(|topic_id| TopicPartitions { topic_id, partitions: self.owned.iter().map(|p| PartitionIndex(*p)).collect() });
        let owned = topics.filter(|topics| !topics.partitions.is_empty()).into_iter().collect();
        let is_joining = epoch == 0;
        let request = ConsumerGroupHeartbeatRequest {
            group_id: self.group.into(),
            member_id: self.id.clone(),
            member_epoch: epoch,
            instance_id: self.instance.clone(),
            rebalance_timeout_ms: if is_joining || !self.is_reported { REBALANCE_TIMEOUT_MS } else { -1 },
            subscribed_topic_names: (is_joining || !self.is_reported).then(|| vec![TOPIC.into()]),
            server_assignor: is_joining.then(|| self.group.into()),
            topic_partitions: (is_joining || !self.is_reported).then_some(owned),
            ..Default::default()
        };
        let response = client.ask(&request, 1).await?;
        Ok(match response.error_code {
            ErrorCode::None => Heard::Well(response),
            ErrorCode::FencedMemberEpoch | ErrorCode::UnknownMemberId | ErrorCode::GroupIdNotFound | ErrorCode::FencedInstanceId => {
                Heard::PutOut
            }
            ErrorCode::UnreleasedInstanceId
            | ErrorCode::NotCoordinator
            | ErrorCode::CoordinatorNotAvailable
            | ErrorCode::CoordinatorLoadInProgress => Heard::Later,
            other => panic!("{}: a heartbeat of {} got {other}: {:?}", self.group, self.id, response.error_message),
        })
    }

    /// Takes what it is given, and gives up what it is not.
    fn learn(&mut self, response: &ConsumerGroupHeartbeatResponse, sent: Instant) {
        self.is_reported = true;
        self.epoch = response.member_epoch;
        if let Some(assignment) = &response.assignment {
            let topics = &assignment.topic_partitions;
            self.topic = topics.first().map(|topic| topic.topic_id).or(self.topic);
            let given: BTreeSet<i32> = topics.iter().flat_map(|topic| topic.partitions.iter().map(|partition| partition.0)).collect();
            let lost: BTreeSet<i32> = self.owned.difference(&given).copied().collect();
            if !lost.is_empty() {
                self.release(&lost);
            }
            if given != self.owned {
                self.is_reported = false;
            }
            self.owned = given;
        }
        self.own(sent);
    }

    fn own(&self, heard: Instant) {
        let (number, epoch) = (self.number, self.epoch);
        self.seen(|seen| {
            seen.epoch_max = seen.epoch_max.max(epoch);
            for partition in &self.owned {
                let before = seen.owners.insert(*partition, Owner { member: number, heard });
                if let Some(before) = before.filter(|before| before.member != number) {
                    let silent = now() - before.heard;
                    assert!(
                        silent >= SESSION,
                        "{}: {partition} is given to {number} in epoch {epoch}, but {} has it and was heard of {silent:?} ago",
                        self.group,
                        before.member
                    );
                    seen.handovers += 1;
                }
                let before = seen.owners_of_epochs.insert((epoch, *partition), number);
                assert!(
                    before.is_none_or(|before| before == number),
                    "{}: {partition} has two owners in epoch {epoch}: {before:?} and {number}",
                    self.group
                );
            }
        });
    }

    /// Commits one more than what is committed, if it may.
    async fn commit(&mut self, client: &mut Client, partition: i32) -> Result<(), Gone> {
        if self.unsure.get(&partition).is_some_and(|epoch| *epoch >= self.epoch) {
            return Ok(());
        }
        let known = self.seen(|seen| seen.committed.get(&partition).copied().unwrap_or(-1));
        let Some(found) = fetch(client, self.group, partition).await? else { return Ok(()) };
        assert!(found >= known, "{}: partition {partition} went back from {known} to {found}", self.group);
        let was_taken = self.seen(|seen| seen.owners.get(&partition).is_some_and(|owner| owner.member != self.number));
        let one = OffsetCommitRequestPartition {
            partition_index: PartitionIndex(partition),
            committed_offset: Offset(found + 1),
            ..Default::default()
        };
        let request = OffsetCommitRequest {
            group_id: self.group.into(),
            generation_id_or_member_epoch: self.epoch,
            member_id: self.id.clone(),
            group_instance_id: self.instance.clone(),
            topics: vec![OffsetCommitRequestTopic { name: TOPIC.into(), partitions: vec![one], ..Default::default() }],
            ..Default::default()
        };
        self.unsure.insert(partition, self.epoch);
        let response = client.ask(&request, 9).await?;
        self.unsure.remove(&partition);
        match response.topics[0].partitions[0].error_code {
            ErrorCode::None => {
                assert!(!was_taken, "{}: {} commits {partition} after somebody else got it", self.group, self.number);
                self.seen(|seen| {
                    seen.commits += 1;
                    let highest = seen.committed.entry(partition).or_insert(-1);
                    *highest = (*highest).max(found + 1);
                });
            }
            ErrorCode::UnknownMemberId
            | ErrorCode::StaleMemberEpoch
            | ErrorCode::GroupIdNotFound
            | ErrorCode::IllegalGeneration
            | ErrorCode::NotCoordinator
            | ErrorCode::CoordinatorNotAvailable
            | ErrorCode::CoordinatorLoadInProgress => {}
            other => panic!("{}: a commit got {other}", self.group),
        }
        Ok(())
    }
}

/// Every partition of every group has an owner, and each member of a group its share.
fn is_at_rest(oracle: &BTreeMap<&'static str, Seen>) -> bool {
    let shares = |seen: &Seen| {
        let mut shares = BTreeMap::<u64, usize>::new();
        seen.owners.values().for_each(|owner| *shares.entry(owner.member).or_default() += 1);
        shares.len() as u64 == MEMBERS && shares.values().max() <= shares.values().min().map(|least| least + 1).as_ref()
    };
    oracle.len() == GROUPS.len() && oracle.values().all(|seen| seen.owners.len() == PARTITIONS as usize && shares(seen))
}

/// What a story came to.
struct Counts {
    commits: u64,
    epochs: u64,
    /// Partitions taken from a member that was silent.
    handovers: u64,
}

fn consume_together(seed: u64) -> Counts {
    let world = World::new(seed, Options::default());
    let (broker, clients) = (world.add_machine(), world.add_machine());
    let address = SocketAddr::new(broker.ip(), 9092);
    world.set_network_faults(NetworkFaults { cut_one_in: 2_000, refuse_one_in: 50, stall_one_in: 300 });
    let oracle: Oracle = Rc::default();
    let is_calm = Rc::new(Cell::new(false));
    for number in 0..MEMBERS * GROUPS.len() as u64 {
        let (oracle, is_calm) = (Rc::clone(&oracle), Rc::clone(&is_calm));
        let group = GROUPS[number as usize % GROUPS.len()];
        // Every group has one.
        let instance = (number < GROUPS.len() as u64).then(|| Str::from_static("one"));
        world.spawn_on(clients, async move {
            create_topic(address).await;
            let (id, owned) = (Str::new(), BTreeSet::new());
            let (topic, unsure) = (None, BTreeMap::new());
            let mut member =
                Member { number, group, address, oracle, is_calm, instance, id, epoch: 0, owned, topic, is_reported: false, unsure };
            member.new_id();
            member.run().await;
        });
    }
    for _ in 0..LIVES {
        live(&world, broker, 6_000);
    }
    world.set_network_faults(NetworkFaults::default());
    is_calm.set(true);
    let _node = boot(&world, broker, 2);
    let rested = world.run_until(Duration::from_secs(90), || is_at_rest(&oracle.borrow()));
    let owners = |seen: &Seen| seen.owners.iter().map(|(partition, owner)| (*partition, owner.member)).collect::<Vec<_>>();
    assert!(
        rested,
        "no rest: {:?}",
        oracle.borrow().iter().map(|(group, seen)| (*group, seen.epoch_max, owners(seen))).collect::<Vec<_>>()
    );
    world.kill(clients);
    let oracle = oracle.borrow();
    let committed = oracle.iter().flat_map(|(group, seen)| seen.committed.iter().map(|(partition, offset)| (*group, *partition, *offset)));
    let committed: Vec<_> = committed.collect();
    world.block_on(clients, check_commits(address, committed));
    let sum = |of: fn(&Seen) -> u64| oracle.values().map(of).sum();
    Counts { commits: sum(|seen| seen.commits), epochs: sum(|seen| seen.epoch_max as u64), handovers: sum(|seen| seen.handovers) }
}

#[test]
fn consumer_groups_survive_crashes_with_one_owner_each_and_come_to_rest() {
    use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
    let [commits, epochs, handovers] = [0; 3].map(AtomicU64::new);
    let ran = for_each_seed(20, |seed| {
        let counts = consume_together(seed);
        commits.fetch_add(counts.commits, Relaxed);
        epochs.fetch_max(counts.epochs, Relaxed);
        handovers.fetch_add(counts.handovers, Relaxed);
    });
    ran.must_have_seen(
        commits.into_inner() > 0 && handovers.into_inner() > 0,
        &"acknowledged commits, and a partition taken from a silent member",
    );
    ran.must_have_seen(epochs.into_inner() > 6, &"several epochs of a group");
}
