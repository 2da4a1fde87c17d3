//! Heartbeat: key 12, versions 0-4. Static members from version 3 on.

use crate::types::ErrorCode;
use crate::wire::Str;
use crate::wire::message::messages;

messages! {
    /// Keeps a member of a classic group alive.
    pub struct HeartbeatRequest {
        pub group_id: Str [0+],
        pub generation_id: i32 [0+],
        pub member_id: Str [0+],
        pub group_instance_id: Option<Str> [3+, null 3+],
    }

    /// Whether it is still one, and whether it must join again.
    pub struct HeartbeatResponse {
        pub throttle_time_ms: i32 [1+, ignorable],
        pub error_code: ErrorCode [0+],
    }
}
