//! Topics that are not the users'.
//!
//! Pure.

/// Topics that Kafka keeps its own state in.
const INTERNAL_TOPICS: [&str; 3] = ["__consumer_offsets", "__transaction_state", "__share_group_state"];

/// The name of the topic that stands for the metadata log itself; nobody may make it.
pub const CLUSTER_METADATA_TOPIC: &str = "__cluster_metadata";

pub fn is_internal(name: &str) -> bool {
    INTERNAL_TOPICS.contains(&name)
}
