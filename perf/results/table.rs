//! From the metrics of many runs to a table: medians with their spread, and ratios with theirs.

use crate::Result;
use serde::Serialize;
use std::collections::BTreeMap;
use std::fmt::Write;

/// Metrics that are shown, in this order.
const SHOWN: [&str; 29] = [
    "mib_per_s",
    "requests_per_s",
    "consume_mib_per_s",
    "catch_up_mib_per_s",
    "cpu_s_per_gib",
    "cpu_us_per_request",
    "p50_ms",
    "p99_ms",
    "p99.9_ms",
    "p99.99_ms",
    "beside_p99_ms",
    "beside_p99_ratio",
    "e2e_p50_ms",
    "e2e_p99_ms",
    "e2e_p99.9_ms",
    "e2e_p99.99_ms",
    "e2e_beside_p99_ms",
    "e2e_beside_p99_ratio",
    "written_per_byte",
    "switches_per_request",
    "rss_max_mib",
    "first_ack_ms",
    "idle_rss_mib",
    "idle_cpu_percent",
    "stop_ms",
    "tool_cpu_cores",
    "errors",
    "unanswered",
    "unreceived",
];
/// Shown only where there were some.
const FAULTS: [&str; 3] = ["errors", "unanswered", "unreceived"];

/// One metric of one run.
pub struct Value {
    pub scenario: String,
    pub variant: String,
    pub round: u32,
    pub metric: String,
    pub value: f64,
}

/// Values by round.
type Rounds = BTreeMap<u32, f64>;

/// Median, least and most of some values.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Spread {
    pub median: f64,
    pub min: f64,
    pub max: f64,
}

impl Spread {
    pub fn of(values: impl Iterator<Item = f64>) -> Option<Spread> {
        let mut sorted: Vec<f64> = values.collect();
        sorted.sort_by(f64::total_cmp);
        let (min, max) = (*sorted.first()?, *sorted.last()?);
        Some(Spread { median: f64::midpoint(sorted[(sorted.len() - 1) / 2], sorted[sorted.len() / 2]), min, max })
    }

    fn shown(self) -> String {
        if self.min == self.max {
            return digits(self.median);
        }
        format!("{} ({}–{})", digits(self.median), digits(self.min), digits(self.max))
    }
}

/// All values, by scenario, metric and variant.
#[derive(Default)]
pub struct Table {
    values: BTreeMap<(String, String), BTreeMap<String, Rounds>>,
}

/// A line of the table, for JSON.
#[derive(Serialize)]
pub struct Row<'a> {
    scenario: &'a str,
    metric: &'a str,
    variants: BTreeMap<&'a str, Spread>,
    /// Of the one variant over each other, round by round.
    ratios: BTreeMap<&'a str, Spread>,
    rounds: &'a BTreeMap<String, Rounds>,
}

impl Table {
    pub fn of(values: impl IntoIterator<Item = Value>) -> Table {
        let mut table = Table::default();
        for Value { scenario, variant, round, metric, value } in values {
            table.values.entry((scenario, metric)).or_default().entry(variant).or_default().insert(round, value);
        }
        table
    }

    pub fn rows<'a>(&'a self, of: &'a str) -> impl Iterator<Item = Row<'a>> {
        self.values.iter().map(move |((scenario, metric), variants)| Row {
            scenario,
            metric,
            variants: variants
                .iter()
                .filter_map(|(variant, rounds)| Some((variant.as_str(), Spread::of(rounds.values().copied())?)))
                .collect(),
            ratios: variants.keys().filter_map(|other| Some((other.as_str(), ratio(variants.get(of)?, &variants[other])?))).collect(),
            rounds: variants,
        })
    }

    /// A scenario's lines: each variant, then `of` over each other one.
    pub fn markdown(&self, scenario: &str, variants: &[&str], of: &str) -> Result<String> {
        let others: Vec<&str> = variants.iter().copied().filter(|variant| *variant != of).collect();
        let mut out = String::from("| |");
        variants.iter().try_for_each(|variant| write!(out, " {variant} |"))?;
        others.iter().try_for_each(|other| write!(out, " ÷ {other} |"))?;
        writeln!(out, "\n|---|{}", "---:|".repeat(variants.len() + others.len()))?;
        for metric in SHOWN {
            let Some(values) = self.values.get(&(scenario.to_owned(), metric.to_owned())) else { continue };
            if FAULTS.contains(&metric) && values.values().flat_map(Rounds::values).all(|value| *value == 0.0) {
                continue;
            }
            write!(out, "| {metric} |")?;
            for variant in variants {
                let spread = values.get(*variant).and_then(|rounds| Spread::of(rounds.values().copied()));
                write!(out, " {} |", spread.map_or(String::new(), Spread::shown))?;
            }
            for other in &others {
                let ratio = values.get(of).zip(values.get(*other)).and_then(|(ours, theirs)| ratio(ours, theirs));
                write!(out, " {} |", ratio.map_or(String::new(), Spread::shown))?;
            }
            out.push('\n');
        }
        Ok(out)
    }
}

/// Round by round, over the rounds that both have.
fn ratio(ours: &Rounds, theirs: &Rounds) -> Option<Spread> {
    let of_round = |(round, value): (&u32, &f64)| theirs.get(round).filter(|other| **other != 0.0).map(|other| value / other);
    Spread::of(ours.iter().filter_map(of_round))
}

/// About three digits.
fn digits(value: f64) -> String {
    match value.abs() {
        0.0 => "0".into(),
        100.0.. => format!("{value:.0}"),
        10.0.. => format!("{value:.1}"),
        1.0.. => format!("{value:.2}"),
        _ => format!("{value:.3}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn value(variant: &str, round: u32, metric: &str, value: f64) -> Value {
        Value { scenario: "large".into(), variant: variant.into(), round, metric: metric.into(), value }
    }

    #[test]
    fn ratios_are_of_the_same_round() {
        let table = Table::of([
            value("ours", 1, "mib_per_s", 100.0),
            value("ours", 2, "mib_per_s", 300.0),
            value("ours", 3, "mib_per_s", 200.0),
            value("theirs", 1, "mib_per_s", 50.0),
            value("theirs", 2, "mib_per_s", 100.0),
            value("ours", 1, "errors", 0.0),
            value("ours", 1, "not shown", 1.0),
        ]);
        let markdown = table.markdown("large", &["ours", "theirs"], "ours").unwrap();
        let lines: Vec<&str> = markdown.lines().collect();
        assert_eq!(
            lines,
            [
                "| | ours | theirs | ÷ theirs |",
                "|---|---:|---:|---:|",
                "| mib_per_s | 200 (100–300) | 75.0 (50.0–100) | 2.50 (2.00–3.00) |"
            ]
        );
        assert!(serde_json::to_string(&table.rows("ours").collect::<Vec<_>>()).unwrap().contains("not shown"));
    }

    #[test]
    fn a_median_of_two_lies_between_them() {
        assert_eq!(Spread::of([4.0, 1.0].into_iter()), Some(Spread { median: 2.5, min: 1.0, max: 4.0 }));
        assert_eq!(Spread::of([].into_iter()), None);
    }
}
