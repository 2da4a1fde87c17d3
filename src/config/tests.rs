//! Stories about configuration. Facts about Apache Kafka were read from a live 4.3.1's answers.

use super::definition::{Check, Definition};
use super::value::Value;
use super::*;
use crate::types::{ErrorCode, NodeId};
use proptest::prelude::*;
use std::net::SocketAddr;
use std::path::PathBuf;

fn map(pairs: &[(&str, &str)]) -> ConfigMap {
    pairs.iter().map(|(name, value)| (name.to_string(), value.to_string())).collect()
}

fn load(set: &[&str]) -> Result<Loaded, LoadError> {
    BrokerConfig::load(&Sources { set: set.iter().map(|s| s.to_string()).collect(), ..Sources::default() })
}

fn refused(set: &[&str]) -> String {
    load(set).expect_err("must be refused").to_string()
}

fn change(operation: AlterOperation, name: &str, value: &str) -> ConfigChange {
    ConfigChange { name: name.to_string(), operation, value: Some(value.to_string()) }
}

/// A cluster with run-time layers of its own.
#[derive(Default)]
struct Cluster {
    broker: BrokerConfig,
    dynamic: ConfigMap,
    dynamic_default: ConfigMap,
}

impl Cluster {
    fn layers(&self) -> BrokerLayers<'_> {
        self.broker.layers(&self.dynamic, &self.dynamic_default)
    }

    fn topic_entry(&self, overrides: &[(&str, &str)], name: &str) -> ConfigEntry {
        let entries = describe_topic(&map(overrides), self.layers());
        entries.into_iter().find(|entry| entry.name == name).expect("described")
    }

    fn broker_entry(&self, name: &str) -> ConfigEntry {
        describe_broker(self.layers()).into_iter().find(|entry| entry.name == name).expect("described")
    }

    fn create(&self, overrides: &[(&str, &str)]) -> Result<(), String> {
        validate_topic(&map(overrides), self.layers()).map_err(|error| {
            assert_eq!(error.code(), ErrorCode::InvalidConfig);
            error.to_string()
        })
    }
}

fn synonym(name: &str, value: &str, source: ConfigSource) -> ConfigSynonym {
    ConfigSynonym { name: name.to_string(), value: Some(value.to_string()), source }
}

// ---- the catalogue -----------------------------------------------------------------------------------------------------

#[test]
fn tables_are_sorted_and_every_default_is_allowed() {
    let tables: Vec<&Definition> = catalogue::brokers().chain(catalogue::topics()).collect();
    for definition in &tables {
        if let Some(default) = definition.default {
            Value::parse(definition, default).unwrap_or_else(|error| panic!("{error}"));
        }
        let found = catalogue::broker(definition.name).or(catalogue::topic(definition.name));
        assert!(found.is_some(), "{} is not found: its table is not sorted", definition.name);
        assert!(definition.documentation.ends_with('.'), "{} has no sentence", definition.name);
    }
    assert_eq!(catalogue::topics().len(), 33, "Kafka describes 33 configurations of a topic");
    let kafkas = catalogue::brokers().filter(|d| !d.name.starts_with("ringmill.") && !d.hidden_until_set).count();
    assert_eq!(kafkas, 340, "Kafka describes 340 configurations of a broker");
}

#[test]
fn synonyms_name_rows_of_the_catalogue() {
    for topic in catalogue::topics() {
        for synonym in synonyms::topic_synonyms(topic.name) {
            let broker = catalogue::broker(synonym.name).unwrap_or_else(|| panic!("{} has no row", synonym.name));
            assert!(broker.acts || !topic.acts, "{}", topic.name);
            if synonym.scale == 1 && broker.check != Check::PositiveOrUnlimited {
                assert_eq!((broker.check, broker.config_type), (topic.check, topic.config_type), "{}", topic.name);
            }
        }
    }
}

