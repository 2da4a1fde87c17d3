//! `ringmill serve [--config server.properties] [--set key=value]...`: gathers the configuration and runs the broker.

use super::log;
use crate::config::{BrokerConfig, Loaded, Notice, Sources};
use crate::server;
use std::error::Error;
use std::path::{Path, PathBuf};

/// Also the arguments of `ringmill` without a command.
#[derive(clap::Args, Debug, Default, PartialEq, Eq)]
pub(super) struct ServeArguments {
    /// A server.properties file; environment variables KAFKA_... override it
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// One configuration; overrides file and environment, may be repeated
    #[arg(long, value_name = "KEY=VALUE")]
    pub set: Vec<String>,
}

/// Serves until the broker is told to stop.
pub(super) fn run(arguments: ServeArguments) -> Result<(), Box<dyn Error>> {
    log::start()?;
    let loaded = load(&arguments)?;
    loaded.notices.iter().for_each(log_notice);
    server::serve(loaded.config)?;
    Ok(())
}

/// The configuration that these arguments and the environment make.
pub(super) fn load(arguments: &ServeArguments) -> Result<Loaded, Box<dyn Error>> {
    let environment = std::env::vars_os().filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)));
    let file = arguments.config.as_deref().map(read_file).transpose()?;
    let sources = Sources { file, environment: environment.collect(), set: arguments.set.clone() };
    Ok(BrokerConfig::load(&sources)?)
}

fn read_file(path: &Path) -> Result<Vec<u8>, String> {
    std::fs::read(path).map_err(|error| format!("cannot read {}: {error}", path.display()))
}

fn log_notice(notice: &Notice) {
    match notice {
        Notice::Unknown { .. } | Notice::NotEnforced { .. } => tracing::warn!("{notice}"),
        Notice::WithoutEffect { .. } | Notice::NotOpened { .. } => tracing::info!("{notice}"),
    }
}
