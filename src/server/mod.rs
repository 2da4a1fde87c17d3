//! Start-up and stop of the broker.

use crate::config::BrokerConfig;
use std::fmt;

/// Why the broker could not start, or had to stop. [`fmt::Display`] gives one line.
#[derive(Debug)]
pub struct ServeError(pub String);

impl fmt::Display for ServeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for ServeError {}

/// Runs the broker until it is told to stop.
pub fn serve(_config: BrokerConfig) -> Result<(), ServeError> {
    Ok(())
}
