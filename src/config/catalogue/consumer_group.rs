//! Configurations of single groups that are consumer groups; a broker's `group.` and the same name is their default.

use crate::config::definition::{Definition, definitions};

pub(super) const CONSUMER_GROUP: &[Definition] = definitions! {
    Int "consumer.assignment.interval.ms" ["1000"] at_least(0): "The shortest time between two assignments of the group.";
    Int "consumer.heartbeat.interval.ms" ["5000"] at_least(1) acts(): "Time between heartbeats of the group's members.";
    Int "consumer.session.timeout.ms" ["45000"] at_least(1) acts(): "Time without a heartbeat after which a member is removed.";
};