#[test]
fn rows_are_as_kafkas() {
    let facts: &[(&str, ConfigType, Option<&str>)] = &[
        ("message.max.bytes", ConfigType::Int, Some("1048588")),
        ("socket.request.max.bytes", ConfigType::Int, Some("104857600")),
        ("offsets.topic.num.partitions", ConfigType::Int, Some("50")),
        ("log.retention.hours", ConfigType::Int, Some("168")),
        ("log.retention.ms", ConfigType::Long, None),
        ("replica.lag.time.max.ms", ConfigType::Long, Some("30000")),
        ("group.coordinator.rebalance.protocols", ConfigType::List, Some("classic,consumer,streams")),
        ("ssl.keystore.password", ConfigType::Password, None),
        ("log.cleaner.io.max.bytes.per.second", ConfigType::Double, Some("1.7976931348623157E308")),
    ];
    for (name, config_type, default) in facts {
        let row = catalogue::broker(name).expect("known");
        assert_eq!((row.config_type, row.default), (*config_type, *default), "{name}");
    }
}

#[test]
fn first_try_defaults_differ_from_kafkas_where_meant() {
    let config = BrokerConfig::default();
    assert_eq!(config.log_dirs, [PathBuf::from("./ringmill-data")]);
    assert_eq!(config.listeners, [Listener { name: "PLAINTEXT".into(), host: "127.0.0.1".into(), port: 9092 }]);
    assert_eq!(config.node_id, NodeId(1));
    assert_eq!(config.ringmill.admin_listener, Some(SocketAddr::from(([127, 0, 0, 1], 9644))));
    assert_eq!(config.ringmill.shards, None);
    assert_eq!(TopicConfig::default().flush_messages, 1, "an ack means on disk");
    assert_eq!(TopicConfig::default().retention_ms, 7 * 24 * 60 * 60 * 1000);
}

// ---- values ------------------------------------------------------------------------------------------------------------

#[test]
fn create_topics_refuses_with_kafkas_messages() {
    let cluster = Cluster::default();
    let facts: &[(&str, &str, &str)] = &[
        ("retention.ms", "abc", "Invalid value abc for configuration retention.ms: Not a number of type LONG"),
        ("retention.ms", "-5", "Invalid value -5 for configuration retention.ms: Value must be at least -1"),
        ("retention.ms", "", "Invalid value  for configuration retention.ms: Not a number of type LONG"),
        ("nope", "1", "Unknown topic config name: nope"),
        ("cleanup.policy", "foo", "Invalid value foo for configuration cleanup.policy: String must be one of: compact, delete"),
        ("cleanup.policy", ",,", "Configuration 'cleanup.policy' values must not be empty."),
        (
            "compression.type",
            "foo",
            "Invalid value foo for configuration compression.type: String must be one of: uncompressed, zstd, lz4, snappy, gzip, producer",
        ),
        (
            "compression.gzip.level",
            "0",
            "Invalid value 0 for configuration compression.gzip.level: Value must be between 1 and 9 or equal to -1",
        ),
        ("compression.lz4.level", "99", "Invalid value 99 for configuration compression.lz4.level: Value must be no more than 17"),
        ("preallocate", "maybe", "Invalid value maybe for configuration preallocate: Expected value to be either true or false"),
        ("segment.bytes", "100", "Invalid value 100 for configuration segment.bytes: Value must be at least 1048576"),
        ("segment.bytes", "99999999999", "Invalid value 99999999999 for configuration segment.bytes: Not a number of type INT"),
        ("min.cleanable.dirty.ratio", "2", "Invalid value 2.0 for configuration min.cleanable.dirty.ratio: Value must be no more than 1"),
        (
            "leader.replication.throttled.replicas",
            "x",
            "Invalid value [x] for configuration leader.replication.throttled.replicas: leader.replication.throttled.replicas must be \
             the literal '*' or a list of replicas in the following format: [partitionId]:[brokerId],[partitionId]:[brokerId],...",
        ),
        (
            "remote.storage.enable",
            "true",
            "Tiered Storage functionality is disabled in the broker. Topic cannot be configured with remote log storage.",
        ),
    ];
    for (name, value, message) in facts {
        assert_eq!(cluster.create(&[(name, value)]), Err(message.to_string()));
    }
    assert_eq!(
        cluster.create(&[("min.compaction.lag.ms", "10"), ("max.compaction.lag.ms", "5")]),
        Err("conflict topic config setting min.compaction.lag.ms (10) > max.compaction.lag.ms (5)".to_string())
    );
}

