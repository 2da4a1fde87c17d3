//! `ringmill storage to-kafka DIR...`: makes the directories of a stopped broker Apache Kafka's.

use crate::cli::log;
use crate::config::{BrokerConfig, Sources};
use crate::log::format::{META_PROPERTIES, MetaProperties};
use crate::server;
use std::error::Error;
use std::path::{Path, PathBuf};

#[derive(clap::Args, Debug, PartialEq, Eq)]
pub(in crate::cli) struct ToKafkaArguments {
    /// All of the broker's log.dirs, in their order
    #[arg(required = true, value_name = "DIR")]
    pub dirs: Vec<PathBuf>,
}

/// Prints what was done.
pub(in crate::cli) fn run(arguments: ToKafkaArguments) -> Result<(), Box<dyn Error>> {
    log::start()?;
    let dirs: Vec<PathBuf> = arguments.dirs.iter().map(|dir| named(dir)).collect::<Result<_, String>>()?;
    let path = dirs[0].join(META_PROPERTIES);
    let properties = std::fs::read(&path).map_err(|error| format!("{}: {error}", path.display()))?;
    let properties = MetaProperties::decode(&properties)?;
    let names: Vec<String> = dirs.iter().map(|dir| dir.display().to_string()).collect();
    let set = vec![format!("node.id={}", properties.node_id), format!("log.dirs={}", names.join(","))];
    let config = BrokerConfig::load(&Sources { file: None, environment: Vec::new(), set })?.config;
    println!("{}", server::to_kafka(config)?);
    Ok(())
}

/// The directory's full path. It must be there: a broker would make it.
fn named(dir: &Path) -> Result<PathBuf, String> {
    std::fs::canonicalize(dir).map_err(|error| format!("{}: {error}", dir.display()))
}
