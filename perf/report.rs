//! Metrics on stdout, one a line, and what several commands measure alike.

use crate::Result;
use crate::process::Usage;
use hdrhistogram::Histogram;
use std::time::{Duration, Instant};

pub const MIB: f64 = 1024.0 * 1024.0;
const GIB: f64 = 1024.0 * MIB;

/// Prints a metric.
pub fn print(metric: &str, value: f64) {
    println!("{metric}\t{value:.3}");
}

/// Microseconds up to a minute, three digits.
pub fn latencies() -> Histogram<u64> {
    Histogram::new_with_bounds(1, 60_000_000, 3).expect("bounds are right")
}

pub fn record(latencies: &mut Histogram<u64>, latency: Duration) {
    latencies.saturating_record(u64::try_from(latency.as_micros()).unwrap_or(u64::MAX).max(1));
}

pub fn print_latencies(latencies: &Histogram<u64>) {
    let ms = |us: u64| us as f64 / 1000.0;
    for (name, quantile) in [("p50_ms", 0.5), ("p99_ms", 0.99), ("p99.9_ms", 0.999)] {
        print(name, ms(latencies.value_at_quantile(quantile)));
    }
    print("max_ms", ms(latencies.max()));
}

/// What a window began with.
pub struct Window {
    pid: Option<u32>,
    start: Instant,
    before: Usage,
}

impl Window {
    pub fn open(pid: Option<u32>) -> Result<Window> {
        Ok(Window { pid, start: Instant::now(), before: Usage::of_any(pid)? })
    }

    /// Prints throughput in the window, and what it cost the broker if that is known.
    pub fn close(self, bytes: f64, records: f64, requests: f64) -> Result<()> {
        let seconds = self.start.elapsed().as_secs_f64();
        print("mib_per_s", bytes / MIB / seconds);
        print("records_per_s", records / seconds);
        print("requests_per_s", requests / seconds);
        if self.pid.is_some() {
            let after = Usage::of_any(self.pid)?;
            let cpu = after.cpu_seconds - self.before.cpu_seconds;
            print("cpu_cores", cpu / seconds);
            print("cpu_s_per_gib", cpu / (bytes / GIB));
            print("cpu_us_per_request", cpu * 1e6 / requests);
            print("written_per_byte", (after.written_bytes - self.before.written_bytes) / bytes);
            print("rss_mib", after.rss_mib);
            print("rss_max_mib", after.rss_max_mib);
        }
        Ok(())
    }
}
