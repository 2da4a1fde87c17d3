//! The machine's own limits: what its loopback, its device, its memory and its CPU give to a program that does nothing else.
//!
//! What a broker reaches is compared with these, measured in the same run. Several rounds of every measure in turn; medians with the
//! spread. CPU is the measuring threads' own, both sides of a socket apart. Takes about 20 s.

mod description;
mod device;
mod loopback;
mod memory;
mod round_trip;

use crate::Result;
use std::fmt::Write as _;
use std::path::PathBuf;
use std::time::Duration;

pub const GIB: f64 = (1u64 << 30) as f64;

/// How long each measure of each round runs.
const EACH: Duration = Duration::from_millis(400);

#[derive(clap::Args)]
pub struct Arguments {
    /// Where the device is measured: a file of 256 MiB is made there and taken away again.
    #[arg(long, default_value = ".")]
    dir: PathBuf,
    #[arg(long, default_value_t = 4)]
    rounds: usize,
    /// JSON instead of a table.
    #[arg(long)]
    json: bool,
}

pub fn run(arguments: &Arguments) -> Result<()> {
    let limits = measure(&arguments.dir, arguments.rounds)?;
    print!("{}", if arguments.json { limits.json() } else { limits.table() });
    Ok(())
}

/// Measures everything, `rounds` times in turn; the device's figures are of the file system of `dir`.
pub fn measure(dir: &std::path::Path, rounds: usize) -> Result<MachineLimits> {
    let mut limits = MachineLimits { machine: description::of(dir), limits: Vec::new() };
    let file = device::TestFile::create(dir)?;
    for _ in 0..rounds.max(1) {
        memory::measure(EACH, &mut limits);
        loopback::measure(EACH, &file, &mut limits)?;
        round_trip::measure(EACH, &mut limits)?;
        device::measure(EACH, &file, &mut limits)?;
    }
    Ok(limits)
}

/// What was measured, and on what.
pub struct MachineLimits {
    /// What to know of the machine: name and text.
    pub machine: Vec<(&'static str, String)>,
    pub limits: Vec<Limit>,
}

/// One figure, a value for each round. Its unit is at the end of its name.
pub struct Limit {
    pub name: &'static str,
    pub rounds: Vec<f64>,
}

impl Limit {
    pub fn median(&self) -> f64 {
        let sorted = self.sorted();
        f64::midpoint(sorted[(sorted.len() - 1) / 2], sorted[sorted.len() / 2])
    }

    fn sorted(&self) -> Vec<f64> {
        let mut sorted = self.rounds.clone();
        sorted.sort_by(f64::total_cmp);
        sorted
    }
}

impl MachineLimits {
    /// The median of the limit with this name, if there is one.
    pub fn median(&self, name: &str) -> Option<f64> {
        self.limits.iter().find(|limit| limit.name == name).map(Limit::median)
    }

    fn note(&mut self, name: &'static str, value: f64) {
        match self.limits.iter_mut().find(|limit| limit.name == name) {
            Some(limit) => limit.rounds.push(value),
            None => self.limits.push(Limit { name, rounds: vec![value] }),
        }
    }

    pub fn table(&self) -> String {
        let mut out = String::new();
        for (name, text) in &self.machine {
            let _ = writeln!(out, "{name:<40} {text}");
        }
        let _ = writeln!(out, "\n{:<40} {:>10} {:>10} {:>10}", "limit", "median", "least", "most");
        for limit in &self.limits {
            let sorted = limit.sorted();
            let [median, least, most] = [limit.median(), sorted[0], sorted[sorted.len() - 1]].map(digits);
            let _ = writeln!(out, "{:<40} {median:>10} {least:>10} {most:>10}", limit.name);
        }
        if let Some(floor) = self.produce_floor() {
            let _ = writeln!(out, "\nso a durable produced GiB costs a broker at least {} CPU s: its receipt and its write", digits(floor));
        }
        out
    }

    /// CPU s/GiB that no broker can spare.
    fn produce_floor(&self) -> Option<f64> {
        Some(self.median("loopback from memory, receive CPU s/GiB")? + self.median("durable 1 MiB writes, 4 at a time, CPU s/GiB")?)
    }

    pub fn json(&self) -> String {
        let texts: Vec<String> = self.machine.iter().map(|(name, text)| format!("    {name:?}: {}", quoted(text))).collect();
        let limit = |l: &Limit| format!("    {:?}: {{\"median\": {}, \"rounds\": {:?}}}", l.name, l.median(), l.rounds);
        let limits: Vec<String> = self.limits.iter().map(limit).collect();
        format!("{{\n  \"machine\": {{\n{}\n  }},\n  \"limits\": {{\n{}\n  }}\n}}\n", texts.join(",\n"), limits.join(",\n"))
    }
}

/// A JSON string; what is no plain character becomes a space.
fn quoted(text: &str) -> String {
    let plain = text.replace(|c: char| c.is_control(), " ");
    format!("\"{}\"", plain.replace('\\', "\\\\").replace('"', "\\\""))
}

fn digits(value: f64) -> String {
    match value.abs() {
        100.0.. => format!("{value:.0}"),
        10.0.. => format!("{value:.1}"),
        1.0.. => format!("{value:.2}"),
        _ => format!("{value:.4}"),
    }
}

/// CPU seconds of the calling thread so far, in the kernel and out of it.
fn thread_cpu() -> f64 {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    text.split(' ').next().and_then(|ns| ns.parse::<f64>().ok()).unwrap_or(f64::NAN) / 1e9
}

/// The `quantile` of `samples`, which it sorts.
fn quantile(samples: &mut [Duration], quantile: f64) -> Duration {
    samples.sort();
    let at = (samples.len() as f64 * quantile) as usize;
    samples.get(at.min(samples.len().saturating_sub(1))).copied().unwrap_or_default()
}
