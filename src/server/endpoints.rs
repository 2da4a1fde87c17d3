//! The sockets for clients: one for each listener, and where `ringmill.core.endpoints` asks for them one for each listener and core.
//!
//! On the controller's core, which accepts; who comes in by a core's own socket is that core's.

use crate::config::{BrokerConfig, CoreEndpoints};
use crate::rt::{self, Listener};
use crate::shard::connection::Entrance;
use crate::types::ShardId;
use std::net::SocketAddr;

/// Bound sockets.
pub struct Endpoints {
    /// In the order of `listeners`; connections go to any shard.
    pub listeners: Vec<(String, Listener, SocketAddr)>,
    pub cores: Vec<(Entrance, Listener)>,
}

/// Binds all that is configured, or says why that is not possible.
pub async fn bind(config: &BrokerConfig, shard_count: usize) -> Result<Endpoints, String> {
    let mut bound = Endpoints { listeners: Vec::new(), cores: Vec::new() };
    for (index, listener) in config.listeners.iter().enumerate() {
        let name = |port: u16| format!("listener {}://{}:{port}", listener.name, listener.host);
        let address = rt::host::resolve(&listener.host, listener.port).await;
        let mut address = address.map_err(|e| format!("{}: {e}", name(listener.port)))?;
        let bind = |address: SocketAddr| Listener::bind(address).map_err(|e| format!("{}: {e}", name(address.port())));
        let socket = bind(address)?;
        let local = socket.local_address().map_err(|e| format!("{}: {e}", name(listener.port)))?;
        bound.listeners.push((listener.name.clone(), socket, local));
        let Some(endpoints) = config.core_endpoints(index) else { continue };
        check_count(endpoints, shard_count)?;
        for shard in (0..shard_count).map(|shard| ShardId(shard as u16)) {
            address.set_port(endpoints.port(shard));
            bound.cores.push((Entrance { listener: index, core: Some(shard) }, bind(address)?));
        }
    }
    Ok(bound)
}

fn check_count(endpoints: &CoreEndpoints, shard_count: usize) -> Result<(), String> {
    match endpoints.port_count() {
        count if count < shard_count => {
            Err(format!("ringmill.core.endpoints {endpoints} is {count} ports, but there are {shard_count} shards, which need one each"))
        }
        _ => Ok(()),
    }
}
