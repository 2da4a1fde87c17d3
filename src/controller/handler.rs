//! What all handlers share: what they may look at, and how they refuse.
//!
//! Pure. A handler takes a context and a request and gives the records to commit and the reply to send once they are; it
//! changes nothing. Kafka's order of checks is kept, since it decides which of several errors a client sees.

use super::image::MetadataImage;
use crate::config::{BrokerConfig, BrokerLayers, ConfigError};
use crate::types::{ErrorCode, TopicId};
use crate::wire::Str;

/// The inputs of a handler besides its request.
pub struct HandlerContext<'a> {
    /// With everything that was proposed so far, committed or not.
    pub image: &'a MetadataImage,
    /// What this node was started with.
    pub broker: &'a BrokerConfig,
    /// 64 random bits at each call.
    pub random: &'a mut dyn FnMut() -> u64,
}

impl<'a> HandlerContext<'a> {
    pub fn layers(&self) -> BrokerLayers<'a> {
        self.image.broker_layers(self.broker)
    }

    /// An id that no topic has. As in Kafka none begins with a dash, which tools would take for an option.
    pub fn new_topic_id(&mut self) -> TopicId {
        loop {
            let bits = u128::from((self.random)()) << 64 | u128::from((self.random)());
            let id = TopicId(bits.to_be_bytes());
            // The first few are Kafka's own.
            if bits > 1 << 64 && !id.to_string().starts_with('-') && self.image.topic(id).is_none() {
                return id;
            }
        }
    }
}

/// Why one topic or resource of a request is refused.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Refusal {
    pub code: ErrorCode,
    pub message: Option<String>,
}

impl Refusal {
    pub fn new(code: ErrorCode, message: impl Into<String>) -> Refusal {
        Refusal { code, message: Some(message.into()) }
    }

    /// With the code alone; clients then show their own words.
    pub fn bare(code: ErrorCode) -> Refusal {
        Refusal { code, message: None }
    }

    pub fn message(&self) -> Option<Str> {
        self.message.as_deref().map(Str::from)
    }
}

impl From<ConfigError> for Refusal {
    fn from(error: ConfigError) -> Refusal {
        Refusal::new(error.code(), error.to_string())
    }
}

/// Names that occur more than once.
pub fn duplicates<'a>(names: impl Iterator<Item = &'a str>) -> std::collections::BTreeSet<&'a str> {
    let mut seen = std::collections::BTreeSet::new();
    names.filter(|name| !seen.insert(*name)).collect()
}
