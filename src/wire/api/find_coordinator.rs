//! FindCoordinator: key 10, versions 0-6. One key up to version 3, several from 4 on.

use crate::types::{ErrorCode, NodeId};
use crate::wire::Str;
use crate::wire::message::messages;

messages! {
    /// Asks who coordinates groups or transactions.
    pub struct FindCoordinatorRequest {
        pub key: Str [0-3],
        /// 0 group, 1 transaction, 2 share group.
        pub key_type: i8 [1+],
        pub coordinator_keys: Vec<Str> [4+],
    }

    /// The coordinators.
    pub struct FindCoordinatorResponse {
        pub throttle_time_ms: i32 [1+, ignorable],
        pub error_code: ErrorCode [0-3],
        pub error_message: Option<Str> [1-3, null 1-3, ignorable],
        pub node_id: NodeId [0-3],
        pub host: Str [0-3],
        pub port: i32 [0-3],
        pub coordinators: Vec<Coordinator> [4+],
    }

    /// One key's coordinator.
    pub struct Coordinator {
        pub key: Str [4+],
        pub node_id: NodeId [4+],
        pub host: Str [4+],
        pub port: i32 [4+],
        pub error_code: ErrorCode [4+],
        pub error_message: Option<Str> [4+, null 4+, ignorable],
    }
}
