//! `ringmill-perf compare`: scenarios against Ringmill and Apache Kafka in turn, never two brokers at once, each run on a fresh broker and an
//! empty directory; rounds interleaved, the variants' order alternating. `perf/compare` builds what it needs and calls it.
//!
//! Durability is in a variant's name: "durable" acknowledges what is on the disk (`log.flush.interval.messages=1` on both sides), "cached" what
//! is in memory (Kafka's default). Results: a directory each run under OUT/runs, and of all that is there OUT/table.md, summary.json and plots.

mod brokers;
mod scenarios;
mod stock;
mod summary;

pub use stock::{Client as StockClient, run as run_stock};

use crate::Result;
use crate::load::{self, arguments::Load};
use crate::machine;
use crate::results::outcome::Metrics;
use brokers::{Broker, Setting, Variant};
use scenarios::{Kind, SCENARIOS, Scenario};
use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Instant;

#[derive(clap::Args)]
pub struct Arguments {
    /// Scenarios, by name, parted by commas; all of them without it.
    #[arg(long, value_delimiter = ',')]
    only: Vec<String>,
    #[arg(long, value_delimiter = ',')]
    skip: Vec<String>,
    /// One short round.
    #[arg(long)]
    quick: bool,
    /// Says which scenarios there are.
    #[arg(long)]
    list: bool,
    #[arg(long, default_value_t = 3)]
    rounds: u32,
    /// What each run measures; some scenarios say themselves.
    #[arg(long, default_value_t = 6.0)]
    seconds: f64,
    /// Before that; for the JVM, too.
    #[arg(long, default_value_t = 3.0)]
    warmup_seconds: f64,
    #[arg(long, value_enum, value_delimiter = ',', default_values_t = [Variant::RingmillDurable, Variant::KafkaDurable, Variant::KafkaCached, Variant::RingmillCached])]
    variants: Vec<Variant>,
    /// The variant whose ratios to the others are shown.
    #[arg(long, value_enum, default_value_t = Variant::RingmillDurable)]
    of: Variant,
    #[arg(long, default_value = "target/perf")]
    out: PathBuf,
    /// The brokers' data, so the disk under test; OUT/data without it. It is emptied before each run.
    #[arg(long)]
    dir: Option<PathBuf>,
    /// Removes the results of earlier runs first; without it they stay, and what is run again takes their place.
    #[arg(long)]
    fresh: bool,
    /// The broker's program; beside this one without it.
    #[arg(long)]
    ringmill: Option<PathBuf>,
    /// KEY=VALUE for Ringmill.
    #[arg(long)]
    ringmill_set: Vec<String>,
    /// Leaves out the machine's own limits, which are measured first.
    #[arg(long)]
    no_limits: bool,
    /// More flags for every load.
    #[arg(long, allow_hyphen_values = true, default_value = "")]
    flags: String,
}

pub fn run(mut arguments: Arguments) -> Result<()> {
    if arguments.list {
        SCENARIOS.iter().for_each(|scenario| println!("{:<20} {}", scenario.name, scenario.title));
        return Ok(());
    }
    if arguments.quick {
        (arguments.rounds, arguments.seconds, arguments.warmup_seconds) = (1, 2.0, 1.0);
    }
    let scenarios = chosen(&arguments)?;
    let setting = setting(&arguments)?;
    if arguments.fresh && arguments.out.join("runs").exists() {
        fs::remove_dir_all(arguments.out.join("runs"))?;
    }
    if !arguments.no_limits {
        measure_limits(&setting, if arguments.quick { 1 } else { 4 })?;
    }
    let mut failures = Vec::new();
    for round in 1..=arguments.rounds {
        for scenario in &scenarios {
            let mut variants = arguments.variants.clone();
            if round % 2 == 0 {
                variants.reverse();
            }
            for variant in variants {
                let start = Instant::now();
                let done = one(&arguments, &setting, scenario, variant, round);
                say(round, scenario, variant, &done, start);
                if let Err(error) = done {
                    failures.push(format!("round {round}, {}, {}: {error}", scenario.name, variant.name()));
                }
            }
        }
        summary::write(&arguments.out, arguments.of.name(), &setting.data)?;
    }
    print!("{}", fs::read_to_string(arguments.out.join("table.md"))?);
    if failures.is_empty() { Ok(()) } else { Err(format!("some runs failed:\n{}", failures.join("\n")).into()) }
}

