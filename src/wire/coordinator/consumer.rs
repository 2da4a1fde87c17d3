//! Records of `__consumer_offsets` for consumer groups (KIP-848). Keys and values have one version. Without a value, what the key names is gone.

use crate::types::{PartitionIndex, Timestamp, TopicId};
use crate::wire::Str;
use crate::wire::message::messages;
use bytes::Bytes;

messages! {
    /// Type 3.
    pub struct ConsumerGroupMetadataKey {
        pub group_id: Str [0-0],
    }

    /// The group's epoch, and a hash of its topics' metadata at that epoch.
    pub struct ConsumerGroupMetadataValue {
        pub epoch: i32 [0+],
        pub metadata_hash: i64 [0+, tag 0],
    }

    /// Type 4; before Kafka 4.1.
    pub struct ConsumerGroupPartitionMetadataKey {
        pub group_id: Str [0-0],
    }

    /// The subscribed topics' metadata.
    pub struct ConsumerGroupPartitionMetadataValue {
        pub topics: Vec<TopicMetadata> [0+],
    }

    /// One topic's metadata.
    pub struct TopicMetadata {
        pub topic_id: TopicId [0+],
        pub topic_name: Str [0+],
        pub num_partitions: i32 [0+],
        pub partition_metadata: Vec<PartitionMetadata> [0+],
    }

    /// One partition's racks.
    pub struct PartitionMetadata {
        pub partition: PartitionIndex [0+],
        pub racks: Vec<Str> [0+],
    }

    /// Type 5.
    pub struct ConsumerGroupMemberMetadataKey {
        pub group_id: Str [0-0],
        pub member_id: Str [0-0],
    }

    /// A member, as it described itself.
    pub struct ConsumerGroupMemberMetadataValue {
        pub instance_id: Option<Str> [0+, null 0+],
        pub rack_id: Option<Str> [0+, null 0+],
        pub client_id: Str [0+],
        pub client_host: Str [0+],
        pub subscribed_topic_names: Vec<Str> [0+],
        pub subscribed_topic_regex: Option<Str> [0+, null 0+],
        pub rebalance_timeout_ms: i32 [0+] = -1,
        pub server_assignor: Option<Str> [0+, null 0+],
        /// Of a member that speaks the classic protocol; null for all others (a record without the tag has it, and it is empty).
        pub classic_member_metadata: Option<ClassicMemberMetadata> [0+, null 0+, tag 0] = Some(ClassicMemberMetadata::default()),
    }

    /// What such a member said when it joined.
    pub struct ClassicMemberMetadata {
        pub session_timeout_ms: i32 [0+],
        pub supported_protocols: Vec<ClassicProtocol> [0+],
    }

    /// An assignor that it knows, and what it tells it.
    pub struct ClassicProtocol {
        pub name: Str [0+],
        pub metadata: Bytes [0+],
    }

    /// Type 6.
    pub struct ConsumerGroupTargetAssignmentMetadataKey {
        pub group_id: Str [0-0],
    }

    /// The epoch of the target assignment.
    pub struct ConsumerGroupTargetAssignmentMetadataValue {
        pub assignment_epoch: i32 [0+],
        pub assignment_timestamp: Timestamp [0+, tag 0, ignorable],
    }

    /// Type 7.
    pub struct ConsumerGroupTargetAssignmentMemberKey {
        pub group_id: Str [0-0],
        pub member_id: Str [0-0],
    }

    /// What a member is to own in the end.
    pub struct ConsumerGroupTargetAssignmentMemberValue {
        pub topic_partitions: Vec<TopicPartition> [0+],
    }

    /// One topic's partitions.
    pub struct TopicPartition {
        pub topic_id: TopicId [0+],
        pub partitions: Vec<PartitionIndex> [0+],
    }

    /// Type 8.
    pub struct ConsumerGroupCurrentMemberAssignmentKey {
        pub group_id: Str [0-0],
        pub member_id: Str [0-0],
    }

    /// What a member owns on its way there.
    pub struct ConsumerGroupCurrentMemberAssignmentValue {
        pub member_epoch: i32 [0+],
        pub previous_member_epoch: i32 [0+],
        /// 0 stable, 1 unrevoked partitions, 2 unreleased partitions, 127 unknown.
        pub state: i8 [0+],
        pub assigned_partitions: Vec<TopicPartitions> [0+],
        pub partitions_pending_revocation: Vec<TopicPartitions> [0+],
    }

    /// One topic's partitions.
    pub struct TopicPartitions {
        pub topic_id: TopicId [0+],
        pub partitions: Vec<PartitionIndex> [0+],
        /// Since when the member owns each partition; null or empty: not known.
        pub assignment_epochs: Option<Vec<i32>> [0+, null 0+, tag 0] = Some(Vec::new()),
    }

    /// Type 16.
    pub struct ConsumerGroupRegularExpressionKey {
        pub group_id: Str [0-0],
        pub regular_expression: Str [0-0],
    }

    /// The topics that a regular expression matched, at that version of the metadata.
    pub struct ConsumerGroupRegularExpressionValue {
        pub topics: Vec<Str> [0+],
        pub version: i64 [0+],
        pub timestamp: Timestamp [0+],
    }
}
