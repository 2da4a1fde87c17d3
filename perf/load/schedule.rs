//! When what happens: warm-up, windows, the times at which requests are due.

use super::arguments::Load;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// What a window of a pair begins with does not count: the readers begin, or what they had under way ends.
const SETTLE: Duration = Duration::from_millis(500);

/// In which kind of window something was due.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Phase {
    /// The only one, or that without the readers that catch up.
    Alone,
    Beside,
}

#[derive(Clone, Copy)]
pub struct Schedule {
    pub start: Instant,
    /// Nanoseconds since 1970 at `start`; from there on the monotonic clock counts.
    start_nanos: u64,
    warmup: Duration,
    window: Duration,
    windows: u32,
    grace: Duration,
}

impl Schedule {
    pub fn new(load: &Load, start: Instant) -> Schedule {
        let wall = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let start_nanos = (wall + start.saturating_duration_since(Instant::now())).as_nanos() as u64;
        let (settle, windows) = if load.pairs > 0 { (SETTLE, 2 * load.pairs) } else { (Duration::ZERO, 1) };
        let window = Duration::from_secs_f64(load.seconds) + settle;
        Schedule { start, start_nanos, warmup: load.warmup(), window, windows, grace: Duration::from_secs_f64(load.grace_seconds) }
    }

    pub fn counted_from(&self) -> Instant {
        self.start + self.warmup
    }

    pub fn end(&self) -> Instant {
        self.counted_from() + self.window * self.windows
    }

    /// When nothing is waited for any more.
    pub fn gives_up(&self) -> Instant {
        self.end() + self.grace
    }

    /// `None` in the warm-up, while a window of a pair settles, and after the end.
    pub fn phase(&self, at: Instant) -> Option<Phase> {
        let since = at.checked_duration_since(self.counted_from())?.as_nanos();
        let (window, into) = (since / self.window.as_nanos(), since % self.window.as_nanos());
        match window {
            _ if window >= u128::from(self.windows) => None,
            0 if self.windows == 1 => Some(Phase::Alone),
            _ if into < SETTLE.as_nanos() => None,
            odd if odd % 2 == 1 => Some(Phase::Beside),
            _ => Some(Phase::Alone),
        }
    }

    /// Whether the readers that catch up are at work. They stop earlier than their window: what is under way then ends in the next.
    pub fn catches_up(&self, at: Instant) -> bool {
        match self.windows {
            1 => at >= self.start && at < self.end(),
            _ => self.phase(at + SETTLE) == Some(Phase::Beside),
        }
    }

    /// The second that `at` is in, of those that count.
    pub fn second(&self, at: Instant) -> Option<usize> {
        let since = at.checked_duration_since(self.counted_from())?;
        Some(since.as_secs() as usize)
    }

    /// A time as records carry it: nanoseconds since 1970.
    pub fn stamp(&self, at: Instant) -> u64 {
        self.start_nanos.wrapping_add(at.saturating_duration_since(self.start).as_nanos() as u64)
    }

    /// The time of a stamp; `None` if it lies before the start, so is of an earlier run.
    pub fn time_of(&self, stamp: u64) -> Option<Instant> {
        Some(self.start + Duration::from_nanos(stamp.checked_sub(self.start_nanos)?))
    }
}

/// When the requests of one connection are due.
#[derive(Clone, Copy)]
pub enum Pace {
    /// As soon as fewer than so many are under way.
    Closed(usize),
    Open {
        first: Instant,
        interval: f64,
    },
}

impl Pace {
    /// Of connection `index` of `of`.
    pub fn of(load: &Load, schedule: &Schedule, index: usize, of: usize) -> Pace {
        match load.rate {
            None => Pace::Closed(load.in_flight),
            Some(rate) => {
                let first = schedule.start + Duration::from_secs_f64(index as f64 / rate);
                Pace::Open { first, interval: of as f64 / rate }
            }
        }
    }

    /// When an open loop's request is due.
    pub fn due(self, request: u64) -> Option<Instant> {
        match self {
            Pace::Closed(_) => None,
            Pace::Open { first, interval } => Some(first + Duration::from_secs_f64(interval * request as f64)),
        }
    }
}
