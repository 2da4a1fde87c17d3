//! The broker's configuration, typed: what start-up and the shards act on.

use super::catalogue;
use super::core_endpoints::{self, CoreEndpoints};
use super::error::ConfigError;
use super::group_coordinator::GroupCoordinatorConfig;
use super::layers::{BrokerLayers, ConfigMap};
use super::listeners::{self, AdvertisedListener, Listener};
use super::transaction_coordinator::TransactionCoordinatorConfig;
use super::value::Value;
use crate::types::NodeId;
use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

/// Everything the broker acts on. Times in ms, sizes in bytes.
#[derive(Clone, PartialEq, Debug)]
pub struct BrokerConfig {
    pub node_id: NodeId,
    pub rack: Option<String>,
    /// Sockets for clients.
    pub listeners: Vec<Listener>,
    pub advertised_listeners: Vec<AdvertisedListener>,
    /// At least one, without repetition.
    pub log_dirs: Vec<PathBuf>,

    pub auto_create_topics_enable: bool,
    pub delete_topic_enable: bool,
    pub num_partitions: i32,
    pub default_replication_factor: i16,

    pub socket_request_max_bytes: i32,
    pub connections_max_idle_ms: i64,
    pub max_connections: i32,
    pub max_connections_per_ip: i32,
    pub max_connections_per_ip_overrides: BTreeMap<IpAddr, i32>,
    /// The most bytes of records in one fetch answer, whatever the client asks for.
    pub fetch_max_bytes: i32,
    /// The most fetch sessions kept.
    pub max_incremental_fetch_session_cache_slots: i32,
    /// The most partitions in one answer to DescribeTopicPartitions.
    pub max_request_partition_size_limit: i32,

    pub log_cleaner: LogCleanerConfig,
    pub log_retention_check_interval_ms: i64,
    /// How long an idle producer's sequence numbers are remembered.
    pub producer_id_expiration_ms: i32,
    pub group: GroupCoordinatorConfig,
    pub transaction: TransactionCoordinatorConfig,

    /// `ringmill.*`.
    pub ringmill: RingmillConfig,

    /// As given at the start, for DescribeConfigs and for topics' defaults.
    fixed: Arc<ConfigMap>,
}

/// `log.cleaner.*`, for the whole broker.
#[derive(Clone, PartialEq, Debug)]
pub struct LogCleanerConfig {
    pub enable: bool,
    pub backoff_ms: i64,
    pub dedupe_buffer_size: i64,
    pub io_buffer_load_factor: f64,
    pub io_buffer_size: i32,
    pub io_max_bytes_per_second: f64,
}

/// What only Ringmill has.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct RingmillConfig {
    /// `None`: one for each core the process may use, less the controller's where there are four or more.
    pub shards: Option<u16>,
    /// `None`: no admin listener.
    pub admin_listener: Option<SocketAddr>,
    /// How often partitions may move to even out the cores; `None`: never.
    pub balance_interval: Option<Duration>,
    /// Where cores are brokers to clients: at most one for each listener.
    pub core_endpoints: Vec<CoreEndpoints>,
    /// From so many bytes on, a partition's batches go straight to its segment.
    pub journal_bypass_bytes: u64,
    /// Free space of a log directory below which, data not yet in segments added, produce is refused.
    pub disk_reserve_bytes: u64,
    /// Size of a new journal ring, per shard and log directory.
    pub journal_initial_bytes: u64,
    /// What a journal ring may grow to.
    pub journal_max_bytes: u64,
    /// A shard's memory for tails and cached batches.
    pub memory_bytes: u64,
    /// Bytes of requests in flight on one connection; its socket is not read above it.
    pub request_memory_connection_bytes: u64,
    /// Bytes of requests in flight on one shard.
    pub request_memory_shard_bytes: u64,
    /// What each of metadata, replication and admin requests may use on a shard when the rest is full.
    pub request_memory_reserve_bytes: u64,
    /// Bytes of answers on one shard that peers have not read yet.
    pub response_memory_bytes: u64,
}

