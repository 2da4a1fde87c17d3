//! `ringmill version`.

use std::error::Error;

/// Prints name and version.
pub(super) fn run() -> Result<(), Box<dyn Error>> {
    println!("ringmill {}", env!("CARGO_PKG_VERSION"));
    Ok(())
}
