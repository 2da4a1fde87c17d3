//! ListGroups: key 16, versions 0-5. States in and out from version 4 on, types (KIP-848) from 5.

use crate::types::ErrorCode;
use crate::wire::Str;
use crate::wire::message::messages;

messages! {
    /// Asks for the groups that the broker coordinates.
    pub struct ListGroupsRequest {
        /// Empty: all.
        pub states_filter: Vec<Str> [4+],
        /// Empty: all.
        pub types_filter: Vec<Str> [5+],
    }

    /// The groups.
    pub struct ListGroupsResponse {
        pub throttle_time_ms: i32 [1+, ignorable],
        pub error_code: ErrorCode [0+],
        pub groups: Vec<ListedGroup> [0+],
    }

    /// One group.
    pub struct ListedGroup {
        pub group_id: Str [0+],
        /// Empty: offsets only.
        pub protocol_type: Str [0+],
        pub group_state: Str [4+, ignorable],
        pub group_type: Str [5+, ignorable],
    }
}
