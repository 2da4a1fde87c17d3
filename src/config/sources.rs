//! What a broker is started with: a server.properties file, the environment as the Docker images map it, and `--set`.

use super::broker::BrokerConfig;
use super::catalogue;
use super::error::ConfigError;
use super::layers::{BrokerLayers, ConfigMap};
use super::synonyms::listener_base;
use super::value::Value;
use std::fmt;

/// Everything that names configurations, the weakest first: file, environment, command line.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Sources {
    /// The bytes of the file given by `--config`.
    pub file: Option<Vec<u8>>,
    /// All of the process's environment variables.
    pub environment: Vec<(String, String)>,
    /// The arguments of `--set`, `key=value` each.
    pub set: Vec<String>,
}

/// A configuration to start with, and what the log should say about it.
#[derive(Clone, PartialEq, Debug)]
pub struct Loaded {
    pub config: BrokerConfig,
    pub notices: Vec<Notice>,
}

/// One log line about a configuration that was accepted.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Notice {
    /// Kafka's key, without effect here.
    WithoutEffect { name: String },
    /// It would keep clients from something, and does not: worth a warning.
    NotEnforced { name: String },
    /// Nobody knows this key: worth a warning.
    Unknown { name: String },
    /// A listener of the controller, which has no socket here.
    NotOpened { listener: String },
}

impl fmt::Display for Notice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Notice::WithoutEffect { name } => write!(f, "configuration {name} has no effect in Ringmill"),
            Notice::NotEnforced { name } => {
                write!(f, "configuration {name} is not enforced by Ringmill: every client may do everything")
            }
            Notice::Unknown { name } => write!(f, "configuration {name} is unknown and ignored"),
            Notice::NotOpened { listener } => {
                write!(f, "listener {listener} is not opened: the metadata quorum has one member and needs no listener")
            }
        }
    }
}

/// Why the broker does not start with this configuration. [`fmt::Display`] gives one line.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum LoadError {
    /// The file is no properties file.
    File {
        line: Option<usize>,
        reason: String,
    },
    /// An argument of `--set` without `=`.
    Set {
        argument: String,
    },
    /// A key that begins with `ringmill.` but is none of ours.
    UnknownRingmillKey {
        name: String,
    },
    Invalid(ConfigError),
}

