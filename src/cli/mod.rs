//! The command line: one file per command.

/// Parses the arguments of the process and runs the command.
pub fn main() -> std::process::ExitCode {
    std::process::ExitCode::SUCCESS
}
