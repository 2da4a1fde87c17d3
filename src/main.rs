//! The `ringmill` binary: parse the command line, run the command.

fn main() -> std::process::ExitCode {
    ringmill::cli::main()
}
