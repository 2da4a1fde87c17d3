//! `ringmill-perf`: loads a Kafka broker, Ringmill or another, over plain sockets, and says what it did and what it cost.
//!
//! Each command prints lines of `metric<TAB>value`; `perf/compare` runs them against two brokers in turn, and `table` makes
//! a table of its lines. A process of its own, on threads that block, so that nothing of the broker's runtime is in what measures it.
//! Start reading at `produce.rs`.

// Clocks, threads and sockets are the runtime's in the broker; this is none.
#![allow(clippy::disallowed_types, clippy::disallowed_methods)]

mod catch_up;
mod client;
mod consume;
mod latency;
mod machine;
mod payload;
mod process;
mod produce;
mod reader;
mod report;
mod start;
mod table;

use clap::{Parser, Subcommand};
use std::process::ExitCode;

/// Whatever ends a run; only ever shown.
pub type Error = Box<dyn std::error::Error + Send + Sync>;
pub type Result<T> = std::result::Result<T, Error>;

#[derive(Parser)]
#[command(name = "ringmill-perf", about = "Loads a Kafka broker and says what it did and what it cost")]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Throughput, closed loop: each connection keeps so many requests in flight.
    Produce(produce::Arguments),
    /// Ack latency at a fixed rate, open loop, from when each request was due (no coordinated omission).
    Latency(latency::Arguments),
    /// Reads a topic from its start, over and over, as fast as it comes.
    Consume(consume::Arguments),
    /// Acks and reads at the end of a log, alone and beside a reader of what is on the disk.
    CatchUp(catch_up::Arguments),
    /// Starts a broker: time to the first ack, then memory and CPU at rest. Leaves it running and prints its process id.
    Start(start::Arguments),
    /// The machine's own limits: loopback, durable device writes, CRC, memcpy, an empty round trip. About 20 s.
    Machine(machine::Arguments),
    /// A table from lines of variant, round, scenario, metric and value.
    Table(table::Arguments),
}

fn main() -> ExitCode {
    let done = match Arguments::parse().command {
        Command::Produce(arguments) => produce::run(&arguments),
        Command::Latency(arguments) => latency::run(&arguments),
        Command::Consume(arguments) => consume::run(&arguments),
        Command::CatchUp(arguments) => catch_up::run(&arguments),
        Command::Start(arguments) => start::run(&arguments),
        Command::Machine(arguments) => machine::run(&arguments),
        Command::Table(arguments) => table::run(&arguments),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("ringmill-perf: {error}");
            ExitCode::FAILURE
        }
    }
}