#[test]
fn create_topics_takes_what_kafka_takes() {
    let cluster = Cluster::default();
    for (name, value) in [
        ("cleanup.policy", ""),
        ("cleanup.policy", "compact,compact"),
        ("cleanup.policy", "compact, delete"),
        ("preallocate", "TRUE"),
        ("retention.ms", " 5000 "),
        ("retention.ms", "+5"),
        ("min.cleanable.dirty.ratio", "0.5f"),
        ("min.cleanable.dirty.ratio", "NaN"),
        ("leader.replication.throttled.replicas", "*"),
        ("leader.replication.throttled.replicas", "0:1,1:2"),
        ("min.insync.replicas", "5"),
    ] {
        assert_eq!(cluster.create(&[(name, value)]), Ok(()), "{name}={value}");
    }
}

#[test]
fn values_are_shown_in_kafkas_spelling() {
    let cluster = Cluster::default();
    let shown = |name: &str, value: &str| cluster.topic_entry(&[(name, value)], name).value.expect("a value");
    assert_eq!(shown("cleanup.policy", "compact, compact"), "compact");
    assert_eq!(shown("preallocate", "TRUE"), "true");
    assert_eq!(shown("min.cleanable.dirty.ratio", "0.25f"), "0.25");
    assert_eq!(shown("min.cleanable.dirty.ratio", "1"), "1.0");
    assert_eq!(shown("min.cleanable.dirty.ratio", "0.0001"), "1.0E-4");
    assert_eq!(shown("retention.ms", " +5000 "), "5000");
    assert_eq!(cluster.broker_entry("log.cleaner.io.max.bytes.per.second").value.as_deref(), Some("1.7976931348623157E308"));
}

proptest! {
    #[test]
    fn any_text_for_any_key_is_parsed_or_refused(row in 0usize..373, text in "\\PC{0,20}|-?[0-9]{1,20}|[a-z0-9,:*. ]{0,20}") {
        let rows: Vec<&Definition> = catalogue::topics().iter().chain(catalogue::brokers()).collect();
        let definition = rows[row % rows.len()];
        match Value::parse(definition, &text) {
            // What is shown parses again, to the same value.
            Ok(value) => {
                let again = Value::parse(definition, &value.to_string()).expect("what is shown is valid");
                prop_assert_eq!(again.to_string(), value.to_string());
            }
            Err(error) => prop_assert!(error.to_string().contains(definition.name)),
        }
    }

    #[test]
    fn doubles_survive_being_shown(number in proptest::num::f64::NORMAL) {
        let definition = catalogue::broker("log.cleaner.io.max.bytes.per.second").expect("known");
        let value = Value::Double(number);
        prop_assert_eq!(Value::parse(definition, &value.to_string()).expect("valid"), value);
    }

    #[test]
    fn a_delta_leads_from_the_old_to_the_wanted_overrides(
        old in proptest::collection::btree_map("[a-c]", "[0-9]", 0..4),
        wanted in proptest::collection::btree_map("[a-c]", "[0-9]", 0..4),
    ) {
        // Unknown names are allowed for brokers, so that they do here.
        let delta = replace_broker(&old, &wanted, BrokerScope::Broker).expect("allowed");
        let mut result = old.clone();
        for (name, value) in delta {
            prop_assert_ne!(result.get(&name), value.as_ref());
            match value {
                Some(value) => drop(result.insert(name, value)),
                None => drop(result.remove(&name)),
            }
        }
        prop_assert_eq!(result, wanted);
    }
}

