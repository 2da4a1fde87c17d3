//! The transaction coordinator's configuration: transactional ids, time-outs, their topic.

use super::broker::Reader;

/// Times in ms, sizes in bytes.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct TransactionCoordinatorConfig {
    pub max_timeout_ms: i32,
    pub id_expiration_ms: i32,
    pub abort_timed_out_interval_ms: i32,
    pub remove_expired_interval_ms: i32,
    pub state_load_buffer_size: i32,
    pub state_topic_num_partitions: i32,
    pub state_topic_replication_factor: i16,
    pub state_topic_segment_bytes: i32,
}

impl TransactionCoordinatorConfig {
    pub(super) fn resolve(read: &Reader) -> TransactionCoordinatorConfig {
        TransactionCoordinatorConfig {
            max_timeout_ms: read.int("transaction.max.timeout.ms"),
            id_expiration_ms: read.int("transactional.id.expiration.ms"),
            abort_timed_out_interval_ms: read.int("transaction.abort.timed.out.transaction.cleanup.interval.ms"),
            remove_expired_interval_ms: read.int("transaction.remove.expired.transaction.cleanup.interval.ms"),
            state_load_buffer_size: read.int("transaction.state.log.load.buffer.size"),
            state_topic_num_partitions: read.int("transaction.state.log.num.partitions"),
            state_topic_replication_factor: read.int("transaction.state.log.replication.factor").clamp(-1, i16::MAX.into()) as i16,
            state_topic_segment_bytes: read.int("transaction.state.log.segment.bytes"),
        }
    }
}
