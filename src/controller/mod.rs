//! The cluster's metadata as a replicated state machine.
//!
//! Handlers (one file per domain) turn an image and a request into records and a reply and change nothing; the raft driver
//! makes the records durable; [`MetadataImage::replay`] is the only mutator; the reply waits until its records are applied.
//! Runs on the controller core. Never touches a partition's data. Start reading at [`record`], [`image`], then `driver`.

pub mod codec;
pub mod delta;
pub mod image;
pub mod persistent_map;
pub mod placement;
pub mod record;
pub mod topic_name;

pub use delta::MetadataDelta;
pub use image::{BrokerImage, ConfigMap, MetadataImage, PartitionImage, TopicImage};
pub use placement::Placement;
pub use record::{BrokerEndpoint, ConfigResource, Record, ResourceType};
