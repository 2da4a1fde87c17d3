//! LeaveGroup: key 13, versions 0-5. One member up to version 2, several from 3 on, reasons from 5.

use crate::types::ErrorCode;
use crate::wire::Str;
use crate::wire::message::messages;

messages! {
    /// Takes members out of a classic group.
    pub struct LeaveGroupRequest {
        pub group_id: Str [0+],
        pub member_id: Str [0-2],
        pub members: Vec<MemberIdentity> [3+],
    }

    /// A member by its id, or a static one by its instance id.
    pub struct MemberIdentity {
        pub member_id: Str [3+],
        pub group_instance_id: Option<Str> [3+, null 3+],
        pub reason: Option<Str> [5+, null 5+, ignorable],
    }

    /// What became of each.
    pub struct LeaveGroupResponse {
        pub throttle_time_ms: i32 [1+, ignorable],
        pub error_code: ErrorCode [0+],
        pub members: Vec<MemberResponse> [3+],
    }

    /// What became of one member.
    pub struct MemberResponse {
        pub member_id: Str [3+],
        pub group_instance_id: Option<Str> [3+, null 3+],
        pub error_code: ErrorCode [3+],
    }
}