impl BrokerConfig {
    /// The configuration in force over these layers. `layers.fixed` is kept, the others are not.
    pub(super) fn resolve(layers: BrokerLayers) -> Result<BrokerConfig, ConfigError> {
        let read = Reader(layers);
        let listeners = listeners::resolve(layers)?;
        let node_id = node_id(&read)?;
        let core_endpoints = core_endpoints::resolve(&read.list(core_endpoints::KEY), &listeners.listeners, node_id)?;
        let config = BrokerConfig {
            node_id,
            rack: read.optional_text("broker.rack"),
            listeners: listeners.listeners,
            advertised_listeners: listeners.advertised,
            log_dirs: log_dirs(&read),
            auto_create_topics_enable: read.boolean("auto.create.topics.enable"),
            delete_topic_enable: read.boolean("delete.topic.enable"),
            num_partitions: read.int("num.partitions"),
            default_replication_factor: read.int("default.replication.factor").clamp(-1, i16::MAX.into()) as i16,
            socket_request_max_bytes: read.int("socket.request.max.bytes"),
            connections_max_idle_ms: read.long("connections.max.idle.ms"),
            max_connections: read.int("max.connections"),
            max_connections_per_ip: read.int("max.connections.per.ip"),
            max_connections_per_ip_overrides: per_ip_overrides(&read)?,
            fetch_max_bytes: read.int("fetch.max.bytes"),
            max_incremental_fetch_session_cache_slots: read.int("max.incremental.fetch.session.cache.slots"),
            max_request_partition_size_limit: read.int("max.request.partition.size.limit"),
            log_cleaner: LogCleanerConfig::resolve(&read),
            log_retention_check_interval_ms: read.long("log.retention.check.interval.ms"),
            producer_id_expiration_ms: read.int("producer.id.expiration.ms"),
            group: GroupCoordinatorConfig::resolve(&read),
            transaction: TransactionCoordinatorConfig::resolve(&read),
            ringmill: RingmillConfig::resolve(&read, core_endpoints)?,
            fixed: Arc::new(layers.fixed.clone()),
        };
        config.check_together()?;
        Ok(config)
    }

    /// The configuration with what was set at run time laid over it. Values that do not fit together leave it as it is.
    pub fn with_dynamic(&self, dynamic: &ConfigMap, dynamic_default: &ConfigMap) -> BrokerConfig {
        BrokerConfig::resolve(self.layers(dynamic, dynamic_default)).unwrap_or_else(|_| self.clone())
    }

    /// This broker's layers, for topics' defaults and DescribeConfigs.
    pub fn layers<'a>(&'a self, dynamic: &'a ConfigMap, dynamic_default: &'a ConfigMap) -> BrokerLayers<'a> {
        BrokerLayers { dynamic, dynamic_default, fixed: &self.fixed }
    }

    /// The ports of this machine's cores for clients of a listener, given by its place in `listeners`, if they see cores as brokers.
    pub fn core_endpoints(&self, listener: usize) -> Option<&CoreEndpoints> {
        self.ringmill.core_endpoints.iter().find(|endpoints| endpoints.listener == self.listeners[listener].name)
    }

    fn check_together(&self) -> Result<(), ConfigError> {
        let ringmill = &self.ringmill;
        let at_least = |name: &str, value: u64, other: &str, least: u64| match value < least {
            true => Err(ConfigError::invalid(name, value, format!("must be at least {other} ({least})"))),
            false => Ok(()),
        };
        if self.log_cleaner.dedupe_buffer_size <= 1 << 20 {
            let (name, value) = ("log.cleaner.dedupe.buffer.size", self.log_cleaner.dedupe_buffer_size);
            return Err(ConfigError::invalid(name, value, "must be more than 1 MiB"));
        }
        let journal_start = ringmill.journal_initial_bytes;
        at_least("ringmill.journal.max.bytes", ringmill.journal_max_bytes, "ringmill.journal.initial.bytes", journal_start)?;
        let request = self.socket_request_max_bytes as u64;
        let shard = ringmill.request_memory_shard_bytes;
        at_least("ringmill.request.memory.shard.bytes", shard, "socket.request.max.bytes", request)
    }
}

impl Default for BrokerConfig {
    /// A broker where nothing is set.
    fn default() -> Self {
        let nothing = ConfigMap::new();
        let layers = BrokerLayers { dynamic: &nothing, dynamic_default: &nothing, fixed: &nothing };
        BrokerConfig::resolve(layers).expect("the catalogue's defaults are valid")
    }
}

impl LogCleanerConfig {
    fn resolve(read: &Reader) -> LogCleanerConfig {
        LogCleanerConfig {
            enable: read.boolean("log.cleaner.enable"),
            backoff_ms: read.long("log.cleaner.backoff.ms"),
            dedupe_buffer_size: read.long("log.cleaner.dedupe.buffer.size"),
            io_buffer_load_factor: read.double("log.cleaner.io.buffer.load.factor"),
            io_buffer_size: read.int("log.cleaner.io.buffer.size"),
            io_max_bytes_per_second: read.double("log.cleaner.io.max.bytes.per.second"),
        }
    }
}

