//! Every configuration of Apache Kafka 4.3.1 that is not internal to it, and Ringmill's own: one table for each area.
//!
//! Names, types, ranges and update modes are Kafka's; defaults are Kafka's unless the row says what Ringmill's is and why.
//! The texts are our own. A row that `acts()` changes what Ringmill does; any other is accepted and shown, without effect.

mod consumer_group;
mod controller;
mod general;
mod group;
mod log;
mod network;
mod remote;
mod replication;
mod ringmill;
mod security;
mod share;
mod topic;
mod transaction;

use super::definition::Definition;

const BROKER_TABLES: &[&[Definition]] = &[
    controller::CONTROLLER,
    general::GENERAL,
    group::GROUP,
    log::LOG,
    network::NETWORK,
    remote::REMOTE,
    replication::REPLICATION,
    ringmill::RINGMILL,
    security::SECURITY,
    share::SHARE,
    transaction::TRANSACTION,
];

/// The topic configuration of this name.
pub fn topic(name: &str) -> Option<&'static Definition> {
    find(topic::TOPIC, name)
}

/// All topic configurations, by name.
pub fn topics() -> &'static [Definition] {
    topic::TOPIC
}

/// The configuration of single groups of this name.
pub fn group(name: &str) -> Option<&'static Definition> {
    find(consumer_group::CONSUMER_GROUP, name)
}

/// All configurations of single groups, by name.
pub fn groups() -> &'static [Definition] {
    consumer_group::CONSUMER_GROUP
}

/// The broker configuration of this name.
pub fn broker(name: &str) -> Option<&'static Definition> {
    BROKER_TABLES.iter().find_map(|table| find(table, name))
}

/// All broker configurations, table by table.
pub fn brokers() -> impl Iterator<Item = &'static Definition> {
    BROKER_TABLES.iter().flat_map(|table| table.iter())
}

/// Tables are sorted by name; a test says so.
fn find(table: &'static [Definition], name: &str) -> Option<&'static Definition> {
    table.binary_search_by(|definition| definition.name.cmp(name)).ok().map(|position| &table[position])
}
