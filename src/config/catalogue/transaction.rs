//! Broker configurations of transactions and producer ids.

use crate::config::definition::{Definition, definitions};

pub(super) const TRANSACTION: &[Definition] = definitions! {
    Int "add.partitions.to.txn.retry.backoff.max.ms" ["100"] at_least(0): "";
    Int "add.partitions.to.txn.retry.backoff.ms" ["20"] at_least(1): "";
    Int "producer.id.expiration.ms" ["86400000"] at_least(1) cluster_wide() acts(): "";
    Int "transaction.abort.timed.out.transaction.cleanup.interval.ms" ["10000"] at_least(1): "";
    Int "transaction.max.timeout.ms" ["900000"] at_least(1) acts(): "";
    Boolean "transaction.partition.verification.enable" ["true"] cluster_wide(): "";
    Int "transaction.remove.expired.transaction.cleanup.interval.ms" ["3600000"] at_least(1): "";
    Int "transaction.state.log.load.buffer.size" ["5242880"] at_least(1): "";
    Int "transaction.state.log.min.isr" ["1"] at_least(1): "";
    Int "transaction.state.log.num.partitions" ["50"] at_least(1): "";
    Short "transaction.state.log.replication.factor" ["1"] at_least(1): "";
    Int "transaction.state.log.segment.bytes" ["104857600"] at_least(1): "";
    Boolean "transaction.two.phase.commit.enable" ["false"]: "";
    Int "transactional.id.expiration.ms" ["604800000"] at_least(1): "";
};
