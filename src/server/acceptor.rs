//! Accepts connections on the controller's core and hands each to the least-loaded shard, or to the one whose own port it came in by,
//! within the configured numbers.

use crate::config::BrokerConfig;
use crate::rt::{Incoming, Listener, Queue, sleep, spawn};
use crate::shard::calls::Calls;
use crate::shard::connection::Entrance;
use crate::shard::message::Request;
use crate::types::{HashMap, ShardId};
use std::cell::RefCell;
use std::net::IpAddr;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

/// Who is connected: counts by shard and by address. One per broker.
pub struct Connections {
    /// As started, with what was changed at run time.
    config: RefCell<Arc<BrokerConfig>>,
    counts: RefCell<Counts>,
}

struct Counts {
    by_shard: Vec<usize>,
    by_address: HashMap<IpAddr, i32>,
}

impl Connections {
    pub fn new(config: Arc<BrokerConfig>, shard_count: usize) -> Connections {
        let counts = Counts { by_shard: vec![0; shard_count], by_address: HashMap::default() };
        Connections { config: RefCell::new(config), counts: RefCell::new(counts) }
    }

    /// New limits, for connections from now on.
    pub fn reconfigure(&self, config: BrokerConfig) {
        *self.config.borrow_mut() = Arc::new(config);
    }

    /// Picks the shard for a new connection, unless it is given, and counts it; the reason if there may be no more.
    fn place(&self, address: IpAddr, core: Option<ShardId>) -> Result<usize, &'static str> {
        let (config, mut counts) = (self.config.borrow(), self.counts.borrow_mut());
        let total: usize = counts.by_shard.iter().sum();
        if total >= config.max_connections.max(0) as usize {
            return Err("max.connections is reached");
        }
        let limit = config.max_connections_per_ip_overrides.get(&address).copied().unwrap_or(config.max_connections_per_ip);
        let here = counts.by_address.get(&address).copied().unwrap_or(0);
        if here >= limit {
            return Err("max.connections.per.ip is reached");
        }
        counts.by_address.insert(address, here + 1);
        let least_loaded = || (0..counts.by_shard.len()).min_by_key(|&shard| counts.by_shard[shard]).expect("there is at least one shard");
        let shard = core.map_or_else(least_loaded, |core| core.0 as usize);
        counts.by_shard[shard] += 1;
        Ok(shard)
    }

    /// A connection that was placed has ended.
    pub fn closed(&self, address: IpAddr, shard: ShardId) {
        let mut counts = self.counts.borrow_mut();
        counts.by_shard[shard.0 as usize] -= 1;
        let left = counts.by_address.get(&address).copied().unwrap_or(1) - 1;
        if left > 0 {
            counts.by_address.insert(address, left);
        } else {
            counts.by_address.remove(&address);
        }
    }
}

/// Accepts on one listener for as long as the process runs.
pub fn accept_on(listener: Listener, entrance: Entrance, calls: Rc<Calls>, connections: Rc<Connections>) {
    spawn(Queue::Foreground, async move {
        loop {
            match listener.accept().await {
                Ok(incoming) => hand_over(incoming, entrance, &calls, &connections).await,
                Err(error) => {
                    // Out of descriptors, most likely: others must close first.
                    tracing::warn!(%error, "accepting a connection failed");
                    sleep(Duration::from_millis(100)).await;
                }
            }
        }
    });
}

async fn hand_over(incoming: Incoming, entrance: Entrance, calls: &Rc<Calls>, connections: &Connections) {
    let address = incoming.peer_address();
    match connections.place(address.ip(), entrance.core) {
        Ok(shard) => calls.tell(shard, Request::Connection { incoming, entrance }).await,
        Err(reason) => tracing::info!(peer = %address, reason, "a connection is refused"),
    }
}
