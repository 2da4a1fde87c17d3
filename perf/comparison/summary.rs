//! Of all results that lie in a directory: the table with its ratios, the same as JSON, and plots of each scenario.

use super::scenarios::SCENARIOS;
use crate::Result;
use crate::results::host::Host;
use crate::results::outcome::QUANTILES;
use crate::results::plot::{self, Line};
use crate::results::table::{Row, Table, Value};
use serde::Serialize;
use serde_json::Value as Json;
use std::collections::BTreeMap;
use std::fmt::Write;
use std::fs;
use std::path::Path;

/// What a table says before it begins.
const LEGEND: &str = "*durable*: an ack means on disk (`log.flush.interval.messages=1` on both sides); *cached*: in memory (Kafka's default). \
    acks=all and one replica, no TLS, no keys, random values unless said; load and broker share the CPUs. Medians of the rounds, least and most in brackets; \
    ÷: ringmill over the other, round by round.";

/// The machine's limits, if they were measured.
pub const LIMITS: &str = "limits.md";

/// One run as it lies on the disk.
struct Run {
    scenario: String,
    variant: String,
    round: u32,
    json: Json,
}

pub fn write(out: &Path, of: &str, data: &Path) -> Result<()> {
    let runs = runs(&out.join("runs"))?;
    let table = Table::of(runs.iter().flat_map(values));
    let machine = Host::here(data);
    let mut variants: Vec<&str> = runs.iter().map(|run| run.variant.as_str()).collect();
    variants.sort_unstable_by_key(|variant| (*variant != of, *variant));
    variants.dedup();
    let mut markdown = format!("{}.\n\n{LEGEND}\n", machine.describe());
    for scenario in SCENARIOS.iter().filter(|scenario| runs.iter().any(|run| run.scenario == scenario.name)) {
        write!(markdown, "\n### {}: {}\n\n", scenario.name, scenario.title)?;
        if !scenario.target.is_empty() {
            write!(markdown, "Target: {}.\n\n", scenario.target)?;
        }
        markdown += &table.markdown(scenario.name, &variants, of)?;
        plots(out, scenario.name, scenario.title, &variants, &runs)?;
    }
    if let Ok(limits) = fs::read_to_string(out.join(LIMITS)) {
        write!(markdown, "\n### The machine's limits\n\n```\n{limits}```\n")?;
    }
    fs::write(out.join("table.md"), markdown)?;
    #[derive(Serialize)]
    struct Summary<'a> {
        machine: Host,
        rows: Vec<Row<'a>>,
    }
    let summary = Summary { machine, rows: table.rows(of).collect() };
    Ok(fs::write(out.join("summary.json"), serde_json::to_string_pretty(&summary)? + "\n")?)
}

/// Directories are named SCENARIO/VARIANT-ROUND.
fn runs(directory: &Path) -> Result<Vec<Run>> {
    let mut runs = Vec::new();
    let scenarios = if directory.exists() { fs::read_dir(directory)?.flatten().collect() } else { Vec::new() };
    for scenario in scenarios {
        for run in fs::read_dir(scenario.path())?.flatten() {
            let name = run.file_name().to_string_lossy().into_owned();
            // One that did not end has no result.
            let Ok(text) = fs::read(run.path().join("result.json")) else { continue };
            let Some((variant, round)) = name.rsplit_once('-') else { continue };
            let (scenario, json) = (scenario.file_name().to_string_lossy().into_owned(), serde_json::from_slice(&text)?);
            runs.push(Run { scenario, variant: variant.to_owned(), round: round.parse()?, json });
        }
    }
    runs.sort_by(|a, b| (&a.scenario, &a.variant, a.round).cmp(&(&b.scenario, &b.variant, b.round)));
    Ok(runs)
}

fn values(run: &Run) -> Vec<Value> {
    let metrics = run.json["metrics"].as_object().cloned().unwrap_or_default();
    let value = |(metric, value): (String, Json)| Value {
        scenario: run.scenario.clone(),
        variant: run.variant.clone(),
        round: run.round,
        metric,
        value: value.as_f64().unwrap_or(0.0),
    };
    metrics.into_iter().map(value).collect()
}

