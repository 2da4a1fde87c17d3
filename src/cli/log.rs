//! Logging for commands that run long: `tracing` on stderr, its level by `RUST_LOG`, `info` if that is not set. The reactor's own
//! lines are left out then: what fails there comes back to us as an error, and its probe of a directory looks like one but is none.

use std::fmt;
use std::io::IsTerminal;
use tracing_subscriber::filter::{EnvFilter, FromEnvError, LevelFilter};

/// `RUST_LOG` does not parse.
#[derive(Debug)]
pub(super) struct LogError(FromEnvError);

impl fmt::Display for LogError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RUST_LOG does not parse: {}", self.0)
    }
}

impl std::error::Error for LogError {}

const DEFAULT_FILTER: &str = "info,glommio=off";

/// Sends the process's log lines to stderr from now on. To be called once.
pub(super) fn start() -> Result<(), LogError> {
    let filter = match std::env::var_os(EnvFilter::DEFAULT_ENV) {
        Some(_) => EnvFilter::builder().with_default_directive(LevelFilter::INFO.into()).from_env().map_err(LogError)?,
        None => EnvFilter::new(DEFAULT_FILTER),
    };
    let is_terminal = std::io::stderr().is_terminal();
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).with_ansi(is_terminal).init();
    Ok(())
}
