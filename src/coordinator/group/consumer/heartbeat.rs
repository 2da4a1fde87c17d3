//! ConsumerGroupHeartbeat: joins, says what a member owns, gets what it is to own.
//!
//! Pure. What a request may look like at all is checked where it comes in (`api::consumer_group_heartbeat`).

use super::assignor::Assignor;
use super::downgrade::purpose;
use super::regexes::Regexes;
use super::{Assignment, ConsumerGroup, ConsumerMember, Draft, LEFT, LEFT_FOR_A_WHILE, MemberState};
use crate::config::limits;
use crate::coordinator::group::record::GroupRecord;
use crate::coordinator::group::{GroupResponse, Groups, Timer};
use crate::coordinator::machine::{Effects, Token, Turn};
use crate::types::{ErrorCode, TopicId};
use crate::wire::Str;
use crate::wire::api::consumer_group_heartbeat as api;
use crate::wire::api::consumer_group_heartbeat::{ConsumerGroupHeartbeatRequest, ConsumerGroupHeartbeatResponse};
use crate::wire::coordinator::{ConsumerGroupMemberMetadataValue, GroupRecord as Record};
use std::fmt;
use std::sync::Arc;

/// The cluster's topics, as a group sees them.
pub trait TopicDirectory: Send + Sync {
    /// Grows with every change.
    fn version(&self) -> u64;
    /// The topic's id and its count of partitions.
    fn by_name(&self, name: &str) -> Option<(TopicId, i32)>;
    /// A configuration of the group's own, where it is set.
    fn group_config(&self, group: &str, name: &str) -> Option<i32>;
    /// The names of topics that are greater than this one, ascending.
    fn names_after<'a>(&'a self, name: &'a str) -> Box<dyn Iterator<Item = &'a str> + 'a>;
}

/// A [`TopicDirectory`] that crosses cores.
#[derive(Clone)]
pub struct Topics(pub Arc<dyn TopicDirectory>);

impl fmt::Debug for Topics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Topics({})", self.0.version())
    }
}

/// ConsumerGroupHeartbeat, with what its connection knows.
#[derive(Clone, Debug)]
pub struct ConsumerAsk {
    pub request: ConsumerGroupHeartbeatRequest,
    pub client_id: Str,
    pub client_host: Str,
    pub topics: Topics,
}

/// An error with Kafka's words for it.
pub struct Refused(pub ErrorCode, pub String);

type Outcome = Result<(Vec<GroupRecord>, ConsumerGroupHeartbeatResponse), Refused>;

fn owned(request: &ConsumerGroupHeartbeatRequest) -> Option<Assignment> {
    let topics = request.topic_partitions.as_ref()?.iter().filter(|topic| !topic.partitions.is_empty());
    Some(topics.map(|topic| (topic.topic_id, topic.partitions.iter().copied().collect())).collect())
}

/// Whether a member tells all of itself: it does not know what it was answered, and is told its assignment again.
fn is_full(request: &ConsumerGroupHeartbeatRequest) -> bool {
    let is_subscribing = request.subscribed_topic_names.is_some() || request.subscribed_topic_regex.is_some();
    request.rebalance_timeout_ms != -1 && is_subscribing && request.topic_partitions.is_some()
}

fn is_subset(owned: Option<&Assignment>, of: &Assignment) -> bool {
    let Some(owned) = owned else { return false };
    owned.iter().all(|(topic, partitions)| of.get(topic).is_some_and(|of| partitions.is_subset(of)))
}

/// An earlier epoch is good once: the answer with the new one may be lost. Who joins again goes on where it was.
fn check_epoch(member: &ConsumerMember, received: i32, owned: Option<&Assignment>) -> Result<(), Refused> {
    let fenced = |what: &str| {
        let known = member.epoch;
        let text = format!(
            "The consumer group member has a {what} member epoch ({received}) than the one known by the group coordinator ({known}). The member must abandon all its partitions and rejoin."
        );
        Err(Refused(ErrorCode::FencedMemberEpoch, text))
    };
    match received {
        0 => Ok(()),
        _ if received > member.epoch => fenced("greater"),
        _ if received == member.epoch || (received == member.previous_epoch && is_subset(owned, &member.assigned)) => Ok(()),
        _ => fenced("smaller"),
    }
}

/// For a member that brings none: written as Kafka writes UUIDs, which is how topics' ids are.
fn new_member_id(turn: &mut Turn) -> Str {
    let bits = u128::from((turn.random)()) << 64 | u128::from((turn.random)());
    TopicId(bits.to_be_bytes()).to_string().into()
}

