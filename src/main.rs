//! The `ringmill` binary: parse the command line, run the command.

/// Requests are allocated on one core and freed on another all the time. glibc's allocator takes a lock then, and cores wait for each other
/// asleep (docs/decisions/0016-allocator.md).
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> std::process::ExitCode {
    ringmill::cli::main()
}