/// What the machine gives to a program that does nothing else, to compare with.
fn measure_limits(setting: &Setting, rounds: usize) -> Result<()> {
    println!("measuring the machine's limits");
    let limits = machine::measure(&setting.data, rounds)?;
    fs::write(setting.out.join(summary::LIMITS), limits.table())?;
    Ok(fs::write(setting.out.join("limits.json"), limits.json())?)
}

fn chosen(arguments: &Arguments) -> Result<Vec<&'static Scenario>> {
    let known = |name: &String| SCENARIOS.iter().any(|scenario| scenario.name == name);
    if let Some(unknown) = arguments.only.iter().chain(&arguments.skip).find(|name| !known(name)) {
        return Err(format!("no scenario {unknown}; --list says which there are").into());
    }
    let wanted = |scenario: &&Scenario| {
        let is_in = |names: &[String]| names.iter().any(|name| name == scenario.name);
        (arguments.only.is_empty() || is_in(&arguments.only)) && !is_in(&arguments.skip)
    };
    Ok(SCENARIOS.iter().filter(wanted).collect())
}

fn setting(arguments: &Arguments) -> Result<Setting> {
    fs::create_dir_all(&arguments.out)?;
    let out = fs::canonicalize(&arguments.out)?;
    let data = arguments.dir.clone().unwrap_or_else(|| out.join("data"));
    fs::create_dir_all(&data)?;
    let ringmill = arguments.ringmill.clone().map_or_else(|| env::current_exe().map(|path| path.with_file_name("ringmill")), Ok)?;
    Ok(Setting { ringmill, ringmill_set: arguments.ringmill_set.clone(), data: fs::canonicalize(data)?, out })
}

/// One scenario on one broker.
fn one(arguments: &Arguments, setting: &Setting, scenario: &Scenario, variant: Variant, round: u32) -> Result<Metrics> {
    let directory = arguments.out.join("runs").join(scenario.name).join(format!("{}-{round}", variant.name()));
    if directory.exists() {
        fs::remove_dir_all(&directory)?;
    }
    let broker = Broker::start(setting, variant)?;
    let metrics = match scenario.kind {
        Kind::Load(flags) => {
            let outcome = load::run(&load_of(arguments, &broker, flags)?)?;
            outcome.write(&directory)?;
            return Ok(outcome.metrics);
        }
        Kind::Start => broker.at_rest()?,
        Kind::Stop(partitions) => broker.stop_with(partitions)?,
        Kind::Stock(client, flags) => stock::run(client, &load_of(arguments, &broker, flags)?)?,
    };
    write_metrics(&metrics, &directory)?;
    Ok(metrics)
}

fn load_of(arguments: &Arguments, broker: &Broker<'_>, flags: &str) -> Result<Load> {
    let data = broker.data();
    let mut line: Vec<String> = ["--broker", &broker.address, "--pid", &broker.pid.to_string()].map(str::to_owned).into();
    line.extend(["--data".to_owned(), data.to_string_lossy().into_owned()]);
    line.extend(["--warmup-seconds".to_owned(), arguments.warmup_seconds.to_string()]);
    line.extend(["--seconds".to_owned(), arguments.seconds.to_string()]);
    line.extend(flags.split_whitespace().chain(arguments.flags.split_whitespace()).map(str::to_owned));
    Load::from_flags(line)
}

/// As `result.json` of a load, with nothing but metrics.
fn write_metrics(metrics: &Metrics, directory: &Path) -> Result<()> {
    fs::create_dir_all(directory)?;
    let json = serde_json::json!({ "metrics": metrics });
    Ok(fs::write(directory.join("result.json"), serde_json::to_string_pretty(&json)? + "\n")?)
}

/// A line for each run, with what matters most in it.
fn say(round: u32, scenario: &Scenario, variant: Variant, done: &Result<Metrics>, start: Instant) {
    const MOST: [&str; 13] = [
        "mib_per_s",
        "requests_per_s",
        "cpu_s_per_gib",
        "cpu_us_per_request",
        "p50_ms",
        "p99_ms",
        "p99.9_ms",
        "e2e_p50_ms",
        "e2e_p99_ms",
        "first_ack_ms",
        "idle_rss_mib",
        "stop_ms",
        "tool_cpu_cores",
    ];
    let what = match done {
        Ok(metrics) => {
            let most = metrics.0.iter().filter(|(name, _)| MOST.contains(&name.as_str()));
            most.map(|(name, value)| format!("{name} {value:.2}  ")).collect()
        }
        Err(error) => format!("FAILED: {error}"),
    };
    println!("round {round}, {}, {} ({:.0} s): {what}", scenario.name, variant.name(), start.elapsed().as_secs_f64());
}
