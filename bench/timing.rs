//! Times named functions: `#[path = "timing.rs"] mod timing;` in a benchmark of `harness = false`.
//!
//! Each figure is the median of rounds (20, of 25 ms each or one call, whichever is longer) with the fastest beside it:
//! on a busy machine the fastest says what the code costs, the median what the machine made of it.
//! `cargo bench --bench NAME -- FILTER` runs those whose names contain FILTER.

#![allow(dead_code, clippy::disallowed_types)]

use std::hint::black_box;
use std::time::{Duration, Instant};

const ROUNDS: usize = 20;
const ROUND: Duration = Duration::from_millis(25);

/// Prints ns per call of `f`.
pub fn time<T>(name: &str, f: impl FnMut() -> T) {
    if let Some(rounds) = measure(name, f) {
        println!("{name:<48} {:>12} median {:>12} min {:>10} iterations", ns(rounds.median_ns), ns(rounds.min_ns), rounds.iterations);
    }
}

/// Prints ns per call of `f`, and GiB/s if one call gets through `bytes`.
pub fn throughput<T>(name: &str, bytes: usize, f: impl FnMut() -> T) {
    if let Some(rounds) = measure(name, f) {
        let gib_per_second = |ns: f64| bytes as f64 / ns * 1e9 / (1u64 << 30) as f64;
        println!(
            "{name:<48} {:>12} median {:>12} min {:>10} iterations {:>8.2} GiB/s median {:>8.2} best",
            ns(rounds.median_ns),
            ns(rounds.min_ns),
            rounds.iterations,
            gib_per_second(rounds.median_ns),
            gib_per_second(rounds.min_ns),
        );
    }
}

struct Rounds {
    /// Calls in all rounds.
    iterations: u64,
    min_ns: f64,
    median_ns: f64,
}

fn measure<T>(name: &str, mut f: impl FnMut() -> T) -> Option<Rounds> {
    let filter = std::env::args().skip(1).find(|argument| !argument.starts_with('-'));
    if filter.is_some_and(|filter| !name.contains(&filter)) {
        return None;
    }
    let mut calls = 1;
    while round(calls, &mut f) < ROUND {
        calls *= 2;
    }
    let mut times: Vec<f64> = (0..ROUNDS).map(|_| round(calls, &mut f).as_nanos() as f64 / calls as f64).collect();
    times.sort_by(f64::total_cmp);
    Some(Rounds { iterations: calls * ROUNDS as u64, min_ns: times[0], median_ns: times[ROUNDS / 2] })
}

fn round<T>(calls: u64, f: &mut impl FnMut() -> T) -> Duration {
    let start = Instant::now();
    for _ in 0..calls {
        black_box(f());
    }
    start.elapsed()
}

fn ns(ns: f64) -> String {
    match ns {
        0.0..1e4 => format!("{ns:.1} ns"),
        1e4..1e7 => format!("{:.1} us", ns / 1e3),
        _ => format!("{:.1} ms", ns / 1e6),
    }
}
