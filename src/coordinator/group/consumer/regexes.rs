//! Subscriptions by regular expression: from the members' patterns to topics.
//!
//! A pattern is resolved after the heartbeat that brought it, names by names in turns of their own, so that neither many topics nor costly patterns
//! keep the core; then the group's epoch grows, and its members get the topics by their next heartbeats. What was resolved is in the log. Resolved
//! anew when the cluster has changed, each ten seconds at most, as in Kafka. Pure.

use super::heartbeat::{Refused, Topics};
use super::pattern::Pattern;
use super::{ConsumerGroup, Draft};
use crate::config::limits;
use crate::coordinator::group::{Groups, Purpose, Timer};
use crate::coordinator::machine::{Effects, Turn};
use crate::types::{ErrorCode, Timestamp};
use crate::wire::Str;
use crate::wire::coordinator::{
    ConsumerGroupMemberMetadataValue, ConsumerGroupRegularExpressionKey, ConsumerGroupRegularExpressionValue, GroupRecord as Record,
};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// Memory of one resolved name, about, beside its text.
const NAME_BYTES: usize = 64;

/// A group's patterns, and the topics they stand for.
#[derive(Clone, Debug, Default)]
pub struct Regexes {
    /// The members of each.
    subscribers: BTreeMap<Str, usize>,
    /// Of those that have been resolved.
    resolved: BTreeMap<Str, Arc<BTreeSet<Str>>>,
    /// When all were resolved last, and at which version of the topics; not replicated.
    checked_at: Option<u64>,
    checked_version: u64,
}

impl Regexes {
    pub fn of(about: &ConsumerGroupMemberMetadataValue) -> Option<&Str> {
        about.subscribed_topic_regex.as_ref().filter(|regex| !regex.is_empty())
    }

    pub fn topics_of(&self, about: &ConsumerGroupMemberMetadataValue) -> Option<&Arc<BTreeSet<Str>>> {
        self.resolved.get(Regexes::of(about)?)
    }

    /// All topics that some pattern stands for.
    pub fn topics(&self) -> impl Iterator<Item = &Str> {
        self.resolved.values().flat_map(|topics| topics.iter())
    }

    pub fn contain(&self, topic: &str) -> bool {
        self.resolved.values().any(|topics| topics.contains(topic))
    }

    pub fn resolved(&self) -> impl Iterator<Item = &Str> {
        self.resolved.keys()
    }

    fn has_subscribers(&self, regex: &Str) -> bool {
        self.subscribers.contains_key(regex)
    }

    /// A member said something else.
    pub fn subscribe(&mut self, before: Option<&ConsumerGroupMemberMetadataValue>, now: Option<&ConsumerGroupMemberMetadataValue>) {
        if let Some(regex) = now.and_then(Regexes::of) {
            *self.subscribers.entry(regex.clone()).or_default() += 1;
        }
        if let Some(regex) = before.and_then(Regexes::of) {
            match self.subscribers.get_mut(regex) {
                Some(count) if *count > 1 => *count -= 1,
                _ => drop(self.subscribers.remove(regex)),
            }
        }
    }

    /// What a record says; gives how much memory it takes more, or less.
    pub fn apply(&mut self, regex: Str, value: Option<ConsumerGroupRegularExpressionValue>) -> (u64, u64) {
        let weight = |topics: &Arc<BTreeSet<Str>>| topics.iter().map(|name| name.len() + NAME_BYTES).sum::<usize>() as u64;
        let topics = value.map(|value| Arc::new(value.topics.into_iter().collect::<BTreeSet<Str>>()));
        let more = topics.as_ref().map_or(0, weight);
        let before = match topics {
            Some(topics) => self.resolved.insert(regex, topics),
            None => self.resolved.remove(&regex),
        };
        (more, before.as_ref().map_or(0, weight))
    }

    pub fn want_resolving(&self, version: u64, now: u64) -> bool {
        !self.subscribers.is_empty()
            && self.checked_at.is_none_or(|at| now > at + limits::REGEX_INTERVAL_MIN_MS)
            && (self.checked_version < version || self.subscribers.len() != self.resolved.len())
    }
}

pub fn tombstone(group: &Str, regex: &Str) -> Record {
    let key = ConsumerGroupRegularExpressionKey { group_id: group.clone(), regular_expression: regex.clone() };
    Record::ConsumerGroupRegularExpression(key, None)
}

impl Draft {
    /// A member's pattern changed, and what it says of itself is in the group: whether the group's epoch grows with it at once.
    pub(super) fn regex_changed(&mut self, before: Option<&Str>, now: Option<&Str>) -> Result<bool, Refused> {
        if before == now {
            return Ok(false);
        }
        if let Some(before) = before {
            self.forget_regex(before);
        }
        let Some(regex) = now else { return Ok(true) };
        if self.group.regexes.subscribers.get(regex) == Some(&1) {
            let refused = |why| {
                let text = format!("SubscribedTopicRegex `{regex}` is not a valid regular expression: {why}.");
                Refused(ErrorCode::InvalidRegularExpression, text)
            };
            Pattern::compile(regex).map_err(refused)?;
        }
        Ok(self.group.regexes.resolved.contains_key(regex))
    }

