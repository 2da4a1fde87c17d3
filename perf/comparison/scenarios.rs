//! THE table of scenarios: what `perf/compare` runs, in the flags of `load`. Adding a scenario is a row here.
//!
//! Records are of 1 KiB and random, acks are `all`, one replica, nothing else said. `target` is what Ringmill, durable, aims at.

use super::stock::Client;

/// What a scenario does with a broker that was just started on an empty directory.
#[derive(Clone, Copy)]
pub enum Kind {
    /// The flags of `load`, over those of the command line.
    Load(&'static str),
    /// From the start to the first ack, then memory and CPU at rest.
    Start,
    /// How long a broker with so many partitions takes to stop.
    Stop(usize),
    /// A client that is not ours, with these flags of its load.
    Stock(Client, &'static str),
}

pub struct Scenario {
    pub name: &'static str,
    pub title: &'static str,
    pub kind: Kind,
    pub target: &'static str,
}

const fn load(name: &'static str, title: &'static str, flags: &'static str, target: &'static str) -> Scenario {
    Scenario { name, title, kind: Kind::Load(flags), target }
}

const LEAD: &str = "at least the lead of the same without it";

pub const SCENARIOS: &[Scenario] = &[
    Scenario {
        name: "start",
        title: "start to first ack, then memory and CPU at rest",
        kind: Kind::Start,
        target: "100 ms; 64 MiB; 0.2 %",
    },
    Scenario { name: "stop-11000", title: "stop with 11,000 partitions", kind: Kind::Stop(11_000), target: "2 s" },
    load(
        "large-1",
        "produce, 256 KiB batches, 1 partition, 4 connections",
        "--partitions 1 --producers 4 --batch-bytes 262144 --record-bytes 1024",
        "2.5 times Kafka's better mode; at most 0.5 CPU s/GiB",
    ),
    load(
        "large-16",
        "produce, 256 KiB batches, 16 partitions, 16 connections",
        "--partitions 16 --producers 16 --batch-bytes 262144 --record-bytes 1024",
        "2.5 times Kafka's better mode; at most 0.5 CPU s/GiB",
    ),
    load(
        "medium-100",
        "produce, 16 KiB batches, 100 partitions, 16 connections",
        "--partitions 100 --producers 16 --batch-bytes 16384 --record-bytes 1024",
        "3 times Kafka's page-cache mode; at most 1 CPU s/GiB",
    ),
    load(
        "medium-1000",
        "produce, 16 KiB batches, 1,000 partitions, 8 a request, 16 connections",
        "--partitions 1000 --batches 8 --producers 16 --batch-bytes 16384 --record-bytes 1024",
        "within 20 % of ours at 100 partitions",
    ),
    load(
        "single-64x5",
        "produce, 1 record a request, 16 partitions, 64 connections of 5 in flight",
        "--partitions 16 --producers 64 --in-flight 5 --batch-bytes 0 --record-bytes 1024",
        "200 thousand/s; at most 6 us",
    ),
    load(
        "single-256x1",
        "produce, 1 record a request, 16 partitions, 256 connections of 1 in flight",
        "--partitions 16 --producers 256 --in-flight 1 --batch-bytes 0 --record-bytes 1024",
        "200 thousand/s; at most 6 us",
    ),
    load(
        "consume-1",
        "catch-up consume of 1 GiB, warm, 1 partition, 1 connection",
        "--partitions 1 --producers 0 --consumers 1 --from start --fill-mib 1024 --record-bytes 1024 --topic-config flush.messages=9223372036854775807",
        "Kafka's rate or more; within 1.2 of a bare sendfile loop",
    ),
    load(
        "consume-16",
        "catch-up consume of 1 GiB, warm, 16 partitions, 4 connections on 2 threads",
        "--partitions 16 --producers 0 --consumers 4 --threads 2 --from start --fill-mib 1024 --record-bytes 1024 --topic-config flush.messages=9223372036854775807",
        "Kafka's rate or more; within 1.2 of a bare sendfile loop",
    ),
    load(
        "consume-after-1",
        "the same once, directly after producing it (twice the tail's budget), nothing read before, 1 partition",
        "--partitions 1 --producers 0 --consumers 1 --from start --once --fill-mib 1024 --record-bytes 1024 --warmup-seconds 0 --seconds 120",
        "Kafka's rate or more; within 1.2 of a bare sendfile loop",
    ),
    load(
        "consume-after-16",
        "the same once, directly after producing it, nothing read before, 16 partitions, 4 connections on 2 threads",
        "--partitions 16 --producers 0 --consumers 4 --threads 2 --from start --once --fill-mib 1024 --record-bytes 1024 --warmup-seconds 0 --seconds 120",
        "Kafka's rate or more; within 1.2 of a bare sendfile loop",
    ),
    load(
        "e2e-1000",
        "produce to receipt by a consumer at 1,000/s, 10 partitions, 4 producers, 1 consumer",
        "--partitions 10 --producers 4 --consumers 1 --rate 1000 --batch-bytes 0 --record-bytes 1024",
        "p50 no worse than Kafka's page-cache mode, p99 half of it, p99.9 a quarter",
    ),
    load(
        "e2e-5000",
        "the same at 5,000/s",
        "--partitions 10 --producers 4 --consumers 1 --rate 5000 --batch-bytes 0 --record-bytes 1024",
        "p50 no worse than Kafka's page-cache mode, p99 half of it, p99.9 a quarter",
    ),
    load(
        "acks-10",
        "acks at 2,000/s, 10 partitions, 10 connections",
        "--partitions 10 --shared --producers 10 --rate 2000 --batch-bytes 0 --record-bytes 1024",
        "",
    ),
    load(
        "acks-1000",
        "acks at 2,000/s, 1,000 partitions, 10 connections",
        "--partitions 1000 --shared --producers 10 --rate 2000 --batch-bytes 0 --record-bytes 1024",
        "",
    ),
    load(
        "acks-10000",
        "acks at 2,000/s, 10,000 partitions, 10 connections",
        "--partitions 10000 --shared --producers 10 --rate 2000 --batch-bytes 0 --record-bytes 1024",
        "p99 within twice that at 10 partitions",
    ),
    load(
        "medium-16",
        "produce, 16 KiB batches, 16 partitions, 16 connections: what the next ones are compared with",
        "--partitions 16 --producers 16 --batch-bytes 16384 --record-bytes 1024",
        "",
    ),
    load(
        "keyed",
        "the same, keys of 16 bytes",
        "--partitions 16 --producers 16 --batch-bytes 16384 --record-bytes 1024 --key-bytes 16",
        LEAD,
    ),
    load("idempotent", "the same, idempotent", "--partitions 16 --producers 16 --batch-bytes 16384 --record-bytes 1024 --idempotent", LEAD),
    load("records-100", "the same, records of 100 bytes", "--partitions 16 --producers 16 --batch-bytes 16384 --record-bytes 100", LEAD),
    load(
        "records-16k",
        "the same, records of 16 KiB, batches of 64 KiB",
        "--partitions 16 --producers 16 --batch-bytes 66000 --record-bytes 16384",
        LEAD,
    ),
    load(
        "gzip",
        "the same, batches of 64 KiB in gzip",
        "--partitions 16 --producers 16 --batch-bytes 65536 --record-bytes 1024 --codec gzip",
        LEAD,
    ),
    load("snappy", "the same in snappy", "--partitions 16 --producers 16 --batch-bytes 65536 --record-bytes 1024 --codec snappy", LEAD),
    load("lz4", "the same in lz4", "--partitions 16 --producers 16 --batch-bytes 65536 --record-bytes 1024 --codec lz4", LEAD),
    load("zstd", "the same in zstd", "--partitions 16 --producers 16 --batch-bytes 65536 --record-bytes 1024 --codec zstd", LEAD),
    load(
        "beside",
        "16 KiB batches, 16 partitions, 16 connections, beside a reader of 1 GiB of cold data",
        "--partitions 16 --producers 16 --batch-bytes 16384 --record-bytes 1024 --catch-up 1 --cold-mib 1024",
        LEAD,
    ),
    load(
        "catch-up",
        "acks and receipts at 1,000/s, in windows of 3 s without and with a reader of 2 GiB of cold data",
        "--partitions 4 --producers 4 --consumers 1 --rate 1000 --batch-bytes 0 --record-bytes 1024 --catch-up 1 --cold-mib 2048 --pairs 2 --seconds 3",
        "p99 beside within 1.5 of p99 alone",
    ),
    Scenario {
        name: "java-produce",
        title: "kafka-producer-perf-test, 1 KiB records, 16 partitions, batch.size 65536, linger.ms 5",
        kind: Kind::Stock(Client::JavaProducer, "--partitions 16 --batch-bytes 65536 --record-bytes 1024"),
        target: "",
    },
    Scenario {
        name: "java-consume",
        title: "kafka-consumer-perf-test, 512 MiB from the start of 16 partitions",
        kind: Kind::Stock(Client::JavaConsumer, "--partitions 16 --fill-mib 512 --record-bytes 1024"),
        target: "",
    },
    Scenario {
        name: "librdkafka-produce",
        title: "librdkafka's producer, the same",
        kind: Kind::Stock(Client::RdkafkaProducer, "--partitions 16 --batch-bytes 65536 --record-bytes 1024"),
        target: "",
    },
    Scenario {
        name: "librdkafka-consume",
        title: "librdkafka's consumer, 512 MiB from the start of 16 partitions",
        kind: Kind::Stock(Client::RdkafkaConsumer, "--partitions 16 --fill-mib 512 --record-bytes 1024"),
        target: "",
    },
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::load::arguments::Load;

    #[test]
    fn every_scenario_is_a_load_that_makes_sense() {
        for scenario in SCENARIOS {
            if let Kind::Load(flags) | Kind::Stock(_, flags) = scenario.kind {
                let load = Load::from_flags(flags.split_whitespace().map(str::to_owned)).unwrap();
                load.check().unwrap_or_else(|error| panic!("{}: {error}", scenario.name));
            }
        }
    }

    #[test]
    fn names_are_there_once() {
        let mut names: Vec<_> = SCENARIOS.iter().map(|scenario| scenario.name).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), SCENARIOS.len());
    }
}
