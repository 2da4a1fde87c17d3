//! The cases that `bench/baseline` counts the instructions of, with `--count` under callgrind; without, it prints times.
//!
//! Single-threaded and without a clock, a disk or a socket of this machine's: functions by themselves, then the log and the whole broker on the
//! simulator. A story's figure has the simulator and the client in it, and is good for comparing with itself.

// Names of cases are made here, and clocks are only for times.
#![allow(clippy::disallowed_types)]

#[path = "../../tests/simulation/broker/client.rs"]
#[allow(dead_code)]
mod client;
#[path = "../codec.rs"]
mod codec;
#[path = "../index.rs"]
mod index;
#[path = "../records.rs"]
mod records;
#[path = "../timing.rs"]
mod timing;

mod broker;
mod controller;
mod journal;
mod log;
mod mesh;
mod world;

fn main() {
    codec::run();
    records::run();
    index::look_up();
    journal::run();
    mesh::run();
    controller::run();
    log::run();
    broker::run();
}
