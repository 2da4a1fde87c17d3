//! The main thread while a load runs: a line of progress, and what the broker used, by second and over all that is measured.

use super::arguments::Load;
use super::driver::Shared;
use super::schedule::Schedule;
use crate::Result;
use crate::process::Usage;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use std::sync::atomic::Ordering::Relaxed;
use std::thread;
use std::time::{Duration, Instant};

const TICK: Duration = Duration::from_millis(100);
/// Where the end is when a reader is through.
const TICK_ONCE: Duration = Duration::from_millis(2);
const MIB: f64 = 1024.0 * 1024.0;

/// What was used between the end of the warm-up and the end.
pub struct Watched {
    pub seconds: f64,
    pub broker: Option<Usage>,
    pub tool: Usage,
    /// The broker's by second.
    pub by_second: Vec<Usage>,
}

pub fn watch(load: &Load, schedule: &Schedule, shared: &Shared, through: impl Fn() -> bool) -> Result<Watched> {
    let line = line(load, schedule);
    let tick = if load.once { TICK_ONCE } else { TICK };
    let goes_on = |until: Instant| Instant::now() < until && !through() && !shared.failed.load(Relaxed);
    while goes_on(schedule.counted_from()) {
        rest(schedule.counted_from(), tick);
        show(&line, "warm-up", shared, schedule.start);
    }
    let (before, tool_before, start) = (Usage::of_any(load.target.pid)?, Usage::of(std::process::id())?, Instant::now());
    let (mut by_second, mut last) = (Vec::new(), before);
    while goes_on(schedule.end()) {
        let second = schedule.counted_from() + Duration::from_secs(by_second.len() as u64 + 1);
        rest(second.min(schedule.end()), tick);
        show(&line, "measuring", shared, schedule.start);
        if Instant::now() >= second {
            let now = Usage::of_any(load.target.pid)?;
            by_second.push(now.since(&last));
            last = now;
        }
    }
    let seconds = start.elapsed().as_secs_f64();
    let broker = Usage::of_any(load.target.pid)?.since(&before);
    let tool = Usage::of(std::process::id())?.since(&tool_before);
    line.finish_and_clear();
    Ok(Watched { seconds, broker: load.target.pid.map(|_| broker), tool, by_second })
}

fn rest(until: Instant, most: Duration) {
    thread::sleep(until.saturating_duration_since(Instant::now()).min(most));
}

/// Nothing, if stderr is no terminal.
fn line(load: &Load, schedule: &Schedule) -> ProgressBar {
    let style = ProgressStyle::with_template("{spinner} {elapsed_precise} {bar:24} {msg}").unwrap_or_else(|_| ProgressStyle::default_bar());
    let total = schedule.end().saturating_duration_since(schedule.start).as_millis() as u64;
    let line = ProgressBar::with_draw_target(Some(total), ProgressDrawTarget::stderr_with_hz(5)).with_style(style);
    line.set_message(load.topic.clone());
    line
}

fn show(line: &ProgressBar, phase: &str, shared: &Shared, start: Instant) {
    let since = start.elapsed();
    line.set_position(since.as_millis() as u64);
    let (bytes, requests) = (shared.bytes.load(Relaxed) as f64, shared.requests.load(Relaxed) as f64);
    let seconds = since.as_secs_f64().max(0.001);
    line.set_message(format!("{phase}: {:.0} MiB/s, {:.0} requests/s on average", bytes / MIB / seconds, requests / seconds));
}