impl fmt::Display for LoadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            LoadError::File { line: Some(line), reason } => write!(f, "the configuration file does not parse at line {line}: {reason}"),
            LoadError::File { line: None, reason } => write!(f, "the configuration file does not parse: {reason}"),
            LoadError::Set { argument } => write!(f, "--set {argument}: expected key=value"),
            LoadError::UnknownRingmillKey { name } => write!(f, "unknown configuration {name}: no key of Ringmill's has this name"),
            LoadError::Invalid(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for LoadError {}

impl From<ConfigError> for LoadError {
    fn from(error: ConfigError) -> Self {
        LoadError::Invalid(error)
    }
}

impl BrokerConfig {
    /// Reads all sources, checks every value, and says what will have no effect.
    pub fn load(sources: &Sources) -> Result<Loaded, LoadError> {
        let fixed = merge(sources)?;
        let mut notices = Vec::new();
        for (name, text) in &fixed {
            notices.extend(inspect(name, text)?);
        }
        let nothing = ConfigMap::new();
        let layers = BrokerLayers { dynamic: &nothing, dynamic_default: &nothing, fixed: &fixed };
        let config = BrokerConfig::resolve(layers)?;
        check_roles(layers)?;
        let not_opened = super::listeners::resolve(layers)?.not_opened;
        notices.extend(not_opened.into_iter().map(|listener| Notice::NotOpened { listener }));
        Ok(Loaded { config, notices })
    }
}

fn merge(sources: &Sources) -> Result<ConfigMap, LoadError> {
    let mut merged = match &sources.file {
        Some(bytes) => parse_file(bytes)?,
        None => ConfigMap::new(),
    };
    for (variable, value) in &sources.environment {
        if let Some(name) = name_of_variable(variable) {
            merged.insert(name, value.clone());
        }
    }
    for argument in &sources.set {
        match argument.split_once('=') {
            Some((name, value)) if !name.trim().is_empty() => drop(merged.insert(name.trim().to_string(), value.to_string())),
            _ => return Err(LoadError::Set { argument: argument.clone() }),
        }
    }
    name_node_twice(&mut merged);
    Ok(merged)
}

/// One of `node.id` and `broker.id` sets the other too, so that tools that look at the older name find it.
fn name_node_twice(merged: &mut ConfigMap) {
    for (given, missing) in [("node.id", "broker.id"), ("broker.id", "node.id")] {
        if let (Some(id), false) = (merged.get(given).cloned(), merged.contains_key(missing)) {
            merged.insert(missing.to_string(), id);
        }
    }
}

fn parse_file(bytes: &[u8]) -> Result<ConfigMap, LoadError> {
    let mut properties = ConfigMap::new();
    // The parser looks for a byte order mark, which such files do not have, and panics at half a one: it never finds one behind a line's end.
    let bytes = [b"\n", bytes].concat();
    java_properties::PropertiesIter::new(&bytes[..])
        .read_into(|name, value| drop(properties.insert(name, value)))
        .map_err(|error| LoadError::File { line: error.line_number().map(|line| line - 1), reason: error.to_string() })?;
    Ok(properties)
}

/// Variables of Kafka's start scripts and images, which are no broker configurations.
const SCRIPT_VARIABLES: &[&str] = &[
    "KAFKA_CLUSTER_ID",
    "KAFKA_DEBUG",
    "KAFKA_GC_LOG_OPTS",
    "KAFKA_HEAP_OPTS",
    "KAFKA_HOME",
    "KAFKA_JMX_HOSTNAME",
    "KAFKA_JMX_OPTS",
    "KAFKA_JMX_PORT",
    "KAFKA_JVM_PERFORMANCE_OPTS",
    "KAFKA_LOG4J_LOGGERS",
    "KAFKA_LOG4J_OPTS",
    "KAFKA_LOG4J_ROOT_LOGLEVEL",
    "KAFKA_OPTS",
    "KAFKA_TOOLS_LOG4J_LOGLEVEL",
    "KAFKA_VERSION",
];

/// `KAFKA_LOG_DIRS` is `log.dirs`: `_` stands for `.`, `__` for `_`, `___` for `-`. `None` if the variable is no configuration.
fn name_of_variable(variable: &str) -> Option<String> {
    if SCRIPT_VARIABLES.contains(&variable) {
        return None;
    }
    let rest = variable.strip_prefix("KAFKA_").filter(|rest| !rest.is_empty())?;
    Some(rest.to_lowercase().replace("___", "-").replace("__", "\0").replace('_', ".").replace('\0', "_"))
}

/// Keys of Kafka's plugins, known by how they begin; the first two are its authorizer's.
const PLUGIN_PREFIXES: &[&str] =
    &["allow.everyone.if.no.acl.found", "super.users", "config.providers.", "metrics.context.", "rlmm.config.", "rsm.config."];

const AUTHORIZER: &str = "authorizer.class.name";

/// Checks one value; says so if it will have no effect.
fn inspect(name: &str, text: &str) -> Result<Option<Notice>, LoadError> {
    let definition = catalogue::broker(listener_base(name).unwrap_or(name));
    let Some(definition) = definition else {
        if name.starts_with("ringmill.") {
            return Err(LoadError::UnknownRingmillKey { name: name.to_string() });
        }
        let is_plugins = PLUGIN_PREFIXES.iter().any(|prefix| name.starts_with(prefix));
        let name = name.to_string();
        return Ok(Some(if is_plugins { Notice::WithoutEffect { name } } else { Notice::Unknown { name } }));
    };
    Value::parse(definition, text)?;
    if name == AUTHORIZER && !text.trim().is_empty() {
        return Ok(Some(Notice::NotEnforced { name: name.to_string() }));
    }
    let acts = definition.acts && definition.name == name;
    Ok((!acts).then(|| Notice::WithoutEffect { name: name.to_string() }))
}

fn check_roles(layers: BrokerLayers) -> Result<(), ConfigError> {
    match layers.value("process.roles") {
        Some(Value::List(roles)) if !roles.iter().any(|role| role == "broker") => {
            Err(ConfigError::invalid("process.roles", roles.join(","), "Ringmill runs as broker, with its controller inside"))
        }
        _ => Ok(()),
    }
}
