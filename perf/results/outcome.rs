//! The result of one run of a load: metrics by name, volumes and the broker's use by second, latencies. Written as `result.json`,
//! histogram logs and plots.

use super::histograms::{self, Latencies};
use super::host::Host;
use super::plot;
use crate::Result;
use crate::load::arguments::Load;
use crate::load::tally::Tally;
use crate::process::Usage;
use hdrhistogram::Histogram;
use serde::{Serialize, Serializer};
use std::fs;
use std::path::Path;

pub const MIB: f64 = 1024.0 * 1024.0;
const GIB: f64 = 1024.0 * MIB;
pub const QUANTILES: [(&str, f64); 6] = [("p50", 0.5), ("p90", 0.9), ("p99", 0.99), ("p99.9", 0.999), ("p99.99", 0.9999), ("max", 1.0)];

/// Values by name, in the order they are shown.
#[derive(Clone, Default, Debug)]
pub struct Metrics(pub Vec<(String, f64)>);

impl Metrics {
    pub fn add(&mut self, name: impl Into<String>, value: f64) {
        self.0.push((name.into(), value));
    }

    pub fn print(&self) {
        self.0.iter().for_each(|(name, value)| println!("{name}\t{value:.3}"));
    }

    /// p50 to p99.99 and the maximum, in ms, if there are any.
    pub fn quantiles(&mut self, prefix: &str, latencies: &Histogram<u64>) {
        for (name, quantile) in QUANTILES.iter().filter(|_| !latencies.is_empty()) {
            self.add(format!("{prefix}{name}_ms"), latencies.value_at_quantile(*quantile) as f64 / 1000.0);
        }
    }
}

impl Serialize for Metrics {
    fn serialize<S: Serializer>(&self, serializer: S) -> std::result::Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter().map(|(name, value)| (name, value)))
    }
}

/// One second of a run. Volumes count where they were answered.
#[derive(Clone, Copy, Default, Serialize)]
pub struct Second {
    pub produced_mib: f64,
    pub produced_requests: u64,
    pub consumed_mib: f64,
    pub caught_up_mib: f64,
    pub cpu_user_seconds: f64,
    pub cpu_system_seconds: f64,
    pub rss_mib: f64,
}

/// What the threads of a run saw.
pub struct Seen {
    pub produced: Tally,
    pub consumed: Tally,
    /// By readers that catch up beside the load.
    pub read: Tally,
    /// Batches acknowledged and not received by a consumer.
    pub unreceived: u64,
    pub watched: crate::load::Watched,
}

#[derive(Serialize)]
pub struct Outcome {
    pub load: Load,
    pub metrics: Metrics,
    pub by_second: Vec<Second>,
    #[serde(skip)]
    pub latencies: Vec<Latencies>,
}

impl Outcome {
    pub fn of(load: &Load, seen: Seen) -> Result<Outcome> {
        let mut metrics = Metrics::default();
        volumes(load, &seen, &mut metrics);
        let latencies = latencies(load, &seen, &mut metrics)?;
        if load.producers > 0 {
            metrics.add("errors", seen.produced.errors as f64);
            metrics.add("unanswered", seen.produced.unanswered as f64);
        }
        if load.is_stamped() {
            metrics.add("unreceived", seen.unreceived as f64);
        }
        usage(load, &seen, &mut metrics);
        Ok(Outcome { load: load.clone(), metrics, by_second: by_second(&seen), latencies })
    }

    /// Writes all of it to a directory.
    pub fn write(&self, directory: &Path) -> Result<()> {
        #[derive(Serialize)]
        struct WithHost<'a> {
            machine: Host,
            #[serde(flatten)]
            outcome: &'a Outcome,
        }
        fs::create_dir_all(directory)?;
        let whole = WithHost { machine: Host::here(self.load.data.as_deref().unwrap_or(Path::new("."))), outcome: self };
        fs::write(directory.join("result.json"), serde_json::to_string_pretty(&whole)? + "\n")?;
        self.latencies.iter().try_for_each(|latencies| histograms::write(latencies, directory))?;
        plot::throughput(&self.by_second, &directory.join("throughput"))?;
        let lines: Vec<(String, &Histogram<u64>)> =
            self.latencies.iter().map(|latencies| (latencies.name.clone(), &latencies.total)).collect();
        if lines.is_empty() { Ok(()) } else { plot::percentiles("Latency", &lines, &directory.join("latency")) }
    }
}

