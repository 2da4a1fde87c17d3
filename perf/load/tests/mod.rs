//! The engine against a broker of a few lines: what it sends is right, what it says it saw is what was there.

mod broker;

use super::arguments::{CodecName, From, Load};
use super::producer::outcome;
use crate::presets;
use crate::results::outcome::Outcome;
use broker::{FakeBroker, Stall};
use ringmill::types::{ErrorCode, PartitionIndex};
use ringmill::wire::api::produce::{PartitionProduceResponse, ProduceResponse, TopicProduceResponse};
use ringmill::wire::encode_response_frame;
use std::time::Duration;

fn load(broker: &FakeBroker, flags: &str) -> Load {
    let line = format!("--broker {} --warmup-seconds 0.2 --seconds 1 --grace-seconds 60 {flags}", broker.address);
    Load::from_flags(line.split_whitespace().map(str::to_owned)).unwrap()
}

fn run(broker: &FakeBroker, flags: &str) -> Outcome {
    super::run(&load(broker, flags)).unwrap()
}

fn metric(outcome: &Outcome, name: &str) -> f64 {
    outcome.metrics.0.iter().find(|(known, _)| known == name).unwrap_or_else(|| panic!("no {name}")).1
}

/// Of what was acknowledged.
fn acknowledged(outcome: &Outcome) -> u64 {
    outcome.latencies.iter().find(|latencies| latencies.name == "ack").map_or(0, |latencies| latencies.total.len())
}

#[test]
fn a_stall_of_the_broker_is_in_the_open_loops_percentiles() {
    // Given a broker that stalls once, for a second, and requests that are due every 5 ms.
    let broker = FakeBroker::start(1, Some(Stall { at: 100, time: Duration::from_secs(1) }));
    let outcome = run(&broker, "--partitions 1 --producers 1 --rate 200 --batch-bytes 0 --record-bytes 100 --seconds 2");
    // Then every request due is counted, and those due in the first tenth of the stall, one in twenty of all, took 0.9 s at least.
    assert_eq!(acknowledged(&outcome), 400);
    assert!(metric(&outcome, "p99_ms") >= 899.0, "{:?}", outcome.metrics);
    assert!(metric(&outcome, "p99.9_ms") >= 990.0, "{:?}", outcome.metrics);
    assert_eq!((metric(&outcome, "errors"), metric(&outcome, "unanswered")), (0.0, 0.0));
}

#[test]
fn what_is_due_and_never_answered_counts() {
    // Given a broker that stalls for longer than anybody waits.
    let broker = FakeBroker::start(1, Some(Stall { at: 30, time: Duration::from_secs(3600) }));
    let outcome =
        run(&broker, "--partitions 1 --producers 1 --rate 100 --batch-bytes 0 --record-bytes 100 --warmup-seconds 0 --grace-seconds 5");
    assert_eq!(metric(&outcome, "unanswered"), 70.0);
    assert_eq!(acknowledged(&outcome), 100);
    assert!(metric(&outcome, "p50_ms") >= 5000.0, "{:?}", outcome.metrics);
}

#[test]
fn batches_of_every_codec_are_sound() {
    for codec in ["none", "gzip", "snappy", "lz4", "zstd"] {
        let broker = FakeBroker::start(4, None);
        let flags = format!("--partitions 4 --producers 3 --batches 2 --key-bytes 8 --codec {codec} --rate 40 --warmup-seconds 0");
        let outcome = run(&broker, &flags);
        let kept = broker.kept.lock().unwrap();
        assert_eq!((acknowledged(&outcome), kept.requests), (40, 40), "{codec}");
        for batch in kept.batches.values().flat_map(|batches| batches.iter().skip(1).take(10)) {
            assert_eq!(batch.attributes.codec().unwrap().name(), codec);
            let records: Vec<_> = batch.records().unwrap().map(|record| record.unwrap()).collect();
            assert_eq!((records.len(), records[0].value.as_ref().unwrap().len()), (batch.count as usize, 1000));
            assert_eq!(records[0].key.as_ref().unwrap().len(), 8);
            let smaller = codec == "none" || batch.size() < records.len() * 700;
            assert!(smaller, "{codec} makes {} bytes of {} records", batch.size(), records.len());
        }
        assert!(kept.batches.values().all(|batches| batches.len() > 1), "every partition gets some");
    }
}

#[test]
fn idempotent_producers_number_their_batches() {
    let broker = FakeBroker::start(3, None);
    let outcome = run(&broker, "--partitions 3 --producers 2 --batches 2 --idempotent --rate 100 --warmup-seconds 0");
    assert_eq!((metric(&outcome, "errors"), acknowledged(&outcome)), (0.0, 100));
}

#[test]
fn large_batches_go_out_whole() {
    let broker = FakeBroker::start(2, None);
    let outcome = run(&broker, "--partitions 2 --producers 2 --batch-bytes 262144 --batches 2 --rate 20 --warmup-seconds 0");
    assert_eq!((metric(&outcome, "errors"), metric(&outcome, "unanswered")), (0.0, 0.0));
    assert_eq!((acknowledged(&outcome), broker.kept.lock().unwrap().requests), (20, 20));
}

#[test]
fn a_closed_loop_counts_what_the_broker_got() {
    let broker = FakeBroker::start(2, None);
    let outcome = run(&broker, "--partitions 2 --producers 2 --in-flight 3 --batch-bytes 0 --record-bytes 100 --warmup-seconds 0");
    let kept = broker.kept.lock().unwrap().requests as u64;
    assert!(kept > 0 && acknowledged(&outcome) == kept, "{kept} requests");
}

