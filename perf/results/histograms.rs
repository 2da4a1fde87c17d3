//! Histograms as files that HdrHistogram's own tools read: percentiles as `.hgrm`, an interval log (version 1.3, V2 compressed) as `.hlog`.
//! Values are in ms in both.

use crate::Result;
use hdrhistogram::Histogram;
use hdrhistogram::serialization::V2DeflateSerializer;
use hdrhistogram::serialization::interval_log::IntervalLogWriterBuilder;
use std::fmt::Write;
use std::fs;
use std::path::Path;
use std::time::{Duration, SystemTime};

/// Values are recorded in microseconds.
const PER_MS: f64 = 1000.0;
/// Steps of the percentile table to each half of what remains.
const TICKS_PER_HALF: u32 = 5;

pub struct Latencies {
    pub name: String,
    pub total: Histogram<u64>,
    /// With the second at which each begins.
    pub by_second: Vec<(Duration, Histogram<u64>)>,
}

/// Writes `NAME.hgrm` and, if there are intervals, `NAME.hlog`.
pub fn write(latencies: &Latencies, directory: &Path) -> Result<()> {
    fs::write(directory.join(format!("{}.hgrm", latencies.name)), percentiles(&latencies.total)?)?;
    if !latencies.by_second.is_empty() {
        fs::write(directory.join(format!("{}.hlog", latencies.name)), interval_log(latencies)?)?;
    }
    Ok(())
}

fn percentiles(latencies: &Histogram<u64>) -> Result<String> {
    let mut out = format!("{:>12} {:>14} {:>10} {:>14}\n\n", "Value", "Percentile", "TotalCount", "1/(1-Percentile)");
    let mut seen = 0;
    for step in latencies.iter_quantiles(TICKS_PER_HALF) {
        let (value, quantile) = (step.value_iterated_to() as f64 / PER_MS, step.quantile_iterated_to());
        seen += step.count_since_last_iteration();
        match quantile < 1.0 {
            true => writeln!(out, "{value:12.3} {quantile:14.12} {seen:10} {:14.2}", 1.0 / (1.0 - quantile))?,
            false => writeln!(out, "{value:12.3} {quantile:14.12} {seen:10} {:>14}", "Infinity")?,
        }
    }
    writeln!(out, "#[Mean    = {:12.3}, StdDeviation   = {:12.3}]", latencies.mean() / PER_MS, latencies.stdev() / PER_MS)?;
    writeln!(out, "#[Max     = {:12.3}, Total count    = {:12}]", latencies.max() as f64 / PER_MS, latencies.len())?;
    writeln!(out, "#[Buckets = {:12}, SubBuckets     = {:12}]", latencies.buckets(), 2048)?;
    Ok(out)
}

fn interval_log(latencies: &Latencies) -> Result<Vec<u8>> {
    let (mut out, mut serializer) = (Vec::new(), V2DeflateSerializer::new());
    let mut builder = IntervalLogWriterBuilder::new();
    builder.add_comment("microseconds recorded, ms shown");
    builder.with_start_time(SystemTime::now()).with_max_value_divisor(PER_MS);
    let mut log = builder.begin_log_with(&mut out, &mut serializer)?;
    for (start, interval) in &latencies.by_second {
        let written = log.write_histogram(interval, *start, Duration::from_secs(1), None);
        written.map_err(|error| format!("{}: {error:?}", latencies.name))?;
    }
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;
    use hdrhistogram::serialization::Deserializer;
    use hdrhistogram::serialization::interval_log::{IntervalLogIterator, LogEntry};

    /// One value of each number of ms from 1 to 1,000, one a second of the run.
    fn thousand() -> Latencies {
        let mut latencies = Latencies { name: "ack".into(), total: crate::load::tally::latencies(), by_second: Vec::new() };
        for ms in 1..=1000_u64 {
            latencies.total.record(ms * 1000).unwrap();
        }
        latencies.by_second.push((Duration::ZERO, latencies.total.clone()));
        latencies
    }

    #[test]
    fn the_table_of_percentiles_ends_at_the_maximum() {
        let table = percentiles(&thousand().total).unwrap();
        let median = table.lines().find(|line| line.contains(" 0.500000000000 ")).unwrap();
        assert!(median.trim_start().starts_with("500."), "{median}");
        let last = table.lines().rfind(|line| !line.starts_with('#')).unwrap();
        assert!(last.contains(" 1.000000000000 ") && last.contains("1000 ") && last.ends_with("Infinity"), "{last}");
    }

    #[test]
    fn the_log_holds_what_was_recorded() {
        let log = interval_log(&thousand()).unwrap();
        let mut intervals = Vec::new();
        for entry in IntervalLogIterator::new(&log) {
            if let LogEntry::Interval(interval) = entry.unwrap() {
                intervals.push(interval.encoded_histogram().to_owned());
            }
        }
        assert_eq!(intervals.len(), 1);
        use base64_of_the_log::decode;
        let histogram: Histogram<u64> = Deserializer::new().deserialize(&mut decode(&intervals[0]).as_slice()).unwrap();
        assert_eq!((histogram.len(), histogram.value_at_quantile(0.5) / 1000), (1000, 500));
    }

    /// Just enough to read a log back.
    mod base64_of_the_log {
        pub fn decode(text: &str) -> Vec<u8> {
            const ALPHABET: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
            let (mut bytes, mut held, mut bits) = (Vec::new(), 0_u32, 0);
            for letter in text.bytes().filter(|letter| *letter != b'=') {
                held = held << 6 | ALPHABET.iter().position(|known| *known == letter).unwrap() as u32;
                bits += 6;
                if bits >= 8 {
                    bits -= 8;
                    bytes.push((held >> bits) as u8);
                }
            }
            bytes
        }
    }
}
