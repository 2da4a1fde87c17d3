//! Offsets whose time is over, and groups that have nothing left.
//!
//! Kafka's rule (KIP-211): the offsets of a group that has had members expire together, so long after the last one left; those of a group of
//! consumers that do not subscribe to a topic any more, and those without a group, so long after their own commit. What said its own time when
//! it was committed expires then. Pure.

use super::classic::{ClassicGroup, Phase};
use super::consumer::ConsumerGroup;
use super::offsets::CommittedOffset;
use super::record::GroupRecord;
use super::{Groups, Purpose, Timer};
use crate::coordinator::machine::{Effects, Turn};
use crate::types::Timestamp;

/// From when the retention time of a group's offsets counts.
enum Since {
    Commit,
    /// The group has been empty since then.
    Empty(Timestamp),
}

impl ClassicGroup {
    /// `None`: its offsets are in use.
    fn retention_since(&self) -> Option<Since> {
        if self.protocol_type.is_none() {
            return Some(Since::Commit);
        }
        match self.phase {
            Phase::Empty if self.phase_since == Timestamp::NONE => Some(Since::Commit),
            Phase::Empty => Some(Since::Empty(self.phase_since)),
            Phase::Stable if self.is_consumer() && self.subscribed.is_some() => Some(Since::Commit),
            _ => None,
        }
    }
}

impl Groups {
    pub(super) fn expire(&mut self, turn: &mut Turn, effects: &mut Effects<Groups>) {
        self.timers.set(Timer::Expiry, turn.now + self.config.retention_check_ms);
        for group in self.consumers.values() {
            let mut records = Vec::new();
            self.expire_consumer_group(group, turn.wall, &mut records);
            if !records.is_empty() {
                effects.write(records, Purpose::Nothing);
            }
        }
        for group in self.groups.values() {
            let mut records = Vec::new();
            self.expire_group(group, turn.wall, &mut records);
            if !records.is_empty() {
                effects.write(records, Purpose::Nothing);
            }
        }
    }

    fn expire_consumer_group(&self, group: &ConsumerGroup, now: Timestamp, records: &mut Vec<GroupRecord>) {
        let mut is_left = self.offsets.has_open_transactions(&group.id);
        for (key, offset) in self.offsets.of_group(&group.id).into_iter().flatten() {
            let is_used = group.is_subscribed_to(&key.topic) || self.offsets.is_pending(&group.id, key);
            if !is_used && self.is_expired(offset, &Since::Commit, now) {
                records.push(GroupRecord::Offset { group: group.id.clone(), key: key.clone(), offset: None });
            } else {
                is_left = true;
            }
        }
        if !is_left && group.members.is_empty() {
            records.extend(group.deletion());
        }
    }

    fn expire_group(&self, group: &ClassicGroup, now: Timestamp, records: &mut Vec<GroupRecord>) {
        let mut is_left = self.offsets.has_open_transactions(&group.id);
        if let Some(offsets) = self.offsets.of_group(&group.id) {
            let since = group.retention_since();
            for (key, offset) in offsets {
                let expired = since.as_ref().is_some_and(|since| self.is_expired(offset, since, now));
                if expired && !group.is_subscribed_to(&key.topic) && !self.offsets.is_pending(&group.id, key) {
                    records.push(GroupRecord::Offset { group: group.id.clone(), key: key.clone(), offset: None });
                } else {
                    is_left = true;
                }
            }
        }
        // A group that somebody is about to join stays.
        if !is_left && group.phase == Phase::Empty && group.pending_joins.is_empty() {
            records.push(GroupRecord::Group { group: group.id.clone(), value: None });
        }
    }

    fn is_expired(&self, offset: &CommittedOffset, since: &Since, now: Timestamp) -> bool {
        if offset.expires_at != Timestamp::NONE {
            return now >= offset.expires_at;
        }
        let since = match since {
            Since::Commit => offset.committed_at,
            Since::Empty(at) => *at,
        };
        now.0.saturating_sub(since.0) >= self.config.offsets_retention_ms
    }
}
