//! The command line: one file per command.
//!
//! Runs on the process's first thread, before there are cores. Errors are one line on stderr and a status that is not 0.

mod log;
mod serve;
mod storage;
mod version;

#[cfg(test)]
mod tests;

use clap::{Parser, Subcommand};
use std::process::ExitCode;

/// A Kafka-compatible message broker. Without a command it serves.
#[derive(Parser, Debug)]
#[command(name = "ringmill", version, args_conflicts_with_subcommands = true, disable_help_subcommand = true)]
struct Arguments {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    serve: serve::ServeArguments,
}

#[derive(Subcommand, Debug)]
enum Command {
    /// Run the broker.
    Serve(serve::ServeArguments),
    /// Look at log directories, or change them, while no broker runs on them.
    #[command(subcommand)]
    Storage(storage::StorageCommand),
    /// Print the version.
    Version,
}

/// Parses the arguments of the process and runs the command.
pub fn main() -> ExitCode {
    // Wrong usage ends here: clap says what is wrong and exits with 2.
    let arguments = Arguments::parse();
    let result = match arguments.command.unwrap_or(Command::Serve(arguments.serve)) {
        Command::Serve(arguments) => serve::run(arguments).map(|()| ExitCode::SUCCESS),
        Command::Storage(command) => storage::run(command),
        Command::Version => version::run().map(|()| ExitCode::SUCCESS),
    };
    match result {
        Ok(status) => status,
        Err(error) => {
            eprintln!("ringmill: {error}");
            ExitCode::FAILURE
        }
    }
}
