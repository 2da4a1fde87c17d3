//! `ringmill.core.endpoints`: ports of the cores' own, by which clients see each core as a broker.

use super::error::ConfigError;
use super::listeners::Listener;
use crate::types::{NodeId, ShardId};
use std::fmt;
use std::ops::RangeInclusive;

pub(super) const KEY: &str = "ringmill.core.endpoints";

/// The ports of the cores for the clients of one listener: the first shard has the first port, and so on.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct CoreEndpoints {
    /// The listener of the same name in `listeners`; its hosts, to listen on and to tell clients, are the cores', too.
    pub listener: String,
    pub ports: RangeInclusive<u16>,
}

impl CoreEndpoints {
    /// How many shards they are enough for.
    pub fn port_count(&self) -> usize {
        self.ports.len()
    }

    /// The port of a shard, one of the first [`CoreEndpoints::port_count`].
    pub fn port(&self, shard: ShardId) -> u16 {
        let port = self.ports.start() + shard.0;
        assert!(self.ports.contains(&port), "shard {shard} has no port in {self}");
        port
    }
}

impl fmt::Display for CoreEndpoints {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}-{}", self.listener, self.ports.start(), self.ports.end())
    }
}

/// Reads the elements and checks them against the listeners for clients.
pub(super) fn resolve(elements: &[String], listeners: &[Listener], node: NodeId) -> Result<Vec<CoreEndpoints>, ConfigError> {
    let mut resolved: Vec<CoreEndpoints> = Vec::with_capacity(elements.len());
    for element in elements {
        let endpoints = parse(element, listeners)?;
        let refuse = |reason: String| Err(ConfigError::invalid(KEY, element, reason));
        if let Some(listener) = listeners.iter().find(|listener| endpoints.ports.contains(&listener.port)) {
            return refuse(format!("listener {} has a port of this range", listener.name));
        }
        if let Some(other) = resolved.iter().find(|other| other.listener == endpoints.listener) {
            return refuse(format!("listener {} has its cores' ports already: {other}", other.listener));
        }
        let overlaps =
            |other: &&CoreEndpoints| other.ports.start() <= endpoints.ports.end() && endpoints.ports.start() <= other.ports.end();
        if let Some(other) = resolved.iter().find(overlaps) {
            return refuse(format!("it shares ports with {other}"));
        }
        if node >= NodeId::MACHINES_END {
            return refuse(format!("node.id must be below {} then, since cores' ids are above; it is {node}", NodeId::MACHINES_END));
        }
        resolved.push(endpoints);
    }
    Ok(resolved)
}

/// `LISTENER:FIRST-LAST`; without the name the only listener is meant.
fn parse(element: &str, listeners: &[Listener]) -> Result<CoreEndpoints, ConfigError> {
    let refuse = |reason: String| ConfigError::invalid(KEY, element, reason);
    let (name, range) = match element.rsplit_once(':') {
        Some((name, range)) => (Some(name.trim().to_uppercase()), range),
        None => (None, element),
    };
    let ports = range.split_once('-').and_then(|(first, last)| Some((port(first)?, port(last)?)));
    let Some((first, last)) = ports.filter(|(first, last)| first <= last) else {
        return Err(refuse("expected LISTENER:FIRST-LAST, e.g. PLAINTEXT:9100-9107, a port for each shard".into()));
    };
    let listener = match (name, listeners) {
        (Some(name), _) if listeners.iter().any(|listener| listener.name == name) => name,
        (Some(name), _) => return Err(refuse(format!("there is no listener {name} for clients"))),
        (None, [only]) => only.name.clone(),
        (None, _) => return Err(refuse("there are several listeners: say which, as LISTENER:FIRST-LAST".into())),
    };
    Ok(CoreEndpoints { listener, ports: first..=last })
}

fn port(text: &str) -> Option<u16> {
    text.trim().parse().ok().filter(|port| *port > 0)
}

#[cfg(test)]
mod tests {
    use crate::config::{BrokerConfig, CoreEndpoints, Sources};
    use crate::types::ShardId;

    fn load(set: &[&str]) -> Result<Vec<CoreEndpoints>, String> {
        let sources = Sources { set: set.iter().map(|s| s.to_string()).collect(), ..Sources::default() };
        BrokerConfig::load(&sources).map(|loaded| loaded.config.ringmill.core_endpoints).map_err(|error| error.to_string())
    }

    const TWO: &str = "listeners=IN://:9092,OUT://:9093";
    const MAP: &str = "listener.security.protocol.map=IN:PLAINTEXT,OUT:PLAINTEXT";

    #[test]
    fn each_shard_has_a_port_and_each_listener_its_own() {
        assert_eq!(load(&[]), Ok(vec![]));
        assert_eq!(load(&["ringmill.core.endpoints="]), Ok(vec![]));
        let one = load(&["ringmill.core.endpoints=9100-9103"]).expect("valid");
        assert_eq!(one, [CoreEndpoints { listener: "PLAINTEXT".into(), ports: 9100..=9103 }]);
        assert_eq!((one[0].port_count(), one[0].port(ShardId(0)), one[0].port(ShardId(3))), (4, 9100, 9103));

        let sources = ["ringmill.core.endpoints=out:9200-9203, IN:9100-9103", TWO, MAP].map(String::from).to_vec();
        let config = BrokerConfig::load(&Sources { set: sources, ..Sources::default() }).expect("valid").config;
        assert_eq!(config.core_endpoints(0).expect("of IN").to_string(), "IN:9100-9103");
        assert_eq!(config.core_endpoints(1).expect("of OUT").to_string(), "OUT:9200-9203");
    }

    #[test]
    fn clients_of_a_listener_that_is_not_named_see_machines() {
        let sources = ["ringmill.core.endpoints=IN:9100-9103", TWO, MAP].map(String::from).to_vec();
        let config = BrokerConfig::load(&Sources { set: sources, ..Sources::default() }).expect("valid").config;
        assert!(config.core_endpoints(0).is_some());
        assert_eq!(config.core_endpoints(1), None);
    }

    #[test]
    fn what_cannot_be_meant_is_refused_with_the_reason() {
        let refusals: &[(&[&str], &str)] = &[
            (&["ringmill.core.endpoints=9100"], "expected LISTENER:FIRST-LAST"),
            (&["ringmill.core.endpoints=9103-9100"], "expected LISTENER:FIRST-LAST"),
            (&["ringmill.core.endpoints=0-3"], "expected LISTENER:FIRST-LAST"),
            (&["ringmill.core.endpoints=65530-65540"], "expected LISTENER:FIRST-LAST"),
            (&["ringmill.core.endpoints=SSL:9100-9103"], "there is no listener SSL for clients"),
            (&["ringmill.core.endpoints=9090-9099"], "listener PLAINTEXT has a port of this range"),
            (&["ringmill.core.endpoints=9100-9103", TWO, MAP], "there are several listeners"),
            (&["ringmill.core.endpoints=IN:9100-9103,IN:9200-9203", TWO, MAP], "listener IN has its cores' ports already: IN:9100-9103"),
            (&["ringmill.core.endpoints=IN:9100-9103,OUT:9103-9106", TWO, MAP], "it shares ports with IN:9100-9103"),
            (&["ringmill.core.endpoints=9100-9103", "node.id=1000000"], "node.id must be below 1000000"),
        ];
        for (set, reason) in refusals {
            let refusal = load(set).expect_err(&format!("{set:?} is accepted"));
            assert!(refusal.contains(reason), "{set:?}: {refusal}");
        }
        assert!(load(&["node.id=1000000"]).is_ok(), "a large id is fine where cores are no brokers");
    }
}
