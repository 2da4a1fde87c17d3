//! What of the broker's configuration the group coordinator acts on.
//!
//! Pure.

use super::consumer::Assignor;
use super::join::max_size;
use crate::config::{GroupCoordinatorConfig, limits};

/// Times in ms.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct GroupConfig {
    pub initial_rebalance_delay_ms: u64,
    pub max_size: usize,
    pub consumer_max_size: usize,
    pub consumer_session_ms: u64,
    pub consumer_heartbeat_ms: i32,
    pub consumer_assignor: Assignor,
    /// A classic group may become a consumer group while it has members.
    pub can_upgrade: bool,
    /// A consumer group may become a classic one.
    pub can_downgrade: bool,
    /// UTF-16 units.
    pub offset_metadata_max: usize,
    pub offsets_retention_ms: i64,
    pub retention_check_ms: u64,
}

impl GroupConfig {
    pub fn of(config: &GroupCoordinatorConfig) -> GroupConfig {
        let may = |policy: &str| [policy, "bidirectional"].iter().any(|one| one.eq_ignore_ascii_case(&config.consumer_migration_policy));
        GroupConfig {
            initial_rebalance_delay_ms: config.initial_rebalance_delay_ms.max(0) as u64,
            max_size: max_size(config.max_size),
            consumer_max_size: max_size(config.consumer_max_size).min(limits::CONSUMER_GROUP_MEMBERS_MAX),
            consumer_session_ms: config.consumer_session_timeout_ms.max(1) as u64,
            consumer_heartbeat_ms: config.consumer_heartbeat_interval_ms,
            consumer_assignor: config.consumer_assignors.iter().find_map(|name| Assignor::named(name)).unwrap_or(Assignor::Uniform),
            can_upgrade: may("upgrade"),
            can_downgrade: may("downgrade"),
            offset_metadata_max: config.offset_metadata_max_bytes.max(0) as usize,
            offsets_retention_ms: i64::from(config.offsets_retention_minutes) * 60_000,
            retention_check_ms: config.offsets_retention_check_interval_ms.max(1) as u64,
        }
    }
}