#[test]
fn nothing_is_waited_for_without_acks() {
    let broker = FakeBroker::start(2, None);
    let outcome = run(&broker, "--partitions 2 --producers 2 --acks 0 --rate 500 --batch-bytes 0 --record-bytes 100 --warmup-seconds 0");
    assert!(metric(&outcome, "requests_per_s") > 0.0 && outcome.latencies.is_empty());
}

#[test]
fn every_record_is_received_by_a_consumer_and_timed_from_when_it_was_due() {
    let broker = FakeBroker::start(4, Some(Stall { at: 100, time: Duration::from_millis(500) }));
    let outcome = run(&broker, "--partitions 4 --producers 1 --consumers 2 --rate 200 --batch-bytes 0 --record-bytes 100");
    let received = outcome.latencies.iter().find(|latencies| latencies.name == "end-to-end").unwrap();
    assert_eq!((received.total.len(), metric(&outcome, "unreceived")), (200, 0.0));
    assert!(metric(&outcome, "e2e_p99_ms") >= 450.0, "{:?}", outcome.metrics);
}

#[test]
fn a_topic_is_read_once_to_its_end() {
    let broker = FakeBroker::start(4, None);
    let flags = "--partitions 4 --producers 0 --consumers 3 --from start --once --fill-mib 1 --seconds 60";
    let outcome = run(&broker, flags);
    let kept = broker.kept.lock().unwrap();
    let bytes: usize = kept.batches.values().flatten().map(|batch| batch.size()).sum();
    let read: f64 = outcome.by_second.iter().map(|second| second.consumed_mib).sum();
    assert_eq!((read * 1024.0 * 1024.0).round() as usize, bytes);
    assert!(bytes >= 1 << 20);
}

#[test]
fn readers_beside_have_windows_of_their_own() {
    let broker = FakeBroker::start(4, None);
    let flags =
        "--partitions 4 --producers 2 --rate 100 --batch-bytes 0 --record-bytes 100 --catch-up 1 --cold-mib 1 --pairs 1 --seconds 0.5";
    let outcome = run(&broker, flags);
    let count = |name: &str| outcome.latencies.iter().find(|latencies| latencies.name == name).map_or(0, |found| found.total.len());
    assert_eq!((count("ack"), count("ack-beside")), (50, 50));
    assert!(metric(&outcome, "catch_up_mib_per_s") > 0.0);
}

#[test]
fn results_are_written() {
    let (broker, directory) = (FakeBroker::start(4, None), tempfile::tempdir().unwrap());
    let outcome = run(&broker, "--partitions 4 --codec lz4 --rate 100");
    outcome.write(directory.path()).unwrap();
    let json: serde_json::Value = serde_json::from_slice(&std::fs::read(directory.path().join("result.json")).unwrap()).unwrap();
    assert_eq!((&json["load"]["codec"], &json["load"]["partitions"]), (&"lz4".into(), &4.into()));
    assert!(json["metrics"]["mib_per_s"].as_f64().unwrap() > 0.0 && json["machine"]["cpus"].as_u64().unwrap() > 0, "{json}");
    for file in ["ack.hgrm", "ack.hlog", "throughput.svg", "throughput.png", "latency.svg", "latency.png"] {
        assert!(directory.path().join(file).metadata().unwrap().len() > 0, "{file}");
    }
}

#[test]
fn presets_are_flags_and_later_ones_win() {
    let line = |words: &str| presets::expand(words.split(' ').map(str::to_owned));
    let parsed = |words: &str| Load::from_flags(line(words).into_iter().skip(1).filter(|word| word != "load")).unwrap();
    let consume = parsed("perf consume --connections 2");
    assert_eq!((consume.producers, consume.consumers, consume.from), (0, 2, From::Start));
    assert_eq!(consume.topic_config[0].0, "flush.messages");
    let latency = parsed("perf latency --rate 500 --connections 3 --codec zstd");
    assert_eq!((latency.rate, latency.producers, latency.codec), (Some(500.0), 3, CodecName::Zstd));
    for (name, ..) in presets::PRESETS {
        parsed(&format!("perf {name}")).check().unwrap();
    }
}

#[test]
fn what_makes_no_sense_is_refused() {
    let broker = FakeBroker::start(1, None);
    for flags in ["--producers 0", "--consumers 1 --codec gzip", "--rate 0", "--idempotent --acks 1", "--once", "--pairs 1", "--batches 0"]
    {
        assert!(load(&broker, flags).check().is_err(), "{flags}");
    }
}

#[test]
fn outcomes_are_read_in_place() {
    let partition = |index, error_code| PartitionProduceResponse {
        index: PartitionIndex(index),
        error_code,
        error_message: Some("why".into()),
        ..Default::default()
    };
    let topic = TopicProduceResponse {
        name: "a-topic".into(),
        partition_responses: vec![partition(0, ErrorCode::None), partition(1, ErrorCode::NotLeaderOrFollower)],
        ..Default::default()
    };
    let response = ProduceResponse { responses: vec![topic], ..Default::default() };
    let frame: Vec<u8> = encode_response_frame(&response, super::batches::VERSION, 77)
        .unwrap()
        .into_iter()
        .flat_map(|part| match part {
            ringmill::wire::Part::Bytes(bytes) => bytes,
            ringmill::wire::Part::File(_) => unreachable!(),
        })
        .collect();
    assert_eq!(outcome(&frame[4..]).unwrap(), (77, 1));
    // Behind the topics stand the throttle time and tags, which nobody asks for.
    for end in 4..frame.len() - 5 {
        assert!(outcome(&frame[4..end]).is_err(), "cut at {end}");
    }
}
