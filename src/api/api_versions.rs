//! ApiVersions (18), versions 0-4: what this broker speaks, and the cluster's features.
//!
//! - A version we do not speak is answered in version 0 with UNSUPPORTED_VERSION and ApiVersions' own range (KIP-511).
//! - Features whose lowest level is 0 stay out of version 3 and below, where old Java clients
//!   refuse them.
//! - A bad client name or version (from 3 on) is INVALID_REQUEST, as in Kafka.

use super::{Handled, RequestContext};
use crate::controller::FEATURES;
use crate::types::ErrorCode;
use crate::wire::api::api_versions::{ApiVersion, ApiVersionsRequest, ApiVersionsResponse, FinalizedFeatureKey, SupportedFeatureKey};
use crate::wire::{ApiKey, ApiSpec};

/// The answer to a version we do not speak.
pub fn unsupported(context: &RequestContext) -> Handled {
    context.note_error(ErrorCode::UnsupportedVersion);
    let response = ApiVersionsResponse {
        error_code: ErrorCode::UnsupportedVersion,
        api_keys: vec![row(ApiKey::ApiVersions.spec())],
        ..Default::default()
    };
    context.encode_as(&response, 0)
}

pub async fn handle(context: &RequestContext, request: ApiVersionsRequest) -> ApiVersionsResponse {
    let version = context.version();
    if version >= 3 && !(is_software_name(&request.client_software_name) && is_software_name(&request.client_software_version)) {
        context.note_error(ErrorCode::InvalidRequest);
        return ApiVersionsResponse { error_code: ErrorCode::InvalidRequest, ..Default::default() };
    }
    let image = context.shard.image();
    let supported = FEATURES.iter().filter(|f| f.level_min > 0 || version >= 4);
    ApiVersionsResponse {
        error_code: ErrorCode::None,
        api_keys: ApiKey::ALL.iter().map(|key| row(key.spec())).collect(),
        supported_features: supported
            .map(|f| SupportedFeatureKey { name: f.name.into(), min_version: f.level_min, max_version: f.level_max })
            .collect(),
        finalized_features_epoch: image.version() as i64,
        finalized_features: image
            .features()
            // A cluster that came from Apache Kafka has features that are not served here; they wait for its way back.
            .filter(|(name, _)| FEATURES.iter().any(|feature| feature.name == *name))
            .map(|(name, level)| FinalizedFeatureKey { name: name.into(), max_version_level: level, min_version_level: level })
            .collect(),
        ..Default::default()
    }
}

fn row(spec: ApiSpec) -> ApiVersion {
    ApiVersion { api_key: spec.key.code(), min_version: spec.advertised.min, max_version: spec.advertised.max }
}

/// KIP-511: letters and digits, with dots and dashes inside.
fn is_software_name(text: &str) -> bool {
    let inner = |b: &u8| b.is_ascii_alphanumeric() || *b == b'-' || *b == b'.';
    let outer = |b: Option<&u8>| b.is_some_and(u8::is_ascii_alphanumeric);
    let bytes = text.as_bytes();
    outer(bytes.first()) && outer(bytes.last()) && bytes.iter().all(inner)
}
