//! Times named functions.
//!
//! Each figure is the median of rounds (20, of 25 ms each or one call, whichever is longer) with the fastest beside it:
//! on a busy machine the fastest says what the code costs, the median what the machine made of it.
//! `cargo bench --bench functions -- FILTER` runs those whose names contain FILTER.
//!
//! With the argument `--count` each case runs a fixed number of times inside [`counted`] and its name is printed with that number: for
//! callgrind, which counts the instructions of that function alone (`bench/baseline`).

#![allow(dead_code, clippy::disallowed_types)]

use std::hint::black_box;
use std::time::{Duration, Instant};

const ROUNDS: usize = 20;
const ROUND: Duration = Duration::from_millis(25);

/// Calls of a case when instructions are counted.
const COUNTED_CALLS: u64 = 100;
/// The same for a case that gets through many bytes in one call.
const COUNTED_CALLS_LARGE: u64 = 2;

/// Prints ns per call of `f`.
pub fn time<T>(name: &str, f: impl FnMut() -> T) {
    if is_counting() {
        return count(name, COUNTED_CALLS, f);
    }
    if let Some(rounds) = measure(name, f) {
        println!("{name:<48} {:>12} median {:>12} min {:>10} iterations", ns(rounds.median_ns), ns(rounds.min_ns), rounds.iterations);
    }
}

/// Prints ns per call of `f`, and GiB/s if one call gets through `bytes`.
pub fn throughput<T>(name: &str, bytes: usize, f: impl FnMut() -> T) {
    if is_counting() {
        return count(name, COUNTED_CALLS_LARGE, f);
    }
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

/// A case that cannot be repeated: one call of `f` is `operations` operations.
pub fn once(name: &str, operations: u64, f: impl FnOnce()) {
    if !is_chosen(name) {
        return;
    }
    if is_counting() {
        println!("{name}\t{operations}");
    }
    let mut f = Some(f);
    let start = Instant::now();
    counted(&mut || f.take().expect("called once")());
    if !is_counting() {
        println!("{name:<48} {:>12} an operation", ns(start.elapsed().as_nanos() as f64 / operations as f64));
    }
}

fn count<T>(name: &str, calls: u64, mut f: impl FnMut() -> T) {
    if is_chosen(name) {
        // What is done only the first time is not counted.
        black_box(f());
        println!("{name}\t{calls}");
        counted(&mut || (0..calls).for_each(|_| drop(black_box(f()))));
    }
}

/// What callgrind counts, by this function's name: each call is a case.
#[inline(never)]
fn counted(f: &mut dyn FnMut()) {
    f();
    // Not a tail call: callgrind has to see this function being left.
    black_box(&f);
}

fn is_counting() -> bool {
    std::env::args().any(|argument| argument == "--count")
}

fn is_chosen(name: &str) -> bool {
    let filter = std::env::args().skip(1).find(|argument| !argument.starts_with('-'));
    filter.is_none_or(|filter| name.contains(&filter))
}

struct Rounds {
    /// Calls in all rounds.
    iterations: u64,
    min_ns: f64,
    median_ns: f64,
}

fn measure<T>(name: &str, mut f: impl FnMut() -> T) -> Option<Rounds> {
    if !is_chosen(name) {
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