// ---- layers ------------------------------------------------------------------------------------------------------------

#[test]
fn the_strongest_layer_gives_a_topic_its_retention() {
    let mut cluster = Cluster { broker: load(&["log.retention.hours=2"]).expect("valid").config, ..Cluster::default() };
    let retention = |cluster: &Cluster, overrides| TopicConfig::resolve(&map(overrides), cluster.layers()).retention_ms;
    assert_eq!(retention(&cluster, &[]), 7_200_000);
    cluster.dynamic_default = map(&[("log.retention.ms", "7000")]);
    assert_eq!(retention(&cluster, &[]), 7_000);
    cluster.dynamic = map(&[("log.retention.ms", "5000")]);
    assert_eq!(retention(&cluster, &[]), 5_000);
    assert_eq!(retention(&cluster, &[("retention.ms", "-1")]), -1);
}

#[test]
fn of_two_units_the_finer_one_counts() {
    let retention = |set: &[&str]| {
        let cluster = Cluster { broker: load(set).expect("valid").config, ..Cluster::default() };
        TopicConfig::resolve(&ConfigMap::new(), cluster.layers()).retention_ms
    };
    assert_eq!(retention(&["log.retention.hours=1", "log.retention.minutes=2"]), 120_000);
    assert_eq!(retention(&["log.retention.hours=1", "log.retention.minutes=2", "log.retention.ms=3"]), 3);
    assert_eq!(retention(&["log.retention.hours=-1"]), -1);
}

#[test]
fn describe_names_every_layer_as_kafka_does() {
    let cluster = Cluster {
        dynamic: map(&[("log.retention.ms", "5000"), ("nope", "1"), ("leader.replication.throttled.rate", "1000")]),
        dynamic_default: map(&[("log.retention.ms", "7000"), ("log.segment.bytes", "2000000")]),
        ..Cluster::default()
    };
    let layers = [
        synonym("log.retention.ms", "5000", ConfigSource::DynamicBroker),
        synonym("log.retention.ms", "7000", ConfigSource::DynamicDefaultBroker),
        synonym("log.retention.hours", "168", ConfigSource::Default),
    ];
    let entry = cluster.topic_entry(&[], "retention.ms");
    assert_eq!((entry.value.as_deref(), entry.source), (Some("5000"), ConfigSource::DynamicBroker));
    assert_eq!(entry.synonyms, layers);
    let entry = cluster.broker_entry("log.retention.ms");
    assert_eq!((entry.value.as_deref(), entry.read_only, &entry.synonyms[..]), (Some("5000"), false, &layers[..]));
    let entry = cluster.topic_entry(&[("retention.ms", "77")], "retention.ms");
    assert_eq!(entry.synonyms[0], synonym("retention.ms", "77", ConfigSource::Topic));
    assert_eq!(entry.synonyms[1..], layers);

    let unknown = cluster.broker_entry("nope");
    assert_eq!((unknown.value, unknown.sensitive, unknown.read_only, unknown.config_type), (None, true, true, ConfigType::Unknown));
    let rate = cluster.broker_entry("leader.replication.throttled.rate");
    assert_eq!((rate.value.as_deref(), rate.read_only, rate.config_type), (Some("1000"), false, ConfigType::Long));

    let all: Vec<_> = describe_cluster(cluster.layers()).into_iter().map(|e| (e.name, e.value, e.synonyms.len())).collect();
    let expected = [("log.retention.ms", "7000"), ("log.segment.bytes", "2000000")];
    assert_eq!(all, expected.map(|(name, value)| (name.to_string(), Some(value.to_string()), 1)));
}

