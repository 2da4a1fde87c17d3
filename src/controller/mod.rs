//! The cluster's metadata as a replicated state machine.
//!
//! Handlers (one file per domain) turn an image and a request into records and a reply and change nothing; the driver makes the
//! records durable through raft; [`MetadataImage::replay`] is the only mutator; the reply waits until its records are applied.
//! Runs on the controller core. Never touches a partition's data. Start reading at [`record`], [`image`], [`request`], then
//! `facade` and `driver`.

mod alter_configs;
pub mod balancer;
mod broker_registration;
mod codec;
mod config_resource;
mod create_partitions;
mod create_topics;
mod delete_topics;
mod delta;
mod driver;
mod facade;
mod features;
mod handler;
pub mod image;
mod incremental_alter_configs;
mod internal_topics;
pub mod movement;
mod persistent_map;
mod placement;
mod producer_ids;
mod raft_log;
mod raft_node;
pub mod record;
mod replica_placement;
pub mod request;

pub use broker_registration::BrokerRegistration;
pub use delta::MetadataDelta;
pub use driver::Publication;
pub use facade::{Controller, ControllerConfig};
pub use features::{FEATURES, METADATA_VERSION_LEVEL};
pub use image::{BrokerImage, MetadataImage, PartitionImage, TopicImage};
pub use internal_topics::is_internal as is_internal_topic;
pub use placement::Placement;
pub use producer_ids::ProducerIdBlock;
pub use raft_log::{OpenError, fault_of as metadata_log_fault_of};
pub use record::{BrokerEndpoint, ConfigResource, Record, ResourceType};
pub use request::{ControllerReply, ControllerRequest, ControllerResponse};

#[cfg(test)]
mod tests;
