//! What one thread saw, and what all saw together: volumes by second, latencies by second and phase.

use super::schedule::{Phase, Schedule};
use crate::Result;
use hdrhistogram::Histogram;
use std::time::{Duration, Instant};

/// Volumes of one second, or of all.
#[derive(Clone, Copy, Default, Debug)]
pub struct Volume {
    /// Of batches, as they are on the wire.
    pub bytes: u64,
    pub records: u64,
    pub requests: u64,
}

impl Volume {
    pub fn add(&mut self, other: Volume) {
        self.bytes += other.bytes;
        self.records += other.records;
        self.requests += other.requests;
    }
}

/// Latencies of what was due in one phase and answered in one second.
struct Interval {
    second: usize,
    phase: Phase,
    latencies: Histogram<u64>,
}

pub struct Tally {
    schedule: Schedule,
    /// By the second of the answer, from the end of the warm-up on.
    pub seconds: Vec<Volume>,
    intervals: Vec<Interval>,
    pub errors: u64,
    pub unanswered: u64,
    /// Batches acknowledged that carry a time which counts.
    pub stamped: u64,
    /// Since this was last taken.
    pub fresh: Volume,
}

/// Microseconds up to two minutes, three digits.
pub fn latencies() -> Histogram<u64> {
    Histogram::new_with_bounds(1, 120_000_000, 3).expect("bounds are right")
}

impl Tally {
    pub fn new(schedule: Schedule) -> Tally {
        Tally { schedule, seconds: Vec::new(), intervals: Vec::new(), errors: 0, unanswered: 0, stamped: 0, fresh: Volume::default() }
    }

    pub fn volume(&mut self, now: Instant, volume: Volume) {
        self.fresh.add(volume);
        let Some(second) = self.schedule.second(now).filter(|_| now < self.schedule.end()) else { return };
        if self.seconds.len() <= second {
            self.seconds.resize(second + 1, Volume::default());
        }
        self.seconds[second].add(volume);
    }

    /// What was due at `due` was done at `now`; counts if it was due in a phase.
    pub fn latency(&mut self, due: Instant, now: Instant) {
        let (Some(phase), Some(second)) = (self.schedule.phase(due), self.schedule.second(now)) else { return };
        let latency = u64::try_from(now.saturating_duration_since(due).as_micros()).unwrap_or(u64::MAX);
        self.interval(second, phase).saturating_record(latency.max(1));
    }

    fn interval(&mut self, second: usize, phase: Phase) -> &mut Histogram<u64> {
        // Nearly always the last, since time goes on.
        let at = self.intervals.iter().rposition(|interval| interval.second == second && interval.phase == phase);
        let at = at.unwrap_or_else(|| {
            self.intervals.push(Interval { second, phase, latencies: latencies() });
            self.intervals.len() - 1
        });
        &mut self.intervals[at].latencies
    }

    pub fn merge(&mut self, other: Tally) -> Result<()> {
        if self.seconds.len() < other.seconds.len() {
            self.seconds.resize(other.seconds.len(), Volume::default());
        }
        for (mine, theirs) in self.seconds.iter_mut().zip(&other.seconds) {
            mine.add(*theirs);
        }
        for interval in other.intervals {
            self.interval(interval.second, interval.phase).add(interval.latencies)?;
        }
        self.errors += other.errors;
        self.unanswered += other.unanswered;
        self.stamped += other.stamped;
        Ok(())
    }

    pub fn total(&self) -> Volume {
        let mut total = Volume::default();
        self.seconds.iter().for_each(|second| total.add(*second));
        total
    }

    /// All latencies of a phase.
    pub fn of_phase(&self, phase: Phase) -> Result<Histogram<u64>> {
        let mut all = latencies();
        for interval in self.intervals.iter().filter(|interval| interval.phase == phase) {
            all.add(&interval.latencies)?;
        }
        Ok(all)
    }

    /// Latencies by the second of the answer, both phases, in order.
    pub fn by_second(&self) -> Result<Vec<(Duration, Histogram<u64>)>> {
        let mut seconds: Vec<(Duration, Histogram<u64>)> = Vec::new();
        let last = self.intervals.iter().map(|interval| interval.second).max();
        for second in 0..last.map_or(0, |last| last + 1) {
            let mut all = latencies();
            for interval in self.intervals.iter().filter(|interval| interval.second == second) {
                all.add(&interval.latencies)?;
            }
            seconds.push((Duration::from_secs(second as u64), all));
        }
        Ok(seconds)
    }
}
