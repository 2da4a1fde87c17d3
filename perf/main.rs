//! `ringmill-perf`: loads a Kafka broker, Ringmill or another, over plain sockets, and says what it did and what it cost.
//!
//! `load` is the engine; what else measures is written in its flags (`presets.rs`, `comparison/scenarios.rs`). `compare` runs scenarios
//! against two brokers in turn. A process of its own, so that nothing of the broker's runtime is in what measures it; of the library
//! only the wire codec is used. Start reading at `load/mod.rs`.

// Clocks, threads and sockets are the runtime's in the broker; this is none.
#![allow(clippy::disallowed_types, clippy::disallowed_methods)]

mod client;
mod comparison;
mod groups;
mod load;
mod machine;
mod presets;
mod process;
mod results;

use clap::{Parser, Subcommand};
use std::process::ExitCode;

/// Whatever ends a run; only ever shown.
pub type Error = Box<dyn std::error::Error + Send + Sync>;
pub type Result<T> = std::result::Result<T, Error>;

#[derive(Parser)]
#[command(name = "ringmill-perf", about = "Loads a Kafka broker and says what it did and what it cost", after_help = presets::help())]
#[command(args_override_self = true)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Any load: producers and consumers, open or closed loop. Metrics go to stdout, one a line; --out writes files.
    #[command(args_override_self = true)]
    Load(load::arguments::Load),
    /// Scenarios against Ringmill and Apache Kafka in turn; run from the root of the repository, best by `perf/compare`.
    #[command(args_override_self = true)]
    Compare(comparison::Arguments),
    /// The machine's own limits: loopback, durable device writes, CRC, memcpy, an empty round trip. About 20 s.
    Machine(machine::Arguments),
    /// Groups of consumers: memory, heartbeats, commits and rebalances with thousands of members.
    #[command(args_override_self = true)]
    Groups(groups::Arguments),
    /// A client that is not ours as load, against any broker: kafka-producer-perf-test or librdkafka.
    #[command(args_override_self = true)]
    Stock {
        client: comparison::StockClient,
        #[command(flatten)]
        load: load::arguments::Load,
    },
}

fn main() -> ExitCode {
    let done = match Arguments::parse_from(presets::expand(std::env::args())).command {
        Command::Load(load) => run(&load),
        Command::Compare(arguments) => comparison::run(arguments),
        Command::Machine(arguments) => machine::run(&arguments),
        Command::Groups(arguments) => groups::run(&arguments),
        Command::Stock { client, load } => comparison::run_stock(client, &load).map(|metrics| metrics.print()),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("ringmill-perf: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(load: &load::arguments::Load) -> Result<()> {
    let outcome = load::run(load)?;
    outcome.metrics.print();
    load.out.as_deref().map_or(Ok(()), |directory| outcome.write(directory))
}
