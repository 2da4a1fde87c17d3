//! JoinGroup: key 11, versions 0-9. Static members (KIP-345) from version 5 on, protocol type in the answer from 7, reasons from 8,
//! skipped assignments (KIP-814) from 9.

use crate::types::ErrorCode;
use crate::wire::Str;
use crate::wire::message::messages;
use bytes::Bytes;

messages! {
    /// Asks to be a member of a classic group in its next generation.
    pub struct JoinGroupRequest {
        pub group_id: Str [0+],
        pub session_timeout_ms: i32 [0+],
        /// How long others may take to join again; version 0 knows the session timeout only.
        pub rebalance_timeout_ms: i32 [1+, ignorable] = -1,
        /// Empty: a new member, which is given its id.
        pub member_id: Str [0+],
        pub group_instance_id: Option<Str> [5+, null 5+],
        pub protocol_type: Str [0+],
        /// In order of preference.
        pub protocols: Vec<JoinGroupRequestProtocol> [0+],
        pub reason: Option<Str> [8+, null 8+, ignorable],
    }

    /// An assignor that the member knows, and what it tells it.
    pub struct JoinGroupRequestProtocol {
        pub name: Str [0+],
        pub metadata: Bytes [0+],
    }

    /// The generation and, for the leader, its members.
    pub struct JoinGroupResponse {
        pub throttle_time_ms: i32 [2+, ignorable],
        pub error_code: ErrorCode [0+],
        pub generation_id: i32 [0+] = -1,
        pub protocol_type: Option<Str> [7+, null 7+, ignorable],
        pub protocol_name: Option<Str> [0+, null 7+] = Some(Str::default()),
        pub leader: Str [0+],
        /// The leader is not to assign: the group keeps its assignment.
        pub skip_assignment: bool [9+],
        pub member_id: Str [0+],
        /// Empty for all but the leader.
        pub members: Vec<JoinGroupResponseMember> [0+],
    }

    /// A member and what it tells the chosen assignor.
    pub struct JoinGroupResponseMember {
        pub member_id: Str [0+],
        pub group_instance_id: Option<Str> [5+, null 5+, ignorable],
        pub metadata: Bytes [0+],
    }
}