#[test]
fn an_unset_configuration_has_no_value_and_no_synonyms() {
    let cluster = Cluster::default();
    let entry = cluster.broker_entry("log.retention.ms");
    assert_eq!((entry.is_default(), entry.value, entry.read_only, entry.synonyms), (true, None, false, vec![]));
    // As in Kafka: log.retention.hours stands behind it, but does not show.
    let entry = cluster.topic_entry(&[], "retention.ms");
    assert_eq!((entry.is_default(), entry.value.as_deref(), entry.synonyms), (true, Some("604800000"), vec![]));
}

#[test]
fn secrets_are_never_shown() {
    let cluster = Cluster {
        broker: load(&["ssl.keystore.password=secret", "what.is.this=secret"]).expect("valid").config,
        dynamic: map(&[("listener.name.external.ssl.key.password", "secret")]),
        ..Cluster::default()
    };
    for entry in describe_broker(cluster.layers()) {
        assert!(!format!("{entry:?}").contains("\"secret\""), "{}", entry.name);
    }
    let entry = cluster.broker_entry("ssl.keystore.password");
    assert_eq!((entry.value, entry.sensitive, entry.source), (None, true, ConfigSource::StaticBroker));
}

// ---- changes -----------------------------------------------------------------------------------------------------------

#[test]
fn lists_are_appended_to_and_subtracted_from() {
    let cluster = Cluster::default();
    let mut overrides = ConfigMap::new();
    let mut alter = |operation, value: &str| {
        let delta = alter_topic(&overrides, &[change(operation, "cleanup.policy", value)], cluster.layers()).expect("allowed");
        for (name, value) in &delta {
            overrides.insert(name.clone(), value.clone().expect("set"));
        }
        (overrides["cleanup.policy"].clone(), delta.len())
    };
    assert_eq!(alter(AlterOperation::Append, "compact"), ("delete,compact".into(), 1));
    assert_eq!(alter(AlterOperation::Append, "compact"), ("delete,compact".into(), 0));
    assert_eq!(alter(AlterOperation::Subtract, "delete"), ("compact".into(), 1));
    assert_eq!(alter(AlterOperation::Subtract, "compact"), ("".into(), 1));
}

#[test]
fn topic_changes_are_refused_with_kafkas_codes_and_messages() {
    let cluster = Cluster::default();
    let current = map(&[("retention.ms", "1")]);
    let refused = |changes: &[ConfigChange]| {
        let error = alter_topic(&current, changes, cluster.layers()).expect_err("must be refused");
        (error.code(), error.to_string())
    };
    let append = AlterOperation::Append;
    assert_eq!(
        refused(&[change(append, "retention.ms", "5")]),
        (ErrorCode::InvalidConfig, "Can't APPEND to key retention.ms because its type is not LIST.".into())
    );
    let set = AlterOperation::Set;
    assert_eq!(
        refused(&[change(set, "retention.ms", "5"), change(set, "nope", "1")]),
        (ErrorCode::InvalidConfig, "Unknown topic config name: nope".into())
    );
    assert_eq!(
        refused(&[change(set, "retention.ms", "5"), change(set, "retention.ms", "6")]),
        (ErrorCode::InvalidRequest, "Error due to duplicate config keys".into())
    );
    let null = ConfigChange { name: "retention.ms".into(), operation: set, value: None };
    assert_eq!(refused(&[null]), (ErrorCode::InvalidRequest, "Null value not supported for : retention.ms".into()));
}

#[test]
fn deleting_what_is_not_set_changes_nothing() {
    let cluster = Cluster::default();
    let delete = ConfigChange { name: "nope".into(), operation: AlterOperation::Delete, value: None };
    assert_eq!(alter_topic(&ConfigMap::new(), &[delete], cluster.layers()), Ok(vec![]));
}

