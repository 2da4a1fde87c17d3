//! Properties of every message in every version: round trips, truncation, hostile bytes, agreement with an independent codec.

mod entropy;

pub use entropy::{Entropy, Sample};