pub fn unknown_member(member: &str, group: &str) -> Refused {
    Refused(ErrorCode::UnknownMemberId, format!("Member {member} is not a member of group {group}."))
}

fn answered(member: &ConsumerMember) -> api::Assignment {
    let topics = member
        .assigned
        .iter()
        .map(|(topic_id, partitions)| api::TopicPartitions { topic_id: *topic_id, partitions: partitions.iter().copied().collect() });
    api::Assignment { topic_partitions: topics.collect() }
}

/// The member's own account of itself, with what it says now.
fn updated(before: &ConsumerGroupMemberMetadataValue, ask: &ConsumerAsk) -> ConsumerGroupMemberMetadataValue {
    let request = &ask.request;
    let mut about = before.clone();
    let texts = [
        (&mut about.instance_id, &request.instance_id),
        (&mut about.rack_id, &request.rack_id),
        (&mut about.server_assignor, &request.server_assignor),
    ];
    for (known, said) in texts {
        if let Some(said) = said {
            *known = Some(said.detached());
        }
    }
    if request.rebalance_timeout_ms != -1 {
        about.rebalance_timeout_ms = request.rebalance_timeout_ms;
    }
    if let Some(names) = &request.subscribed_topic_names {
        about.subscribed_topic_names = names.iter().map(Str::detached).collect();
        about.subscribed_topic_names.sort();
        about.subscribed_topic_names.dedup();
    }
    if let Some(regex) = &request.subscribed_topic_regex {
        // An empty one takes it away.
        about.subscribed_topic_regex = Some(regex.detached()).filter(|regex| !regex.is_empty());
    }
    about.client_id = ask.client_id.clone();
    about.client_host = ask.client_host.clone();
    about.classic_member_metadata = None;
    about
}

impl Draft {
    /// Who the heartbeat is from; joins if it is new, and takes the place of a static member that left for a while.
    fn member(&mut self, ask: &ConsumerAsk, id: &Str, owned: Option<&Assignment>) -> Result<ConsumerMember, Refused> {
        let request = &ask.request;
        let is_joining = request.member_epoch == 0;
        let group = self.group.id.clone();
        let Some(instance) = &request.instance_id else {
            let member = self.group.members.get(id).cloned();
            let member = match member {
                None if !is_joining => return Err(unknown_member(id, &group)),
                None => ConsumerMember { previous_epoch: LEFT, ..Default::default() },
                Some(member) => member,
            };
            return check_epoch(&member, request.member_epoch, owned).map(|()| member);
        };
        let existing = self.group.static_member(instance).map(|(id, member)| (id.clone(), member.clone()));
        match existing {
            None if is_joining => {
                Ok(self.group.members.get(id).cloned().unwrap_or(ConsumerMember { previous_epoch: LEFT, ..Default::default() }))
            }
            None => Err(Refused(ErrorCode::UnknownMemberId, format!("Instance id {instance} is unknown."))),
            Some((known, member)) if is_joining && known == *id && member.is_classic() => Ok(member),
            Some((_, member)) if is_joining && member.epoch != LEFT_FOR_A_WHILE && !member.is_classic() => {
                let text = format!(
                    "Static member {id} with instance id {instance} cannot join group {group} because the instance id is owned by another member."
                );
                Err(Refused(ErrorCode::UnreleasedInstanceId, text))
            }
            Some((before, member)) if is_joining => {
                let target = self.group.target.get(&before).cloned().unwrap_or_default();
                let member = ConsumerMember { epoch: 0, previous_epoch: 0, ..member };
                // Under its own id it is all there still.
                if before != *id {
                    self.put_about(id, member.about.clone());
                    self.remove(&before);
                    self.put_target(id, &target);
                }
                self.put_current(id, &member);
                Ok(member)
            }
            Some((known, _)) if known != *id => Err(super::leave::fenced_instance(id, instance)),
            Some((_, member)) => check_epoch(&member, request.member_epoch, owned).map(|()| member),
        }
    }

