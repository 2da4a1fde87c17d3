//! Runs a story for many seeds, on all the CPUs there are, and says how to run the one that failed again.

use std::fmt::Debug;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

/// The seeds that were run, and whether they were as many as the story asks for.
#[derive(Clone, Copy, Debug)]
pub struct Ran {
    is_whole: bool,
}

impl Ran {
    /// A story that never meets what it is about tests nothing. The one place where that is judged: `seen` must be true, unless so few
    /// seeds were asked for that they may well have missed it. `counts` is shown with the failure.
    #[track_caller]
    pub fn must_have_seen(self, seen: bool, counts: &dyn Debug) {
        assert!(seen || !self.is_whole, "the story did not meet what it is about: {counts:?}");
    }
}

/// Calls `story(seed)` for seeds 0 to `count` - 1. `RINGMILL_SIM_SEED=n` runs only seed n, `RINGMILL_SIM_SEEDS=n` sets the count, and
/// `RINGMILL_SIM_FROM=n` the first one. The first failure ends the run with its panic, its seed printed.
pub fn for_each_seed(count: u64, story: impl Fn(u64) + Sync) -> Ran {
    if let Some(seed) = number_from_env("RINGMILL_SIM_SEED") {
        story(seed);
        return Ran { is_whole: false };
    }
    let wanted = number_from_env("RINGMILL_SIM_SEEDS").unwrap_or(count);
    let first = number_from_env("RINGMILL_SIM_FROM").unwrap_or(0);
    let end = first.saturating_add(wanted);
    let (next, failed, panic) = (AtomicU64::new(first), AtomicBool::new(false), Mutex::new(None));
    let run = || {
        while !failed.load(Ordering::Relaxed) {
            let seed = next.fetch_add(1, Ordering::Relaxed);
            if seed >= end {
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
        eprintln!("seed {seed} (of {first} to {}) failed; run it again with RINGMILL_SIM_SEED={seed}", end - 1);
        resume_unwind(cause);
    }
    Ran { is_whole: wanted >= count }
}

fn number_from_env(name: &str) -> Option<u64> {
    let value = std::env::var(name).ok()?;
    Some(value.parse().unwrap_or_else(|_| panic!("{name} must be a number, not {value:?}")))
}
