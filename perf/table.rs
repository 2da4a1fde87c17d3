//! From lines of `variant<TAB>round<TAB>scenario<TAB>metric<TAB>value` to a table of medians, spread and ratios, and to JSON.

use crate::Result;
use std::collections::BTreeMap;
use std::fmt::Write;
use std::fs;
use std::path::PathBuf;

#[derive(clap::Args)]
pub struct Arguments {
    results: PathBuf,
    /// The variant whose ratios to the others are shown.
    #[arg(long, default_value = "ringmill-durable")]
    of: String,
    /// Where to write all values as JSON.
    #[arg(long)]
    json: Option<PathBuf>,
    /// Also a table of each scenario's values as multiples of this scenario's, within each variant.
    #[arg(long)]
    per: Option<String>,
    /// Only these metrics; all without it.
    #[arg(long, value_delimiter = ',')]
    metrics: Vec<String>,
}

/// Rounds' values by variant, for one metric of one scenario.
#[derive(Default)]
struct Row {
    scenario: String,
    metric: String,
    values: BTreeMap<String, Vec<f64>>,
}

pub fn run(arguments: &Arguments) -> Result<()> {
    let text = fs::read_to_string(&arguments.results)?;
    let (mut variants, mut rows) = (Vec::new(), Vec::<Row>::new());
    for line in text.lines() {
        let [variant, _round, scenario, metric, value] = line.split('\t').collect::<Vec<_>>()[..] else {
            return Err(format!("not a result: {line}").into());
        };
        if !variants.iter().any(|known| known == variant) {
            variants.push(variant.to_owned());
        }
        let at = rows.iter().position(|row| row.scenario == scenario && row.metric == metric).unwrap_or_else(|| {
            rows.push(Row { scenario: scenario.into(), metric: metric.into(), values: BTreeMap::new() });
            rows.len() - 1
        });
        rows[at].values.entry(variant.to_owned()).or_default().push(value.parse()?);
    }
    if let Some(path) = &arguments.json {
        fs::write(path, json(&rows)?)?;
    }
    let shown = |row: &&Row| arguments.metrics.is_empty() || arguments.metrics.contains(&row.metric);
    print!("{}", markdown(&variants, &arguments.of, rows.iter().filter(shown))?);
    if let Some(base) = &arguments.per {
        print!("\n{}", multiples(&variants, base, &rows, shown)?);
    }
    Ok(())
}

/// Medians of every scenario but `base`, divided by those of `base`.
fn multiples(variants: &[String], base: &str, rows: &[Row], shown: impl Fn(&&Row) -> bool) -> Result<String> {
    let mut out = format!("| scenario ÷ {base} | metric |");
    variants.iter().try_for_each(|variant| write!(out, " {variant} |"))?;
    writeln!(out, "\n|---|---|{}", "---:|".repeat(variants.len()))?;
    for row in rows.iter().filter(shown).filter(|row| row.scenario != base) {
        let Some(base) = rows.iter().find(|other| other.scenario == base && other.metric == row.metric) else { continue };
        write!(out, "| {} | {} |", row.scenario, row.metric)?;
        for variant in variants {
            match (row.values.get(variant), base.values.get(variant)) {
                (Some(values), Some(base)) if median(base) != 0.0 => write!(out, " {:.2} |", median(values) / median(base))?,
                _ => write!(out, " |")?,
            }
        }
        out.push('\n');
    }
    Ok(out)
}

fn markdown<'a>(variants: &[String], of: &str, rows: impl Iterator<Item = &'a Row>) -> Result<String> {
    let others: Vec<&String> = variants.iter().filter(|variant| *variant != of).collect();
    let mut out = String::from("| scenario | metric |");
    variants.iter().try_for_each(|variant| write!(out, " {variant} |"))?;
    others.iter().try_for_each(|other| write!(out, " ÷ {other} |"))?;
    writeln!(out, "\n|---|---|{}", "---:|".repeat(variants.len() + others.len()))?;
    for row in rows {
        write!(out, "| {} | {} |", row.scenario, row.metric)?;
        for variant in variants {
            match row.values.get(variant) {
                Some(values) => write!(out, " {} |", spread(values))?,
                None => write!(out, " |")?,
            }
        }
        for other in &others {
            match (row.values.get(of), row.values.get(*other)) {
                (Some(ours), Some(theirs)) if median(theirs) != 0.0 => write!(out, " {:.2} |", median(ours) / median(theirs))?,
                _ => write!(out, " |")?,
            }
        }
        out.push('\n');
    }
    Ok(out)
}

fn sorted(values: &[f64]) -> Vec<f64> {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted
}

fn median(values: &[f64]) -> f64 {
    let sorted = sorted(values);
    let (low, high) = (sorted[(sorted.len() - 1) / 2], sorted[sorted.len() / 2]);
    f64::midpoint(low, high)
}

fn spread(values: &[f64]) -> String {
    let sorted = sorted(values);
    format!("{} ({}–{})", digits(median(values)), digits(sorted[0]), digits(sorted[sorted.len() - 1]))
}

/// About three digits.
fn digits(value: f64) -> String {
    match value.abs() {
        0.0 => "0".into(),
        100.0.. => format!("{value:.0}"),
        10.0.. => format!("{value:.1}"),
        _ => format!("{value:.2}"),
    }
}

fn json(rows: &[Row]) -> Result<String> {
    let mut out = String::from("[\n");
    let mut separator = "";
    for row in rows {
        for (variant, values) in &row.values {
            let (scenario, metric) = (&row.scenario, &row.metric);
            write!(out, "{separator}  {{\"scenario\": {scenario:?}, \"metric\": {metric:?}, \"variant\": {variant:?}, ")?;
            write!(out, "\"median\": {}, \"rounds\": {values:?}}}", median(values))?;
            separator = ",\n";
        }
    }
    out.push_str("\n]\n");
    Ok(out)
}
