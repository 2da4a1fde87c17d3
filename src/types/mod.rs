//! The vocabulary: ids, offsets and epochs as types of their own, Kafka's error codes, and the maps the project uses.
//!
//! Pure: no I/O, no clock. Everything may import this; it imports nothing of the project.

mod collections;
mod core_node_id;
mod error_code;
mod ids;
mod topic_name;

pub use collections::{HashMap, HashSet, SeededState, seed_hashers};
pub use error_code::ErrorCode;
pub use ids::{LeaderEpoch, NodeId, Offset, PartitionIndex, ProducerEpoch, ProducerId, ShardId, Timestamp, TopicId, TopicPartitionId};
pub use topic_name::{check_topic_name, topic_collision_key};
