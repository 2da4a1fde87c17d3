//! Records of `__consumer_offsets` for committed offsets and classic groups. Keys have one version, values are named by the version in
//! front of them.

use crate::types::{LeaderEpoch, Offset, PartitionIndex, Timestamp, TopicId};
use crate::wire::Str;
use crate::wire::message::messages;
use bytes::Bytes;

messages! {
    /// Types 0 and 1.
    pub struct OffsetCommitKey {
        pub group: Str [0-0],
        pub topic: Str [0-0],
        pub partition: PartitionIndex [0-0],
    }

    /// Versions 0-4: the committed offset. Without a value it is gone.
    pub struct OffsetCommitValue {
        pub offset: Offset [0+],
        pub leader_epoch: LeaderEpoch [3+, ignorable] = LeaderEpoch::NONE,
        pub metadata: Str [0+],
        pub commit_timestamp: Timestamp [0+],
        /// Of a commit with a retention time of its own.
        pub expire_timestamp: Timestamp [1-1, ignorable] = Timestamp::NONE,
        pub topic_id: TopicId [4+, tag 0, ignorable],
    }

    /// Type 2.
    pub struct GroupMetadataKey {
        pub group: Str [0-0],
    }

    /// Versions 0-4: a classic group, as its leader assigned it. Without a value it is gone.
    pub struct GroupMetadataValue {
        /// Empty: the group has never had a member.
        pub protocol_type: Str [0+],
        pub generation: i32 [0+],
        pub protocol: Option<Str> [0+, null 0+],
        pub leader: Option<Str> [0+, null 0+],
        pub current_state_timestamp: Timestamp [2+, ignorable] = Timestamp::NONE,
        pub members: Vec<MemberMetadata> [0+],
    }

    /// One of its members.
    pub struct MemberMetadata {
        pub member_id: Str [0+],
        pub group_instance_id: Option<Str> [3+, null 3+, ignorable],
        pub client_id: Str [0+],
        pub client_host: Str [0+],
        pub rebalance_timeout: i32 [1+, ignorable] = -1,
        pub session_timeout: i32 [0+],
        pub subscription: Bytes [0+],
        pub assignment: Bytes [0+],
    }
}