impl RingmillConfig {
    fn resolve(read: &Reader, core_endpoints: Vec<CoreEndpoints>) -> Result<RingmillConfig, ConfigError> {
        Ok(RingmillConfig {
            shards: read.optional_long("ringmill.shards").map(|shards| shards as u16),
            admin_listener: admin_listener(read)?,
            balance_interval: read
                .boolean("ringmill.balance.enable")
                .then(|| Duration::from_millis(read.long("ringmill.balance.interval.ms") as u64)),
            core_endpoints,
            journal_bypass_bytes: read.long("ringmill.journal.bypass.bytes") as u64,
            disk_reserve_bytes: read.long("ringmill.disk.reserve.bytes") as u64,
            journal_initial_bytes: read.long("ringmill.journal.initial.bytes") as u64,
            journal_max_bytes: read.long("ringmill.journal.max.bytes") as u64,
            memory_bytes: read.long("ringmill.memory.bytes") as u64,
            request_memory_connection_bytes: read.long("ringmill.request.memory.connection.bytes") as u64,
            request_memory_shard_bytes: read.long("ringmill.request.memory.shard.bytes") as u64,
            request_memory_reserve_bytes: read.long("ringmill.request.memory.reserve.bytes") as u64,
            response_memory_bytes: read.long("ringmill.response.memory.bytes") as u64,
        })
    }
}

/// Typed look-ups. They panic only where the catalogue itself is wrong, which every test run would show.
pub(super) struct Reader<'a>(BrokerLayers<'a>);

impl Reader<'_> {
    fn value(&self, name: &str) -> Option<Value> {
        let definition = catalogue::broker(name).unwrap_or_else(|| panic!("{name} is missing in the catalogue"));
        assert!(definition.acts, "{name} is read but its row does not say that it acts");
        self.0.value(name)
    }

    fn optional_long(&self, name: &str) -> Option<i64> {
        match self.value(name)? {
            Value::Integer(number) => Some(number),
            other => panic!("{name} is a number, not {other}"),
        }
    }

    pub(super) fn long(&self, name: &str) -> i64 {
        self.optional_long(name).unwrap_or_else(|| panic!("the catalogue has no default for {name}"))
    }

    pub(super) fn int(&self, name: &str) -> i32 {
        self.long(name).clamp(i32::MIN.into(), i32::MAX.into()) as i32
    }

    fn double(&self, name: &str) -> f64 {
        match self.value(name) {
            Some(Value::Double(number)) => number,
            other => panic!("{name} is a fraction, not {other:?}"),
        }
    }

    fn boolean(&self, name: &str) -> bool {
        self.value(name) == Some(Value::Boolean(true))
    }

    pub(super) fn optional_text(&self, name: &str) -> Option<String> {
        self.value(name).map(|value| value.to_string()).filter(|text| !text.is_empty())
    }

    pub(super) fn list(&self, name: &str) -> Vec<String> {
        match self.value(name) {
            Some(Value::List(elements)) => elements,
            _ => Vec::new(),
        }
    }
}

/// `node.id`; the older `broker.id` must say the same where it is set.
fn node_id(read: &Reader) -> Result<NodeId, ConfigError> {
    let (node, broker) = (read.int("node.id"), read.int("broker.id"));
    if read.0.fixed.contains_key("broker.id") && node != broker {
        return Err(ConfigError::invalid("node.id", node, format!("node.id and broker.id ({broker}) must be the same")));
    }
    Ok(NodeId(node))
}

/// `log.dirs`, else `log.dir`.
fn log_dirs(read: &Reader) -> Vec<PathBuf> {
    let dirs = read.list("log.dirs");
    let dirs = if dirs.is_empty() { read.list("log.dir") } else { dirs };
    dirs.into_iter().map(PathBuf::from).collect()
}

fn per_ip_overrides(read: &Reader) -> Result<BTreeMap<IpAddr, i32>, ConfigError> {
    const KEY: &str = "max.connections.per.ip.overrides";
    let given = read.optional_text(KEY).unwrap_or_default();
    let malformed = || ConfigError::invalid(KEY, &given, "expected address:count, separated by commas");
    let pairs = given.split(',').map(str::trim).filter(|pair| !pair.is_empty());
    pairs
        .map(|pair| {
            let (address, count) = pair.rsplit_once(':').ok_or_else(malformed)?;
            let address = address.trim().trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>().map_err(|_| malformed())?;
            let count = count.trim().parse::<i32>().ok().filter(|count| *count >= 0).ok_or_else(malformed)?;
            Ok((address, count))
        })
        .collect()
}

fn admin_listener(read: &Reader) -> Result<Option<SocketAddr>, ConfigError> {
    const KEY: &str = "ringmill.admin.listener";
    let Some(given) = read.optional_text(KEY) else { return Ok(None) };
    match given.parse::<SocketAddr>() {
        Ok(address) => Ok(Some(address)),
        Err(_) => Err(ConfigError::invalid(KEY, given, "expected address:port, e.g. 127.0.0.1:9644, or nothing for no admin listener")),
    }
}
