//! Stories on the deterministic simulator, each for many seeds. A failure prints its seed; `RINGMILL_SIM_SEED=n` runs that one
//! alone, `RINGMILL_SIM_SEEDS=n` runs n of them, `RINGMILL_SIM_FROM=n` from the n-th on; `tests/nightly` runs 5,000 of each.

mod broker;
mod determinism;
mod log_engine;
