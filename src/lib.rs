//! Ringmill: a Kafka-compatible message broker for Linux, thread per core on io_uring.
//!
//! Three rings; imports only point inward (`tests/architecture.rs` keeps them honest):
//! - **pure** (no async, no clock, no I/O): [`types`], [`wire`], [`config`], and the state machines inside
//!   [`log`] (indexes, journal frames, producer state) and [`controller`] (records, image, handlers) and
//!   [`coordinator`] (groups and their offsets).
//! - **neutral** (async, touches the world through [`rt`] only): [`log`], [`shard`], [`api`], [`controller`]'s driver,
//!   [`coordinator`]'s driver.
//! - **world**: [`rt`] (glommio and the simulator), [`server`], [`admin`], [`cli`].
//!
//! Reading order: `types`, `wire`, `rt/mod.rs`, `log`, `shard`, `api`, `controller`, `server`. docs/ARCHITECTURE.md has the map.

pub mod admin;
pub mod api;
pub mod cli;
pub mod config;
pub mod controller;
pub mod coordinator;
pub mod kafka;
pub mod log;
pub mod rt;
pub mod server;
pub mod shard;
pub mod types;
pub mod wire;