#[test]
fn broker_changes_are_refused_with_kafkas_codes_and_messages() {
    let facts: &[(BrokerScope, &str, &str, &str)] = &[
        (BrokerScope::Broker, "num.partitions", "3", "Cannot update these configs dynamically: [num.partitions]"),
        (BrokerScope::Cluster, "log.retention.hours", "9", "Cannot update these configs dynamically: [log.retention.hours]"),
        (
            BrokerScope::Cluster,
            "listeners",
            "PLAINTEXT://127.0.0.1:1",
            "Cannot update these configs at default cluster level, broker id must be specified: [listeners]",
        ),
        (
            BrokerScope::Broker,
            "ssl.keystore.location",
            "/x",
            "These security configs can be dynamically updated only per-listener using the listener prefix: [ssl.keystore.location]",
        ),
        (BrokerScope::Broker, "log.retention.ms", "abc", "Invalid value abc for configuration log.retention.ms: Not a number of type LONG"),
        (BrokerScope::Cluster, "num.io.threads", "0", "Invalid value 0 for configuration num.io.threads: Value must be at least 1"),
    ];
    for (scope, name, value, message) in facts {
        let error = alter_broker(&ConfigMap::new(), &[change(AlterOperation::Set, name, value)], *scope).expect_err(name);
        assert_eq!((error.code(), error.to_string()), (ErrorCode::InvalidRequest, message.to_string()));
    }
}

#[test]
fn unknown_broker_configurations_are_stored() {
    let delta = alter_broker(&ConfigMap::new(), &[change(AlterOperation::Set, "nope", "1")], BrokerScope::Broker);
    assert_eq!(delta, Ok(vec![("nope".into(), Some("1".into()))]));
}

// ---- starting ----------------------------------------------------------------------------------------------------------

#[test]
fn the_command_line_beats_the_environment_and_the_environment_the_file() {
    let sources = Sources {
        file: Some(b"num.partitions=1\nbroker.rack = a\\u0062c\n# comment\nlog.dirs=/a,\\\n  /b\nmax.connections=7".to_vec()),
        environment: vec![
            ("KAFKA_NUM_PARTITIONS".into(), "2".into()),
            ("KAFKA_BROKER_RACK".into(), "rack-2".into()),
            ("KAFKA_HEAP_OPTS".into(), "-Xmx1G".into()),
            ("PATH".into(), "/bin".into()),
        ],
        set: vec!["num.partitions=3".into()],
    };
    let loaded = BrokerConfig::load(&sources).expect("valid");
    assert_eq!(loaded.config.num_partitions, 3);
    assert_eq!(loaded.config.rack.as_deref(), Some("rack-2"));
    assert_eq!(loaded.config.log_dirs, [PathBuf::from("/a"), PathBuf::from("/b")]);
    assert_eq!(loaded.config.max_connections, 7);
    assert_eq!(loaded.notices, []);
}

#[test]
fn variables_spell_underscores_and_dashes_by_repetition() {
    let variable = |name: &str| {
        let environment = vec![(name.to_string(), "x".to_string())];
        let loaded = BrokerConfig::load(&Sources { environment, ..Sources::default() }).expect("valid");
        loaded.notices.first().map(|notice| notice.to_string())
    };
    assert_eq!(variable("KAFKA_A__B___C_D").as_deref(), Some("configuration a_b-c.d is unknown and ignored"));
    assert_eq!(variable("KAFKA_").as_deref(), None);
}

#[test]
fn keys_without_effect_and_unknown_keys_are_told_once() {
    let loaded = load(&[
        "num.io.threads=4",
        "zookeeper.connect=x:2181",
        "authorizer.class.name=org.example.Acls",
        "super.users=User:a",
        "listener.name.x.ssl.client.auth=none",
    ]);
    let told: Vec<String> = loaded.expect("accepted").notices.iter().map(|notice| notice.to_string()).collect();
    assert_eq!(
        told,
        [
            "configuration authorizer.class.name is not enforced by Ringmill: every client may do everything",
            "configuration listener.name.x.ssl.client.auth has no effect in Ringmill",
            "configuration num.io.threads has no effect in Ringmill",
            "configuration super.users has no effect in Ringmill",
            "configuration zookeeper.connect is unknown and ignored",
        ]
    );
}

