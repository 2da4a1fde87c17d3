//! What operators see over HTTP: `/metrics` for Prometheus, `/health/live` and `/health/ready`; and what they can do:
//! `POST /partitions/move?topic=orders&partition=3&shard=1` moves a partition to another core.
//!
//! World ring, on the controller core; it touches shards only through the functions it is given. [`metrics`] is what every core counts for itself and what a scrape makes of it, `http` the bytes, `connection` one peer.
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

/// Which partition is to be moved where.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct MoveAsk {
    pub topic: String,
    pub partition: i32,
    pub shard: u16,
}

/// Why a partition was not moved.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum MoveRefusal {
    /// There is no such partition or shard.
    Unknown(&'static str),
    /// It may go later.
    NotNow(&'static str),
}

struct Admin<S, M> {
    /// Asks every shard for its snapshot.
    scrape: S,
    /// Moves a partition; says what was done.
    moves: M,
    scrapes: Semaphore,
    connections: Semaphore,
}

/// Serves the admin listener on the current core from now on. `scrape` asks every shard for its snapshot, `moves` moves a partition.
pub fn serve<S, M>(listener: Listener, scrape: S, moves: M)
where
    S: AsyncFn() -> Vec<MetricsSnapshot> + 'static,
    M: AsyncFn(MoveAsk) -> Result<String, MoveRefusal> + 'static,
{
    let scrapes = Semaphore::new(limits::ADMIN_SCRAPES_MAX);
    let connections = Semaphore::new(limits::ADMIN_CONNECTIONS_MAX);
    spawn(Queue::Background, accept(listener, Rc::new(Admin { scrape, moves, scrapes, connections })));
}

async fn accept<S, M>(listener: Listener, admin: Rc<Admin<S, M>>)
where
    S: AsyncFn() -> Vec<MetricsSnapshot> + 'static,
    M: AsyncFn(MoveAsk) -> Result<String, MoveRefusal> + 'static,
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