    fn heartbeat(&mut self, ask: &ConsumerAsk, id: &Str, default: Assignor, turn: &Turn) -> Result<(ConsumerMember, bool), Refused> {
        let owned = owned(&ask.request);
        let before = self.member(ask, id, owned.as_ref())?;
        let about = updated(&before.about, ask);
        let is_new = !self.group.members.contains_key(id);
        // Another assignor acts from the next epoch on, and makes none, as in Kafka.
        let (had, has) = (Regexes::of(&before.about).cloned(), Regexes::of(&about).cloned());
        // A pattern makes an epoch when it is resolved.
        let is_changed = (is_new && has.is_none()) || about.subscribed_topic_names != before.about.subscribed_topic_names;
        if is_new || about != before.about {
            self.put_about(id, about);
        }
        let is_changed = self.regex_changed(had.as_ref(), has.as_ref())? || is_changed;
        if is_new && !is_changed && self.group.target_epoch == 0 {
            self.put_epoch(self.group.epoch, self.group.metadata_hash);
        }
        let topics = &*ask.topics.0;
        if is_changed || topics.version() > self.group.checked_version {
            let hash = self.group.topics_hash(topics);
            if is_changed || hash != self.group.metadata_hash {
                self.put_epoch(self.group.epoch + 1, hash);
            }
            self.group.checked_version = topics.version();
        }
        if self.group.epoch > self.group.target_epoch {
            self.assign(topics, default, turn.wall);
        }
        let target = self.group.target.get(id).cloned().unwrap_or_default();
        let member = self.group.members.get(id).cloned().unwrap_or_default();
        let member = ConsumerMember { epoch: before.epoch, previous_epoch: before.previous_epoch, ..member };
        let next = self.group.step(&member, &target, owned.as_ref()).map_err(|()| {
            let text = "The consumer group member is in a unknown state. The member must abandon all its partitions and rejoin.";
            Refused(ErrorCode::FencedMemberEpoch, text.into())
        })?;
        if next != member || is_new {
            self.put_current(id, &next);
        }
        let is_assigned_anew = next.assigned != before.assigned;
        Ok((next, is_assigned_anew))
    }
}

impl Groups {
    pub(in crate::coordinator::group) fn consumer_heartbeat(
        &mut self,
        turn: &mut Turn,
        token: Token,
        ask: ConsumerAsk,
        effects: &mut Effects<Groups>,
    ) {
        let outcome = match ask.request.member_epoch {
            LEFT | LEFT_FOR_A_WHILE => self.leave_consumer_group(&ask.request, turn.wall),
            _ => self.stay(turn, &ask),
        };
        match outcome {
            Ok((records, response)) => {
                if !records.is_empty() {
                    self.leave_classic(turn, &ask.request.group_id, response.member_id.as_ref(), effects);
                }
                let response = GroupResponse::ConsumerHeartbeat(response);
                match records.is_empty() {
                    true => effects.reply_durable(token, Ok(response)),
                    false => {
                        let purpose = purpose(&records, Some((token, response)));
                        effects.write(records, purpose);
                    }
                }
            }
            Err(Refused(error_code, text)) => {
                let refused = ConsumerGroupHeartbeatResponse { error_code, error_message: Some(text.into()), ..Default::default() };
                effects.reply(token, Ok(GroupResponse::ConsumerHeartbeat(refused)));
            }
        }
    }

    /// There is no group of this id, or it is a classic one.
    pub(super) fn no_consumer_group(&self, id: &str) -> Refused {
        let what = if self.groups.contains_key(id) { "is not a consumer group" } else { "not found" };
        Refused(ErrorCode::GroupIdNotFound, format!("Group {id} {what}."))
    }

    /// A copy of the group, made if a member may make it.
    fn draft(&self, turn: &Turn, id: &Str, is_joining: bool) -> Result<Draft, Refused> {
        if let Some(group) = self.consumers.get(id) {
            return Ok(Draft::of(group.clone()));
        }
        let classic = self.groups.get(id);
        match classic {
            None if !is_joining => return Err(self.no_consumer_group(id)),
            Some(classic) if !is_joining || !classic.is_empty_of_members() => return Err(self.no_consumer_group(id)),
            None if !self.has_room_for_group(turn) => return Err(Refused(ErrorCode::CoordinatorNotAvailable, String::new())),
            _ => {}
        }
        let mut draft = Draft::of(ConsumerGroup::new(id.clone()));
        if classic.is_some() {
            draft.records.push(GroupRecord::Group { group: id.clone(), value: None });
        }
        Ok(draft)
    }

    /// The answer to a heartbeat that says and changes nothing: by far the most of them, so without a copy of the group.
    fn at_rest(&self, now: u64, ask: &ConsumerAsk) -> Option<ConsumerGroupHeartbeatResponse> {
        let request = &ask.request;
        let group = self.consumers.get(&request.group_id)?;
        let member = group.members.get(&request.member_id)?;
        let is_at_rest = request.member_epoch == member.epoch
            && member.epoch == group.epoch
            && member.is_reconciled_to(group.target_epoch)
            && group.checked_version >= ask.topics.0.version()
            && !group.regexes.want_resolving(ask.topics.0.version(), now)
            && !is_full(request)
            && (request.instance_id.is_none() || request.instance_id == member.about.instance_id)
            && updated(&member.about, ask) == member.about;
        is_at_rest.then(|| ConsumerGroupHeartbeatResponse {
            member_epoch: member.epoch,
            member_id: Some(request.member_id.detached()),
            heartbeat_interval_ms: self.heartbeat_ms(ask),
            ..Default::default()
        })
    }