#[test]
fn bad_configurations_stop_the_start_with_name_and_reason() {
    let facts: &[(&[&str], &str)] = &[
        (&["num.partitions"], "--set num.partitions: expected key=value"),
        (&["num.partitions=x"], "Invalid value x for configuration num.partitions: Not a number of type INT"),
        (&["num.io.threads=0"], "Invalid value 0 for configuration num.io.threads: Value must be at least 1"),
        (&["ringmill.shardz=2"], "unknown configuration ringmill.shardz: no key of Ringmill's has this name"),
        (&["ringmill.shards=0"], "Invalid value 0 for configuration ringmill.shards: Value must be at least 1"),
        (
            &["ringmill.admin.listener=9644"],
            "Invalid value 9644 for configuration ringmill.admin.listener: expected address:port, e.g. 127.0.0.1:9644, or nothing for no \
             admin listener",
        ),
        (
            &["ringmill.request.memory.shard.bytes=1048576"],
            "Invalid value 1048576 for configuration ringmill.request.memory.shard.bytes: must be at least socket.request.max.bytes \
             (104857600)",
        ),
        (&["log.retention.ms=0"], "Invalid value 0 for configuration log.retention.ms: Value must be -1 (unlimited) or at least 1"),
        (&["broker.id=-1"], "Invalid value -1 for configuration node.id: Value must be at least 0"),
        (&["node.id=1", "broker.id=2"], "Invalid value 1 for configuration node.id: node.id and broker.id (2) must be the same"),
        (
            &["process.roles=controller"],
            "Invalid value controller for configuration process.roles: Ringmill runs as broker, with its controller inside",
        ),
    ];
    for (set, message) in facts {
        assert_eq!(refused(set), *message);
    }
}

#[test]
fn the_node_has_one_number_under_two_names() {
    for name in ["node.id", "broker.id"] {
        let cluster = Cluster { broker: load(&[&format!("{name}=7")]).expect("valid").config, ..Cluster::default() };
        assert_eq!(cluster.broker.node_id, NodeId(7));
        let (node, broker) = (cluster.broker_entry("node.id"), cluster.broker_entry("broker.id"));
        assert_eq!((node.value.as_deref(), broker.value.as_deref()), (Some("7"), Some("7")));
        assert_eq!((node.source, broker.source), (ConfigSource::StaticBroker, ConfigSource::StaticBroker));
    }
}

#[test]
fn an_empty_admin_listener_means_none() {
    assert_eq!(load(&["ringmill.admin.listener="]).expect("valid").config.ringmill.admin_listener, None);
}

#[test]
fn a_file_that_is_no_properties_file_is_named_with_its_line() {
    let sources = Sources { file: Some(b"a=1\nb=\\u00zz\n".to_vec()), ..Sources::default() };
    let error = BrokerConfig::load(&sources).expect_err("must be refused").to_string();
    assert!(error.starts_with("the configuration file does not parse at line 2:"), "{error}");
    assert!(BrokerConfig::load(&Sources { file: Some(vec![0xef]), ..Sources::default() }).is_ok(), "half a byte order mark");
}

proptest! {
    #[test]
    fn any_file_loads_or_is_refused(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        let _ = BrokerConfig::load(&Sources { file: Some(bytes), ..Sources::default() });
    }

    #[test]
    fn any_listeners_load_or_are_refused(text in "[A-Za-z:/.0-9\\[\\],%_-]{0,40}", advertised in "[A-Z]{1,3}://[a-z0.]{0,7}:[0-9]{1,6}") {
        let _ = load(&[&format!("listeners={text}"), &format!("advertised.listeners={advertised}")]);
    }
}

