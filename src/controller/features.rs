//! The cluster's features (KIP-584): what this software can do, and UpdateFeatures, which says what of it the cluster uses.
//!
//! Pure. A cluster taken over from Apache Kafka has features that mean nothing here; they stay as they are for its way back.

use super::handler::{HandlerContext, Refusal};
use super::record::{FeatureLevelRecord, Record};
use crate::types::ErrorCode;
use crate::wire::api::update_features::{FeatureUpdateKey, UpdatableFeatureResult, UpdateFeaturesRequest, UpdateFeaturesResponse};
use std::collections::BTreeMap;

/// A feature and the levels that a cluster can be at.
pub struct Feature {
    pub name: &'static str,
    pub level_min: i16,
    /// Also that of a new cluster.
    pub level_max: i16,
}

pub const METADATA_VERSION: &str = "metadata.version";

/// The level of `metadata.version` that 4.3-IV0 stands for.
pub const METADATA_VERSION_LEVEL: i16 = 30;

/// What works here. `metadata.version` spans Kafka's 3.3-IV3 to 4.3-IV0, as clients know them. `group.version` 1: consumer groups (KIP-848), which
/// are served at 0, too, in clusters from before. `transaction.version` 2: an epoch for each transaction (KIP-890).
pub const FEATURES: &[Feature] = &[
    Feature { name: METADATA_VERSION, level_min: 7, level_max: METADATA_VERSION_LEVEL },
    Feature { name: "group.version", level_min: 0, level_max: 1 },
    Feature { name: "transaction.version", level_min: 0, level_max: 2 },
];

/// The values of `UpgradeType`, of which 2 is a downgrade that loses nothing.
const UPGRADE: i8 = 1;
const UNSAFE_DOWNGRADE: i8 = 3;

/// What a new cluster begins with.
pub fn first_levels() -> impl Iterator<Item = Record> {
    FEATURES.iter().map(|feature| Record::FeatureLevel(FeatureLevelRecord { name: feature.name.into(), level: feature.level_max }))
}

pub fn update_features(cx: &HandlerContext, request: &UpdateFeaturesRequest) -> (Vec<Record>, UpdateFeaturesResponse) {
    // Of several for one feature the last one stands, as in Kafka.
    let updates: BTreeMap<&str, &FeatureUpdateKey> = request.feature_updates.iter().map(|update| (&*update.feature, update)).collect();
    let outcome: Result<Vec<Record>, Refusal> = updates.into_values().map(|update| updated(cx, update)).collect();
    let mut response = UpdateFeaturesResponse::default();
    match outcome {
        Ok(records) => {
            response.results = request.feature_updates.iter().map(done).collect();
            (if request.validate_only { Vec::new() } else { records }, response)
        }
        Err(refusal) => {
            (response.error_code, response.error_message) = (refusal.code, refusal.message());
            (Vec::new(), response)
        }
    }
}

/// Kafka's words for an update without an error.
fn done(update: &FeatureUpdateKey) -> UpdatableFeatureResult {
    UpdatableFeatureResult { feature: update.feature.clone(), error_code: ErrorCode::None, error_message: Some("NONE".into()) }
}

fn updated(cx: &HandlerContext, update: &FeatureUpdateKey) -> Result<Record, Refusal> {
    let (name, level) = (&*update.feature, update.max_version_level);
    let refuse = |reason: String| {
        let message = format!(
            "The update failed for all features since the following feature had an error: Invalid update version {level} for feature {name}. {reason}"
        );
        Err(Refusal::new(ErrorCode::InvalidUpdateVersion, message))
    };
    // Version 0 says nothing of it but `allow_downgrade`, which Kafka does not look at.
    let upgrade_type = update.upgrade_type;
    if !(UPGRADE..=UNSAFE_DOWNGRADE).contains(&upgrade_type) {
        return refuse("The controller does not support the given upgrade type.".into());
    }
    if level < 0 {
        return refuse("A feature version cannot be less than 0.".into());
    }
    let Some(feature) = FEATURES.iter().find(|feature| feature.name == name) else {
        return refuse("The controller does not support this feature.".into());
    };
    if !(feature.level_min..=feature.level_max).contains(&level) {
        return refuse(format!("The controller only supports versions {}-{}.", feature.level_min, feature.level_max));
    }
    let current = cx.image.feature_level(name);
    if level < current && upgrade_type == UPGRADE {
        return refuse("Can't downgrade the version of this feature without setting the upgrade type to a downgrade.".into());
    }
    if level > current && upgrade_type != UPGRADE {
        return refuse("Can't downgrade to a newer version.".into());
    }
    if level < current && name == METADATA_VERSION {
        return refuse("The metadata cannot be taken back to an older version.".into());
    }
    Ok(Record::FeatureLevel(FeatureLevelRecord { name: name.into(), level }))
}
