//! DescribeGroups: key 15, versions 0-6. Authorized operations from version 3 on, static members from 4, messages and
//! GROUP_ID_NOT_FOUND from 6.

use crate::types::ErrorCode;
use crate::wire::Str;
use crate::wire::message::messages;
use bytes::Bytes;

messages! {
    /// Asks what classic groups are.
    pub struct DescribeGroupsRequest {
        pub groups: Vec<Str> [0+],
        pub include_authorized_operations: bool [3+],
    }

    /// The groups.
    pub struct DescribeGroupsResponse {
        pub throttle_time_ms: i32 [1+, ignorable],
        pub groups: Vec<DescribedGroup> [0+],
    }

    /// One group.
    pub struct DescribedGroup {
        pub error_code: ErrorCode [0+],
        pub error_message: Option<Str> [6+, null 6+],
        pub group_id: Str [0+],
        pub group_state: Str [0+],
        pub protocol_type: Str [0+],
        /// The chosen assignor.
        pub protocol_data: Str [0+],
        pub members: Vec<DescribedGroupMember> [0+],
        /// Bits by operation; `i32::MIN`: not asked for.
        pub authorized_operations: i32 [3+] = i32::MIN,
    }

    /// One of its members.
    pub struct DescribedGroupMember {
        pub member_id: Str [0+],
        pub group_instance_id: Option<Str> [4+, null 4+, ignorable],
        pub client_id: Str [0+],
        pub client_host: Str [0+],
        pub member_metadata: Bytes [0+],
        pub member_assignment: Bytes [0+],
    }
}
