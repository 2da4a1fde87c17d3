//! The real process and real clients: each test starts a broker of its own and talks to it by librdkafka or by hand-made bytes.
//!
//! `RINGMILL_TEST_BOOTSTRAP=host:port` runs the tests against a broker that is already there, so that what they expect of every
//! Kafka broker is known to be right by passing against Apache Kafka: `cargo test --test integration every_broker`.
//! Modules under `every_broker` need nothing but a bootstrap address; those under `process` start, kill and starve the `ringmill` process.
//! Start reading in `broker` and `connection`.
#![allow(clippy::disallowed_methods, clippy::disallowed_types, reason = "a test of the real process lives in real time, outside of rt")]

mod batch;
mod broker;
mod bystander;
mod connection;
mod every_broker;
mod process;
