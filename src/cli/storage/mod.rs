//! `ringmill storage COMMAND`: what is done to log directories while no broker runs on them. One file per command.

mod to_kafka;

use clap::Subcommand;
use std::error::Error;

/// The commands.
#[derive(Subcommand, Debug, PartialEq, Eq)]
pub(super) enum StorageCommand {
    /// Make a stopped broker's log directories Apache Kafka's.
    ToKafka(to_kafka::ToKafkaArguments),
}

pub(super) fn run(command: StorageCommand) -> Result<(), Box<dyn Error>> {
    match command {
        StorageCommand::ToKafka(arguments) => to_kafka::run(arguments),
    }
}
