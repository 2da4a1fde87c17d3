//! Clients that are not ours as load, so that nobody can say that the client was: Kafka's own `kafka-producer-perf-test` and
//! `kafka-consumer-perf-test`, and librdkafka by `cargo build --release --example librdkafka-load`. What they print goes into the same metrics,
//! beside what the broker used meanwhile.

use crate::Result;
use crate::load::arguments::Load;
use crate::load::prepare;
use crate::process::Usage;
use crate::results::outcome::Metrics;
use std::env;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::Instant;

const GIB: f64 = (1_u64 << 30) as f64;
/// Where librdkafka's program is, if it is not beside this one.
const LIBRDKAFKA_LOAD: &str = "LIBRDKAFKA_LOAD";
/// What these clients send each second, about: so long a run takes so many records.
const MIB_PER_S: f64 = 100.0;
/// The part of a filled topic that kafka-consumer-perf-test is told to read: batches have headers, and it waits for what is not there.
const PART_READ: f64 = 0.9;

#[derive(Clone, Copy, PartialEq, Eq, Debug, clap::ValueEnum)]
pub enum Client {
    JavaProducer,
    JavaConsumer,
    RdkafkaProducer,
    RdkafkaConsumer,
}

impl Client {
    fn consumes(self) -> bool {
        matches!(self, Client::JavaConsumer | Client::RdkafkaConsumer)
    }
}

/// Runs a client with what it can be told of a load.
pub fn run(client: Client, load: &Load) -> Result<Metrics> {
    prepare(load)?;
    let records = (load.seconds * MIB_PER_S * 1024.0 * 1024.0 / load.record_bytes as f64).ceil() as u64;
    let mut command = match client {
        Client::JavaProducer => java_producer(load, records),
        Client::JavaConsumer => java_consumer(load),
        Client::RdkafkaProducer => librdkafka("produce", load, records)?,
        Client::RdkafkaConsumer => librdkafka("consume", load, 0)?,
    };
    let (before, start) = (Usage::of_any(load.target.pid)?, Instant::now());
    let output = command.stdin(Stdio::null()).stderr(Stdio::inherit()).output()?;
    if !output.status.success() {
        return Err(format!("{command:?}: {}", output.status).into());
    }
    let (used, seconds) = (Usage::of_any(load.target.pid)?.since(&before), start.elapsed().as_secs_f64());
    let text = String::from_utf8_lossy(&output.stdout);
    let mut metrics = match client {
        Client::JavaProducer => perf_test(&text).ok_or_else(|| format!("not what kafka-producer-perf-test prints: {text}"))?,
        Client::JavaConsumer => consumer_test(&text).ok_or_else(|| format!("not what kafka-consumer-perf-test prints: {text}"))?,
        _ => lines(&text),
    };
    let value = |name: &str| metrics.0.iter().find(|(known, _)| known == name).map_or(0.0, |(_, value)| *value);
    let bytes = if client.consumes() { value("bytes") } else { records as f64 * load.record_bytes as f64 };
    metrics.0.retain(|(name, _)| name != "bytes");
    if load.target.pid.is_some() && bytes > 0.0 {
        metrics.add("cpu_cores", used.cpu_seconds() / seconds);
        metrics.add("cpu_s_per_gib", used.cpu_seconds() / (bytes / GIB));
        if !client.consumes() {
            metrics.add("written_per_byte", used.written_bytes / bytes);
        }
        metrics.add("rss_max_mib", used.rss_max_mib);
    }
    Ok(metrics)
}

/// One of Kafka's tools with the flags that follow, and the topic.
fn java(tool: &str, load: &Load) -> Command {
    let line = ". tests/kafka/kafka.sh && kafka_fetch >&2 && JAVA_HEAP='-Xmx512m' JAVA_TIER='-XX:+TieredCompilation' kafka_tool \"$@\"";
    let mut command = Command::new("bash");
    command.args(["-c", line, "bash", tool, "--topic", &load.topic]);
    command
}

/// Reads a filled topic from its start, as the one member of a group.
fn java_consumer(load: &Load) -> Command {
    let records = (load.fill_mib << 20) as f64 * PART_READ / load.record_bytes as f64;
    let mut command = java("kafka-consumer-perf-test", load);
    command.args(["--bootstrap-server", &load.target.broker, "--num-records", &(records as u64).to_string(), "--hide-header"]);
    command
}

