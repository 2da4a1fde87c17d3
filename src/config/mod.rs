//! Configuration under Kafka's names: the catalogue, what a broker was started with, what topics override, and what
//! DescribeConfigs, AlterConfigs and CreateTopics need to know.
//!
//! Pure: no I/O and no logging; what should be logged comes back as values ([`Notice`]). Used at start-up, on the controller
//! core (changes) and on the shards (typed values). Reading order: [`definition`], [`catalogue`], [`layers`], then [`broker`]
//! and [`topic`] (typed), [`sources`] (start), [`alter`] and [`describe`] (requests). Bounds on peers are in [`limits`].

mod alter;
mod broker;
mod catalogue;
mod core_endpoints;
mod definition;
mod describe;
mod error;
mod group;
mod group_coordinator;
mod layers;
pub mod limits;
mod listeners;
mod sources;
mod synonyms;
mod topic;
mod transaction_coordinator;
mod value;

#[cfg(test)]
mod tests;

pub use alter::{
    AlterOperation, BrokerScope, ConfigChange, ConfigDelta, alter_broker, alter_topic, replace_broker, replace_topic, validate_topic,
};
pub use broker::{BrokerConfig, LogCleanerConfig, RingmillConfig};
pub use core_endpoints::CoreEndpoints;
pub use definition::ConfigType;
pub use describe::{ConfigEntry, ConfigSynonym, describe_broker, describe_cluster, describe_topic};
pub use error::ConfigError;
pub use group::{alter_group, describe_group, replace_group};
pub use group_coordinator::GroupCoordinatorConfig;
pub use layers::{BrokerLayers, ConfigMap, ConfigSource};
pub use listeners::{AdvertisedListener, Listener};
pub use sources::{LoadError, Loaded, Notice, Sources};
pub use topic::{CompressionType, TimestampType, TopicConfig};
pub use transaction_coordinator::TransactionCoordinatorConfig;