/// Throughput over time, a line for each variant's first round; percentiles of acks or receipts, the medians of all rounds.
fn plots(out: &Path, scenario: &str, title: &str, variants: &[&str], runs: &[Run]) -> Result<()> {
    let plots = out.join("plots");
    fs::create_dir_all(&plots)?;
    let of = |variant: &str| runs.iter().filter(|run| run.scenario == scenario && run.variant == variant).collect::<Vec<_>>();
    let over_time = |variant: &&str| {
        let seconds = of(variant).first()?.json["by_second"].as_array()?.clone();
        let mib = |second: &Json| ["produced_mib", "consumed_mib"].iter().filter_map(|name| second[*name].as_f64()).fold(0.0, f64::max);
        let points = seconds.iter().enumerate().map(|(at, second)| (at as f64 + 0.5, mib(second))).collect();
        Some(Line { name: (*variant).to_owned(), points })
    };
    let lines: Vec<Line> = variants.iter().filter_map(over_time).collect();
    if !lines.is_empty() {
        plot::over_time(title, "MiB/s", &lines, &plots.join(format!("{scenario}-throughput")))?;
    }
    for (prefix, name) in [("", "latency"), ("e2e_", "end-to-end")] {
        let lines: Vec<Line> = variants.iter().filter_map(|variant| quantiles(prefix, variant, &of(variant))).collect();
        if !lines.is_empty() {
            plot::quantiles(title, &lines, &plots.join(format!("{scenario}-{name}")))?;
        }
    }
    Ok(())
}

/// (1/(1 - quantile), ms).
fn quantiles(prefix: &str, variant: &str, runs: &[&Run]) -> Option<Line> {
    let median = |name: &str| {
        let rounds: BTreeMap<u32, f64> =
            runs.iter().filter_map(|run| Some((run.round, run.json["metrics"][format!("{prefix}{name}_ms")].as_f64()?))).collect();
        crate::results::table::Spread::of(rounds.into_values()).map(|spread| spread.median)
    };
    let below_one = QUANTILES.iter().filter(|(_, quantile)| *quantile < 1.0);
    let points: Vec<(f64, f64)> = below_one.filter_map(|(name, quantile)| Some((1.0 / (1.0 - quantile), median(name)?))).collect();
    (!points.is_empty()).then(|| Line { name: variant.to_owned(), points })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_directory_of_runs_becomes_a_table_and_plots() {
        let directory = tempfile::tempdir().unwrap();
        for (variant, round, p50) in [("ringmill-durable", 1, 1.0), ("ringmill-durable", 2, 2.0), ("kafka-durable", 1, 4.0)] {
            let run = directory.path().join(format!("runs/e2e-1000/{variant}-{round}"));
            fs::create_dir_all(&run).unwrap();
            let json = serde_json::json!({
                "metrics": { "p50_ms": p50, "p99_ms": 5.0 }, "by_second": [{ "produced_mib": 1.0, "consumed_mib": 2.0 }]
            });
            fs::write(run.join("result.json"), json.to_string()).unwrap();
        }
        // And a run that did not end.
        fs::create_dir_all(directory.path().join("runs/e2e-1000/kafka-durable-2")).unwrap();
        write(directory.path(), "ringmill-durable", directory.path()).unwrap();
        let table = fs::read_to_string(directory.path().join("table.md")).unwrap();
        assert!(table.contains("| | ringmill-durable | kafka-durable | ÷ kafka-durable |"), "{table}");
        assert!(table.contains("| p50_ms | 1.50 (1.00–2.00) | 4.00 | 0.250 |"), "{table}");
        let summary: Json = serde_json::from_slice(&fs::read(directory.path().join("summary.json")).unwrap()).unwrap();
        assert_eq!(summary["rows"].as_array().unwrap().len(), 2);
        for plot in ["e2e-1000-throughput.svg", "e2e-1000-throughput.png", "e2e-1000-latency.svg"] {
            assert!(directory.path().join("plots").join(plot).exists(), "{plot}");
        }
    }
}
