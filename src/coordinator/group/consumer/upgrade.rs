//! A classic group of consumers becomes a consumer group while its members run: the first member that speaks the consumer protocol does it.
//!
//! Members keep what the last generation gave them and are asked to join again, which brings them to their target. Pure.

use super::embedded::{NotTaken, Subscription, by_id, read_assignment};
use super::heartbeat::{ConsumerAsk, Refused, TopicDirectory};
use super::{ConsumerGroup, ConsumerMember, Draft, MemberState};
use crate::coordinator::group::classic::ClassicGroup;
use crate::coordinator::group::member::Member;
use crate::coordinator::group::record::GroupRecord;
use crate::coordinator::group::{Groups, Timer};
use crate::coordinator::machine::{Effects, Turn};
use crate::types::{ErrorCode, Timestamp};
use crate::wire::Str;
use crate::wire::coordinator::{ClassicMemberMetadata, ClassicProtocol, ConsumerGroupMemberMetadataValue};

/// The member as one of a consumer group.
fn taken_over(generation: i32, protocol: Option<&Str>, member: &Member, topics: &dyn TopicDirectory) -> Result<ConsumerMember, NotTaken> {
    let offered = member.protocols.iter().find(|offered| Some(&offered.name) == protocol).or(member.protocols.first());
    let subscription = offered.and_then(|offered| Subscription::read(&offered.metadata)).ok_or(NotTaken::Malformed)?;
    let supported = member.protocols.iter();
    let about = ConsumerGroupMemberMetadataValue {
        instance_id: member.instance_id.clone(),
        rack_id: subscription.rack,
        client_id: member.client_id.clone(),
        client_host: member.client_host.clone(),
        subscribed_topic_names: subscription.topics,
        rebalance_timeout_ms: member.rebalance_timeout_ms,
        classic_member_metadata: Some(ClassicMemberMetadata {
            session_timeout_ms: member.session_timeout_ms,
            supported_protocols: supported
                .map(|offered| ClassicProtocol { name: offered.name.clone(), metadata: offered.metadata.clone() })
                .collect(),
        }),
        ..Default::default()
    };
    let assigned = by_id(&read_assignment(&member.assignment)?, topics);
    Ok(ConsumerMember { about, epoch: generation, previous_epoch: generation, state: MemberState::Stable, assigned, ..Default::default() })
}

impl Draft {
    fn upgraded(classic: &ClassicGroup, topics: &dyn TopicDirectory, now: Timestamp) -> Result<Draft, NotTaken> {
        let take = |(id, member): (&Str, &Member)| {
            taken_over(classic.generation, classic.protocol.as_ref(), member, topics).map(|taken| (id.clone(), taken))
        };
        let members: Vec<(Str, ConsumerMember)> = classic.members.iter().map(take).collect::<Result<_, _>>()?;
        let mut draft = Draft::of(ConsumerGroup::new(classic.id.clone()));
        draft.records.push(GroupRecord::Group { group: classic.id.clone(), value: None });
        for (id, member) in &members {
            draft.put_about(id, member.about.clone());
        }
        draft.put_epoch(classic.generation, 0);
        for (id, member) in &members {
            draft.put_target(id, &member.assigned);
        }
        draft.put_target_epoch(classic.generation, now);
        for (id, member) in &members {
            draft.put_current(id, member);
        }
        Ok(draft)
    }
}

impl Groups {
    /// The consumer group that a classic group with members becomes for who joins; `None`: there is no such group, or it may not.
    pub(super) fn upgrade(&self, turn: &Turn, ask: &ConsumerAsk) -> Result<Option<Draft>, Refused> {
        let id = &ask.request.group_id;
        let Some(classic) = self.groups.get(id).filter(|group| !group.members.is_empty() && group.is_consumer()) else {
            return Ok(None);
        };
        let may = self.config.can_upgrade && classic.members.len() <= self.config.consumer_max_size;
        if ask.request.member_epoch != 0 || !may {
            return Ok(None);
        }
        Draft::upgraded(classic, &*ask.topics.0, turn.wall).map(Some).map_err(|reason| {
            let reason = match reason {
                NotTaken::Malformed => "the embedded consumer protocol is malformed",
                NotTaken::UserData => "an unsupported custom assignor is in use",
            };
            let text = format!("Cannot upgrade classic group {id} to consumer group because {reason}.");
            Refused(ErrorCode::GroupIdNotFound, text)
        })
    }

    /// The classic group is about to be a consumer group: who waits has to join again, and its sessions go on. `first` has its own.
    pub(super) fn leave_classic(&mut self, turn: &mut Turn, id: &str, first: Option<&Str>, effects: &mut Effects<Groups>) {
        self.with_group(turn, effects, id, |group, work| {
            for (member_id, member) in group.members.iter().filter(|(id, _)| Some(*id) != first) {
                let at = work.turn.now + member.session_timeout_ms.max(0) as u64;
                work.timers.set(Timer::ConsumerSession(group.id.clone(), member_id.clone()), at);
            }
            group.release(ErrorCode::RebalanceInProgress, work);
        });
    }
}
