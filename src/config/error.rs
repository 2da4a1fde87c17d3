//! Why a configuration is refused, in Kafka's words, since tools and scripts match on them.

use crate::types::ErrorCode;
use std::fmt;

/// A change that is refused. [`fmt::Display`] gives the message of the reply.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum ConfigError {
    InvalidValue {
        name: String,
        value: String,
        reason: String,
    },
    /// A list with an empty element.
    EmptyElement {
        name: String,
    },
    /// An empty list where one element is needed; `allowed` as shown to the user.
    EmptyList {
        name: String,
        allowed: String,
    },
    UnknownTopicConfig {
        name: String,
    },
    /// A single group's configuration that is unknown or out of the broker's bounds.
    OfGroup {
        text: String,
    },
    Conflict {
        low: &'static str,
        low_value: i64,
        high: &'static str,
        high_value: i64,
    },
    TieredStorage,
    NotAList {
        operation: &'static str,
        name: String,
    },
    NullValue {
        name: String,
    },
    DuplicateKey,
    /// Broker configurations that only a restart changes.
    NotDynamic {
        names: Vec<String>,
    },
    /// Broker configurations that need a broker's id.
    PerBroker {
        names: Vec<String>,
    },
    /// TLS and SASL configurations without a listener's prefix.
    NeedsListenerPrefix {
        names: Vec<String>,
    },
    /// A broker configuration's bad value.
    InBroker(Box<ConfigError>),
}

impl ConfigError {
    /// The code of the reply: a bad broker configuration is an invalid request to Kafka, a bad topic configuration an invalid config.
    pub fn code(&self) -> ErrorCode {
        match self {
            ConfigError::NullValue { .. }
            | ConfigError::DuplicateKey
            | ConfigError::NotDynamic { .. }
            | ConfigError::PerBroker { .. }
            | ConfigError::NeedsListenerPrefix { .. }
            | ConfigError::InBroker(_) => ErrorCode::InvalidRequest,
            _ => ErrorCode::InvalidConfig,
        }
    }

    pub(super) fn invalid(name: &str, value: impl fmt::Display, reason: impl Into<String>) -> ConfigError {
        ConfigError::InvalidValue { name: name.to_string(), value: value.to_string(), reason: reason.into() }
    }
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ConfigError::InvalidValue { name, value, reason } => write!(f, "Invalid value {value} for configuration {name}: {reason}"),
            ConfigError::EmptyElement { name } => write!(f, "Configuration '{name}' values must not be empty."),
            ConfigError::EmptyList { name, allowed } => {
                write!(f, "Configuration '{name}' must not be empty. Valid values include: {allowed}")
            }
            ConfigError::UnknownTopicConfig { name } => write!(f, "Unknown topic config name: {name}"),
            ConfigError::OfGroup { text } => f.write_str(text),
            ConfigError::Conflict { low, low_value, high, high_value } => {
                write!(f, "conflict topic config setting {low} ({low_value}) > {high} ({high_value})")
            }
            ConfigError::TieredStorage => {
                f.write_str("Tiered Storage functionality is disabled in the broker. Topic cannot be configured with remote log storage.")
            }
            ConfigError::NotAList { operation, name } => {
                write!(f, "Can't {operation} to key {name} because its type is not LIST.")
            }
            ConfigError::NullValue { name } => write!(f, "Null value not supported for : {name}"),
            ConfigError::InBroker(error) => error.fmt(f),
            ConfigError::DuplicateKey => f.write_str("Error due to duplicate config keys"),
            ConfigError::NotDynamic { names } => write!(f, "Cannot update these configs dynamically: [{}]", names.join(", ")),
            ConfigError::PerBroker { names } => {
                write!(f, "Cannot update these configs at default cluster level, broker id must be specified: [{}]", names.join(", "))
            }
            ConfigError::NeedsListenerPrefix { names } => write!(
                f,
                "These security configs can be dynamically updated only per-listener using the listener prefix: [{}]",
                names.join(", ")
            ),
        }
    }
}