    /// Nothing is known of a pattern that no member has any more.
    pub(super) fn forget_regex(&mut self, regex: &Str) {
        if !self.group.regexes.has_subscribers(regex) && self.group.regexes.resolved.contains_key(regex) {
            self.put(tombstone(&self.group.id, regex));
        }
    }

    fn put_regex(&mut self, regex: Str, topics: Vec<Str>, version: u64, at: Timestamp) {
        let key = ConsumerGroupRegularExpressionKey { group_id: self.group.id.clone(), regular_expression: regex };
        let value = ConsumerGroupRegularExpressionValue { topics, version: version as i64, timestamp: at };
        self.put(Record::ConsumerGroupRegularExpression(key, Some(value)));
    }
}

/// A group's patterns on their way to topics.
pub struct Resolution {
    topics: Topics,
    /// The last is in work.
    left: Vec<Str>,
    pattern: Option<Pattern>,
    /// The last name that was looked at.
    name: Str,
    found: Vec<Str>,
    done: Vec<(Str, Vec<Str>)>,
}

impl Resolution {
    fn new(topics: Topics, group: &ConsumerGroup) -> Resolution {
        let left = group.regexes.subscribers.keys().rev().cloned().collect();
        Resolution { topics, left, pattern: None, name: Str::default(), found: Vec::new(), done: Vec::new() }
    }

    /// One turn's work; true at the end of all.
    fn advance(&mut self) -> bool {
        let topics = self.topics.clone();
        let mut budget = limits::REGEX_NAME_BYTES_PER_TURN;
        while let Some(regex) = self.left.last() {
            if self.pattern.is_none() {
                let Some(left) = budget.checked_sub(limits::REGEX_COMPILATION_COST) else { return false };
                budget = left;
                match Pattern::compile(regex) {
                    Ok(pattern) => self.pattern = Some(pattern),
                    // Of a log that another broker wrote: what it found there stays.
                    Err(_) => {
                        self.left.pop();
                        continue;
                    }
                }
            }
            let Some(pattern) = &self.pattern else { continue };
            let mut last = None;
            let mut is_end = true;
            for name in topics.0.names_after(&self.name) {
                if budget == 0 {
                    is_end = false;
                    break;
                }
                budget = budget.saturating_sub(name.len() + 1);
                last = Some(name);
                if pattern.is_match(name) {
                    self.found.push(name.into());
                }
            }
            if !is_end {
                self.name = last.map_or_else(|| self.name.clone(), Str::from);
                return false;
            }
            self.pattern = None;
            self.name = Str::default();
            let found = std::mem::take(&mut self.found);
            self.done.extend(self.left.pop().map(|regex| (regex, found)));
        }
        true
    }
}

impl Groups {
    /// A heartbeat was heard: looks whether the group's patterns are to be resolved.
    pub(super) fn expect_regexes(&mut self, turn: &Turn, group: &ConsumerGroup, topics: &Topics) {
        if group.regexes.want_resolving(topics.0.version(), turn.now) && !self.resolutions.contains_key(&group.id) {
            self.timers.set(Timer::ConsumerRegexes(group.id.clone()), turn.now);
            self.resolutions.insert(group.id.clone(), Resolution::new(topics.clone(), group));
        }
    }

    /// Goes on with a group's patterns.
    pub(in crate::coordinator::group) fn resolve_regexes(&mut self, turn: &mut Turn, id: &Str, effects: &mut Effects<Groups>) {
        let Some(mut resolution) = self.resolutions.remove(id) else { return };
        if !self.consumers.contains_key(id) {
            return;
        }
        if !resolution.advance() {
            // Others have the core first.
            self.timers.set(Timer::ConsumerRegexes(id.clone()), turn.now + 1);
            self.resolutions.insert(id.clone(), resolution);
            return;
        }
        let Some(group) = self.consumers.get_mut(id) else { return };
        let topics = &*resolution.topics.0;
        group.regexes.checked_at = Some(turn.now);
        group.regexes.checked_version = topics.version();
        let mut draft = Draft::of(group.clone());
        let mut room = turn.bytes_free;
        let mut is_changed = false;
        for (regex, found) in resolution.done {
            let known = draft.group.regexes.resolved.get(&regex);
            if known.is_some_and(|known| known.iter().eq(&found)) || !draft.group.regexes.has_subscribers(&regex) {
                continue;
            }
            let is_different = known.is_some() || !found.is_empty();
            let bytes: usize = found.iter().map(|name| name.len() + NAME_BYTES).sum();
            let Some(left) = room.checked_sub(bytes as u64) else { continue };
            room = left;
            is_changed |= is_different;
            draft.put_regex(regex, found, topics.version(), turn.wall);
            if bytes > limits::REGEX_WRITE_BYTES {
                effects.write(std::mem::take(&mut draft.records), Purpose::Nothing);
            }
        }
        let hash = draft.group.topics_hash(topics);
        if is_changed || hash != draft.group.metadata_hash {
            draft.put_epoch(draft.group.epoch + 1, hash);
        }
        if !draft.records.is_empty() {
            effects.write(draft.records, Purpose::Nothing);
        }
    }
}
