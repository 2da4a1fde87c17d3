//! Runs a story for many seeds, on all the CPUs there are, and says how to run the one that failed again.

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

/// Calls `story(seed)` for seeds 0 to `count` - 1. `RINGMILL_SIM_SEED=n` runs only seed n, `RINGMILL_SIM_SEEDS=n` sets the count.
/// The first failure ends the run with its panic, its seed printed.
pub fn for_each_seed(count: u64, story: impl Fn(u64) + Sync) {
    if let Some(seed) = number_from_env("RINGMILL_SIM_SEED") {
        return story(seed);
    }
    let count = number_from_env("RINGMILL_SIM_SEEDS").unwrap_or(count);
    let (next, failed, panic) = (AtomicU64::new(0), AtomicBool::new(false), Mutex::new(None));
    let run = || {
        while !failed.load(Ordering::Relaxed) {
            let seed = next.fetch_add(1, Ordering::Relaxed);
            if seed >= count {
                return;
            }
            if let Err(cause) = catch_unwind(AssertUnwindSafe(|| story(seed))) {
                failed.store(true, Ordering::Relaxed);
                if let Ok(mut first) = panic.lock() {
                    first.get_or_insert((seed, cause));
                }
            }
        }
    };
    std::thread::scope(|scope| {
        let cpus = std::thread::available_parallelism().map_or(1, usize::from);
        for _ in 0..cpus {
            scope.spawn(run);
        }
    });
    if let Some((seed, cause)) = panic.into_inner().ok().flatten() {
        eprintln!("seed {seed} of {count} failed; run it again with RINGMILL_SIM_SEED={seed}");
        resume_unwind(cause);
    }
}

fn number_from_env(name: &str) -> Option<u64> {
    let value = std::env::var(name).ok()?;
    Some(value.parse().unwrap_or_else(|_| panic!("{name} must be a number, not {value:?}")))
}
