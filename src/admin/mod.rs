//! What operators see over HTTP: `/metrics` for Prometheus, `/health/live` and `/health/ready`.
//!
//! World ring, on the controller core; it touches shards only through the function that asks them for snapshots. [`metrics`] is
//! what every core counts for itself and what a scrape makes of it, `http` the bytes, `connection` one peer.
//!
//! Live: this core answers. Ready: every shard answers too.

mod connection;
mod http;
pub mod metrics;
#[cfg(test)]
mod tests;

use crate::config::limits;
use crate::rt::sync::Semaphore;
use crate::rt::{Listener, Queue, sleep, spawn};
use metrics::MetricsSnapshot;
use std::rc::Rc;

struct Admin<S> {
    /// Asks every shard for its snapshot.
    scrape: S,
    scrapes: Semaphore,
    connections: Semaphore,
}

/// Serves the admin listener on the current core from now on. `scrape` asks every shard for its snapshot.
pub fn serve<S>(listener: Listener, scrape: S)
where
    S: AsyncFn() -> Vec<MetricsSnapshot> + 'static,
{
    let scrapes = Semaphore::new(limits::ADMIN_SCRAPES_MAX);
    let connections = Semaphore::new(limits::ADMIN_CONNECTIONS_MAX);
    spawn(Queue::Background, accept(listener, Rc::new(Admin { scrape, scrapes, connections })));
}

async fn accept<S>(listener: Listener, admin: Rc<Admin<S>>)
where
    S: AsyncFn() -> Vec<MetricsSnapshot> + 'static,
{
    loop {
        let incoming = match listener.accept().await {
            Ok(incoming) => incoming,
            Err(error) => {
                // Descriptors may be short for a moment.
                tracing::warn!(%error, "the admin listener does not accept");
                sleep(limits::ADMIN_ACCEPT_RETRY).await;
                continue;
            }
        };
        // Above the limit the peer is dropped at once.
        let Some(place) = admin.connections.try_acquire(1) else { continue };
        let Ok(connection) = incoming.attach() else { continue };
        let admin = Rc::clone(&admin);
        spawn(Queue::Background, async move {
            connection::serve(admin, connection).await;
            drop(place);
        });
    }
}
