//! `listeners`, `advertised.listeners` and `listener.security.protocol.map`: which addresses to open and which to tell clients.

use super::error::ConfigError;
use super::layers::BrokerLayers;
use super::value::Value;
use std::collections::BTreeMap;

/// A socket to open.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Listener {
    /// Upper case, e.g. `PLAINTEXT` or `EXTERNAL`.
    pub name: String,
    /// A name or an address; empty: every interface.
    pub host: String,
    /// 0: the system chooses.
    pub port: u16,
}

/// What clients of a listener are told to connect to.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct AdvertisedListener {
    /// The listener of the same name in `listeners`.
    pub name: String,
    /// `None`: this machine's own name, which only the server knows.
    pub host: Option<String>,
    /// 0: the port that the listener got.
    pub port: u16,
}

/// The sockets for clients, and those that `listeners` names for the controller, which has no socket here.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Listeners {
    pub listeners: Vec<Listener>,
    pub advertised: Vec<AdvertisedListener>,
    /// As written; Ringmill opens none of them while the metadata quorum has one member.
    pub not_opened: Vec<String>,
}

const LISTENERS: &str = "listeners";
const ADVERTISED: &str = "advertised.listeners";
const PROTOCOL_MAP: &str = "listener.security.protocol.map";

/// Reads all listener configurations together.
pub(super) fn resolve(layers: BrokerLayers) -> Result<Listeners, ConfigError> {
    let controller_names: Vec<String> = list(layers, "controller.listener.names").iter().map(|name| name.to_uppercase()).collect();
    let is_controller = |listener: &Listener| controller_names.contains(&listener.name);
    let protocols = protocol_map(&text(layers, PROTOCOL_MAP))?;

    let all = parse_all(LISTENERS, &list(layers, LISTENERS))?;
    check_distinct(&all, &list(layers, LISTENERS).join(","))?;
    let (controller, listeners): (Vec<Listener>, Vec<Listener>) = all.into_iter().partition(is_controller);
    if listeners.is_empty() {
        let given = list(layers, LISTENERS).join(",");
        return Err(ConfigError::invalid(LISTENERS, given, "no listener is left for clients, all are controller.listener.names"));
    }
    for listener in &listeners {
        check_protocol(listener, &protocols)?;
    }
    let written = list(layers, ADVERTISED);
    let advertised = if written.is_empty() { listeners.clone() } else { parse_all(ADVERTISED, &written)? };
    let advertised = advertised.into_iter().filter(|listener| !is_controller(listener));
    let advertised = advertised.map(|listener| advertise(listener, &listeners)).collect::<Result<Vec<_>, _>>()?;
    check_all_advertised(&listeners, &advertised)?;
    let not_opened = controller.iter().map(|l| format!("{}://{}:{}", l.name, l.host, l.port)).collect();
    Ok(Listeners { listeners, advertised, not_opened })
}

fn list(layers: BrokerLayers, name: &str) -> Vec<String> {
    match layers.value(name) {
        Some(Value::List(elements)) => elements,
        _ => Vec::new(),
    }
}

fn text(layers: BrokerLayers, name: &str) -> String {
    layers.value(name).map(|value| value.to_string()).unwrap_or_default()
}

fn parse_all(key: &str, elements: &[String]) -> Result<Vec<Listener>, ConfigError> {
    elements.iter().map(|element| parse(key, element)).collect()
}

/// `NAME://host:port`; an IPv6 host stands in brackets, an empty host means every interface.
fn parse(key: &str, element: &str) -> Result<Listener, ConfigError> {
    let malformed = || ConfigError::invalid(key, element, "Unable to parse: expected NAME://host:port");
    let (name, address) = element.split_once("://").ok_or_else(malformed)?;
    let (host, port) = address.rsplit_once(':').ok_or_else(malformed)?;
    let host = host.strip_prefix('[').and_then(|inner| inner.strip_suffix(']')).unwrap_or(host);
    let host_is_plain = host.chars().all(|c| c.is_ascii_alphanumeric() || "-%._:".contains(c));
    if name.is_empty() || !host_is_plain {
        return Err(malformed());
    }
    let port = port.parse::<u16>().map_err(|_| ConfigError::invalid(key, element, "the port must be a number from 0 to 65535"))?;
    Ok(Listener { name: name.to_uppercase(), host: host.to_string(), port })
}

