//! The state of one classic group: its members, who leads them, which protocol they agreed on.
//!
//! ```text
//! Empty -> PreparingRebalance             a member joined
//! PreparingRebalance -> CompletingRebalance, Empty    all have joined again or their time is over; nobody is left
//! CompletingRebalance -> Stable           the leader's assignment was accepted
//! CompletingRebalance, Stable -> PreparingRebalance   a member joined, left, failed, or offers something else
//! ```
//! Kafka's Dead is a group that is not there. Pure; what happens when is in `rebalance.rs` and the files of the requests.

use super::member::{Member, Protocol};
use super::subscription::subscribed_topics;
use crate::types::{ErrorCode, Timestamp};
use crate::wire::Str;
use bytes::Bytes;
use std::collections::{BTreeMap, BTreeSet};

/// The protocol type of groups that consume.
pub const CONSUMER_PROTOCOL: &str = "consumer";

/// Where a group is in its life; see the module.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Phase {
    Empty,
    /// `initial`: the group was empty before, and waits a while for more members.
    PreparingRebalance {
        initial: bool,
    },
    CompletingRebalance,
    Stable,
}

impl Phase {
    /// Kafka's name.
    pub fn name(self) -> &'static str {
        match self {
            Phase::Empty => "Empty",
            Phase::PreparingRebalance { .. } => "PreparingRebalance",
            Phase::CompletingRebalance => "CompletingRebalance",
            Phase::Stable => "Stable",
        }
    }

    pub fn is_preparing(self) -> bool {
        matches!(self, Phase::PreparingRebalance { .. })
    }
}

/// How long the first rebalance still waits for members, in ms: this time, and in all after it.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct InitialDelay {
    pub now_ms: u64,
    pub later_ms: u64,
}

/// See the module.
#[derive(Clone, Debug)]
pub struct ClassicGroup {
    pub id: Str,
    pub phase: Phase,
    /// Since when it is in its phase; unknown for groups of old records.
    pub phase_since: Timestamp,
    pub generation: i32,
    pub protocol_type: Option<Str>,
    /// What its generation agreed on.
    pub protocol: Option<Str>,
    pub leader: Option<Str>,
    pub members: BTreeMap<Str, Member>,
    /// Member ids by instance id.
    pub static_members: BTreeMap<Str, Str>,
    /// Ids that were given to members who have not joined with them yet.
    pub pending_joins: BTreeSet<Str>,
    /// Members that have not sent SyncGroup in this generation.
    pub pending_syncs: BTreeSet<Str>,
    /// How many members wait for the answer to JoinGroup.
    pub join_waiters: usize,
    /// A member joined since the first rebalance's wait began.
    pub new_member_added: bool,
    pub initial_delay: InitialDelay,
    /// What its members subscribe to; `None`: unknown.
    pub subscribed: Option<BTreeSet<Str>>,
    /// How many members offer each protocol.
    offers: BTreeMap<Str, usize>,
    members_bytes: u64,
}

impl ClassicGroup {
    /// A group that has nothing yet.
    pub fn new(id: Str, now: Timestamp) -> ClassicGroup {
        ClassicGroup {
            id,
            phase: Phase::Empty,
            phase_since: now,
            generation: 0,
            protocol_type: None,
            protocol: None,
            leader: None,
            members: BTreeMap::new(),
            static_members: BTreeMap::new(),
            pending_joins: BTreeSet::new(),
            pending_syncs: BTreeSet::new(),
            join_waiters: 0,
            new_member_added: false,
            initial_delay: InitialDelay::default(),
            subscribed: None,
            offers: BTreeMap::new(),
            members_bytes: 0,
        }
    }

    pub fn is_leader(&self, member: &str) -> bool {
        self.leader.as_deref() == Some(member)
    }

    /// Neither members nor anybody about to be one.
    pub fn is_empty_of_members(&self) -> bool {
        self.phase == Phase::Empty
    }

    pub fn is_consumer(&self) -> bool {
        self.protocol_type.as_deref() == Some(CONSUMER_PROTOCOL)
    }

    /// Memory it takes, about.
    pub fn bytes(&self) -> u64 {
        let ids: usize = self.pending_joins.iter().map(|id| id.len() + 64).sum();
        size_of::<ClassicGroup>() as u64 + self.id.len() as u64 + ids as u64 + self.members_bytes
    }

    pub fn enter(&mut self, phase: Phase, now: Timestamp) {
        self.phase = phase;
        self.phase_since = now;
    }

    pub fn add(&mut self, id: Str, member: Member) {
        if let Some(instance) = &member.instance_id {
            self.static_members.insert(instance.clone(), id.clone());
        }
        self.leader.get_or_insert_with(|| id.clone());
        self.pending_joins.remove(&id);
        self.join_waiters += usize::from(member.join_waiter.is_some());
        self.count_offers(&member, 1);
        self.members_bytes += member.bytes() + id.len() as u64;
        self.members.insert(id, member);
    }

    /// Removes a member, or an id that was given to one.
    pub fn remove(&mut self, id: &str) -> Option<Member> {
        let removed = self.members.remove(id);
        if let Some(member) = &removed {
            self.join_waiters -= usize::from(member.join_waiter.is_some());
            self.count_offers(member, -1);
            self.members_bytes -= member.bytes() + id.len() as u64;
            if let Some(instance) = &member.instance_id {
                self.static_members.remove(instance);
            }
        }
        if self.is_leader(id) {
            self.leader = self.members.keys().next().cloned();
        }
        self.pending_joins.remove(id);
        self.pending_syncs.remove(id);
        removed
    }

