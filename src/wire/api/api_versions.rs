//! ApiVersions: key 18, versions 0-4.
//! The response's header is never flexible. Features with a minimum of 0 may be shown from version 4 on only.

use crate::types::ErrorCode;
use crate::wire::Str;
use crate::wire::message::messages;

messages! {
    /// Asks what the broker speaks.
    pub struct ApiVersionsRequest {
        pub client_software_name: Str [3+, ignorable],
        pub client_software_version: Str [3+, ignorable],
    }

    /// What the broker speaks.
    pub struct ApiVersionsResponse {
        pub error_code: ErrorCode [0+],
        pub api_keys: Vec<ApiVersion> [0+],
        pub throttle_time_ms: i32 [1+, ignorable],
        pub supported_features: Vec<SupportedFeatureKey> [3+, tag 0, ignorable],
        pub finalized_features_epoch: i64 [3+, tag 1, ignorable] = -1,
        pub finalized_features: Vec<FinalizedFeatureKey> [3+, tag 2, ignorable],
        pub zk_migration_ready: bool [3+, tag 3, ignorable],
    }

    /// One API and its versions, both ends included.
    pub struct ApiVersion {
        pub api_key: i16 [0+],
        pub min_version: i16 [0+],
        pub max_version: i16 [0+],
    }

    /// A feature and the levels the broker could run at.
    pub struct SupportedFeatureKey {
        pub name: Str [3+],
        pub min_version: i16 [3+],
        pub max_version: i16 [3+],
    }

    /// A feature and the levels the cluster runs at.
    pub struct FinalizedFeatureKey {
        pub name: Str [3+],
        pub max_version_level: i16 [3+],
        pub min_version_level: i16 [3+],
    }
}