    fn session_ms(&self, ask: &ConsumerAsk) -> u64 {
        let own = ask.topics.0.group_config(&ask.request.group_id, "consumer.session.timeout.ms");
        own.map_or(self.config.consumer_session_ms, |ms| ms.max(1) as u64)
    }

    fn heartbeat_ms(&self, ask: &ConsumerAsk) -> i32 {
        let own = ask.topics.0.group_config(&ask.request.group_id, "consumer.heartbeat.interval.ms");
        own.unwrap_or(self.config.consumer_heartbeat_ms)
    }

    fn stay(&mut self, turn: &mut Turn, ask: &ConsumerAsk) -> Outcome {
        if let Some(response) = self.at_rest(turn.now, ask) {
            let session = Timer::ConsumerSession(ask.request.group_id.detached(), ask.request.member_id.detached());
            self.timers.set(session, turn.now + self.session_ms(ask));
            return Ok((Vec::new(), response));
        }
        let request = &ask.request;
        let group_id = request.group_id.detached();
        let id = if request.member_id.is_empty() { new_member_id(turn) } else { request.member_id.detached() };
        let is_joining = request.member_epoch == 0;
        let mut draft = match self.upgrade(turn, ask)? {
            Some(draft) => draft,
            None => self.draft(turn, &group_id, is_joining)?,
        };
        if let Some(group) = self.consumers.get_mut(&group_id) {
            group.learn_names(&*ask.topics.0);
        }
        let size_max = self.config.consumer_max_size;
        if is_joining && draft.group.members.len() >= size_max && !draft.group.members.contains_key(&id) {
            let text = format!("The consumer group has reached its maximum capacity of {size_max} members.");
            return Err(Refused(ErrorCode::GroupMaxSizeReached, text));
        }
        if is_joining && turn.bytes_free < limits::GROUP_BYTES_MIN {
            return Err(Refused(ErrorCode::CoordinatorNotAvailable, String::new()));
        }
        let (member, is_assigned_anew) = draft.heartbeat(ask, &id, self.config.consumer_assignor, turn)?;
        self.expect_regexes(turn, &draft.group, &ask.topics);
        if draft.records.is_empty()
            && let Some(group) = self.consumers.get_mut(&group_id)
        {
            group.checked_version = draft.group.checked_version;
        }
        self.timers.set(Timer::ConsumerSession(group_id.clone(), id.clone()), turn.now + self.session_ms(ask));
        let rebalance = Timer::ConsumerRebalance(group_id, id.clone());
        let is_current_written = draft.records.iter().any(|record| {
            matches!(record, GroupRecord::Consumer(record) if matches!(&**record, Record::ConsumerGroupCurrentMemberAssignment(key, _) if key.member_id == id))
        });
        match member.state {
            MemberState::Unrevoked if is_current_written => {
                self.timers.set(rebalance, turn.now + member.about.rebalance_timeout_ms.max(0) as u64);
            }
            MemberState::Unrevoked => {}
            _ => self.timers.cancel(&rebalance),
        }
        let response = ConsumerGroupHeartbeatResponse {
            member_epoch: member.epoch,
            heartbeat_interval_ms: self.heartbeat_ms(ask),
            assignment: (is_joining || is_full(request) || is_assigned_anew).then(|| answered(&member)),
            member_id: Some(id),
            ..Default::default()
        };
        Ok((draft.records, response))
    }

    /// The log is loaded: members are heard of from now on, or time out.
    pub(in crate::coordinator::group) fn expect_consumers(&mut self, now: u64) {
        for group in self.consumers.values() {
            for (id, member) in &group.members {
                self.timers
                    .set(Timer::ConsumerSession(group.id.clone(), id.clone()), now + member.session_ms(self.config.consumer_session_ms));
                if member.state == MemberState::Unrevoked {
                    let timeout = member.about.rebalance_timeout_ms.max(0) as u64;
                    self.timers.set(Timer::ConsumerRebalance(group.id.clone(), id.clone()), now + timeout);
                }
            }
        }
    }
}