// ---- listeners ---------------------------------------------------------------------------------------------------------

fn listeners(set: &[&str]) -> (Vec<String>, Vec<String>, usize) {
    let loaded = load(set).expect("valid");
    let opened = loaded.config.listeners.iter().map(|l| format!("{}|{}|{}", l.name, l.host, l.port)).collect();
    let told = loaded.config.advertised_listeners.iter();
    let told = told.map(|l| format!("{}|{}|{}", l.name, l.host.as_deref().unwrap_or("(machine)"), l.port)).collect();
    (opened, told, loaded.notices.len())
}

#[test]
fn a_listener_without_host_is_told_by_the_machines_name() {
    let (opened, told, _) = listeners(&["listeners=PLAINTEXT://:9092"]);
    assert_eq!((opened, told), (vec!["PLAINTEXT||9092".into()], vec!["PLAINTEXT|(machine)|9092".into()]));
}

#[test]
fn the_docker_images_listeners_work() {
    let (opened, told, notices) = listeners(&[
        "listeners=INTERNAL://:19092,EXTERNAL://0.0.0.0:9092,CONTROLLER://:9093",
        "advertised.listeners=INTERNAL://broker:19092,EXTERNAL://localhost:9092",
        "listener.security.protocol.map=CONTROLLER:PLAINTEXT,INTERNAL:PLAINTEXT,EXTERNAL:PLAINTEXT",
        "controller.listener.names=CONTROLLER",
    ]);
    assert_eq!(opened, ["INTERNAL||19092", "EXTERNAL|0.0.0.0|9092"]);
    assert_eq!(told, ["INTERNAL|broker|19092", "EXTERNAL|localhost|9092"]);
    assert_eq!(notices, 1, "the controller's listener is not opened");
}

#[test]
fn ipv6_hosts_stand_in_brackets() {
    let (opened, _, _) =
        listeners(&["listeners=A://[::1]:9092,B://127.0.0.1:9092", "listener.security.protocol.map=A:PLAINTEXT,B:PLAINTEXT"]);
    assert_eq!(opened, ["A|::1|9092", "B|127.0.0.1|9092"]);
}

#[test]
fn listeners_that_cannot_work_are_refused() {
    let facts: &[(&[&str], &str)] = &[
        (
            &["listeners=PLAINTEXT://0.0.0.0:9092"],
            "advertised.listeners cannot use the nonroutable meta-address 0.0.0.0. Use a routable IP address.",
        ),
        (&["listeners=SSL://:9093"], "listener SSL uses SSL, which Ringmill does not speak yet: only PLAINTEXT works"),
        (&["listeners=X://:9093"], "No security protocol defined for listener X: add it to listener.security.protocol.map"),
        (&["listeners=PLAINTEXT://:9093,PLAINTEXT://:9094"], "Each listener must have a different name"),
        (&["listeners=PLAINTEXT://:99999"], "the port must be a number from 0 to 65535"),
        (&["listeners=127.0.0.1:9092"], "Unable to parse: expected NAME://host:port"),
        (&["advertised.listeners=OTHER://a:1"], "advertised.listeners may only name listeners that listeners defines"),
        (&["listeners=CONTROLLER://:9093"], "no listener is left for clients, all are controller.listener.names"),
        (&["listeners="], "Configuration 'listeners' must not be empty. Valid values include: any non-empty value"),
    ];
    for (set, reason) in facts {
        let message = refused(set);
        assert!(message.ends_with(reason), "{message}");
    }
}

#[test]
fn run_time_values_reach_the_typed_configuration() {
    let config = load(&["max.connections=100"]).expect("valid").config;
    let changed = config.with_dynamic(&ConfigMap::new(), &map(&[("max.connections", "5")]));
    assert_eq!((config.max_connections, changed.max_connections), (100, 5));
}
