//! Broker configurations of transactions and producer ids.

use crate::config::definition::{Definition, definitions};

pub(super) const TRANSACTION: &[Definition] = definitions! {
    Int "add.partitions.to.txn.retry.backoff.max.ms" ["100"] at_least(0):
        "The longest wait of the broker's own retries to add a partition to a transaction.";
    Int "add.partitions.to.txn.retry.backoff.ms" ["20"] at_least(1):
        "Wait between the broker's own retries to add a partition to a transaction.";
    Int "producer.id.expiration.ms" ["86400000"] at_least(1) cluster_wide() acts():
        "How long an idle producer's sequence numbers are remembered.";
    Int "transaction.abort.timed.out.transaction.cleanup.interval.ms" ["10000"] at_least(1) acts():
        "Time between looks for transactions to abort.";
    Int "transaction.max.timeout.ms" ["900000"] at_least(1) acts(): "The longest transaction timeout a producer may ask for.";
    Boolean "transaction.partition.verification.enable" ["true"] cluster_wide():
        "Whether a partition checks that a transaction knows it before it takes its records.";
    Int "transaction.remove.expired.transaction.cleanup.interval.ms" ["3600000"] at_least(1) acts():
        "Time between looks for expired transactional ids.";
    Int "transaction.state.log.load.buffer.size" ["5242880"] at_least(1) acts(): "Size of the reads that load transactions' state.";
    Int "transaction.state.log.min.isr" ["1"] at_least(1):
        "In-sync replicas that __transaction_state needs. Ringmill's default is 1, for a single node.";
    Int "transaction.state.log.num.partitions" ["50"] at_least(1) acts(): "Partitions of __transaction_state.";
    Short "transaction.state.log.replication.factor" ["1"] at_least(1) acts():
        "Replicas of __transaction_state. Ringmill's default is 1, for a single node.";
    Int "transaction.state.log.segment.bytes" ["104857600"] at_least(1) acts(): "Segment size of __transaction_state.";
    Boolean "transaction.two.phase.commit.enable" ["false"]: "Whether producers may take part in commits that others decide.";
    Int "transactional.id.expiration.ms" ["604800000"] at_least(1) acts(): "How long an unused transactional id is remembered.";
};
