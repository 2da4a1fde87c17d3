//! IncrementalAlterConfigs: key 44, versions 0-1. Operations: 0 set, 1 delete, 2 append, 3 subtract.

use crate::types::ErrorCode;
use crate::wire::Str;
use crate::wire::message::messages;

messages! {
    /// Changes to the configs of resources.
    pub struct IncrementalAlterConfigsRequest {
        pub resources: Vec<AlterConfigsResource> [0+],
        pub validate_only: bool [0+],
    }

    /// One resource's changes.
    pub struct AlterConfigsResource {
        /// 2 topic, 4 broker, 8 broker logger, 16 client metrics, 32 group.
        pub resource_type: i8 [0+],
        pub resource_name: Str [0+],
        pub configs: Vec<AlterableConfig> [0+],
    }

    /// One change of one config.
    pub struct AlterableConfig {
        pub name: Str [0+],
        /// 0 set, 1 delete, 2 append, 3 subtract.
        pub config_operation: i8 [0+],
        pub value: Option<Str> [0+, null 0+],
    }

    /// What became of each resource.
    pub struct IncrementalAlterConfigsResponse {
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