fn check_distinct(listeners: &[Listener], given: &str) -> Result<(), ConfigError> {
    for (position, listener) in listeners.iter().enumerate() {
        let earlier = &listeners[..position];
        if earlier.iter().any(|other| other.name == listener.name) {
            return Err(ConfigError::invalid(LISTENERS, given, "Each listener must have a different name"));
        }
        // The same port on IPv4 and on IPv6 is two sockets.
        let clashes = |other: &Listener| other.port == listener.port && is_ipv6(other) == is_ipv6(listener);
        if listener.port != 0 && earlier.iter().any(clashes) {
            return Err(ConfigError::invalid(LISTENERS, given, "Each listener must have a different port"));
        }
    }
    Ok(())
}

fn is_ipv6(listener: &Listener) -> bool {
    listener.host.contains(':')
}

/// `NAME:PROTOCOL,...` by upper-case name.
fn protocol_map(given: &str) -> Result<BTreeMap<String, String>, ConfigError> {
    let pairs = given.split(',').map(str::trim).filter(|pair| !pair.is_empty());
    pairs
        .map(|pair| match pair.rsplit_once(':') {
            Some((name, protocol)) => Ok((name.trim().to_uppercase(), protocol.trim().to_uppercase())),
            None => Err(ConfigError::invalid(PROTOCOL_MAP, given, "expected NAME:PROTOCOL, separated by commas")),
        })
        .collect()
}

fn check_protocol(listener: &Listener, protocols: &BTreeMap<String, String>) -> Result<(), ConfigError> {
    let written = format!("{}://{}:{}", listener.name, listener.host, listener.port);
    match protocols.get(&listener.name).map(String::as_str) {
        Some("PLAINTEXT") => Ok(()),
        Some(protocol) => {
            let reason = format!("listener {} uses {protocol}, which Ringmill does not speak yet: only PLAINTEXT works", listener.name);
            Err(ConfigError::invalid(LISTENERS, written, reason))
        }
        None => {
            let reason = format!("No security protocol defined for listener {}: add it to {PROTOCOL_MAP}", listener.name);
            Err(ConfigError::invalid(LISTENERS, written, reason))
        }
    }
}

fn advertise(listener: Listener, listeners: &[Listener]) -> Result<AdvertisedListener, ConfigError> {
    let written = format!("{}://{}:{}", listener.name, listener.host, listener.port);
    if listener.host == "0.0.0.0" {
        let reason = format!("{ADVERTISED} cannot use the nonroutable meta-address 0.0.0.0. Use a routable IP address.");
        return Err(ConfigError::invalid(ADVERTISED, written, reason));
    }
    if !listeners.iter().any(|known| known.name == listener.name) {
        let reason = format!("{ADVERTISED} may only name listeners that {LISTENERS} defines");
        return Err(ConfigError::invalid(ADVERTISED, written, reason));
    }
    let host = if listener.host.is_empty() { None } else { Some(listener.host) };
    Ok(AdvertisedListener { name: listener.name, host, port: listener.port })
}

fn check_all_advertised(listeners: &[Listener], advertised: &[AdvertisedListener]) -> Result<(), ConfigError> {
    let is_told = |listener: &Listener| advertised.iter().any(|told| told.name == listener.name);
    if listeners.iter().any(is_told) {
        return Ok(());
    }
    Err(ConfigError::invalid(ADVERTISED, "", "no listener is advertised, so no client could connect"))
}
