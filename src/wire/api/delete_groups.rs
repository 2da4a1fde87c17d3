//! DeleteGroups: key 42, versions 0-2.

use crate::types::ErrorCode;
use crate::wire::Str;
use crate::wire::message::messages;

messages! {
    /// Takes empty groups away, with their offsets.
    pub struct DeleteGroupsRequest {
        pub groups_names: Vec<Str> [0+],
    }

    /// What became of each.
    pub struct DeleteGroupsResponse {
        pub throttle_time_ms: i32 [0+],
        pub results: Vec<DeletableGroupResult> [0+],
    }

    /// What became of one.
    pub struct DeletableGroupResult {
        pub group_id: Str [0+],
        pub error_code: ErrorCode [0+],
    }
}