fn volumes(load: &Load, seen: &Seen, metrics: &mut Metrics) {
    let seconds = seen.watched.seconds;
    let mut add = |prefix: &str, tally: &Tally| {
        let total = tally.total();
        metrics.add(format!("{prefix}mib_per_s"), total.bytes as f64 / MIB / seconds);
        metrics.add(format!("{prefix}records_per_s"), total.records as f64 / seconds);
        metrics.add(format!("{prefix}requests_per_s"), total.requests as f64 / seconds);
    };
    if load.producers > 0 {
        add("", &seen.produced);
    }
    if load.consumers > 0 {
        add(if load.producers > 0 { "consume_" } else { "" }, &seen.consumed);
    }
    if load.catch_up > 0 {
        let seconds = if load.pairs > 0 { f64::from(load.pairs) * load.seconds } else { seconds };
        metrics.add("catch_up_mib_per_s", seen.read.total().bytes as f64 / MIB / seconds);
    }
}

/// Acks' and receipts', alone and beside readers that catch up.
fn latencies(load: &Load, seen: &Seen, metrics: &mut Metrics) -> Result<Vec<Latencies>> {
    use crate::load::Phase::{Alone, Beside};
    let mut all = Vec::new();
    for (tally, prefix, name) in [(&seen.produced, "", "ack"), (&seen.consumed, "e2e_", "end-to-end")] {
        let (alone, beside) = (tally.of_phase(Alone)?, tally.of_phase(Beside)?);
        metrics.quantiles(prefix, &alone);
        if load.pairs > 0 && !beside.is_empty() {
            metrics.quantiles(&format!("{prefix}beside_"), &beside);
            let p99 = |latencies: &Histogram<u64>| latencies.value_at_quantile(0.99) as f64;
            metrics.add(format!("{prefix}beside_p99_ratio"), p99(&beside) / p99(&alone).max(1.0));
            all.push(Latencies { name: format!("{name}-beside"), total: beside, by_second: Vec::new() });
        }
        if !alone.is_empty() {
            all.push(Latencies { name: name.into(), total: alone, by_second: tally.by_second()? });
        }
    }
    Ok(all)
}

fn usage(load: &Load, seen: &Seen, metrics: &mut Metrics) {
    let watched = &seen.watched;
    let main = if load.producers > 0 { seen.produced.total() } else { seen.consumed.total() };
    let (bytes, requests) = (main.bytes as f64, main.requests as f64);
    let moved = bytes + seen.read.total().bytes as f64 + if load.producers > 0 { seen.consumed.total().bytes as f64 } else { 0.0 };
    if let Some(broker) = &watched.broker {
        metrics.add("cpu_cores", broker.cpu_seconds() / watched.seconds);
        metrics.add("cpu_user_cores", broker.user_seconds / watched.seconds);
        metrics.add("cpu_system_cores", broker.system_seconds / watched.seconds);
        // Of all that moved, in and out.
        metrics.add("cpu_s_per_gib", ratio(broker.cpu_seconds(), moved / GIB));
        metrics.add("cpu_us_per_request", ratio(broker.cpu_seconds() * 1e6, requests));
        if load.producers > 0 {
            metrics.add("written_per_byte", ratio(broker.written_bytes, bytes));
        }
        metrics.add("device_read_mib_per_s", broker.read_bytes / MIB / watched.seconds);
        metrics.add("switches_per_request", ratio(broker.switches_voluntary + broker.switches_forced, requests));
        metrics.add("rss_mib", broker.rss_mib);
        metrics.add("rss_max_mib", broker.rss_max_mib);
    }
    metrics.add("tool_cpu_cores", watched.tool.cpu_seconds() / watched.seconds);
    metrics.add("tool_cpu_us_per_request", ratio(watched.tool.cpu_seconds() * 1e6, requests));
}

fn ratio(value: f64, of: f64) -> f64 {
    if of > 0.0 { value / of } else { 0.0 }
}

fn by_second(seen: &Seen) -> Vec<Second> {
    let count = [&seen.produced, &seen.consumed, &seen.read].iter().map(|tally| tally.seconds.len()).max().unwrap_or(0);
    let volume = |tally: &Tally, second: usize| tally.seconds.get(second).copied().unwrap_or_default();
    let second = |second: usize| {
        let used = seen.watched.by_second.get(second).copied().unwrap_or_else(Usage::default);
        Second {
            produced_mib: volume(&seen.produced, second).bytes as f64 / MIB,
            produced_requests: volume(&seen.produced, second).requests,
            consumed_mib: volume(&seen.consumed, second).bytes as f64 / MIB,
            caught_up_mib: volume(&seen.read, second).bytes as f64 / MIB,
            cpu_user_seconds: used.user_seconds,
            cpu_system_seconds: used.system_seconds,
            rss_mib: used.rss_mib,
        }
    };
    (0..count).map(second).collect()
}
