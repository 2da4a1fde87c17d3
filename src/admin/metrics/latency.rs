//! A histogram of durations: microseconds, two significant digits, up to ten minutes.

use hdrhistogram::Histogram;
use std::time::Duration;

const MICROS_MAX: u64 = 600_000_000;
const SIGNIFICANT_DIGITS: u8 = 2;

/// Takes no memory until the first duration, then about 25 KiB.
#[derive(Clone, Debug, Default)]
pub struct Latency {
    histogram: Option<Histogram<u64>>,
    sum: Duration,
}

impl Latency {
    /// Counts one duration; longer ones than the range count at its end.
    pub fn record(&mut self, elapsed: Duration) {
        let micros = u64::try_from(elapsed.as_micros()).unwrap_or(MICROS_MAX).clamp(1, MICROS_MAX);
        self.histogram.get_or_insert_with(new_histogram).saturating_record(micros);
        self.sum += elapsed;
    }

    /// Adds another's counts.
    pub fn merge(&mut self, other: &Latency) {
        if let Some(counts) = &other.histogram {
            let sum = self.histogram.get_or_insert_with(new_histogram).add(counts);
            sum.expect("all histograms have one range");
        }
        self.sum += other.sum;
    }

    pub fn count(&self) -> u64 {
        self.histogram.as_ref().map_or(0, Histogram::len)
    }

    /// All durations together.
    pub fn sum(&self) -> Duration {
        self.sum
    }

    /// For each bound (ascending, in microseconds) how many durations were at most that long, as exact as the digits allow.
    pub(super) fn cumulative(&self, bounds_micros: &[u64]) -> Vec<u64> {
        let mut counts = vec![0; bounds_micros.len()];
        let Some(histogram) = &self.histogram else { return counts };
        for value in histogram.iter_recorded() {
            let first = bounds_micros.partition_point(|bound| *bound < value.value_iterated_to());
            if let Some(count) = counts.get_mut(first) {
                *count += value.count_at_value();
            }
        }
        let mut sum = 0;
        for count in &mut counts {
            sum += *count;
            *count = sum;
        }
        counts
    }
}

fn new_histogram() -> Histogram<u64> {
    Histogram::new_with_bounds(1, MICROS_MAX, SIGNIFICANT_DIGITS).expect("the range is valid")
}
