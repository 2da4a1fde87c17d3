//! SyncGroup: key 14, versions 0-5. Static members from version 3 on, protocol type and name on both sides from 5.

use crate::types::ErrorCode;
use crate::wire::Str;
use crate::wire::message::messages;
use bytes::Bytes;

messages! {
    /// Asks for the assignment; the leader brings all of them.
    pub struct SyncGroupRequest {
        pub group_id: Str [0+],
        pub generation_id: i32 [0+],
        pub member_id: Str [0+],
        pub group_instance_id: Option<Str> [3+, null 3+],
        pub protocol_type: Option<Str> [5+, null 5+, ignorable],
        pub protocol_name: Option<Str> [5+, null 5+, ignorable],
        /// Empty for all but the leader.
        pub assignments: Vec<SyncGroupRequestAssignment> [0+],
    }

    /// One member's assignment, opaque to the broker.
    pub struct SyncGroupRequestAssignment {
        pub member_id: Str [0+],
        pub assignment: Bytes [0+],
    }

    /// The member's assignment.
    pub struct SyncGroupResponse {
        pub throttle_time_ms: i32 [1+, ignorable],
        pub error_code: ErrorCode [0+],
        pub protocol_type: Option<Str> [5+, null 5+, ignorable],
        pub protocol_name: Option<Str> [5+, null 5+, ignorable],
        pub assignment: Bytes [0+],
    }
}
