//! UpdateFeatures: key 57, versions 0-2 (KIP-584). All of a request's updates are made, or none.

use crate::types::ErrorCode;
use crate::wire::Str;
use crate::wire::message::messages;

messages! {
    /// Features to bring to other levels.
    pub struct UpdateFeaturesRequest {
        pub timeout_ms: i32 [0+] = 60000,
        pub feature_updates: Vec<FeatureUpdateKey> [0+],
        pub validate_only: bool [1+],
    }

    /// One feature and its new level; 0 takes it away. Upgrade types: 1 upgrade, 2 downgrade without loss, 3 with it.
    pub struct FeatureUpdateKey {
        pub feature: Str [0+],
        pub max_version_level: i16 [0+],
        pub allow_downgrade: bool [0-0],
        pub upgrade_type: i8 [1+] = 1,
    }

    /// The error of all, or none.
    pub struct UpdateFeaturesResponse {
        pub throttle_time_ms: i32 [0+],
        pub error_code: ErrorCode [0+],
        pub error_message: Option<Str> [0+, null 0+],
        pub results: Vec<UpdatableFeatureResult> [0-1, ignorable],
    }

    /// One feature that was updated.
    pub struct UpdatableFeatureResult {
        pub feature: Str [0+],
        pub error_code: ErrorCode [0+],
        pub error_message: Option<Str> [0+, null 0+],
    }
}