    /// Changes a member; counts are kept right.
    pub fn change<T>(&mut self, id: &str, change: impl FnOnce(&mut Member) -> T) -> Option<T> {
        let mut member = self.members.remove(id)?;
        self.join_waiters -= usize::from(member.join_waiter.is_some());
        self.count_offers(&member, -1);
        self.members_bytes -= member.bytes();
        let result = change(&mut member);
        self.join_waiters += usize::from(member.join_waiter.is_some());
        self.count_offers(&member, 1);
        self.members_bytes += member.bytes();
        self.members.insert(id.into(), member);
        Some(result)
    }

    pub fn set_assignment(&mut self, id: &str, assignment: Bytes) {
        if let Some(member) = self.members.get_mut(id) {
            self.members_bytes = self.members_bytes + assignment.len() as u64 - member.assignment.len() as u64;
            member.assignment = assignment;
        }
    }

    fn count_offers(&mut self, member: &Member, by: isize) {
        let names: BTreeSet<&Str> = member.protocols.iter().map(|offered| &offered.name).collect();
        for name in names {
            let count = self.offers.entry(name.clone()).or_default();
            *count = count.saturating_add_signed(by);
            if *count == 0 {
                self.offers.remove(name);
            }
        }
    }

    /// Whether a member with these protocols could be one of this group's.
    pub fn supports(&self, protocol_type: &str, protocols: &[Protocol]) -> bool {
        if self.phase == Phase::Empty {
            return !protocol_type.is_empty() && !protocols.is_empty();
        }
        let shared = |offered: &Protocol| self.offers.get(&offered.name).copied().unwrap_or(0) == self.members.len();
        self.protocol_type.as_deref() == Some(protocol_type) && protocols.iter().any(shared)
    }

    /// The protocol that all members offer and most prefer; of equals the one that sorts first.
    pub fn elected_protocol(&self) -> Option<Str> {
        let shared = |name: &Str| self.offers.get(name).copied() == Some(self.members.len());
        let mut votes: BTreeMap<Str, usize> = BTreeMap::new();
        for member in self.members.values() {
            if let Some(first) = member.protocols.iter().find(|offered| shared(&offered.name)) {
                *votes.entry(first.name.clone()).or_default() += 1;
            }
        }
        votes.into_iter().rev().max_by_key(|(_, count)| *count).map(|(name, _)| name)
    }

    /// All members have asked to join, and nobody who was given an id is expected.
    pub fn have_all_joined(&self) -> bool {
        self.members.len() == self.join_waiters && self.pending_joins.is_empty()
    }

    /// The longest time that a member may take to join again, in ms.
    pub fn rebalance_timeout_ms(&self) -> u64 {
        self.members.values().map(|member| member.rebalance_timeout_ms.max(0) as u64).max().unwrap_or(0)
    }

    /// Makes one who has joined the leader if the leader has not. False if nobody has.
    pub fn elect_joined_leader(&mut self) -> bool {
        let Some(leader) = &self.leader else { return false };
        if self.members.get(leader).is_some_and(|member| member.join_waiter.is_some()) {
            return true;
        }
        let joined = self.members.iter().find(|(_, member)| member.join_waiter.is_some());
        match joined.map(|(id, _)| id.clone()) {
            Some(id) => {
                self.leader = Some(id);
                true
            }
            None => false,
        }
    }

    /// Begins the generation of those who are members now.
    pub fn begin_generation(&mut self, now: Timestamp) {
        // As Java's numbers do.
        self.generation = self.generation.wrapping_add(1);
        self.protocol = if self.members.is_empty() { None } else { self.elected_protocol() };
        self.subscribed = self.subscriptions();
        self.enter(if self.members.is_empty() { Phase::Empty } else { Phase::CompletingRebalance }, now);
        self.pending_syncs.clear();
    }

    /// What the members subscribe to, if they are consumers and their metadata says so.
    pub fn subscriptions(&self) -> Option<BTreeSet<Str>> {
        if !self.is_consumer() {
            return None;
        }
        if self.members.is_empty() {
            return Some(BTreeSet::new());
        }
        let protocol = self.protocol.as_ref()?;
        let mut topics = BTreeSet::new();
        for member in self.members.values() {
            topics.extend(subscribed_topics(member.metadata(protocol))?);
        }
        Some(topics)
    }

    /// Whether offsets of the topic are in use; where nobody knows, those of a group of consumers are.
    pub fn is_subscribed_to(&self, topic: &str) -> bool {
        self.subscribed.as_ref().map_or(self.is_consumer(), |topics| topics.contains(topic))
    }

    /// Kafka's checks of who says to be a member.
    pub fn check_member(&self, member: &str, instance: Option<&Str>) -> Result<(), ErrorCode> {
        if let Some(instance) = instance {
            match self.static_members.get(instance) {
                None => return Err(ErrorCode::UnknownMemberId),
                Some(current) if &**current != member => return Err(ErrorCode::FencedInstanceId),
                Some(_) => {}
            }
        }
        if self.members.contains_key(member) { Ok(()) } else { Err(ErrorCode::UnknownMemberId) }
    }
}
