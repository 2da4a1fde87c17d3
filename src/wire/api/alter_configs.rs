//! AlterConfigs: key 33, versions 0-2. Replaces all of a resource's configs; what is not named goes back to its default.

use crate::types::ErrorCode;
use crate::wire::Str;
use crate::wire::message::messages;

messages! {
    /// Resources and all of their configs.
    pub struct AlterConfigsRequest {
        pub resources: Vec<AlterConfigsResource> [0+],
        pub validate_only: bool [0+],
    }

    /// One resource's configs.
    pub struct AlterConfigsResource {
        /// 2 topic, 4 broker, 8 broker logger.
        pub resource_type: i8 [0+],
        pub resource_name: Str [0+],
        pub configs: Vec<AlterableConfig> [0+],
    }

    /// A config's new value.
    pub struct AlterableConfig {
        pub name: Str [0+],
        pub value: Option<Str> [0+, null 0+],
    }

    /// What became of each resource.
    pub struct AlterConfigsResponse {
        pub throttle_time_ms: i32 [0+],
        pub responses: Vec<AlterConfigsResourceResponse> [0+],
    }

    /// What became of one resource.
    pub struct AlterConfigsResourceResponse {
        pub error_code: ErrorCode [0+],
        pub error_message: Option<Str> [0+, null 0+],
        pub resource_type: i8 [0+],
        pub resource_name: Str [0+],
    }
}