fn java_producer(load: &Load, records: u64) -> Command {
    let mut command = java("kafka-producer-perf-test", load);
    command.args(["--throughput", "-1"]);
    command.args(["--num-records", &records.to_string(), "--record-size", &load.record_bytes.to_string(), "--producer-props"]);
    command.args([format!("bootstrap.servers={}", load.target.broker), format!("acks={}", acks(load))]);
    command.args([format!("batch.size={}", load.batch_bytes), "linger.ms=5".into(), "buffer.memory=67108864".into()]);
    command.arg(format!("enable.idempotence={}", load.idempotent));
    command.arg(format!("compression.type={}", load.codec.codec().name()));
    command
}

fn librdkafka(what: &str, load: &Load, records: u64) -> Result<Command> {
    let beside = || Ok::<PathBuf, crate::Error>(env::current_exe()?.with_file_name("examples").join("librdkafka-load"));
    let program = env::var_os(LIBRDKAFKA_LOAD).map_or_else(beside, |path| Ok(path.into()))?;
    if !program.exists() {
        return Err(format!("no {}: build it, or name it in {LIBRDKAFKA_LOAD}", program.display()).into());
    }
    let mut command = Command::new(program);
    command.args([what, &load.target.broker, &load.topic, &load.partitions.to_string()]);
    command.args([&records.to_string(), &load.record_bytes.to_string(), &load.batch_bytes.to_string()]);
    command.args([acks(load), load.codec.codec().name().into()]);
    Ok(command)
}

fn acks(load: &Load) -> String {
    if load.acks < 0 { "all".into() } else { load.acks.to_string() }
}

/// The last line of kafka-producer-perf-test.
fn perf_test(text: &str) -> Option<Metrics> {
    let line = text.lines().rfind(|line| line.contains("99.9th"))?;
    let before = |label: &str| {
        let text = line.split(label).next()?;
        text.rsplit([' ', '(']).find(|word| !word.is_empty())?.parse::<f64>().ok()
    };
    let mut metrics = Metrics::default();
    // Its MB are of 1024 x 1024 bytes.
    for (name, label) in [
        ("mib_per_s", " MB/sec"),
        ("records_per_s", " records/sec"),
        ("p50_ms", " ms 50th"),
        ("p99_ms", " ms 99th"),
        ("p99.9_ms", " ms 99.9th"),
        ("max_ms", " ms max latency"),
    ] {
        metrics.add(name, before(label)?);
    }
    Some(metrics)
}

/// The line of kafka-consumer-perf-test: start, end, MB, MB a second, records, records a second, and times with and without joining.
fn consumer_test(text: &str) -> Option<Metrics> {
    let line = text.lines().rfind(|line| line.split(", ").count() == 10)?;
    let fields: Vec<&str> = line.split(", ").collect();
    let mut metrics = Metrics::default();
    let read = fields[2].parse::<f64>().ok()?;
    metrics.add("bytes", read * 1024.0 * 1024.0);
    // Without the time that it takes to join its group.
    metrics.add("mib_per_s", fields[8].parse().ok()?);
    metrics.add("records_per_s", fields[9].trim().parse().ok()?);
    Some(metrics)
}

/// Lines of a name, a tab and a number.
fn lines(text: &str) -> Metrics {
    let pair = |line: &str| {
        let (name, value) = line.split_once('\t')?;
        Some((name.to_owned(), value.trim().parse().ok()?))
    };
    Metrics(text.lines().filter_map(pair).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_perf_tests_last_line_is_read() {
        let text = "1000 records sent, 10.0 records/sec (0.01 MB/sec), 1.0 ms avg latency, 2.0 ms max latency.\n\
                    500000 records sent, 98765.4 records/sec (96.45 MB/sec), 12.30 ms avg latency, 310.00 ms max latency, \
                    4 ms 50th, 40 ms 95th, 70 ms 99th, 290 ms 99.9th.\n";
        let metrics = perf_test(text).unwrap().0;
        let values: Vec<f64> = metrics.iter().map(|(_, value)| *value).collect();
        assert_eq!(values, [96.45, 98765.4, 4.0, 70.0, 290.0, 310.0]);
        assert!(perf_test("nothing").is_none());
    }

    #[test]
    fn the_consumers_perf_tests_line_is_read() {
        let text =
            "2026-11-23 03:27:22:335, 2026-11-23 03:27:26:338, 460.8000, 115.1137, 471859, 117876.3427, 3512, 491, 938.4929, 961016.2933\n";
        let metrics = consumer_test(text).unwrap().0;
        assert_eq!(metrics.iter().map(|(_, value)| *value).collect::<Vec<f64>>(), [460.8 * 1024.0 * 1024.0, 938.4929, 961016.2933]);
        assert!(consumer_test("a, b").is_none());
    }

    #[test]
    fn metrics_are_lines() {
        assert_eq!(lines("mib_per_s\t3.5\nnoise\np50_ms\tx\n").0, [("mib_per_s".to_owned(), 3.5)]);
    }
}
