//! Prometheus' text format, version 0.0.4.

use super::latency::Latency;
use std::fmt::{Display, Write};

/// Bounds of the buckets of durations: from a cached answer to a timeout.
const BOUNDS: &[(u64, &str)] = &[
    (50, "0.00005"),
    (100, "0.0001"),
    (250, "0.00025"),
    (500, "0.0005"),
    (1_000, "0.001"),
    (2_500, "0.0025"),
    (5_000, "0.005"),
    (10_000, "0.01"),
    (25_000, "0.025"),
    (50_000, "0.05"),
    (100_000, "0.1"),
    (250_000, "0.25"),
    (500_000, "0.5"),
    (1_000_000, "1"),
    (5_000_000, "5"),
    (30_000_000, "30"),
];

/// A family's type.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Kind {
    Counter,
    Gauge,
    Histogram,
}

/// Names and values of a sample's labels.
pub(super) type Labels<'a> = &'a [(&'a str, &'a str)];

/// The text so far. A family's samples follow its header directly.
#[derive(Default)]
pub(super) struct Exposition(String);

impl Exposition {
    pub(super) fn family(&mut self, name: &str, kind: Kind, help: &str) {
        let kind = match kind {
            Kind::Counter => "counter",
            Kind::Gauge => "gauge",
            Kind::Histogram => "histogram",
        };
        self.line(format_args!("# HELP {name} {help}\n# TYPE {name} {kind}"));
    }

    pub(super) fn sample(&mut self, name: &str, labels: Labels, value: impl Display) {
        let labels = label_text(labels);
        if labels.is_empty() {
            self.line(format_args!("{name} {value}"));
        } else {
            self.line(format_args!("{name}{{{labels}}} {value}"));
        }
    }

    pub(super) fn histogram(&mut self, name: &str, labels: Labels, latency: &Latency) {
        let bounds: Vec<u64> = BOUNDS.iter().map(|(micros, _)| *micros).collect();
        let mut labels = labels.to_vec();
        let bucket = format!("{name}_bucket");
        for ((_, seconds), count) in BOUNDS.iter().zip(latency.cumulative(&bounds)) {
            labels.push(("le", seconds));
            self.sample(&bucket, &labels, count);
            labels.pop();
        }
        labels.push(("le", "+Inf"));
        self.sample(&bucket, &labels, latency.count());
        labels.pop();
        self.sample(&format!("{name}_sum"), &labels, latency.sum().as_secs_f64());
        self.sample(&format!("{name}_count"), &labels, latency.count());
    }

    pub(super) fn finish(self) -> String {
        self.0
    }

    fn line(&mut self, text: impl Display) {
        writeln!(self.0, "{text}").expect("writing to a string does not fail");
    }
}

fn label_text(labels: Labels) -> String {
    let pairs = labels.iter().map(|(name, value)| format!("{name}=\"{}\"", escape(value)));
    pairs.collect::<Vec<_>>().join(",")
}

fn escape(value: &str) -> String {
    value.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}
