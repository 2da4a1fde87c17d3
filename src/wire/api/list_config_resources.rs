//! ListConfigResources: key 74, versions 0-1 (KIP-714, KIP-1142). Version 0 asks for client metrics alone.

use crate::types::ErrorCode;
use crate::wire::Str;
use crate::wire::message::messages;

messages! {
    /// Asks for what has configurations; no types ask for all.
    pub struct ListConfigResourcesRequest {
        pub resource_types: Vec<i8> [1+],
    }

    /// Names with the type of each.
    pub struct ListConfigResourcesResponse {
        pub throttle_time_ms: i32 [0+],
        pub error_code: ErrorCode [0+],
        pub config_resources: Vec<ListedConfigResource> [0+],
    }

    /// A `ConfigResource`.
    pub struct ListedConfigResource {
        pub resource_name: Str [0+],
        pub resource_type: i8 [1+, ignorable] = 16,
    }
}
