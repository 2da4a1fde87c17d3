//! `ringmill storage` on a stopped broker's directories, and what a broker does with a directory in which something is wrong.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use crate::batch::{Batch, PRODUCE, produce_request};
use crate::broker::{Broker, unique};
use crate::connection::Connection;

const KAFKA_STORAGE_ERROR: i16 = 56;

fn storage(arguments: &[&str]) -> Output {
    let binary = std::env::var("RINGMILL_BIN").unwrap_or_else(|_| env!("CARGO_BIN_EXE_ringmill").to_string());
    Command::new(binary).arg("storage").args(arguments).output().expect("ringmill storage")
}

fn on(command: &str, dir: &Path) -> (bool, String) {
    let output = storage(&[command, dir.to_str().expect("a path of text")]);
    let text = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    (output.status.success(), text)
}

/// Three segments and a little more in partition 0, a few records in partition 1.
fn filled(broker: &Broker) -> String {
    let topic = unique("stored");
    let mut connection = Connection::to(broker);
    connection.create_partitioned_topic(&topic, 2, &[("segment.bytes", "1048576"), ("index.interval.bytes", "2000")]);
    for n in 0..70 {
        connection.append(&topic, &Batch::of(&[format!("value {n} {}", "x".repeat(60_000)).as_bytes()]));
    }
    for n in 0..3 {
        let answer = connection.produce(&topic, 1, Batch::of(&[format!("other {n}").as_bytes()]).build());
        assert_eq!(answer.error_code, 0);
    }
    topic
}

fn partition(broker: &Broker, topic: &str, number: i32) -> PathBuf {
    broker.data_dir().join(format!("{topic}-{number}"))
}

/// The files of a partition with this ending, by offset.
fn files(dir: &Path, ending: &str) -> Vec<PathBuf> {
    let entries = fs::read_dir(dir).expect("the partition's directory");
    let mut found: Vec<PathBuf> =
        entries.map(|entry| entry.expect("an entry").path()).filter(|path| path.to_string_lossy().ends_with(ending)).collect();
    found.sort();
    found
}

fn flip(path: &Path, position: usize) {
    let mut bytes = fs::read(path).expect("a file");
    bytes[position] ^= 0x10;
    fs::write(path, bytes).expect("write");
}

#[test]
fn a_running_brokers_directory_is_refused_and_a_stopped_ones_is_whole() {
    let mut broker = Broker::start();
    for command in ["info", "check"] {
        let (success, text) = on(command, &broker.data_dir());
        assert!(!success && text.contains("a running broker holds this log directory"), "{text}");
    }
    // Killed at once: a tail that is idle for a while goes to its segment.
    let topic = filled(&broker);
    broker.kill();
    let (success, text) = on("check", &broker.data_dir());
    assert!(success && text.contains("nothing is wrong"), "after a kill: {text}");
    assert!(text.contains(&format!("{topic}-1: offsets 0 to 2 are in the journal only")), "{text}");
    let journal = broker.data_dir().join("ringmill-journal-0");
    let dumped = storage(&["dump", "--print-records", journal.to_str().expect("text")]);
    let dumped = String::from_utf8_lossy(&dumped.stdout).into_owned();
    let of_it = format!("{topic}-1 (");
    assert!(dumped.contains("frame: ") && (dumped.contains("data from: ") || dumped.contains(&of_it)));
    let data = broker.data_dir();
    let data = data.to_str().expect("text");
    let dumped = storage(&["dump", "--topic", &topic, "--partition", "1", "--offset", "1", "--print-records", data]);
    let text = String::from_utf8_lossy(&dumped.stdout).into_owned();
    assert!(dumped.status.success() && text.matches("only in the journal of shard ").count() == 2, "{text}");
    assert!(text.contains("payload: other 1") && text.contains("payload: other 2") && !text.contains("payload: other 0"), "{text}");
    let dumped = storage(&["dump", "--topic", &topic, "--partition", "7", data]);
    let text = String::from_utf8_lossy(&dumped.stderr).into_owned();
    assert!(!dumped.status.success() && text.contains(&format!("no partition {topic}-7 in {data}")), "{text}");
    broker.start_again();
    broker.stop();
    let dumped = storage(&["dump", "--topic", &topic, "--set", &format!("log.dirs={data}")]);
    let text = String::from_utf8_lossy(&dumped.stdout).into_owned();
    assert!(dumped.status.success() && text.matches("baseOffset: ").count() == 73 && !text.contains("journal"), "{text}");
    let (success, text) = on("check", &broker.data_dir());
    assert!(success && text.contains("read 2 partitions") && text.contains("73 batches"), "after a stop: {text}");
    assert!(!text.contains("journal only"), "{text}");
    let (success, text) = on("info", &broker.data_dir());
    assert!(success && text.contains("last stop clean") && text.contains(&format!("{topic}-0")), "{text}");
    let dump = storage(&["dump", "--print-records", "--from", "69", partition(&broker, &topic, 0).to_str().expect("text")]);
    let text = String::from_utf8_lossy(&dump.stdout).into_owned();
    assert!(text.contains("baseOffset: 69 lastOffset: 69 count: 1") && text.contains("payload: value 69 xxx"), "{text}");
    assert!(!text.contains("payload: value 68"), "{text}");
}

#[test]
fn damage_is_named_with_file_and_position_by_check_and_by_the_broker() {
    let mut broker = Broker::start();
    let topic = filled(&broker);
    broker.stop();
    let dir = partition(&broker, &topic, 0);
    let logs = files(&dir, ".log");
    assert!(logs.len() > 2, "{logs:?}");
    // In the first segment: within a record, which only its CRC tells.
    flip(&logs[0], 300);
    let (success, text) = on("check", &broker.data_dir());
    let expected = format!("damaged: {}: at position 0 (offset 0): record batch with CRC", logs[0].display());
    assert!(!success && text.contains(&expected), "{text}");
    let dump = storage(&["dump", logs[0].to_str().expect("text")]);
    assert!(!dump.status.success() && String::from_utf8_lossy(&dump.stdout).contains("isvalid: false"));
    flip(&logs[0], 300);
    assert!(on("check", &broker.data_dir()).0);

    // The end of the last segment is gone.
    let last = logs.last().expect("segments");
    let whole = fs::read(last).expect("a segment");
    fs::write(last, &whole[..whole.len() - 100]).expect("write");
    let (success, text) = on("check", &broker.data_dir());
    assert!(!success && text.contains(&format!("damaged: {}: at position", last.display())), "{text}");
    broker.start_again();
    let mut connection = Connection::to(&broker);
    let produced = connection.call(PRODUCE, &produce_request(&topic, 0, -1, Some(Batch::of(&[b"more"]).build())));
    assert_eq!(produced.responses[0].partition_responses[0].error_code, KAFKA_STORAGE_ERROR);
    assert_eq!(connection.fetch(&topic, 0, 0).error_code, KAFKA_STORAGE_ERROR);
    assert_eq!(connection.list_offset(&topic, 0, -1).0, KAFKA_STORAGE_ERROR);
    assert_eq!(connection.values(&topic, 1).len(), 3, "the other partition is served");
    let named = broker
        .log()
        .lines()
        .any(|line| line.contains("stays offline") && line.contains(&last.display().to_string()) && line.contains("at position"));
    assert!(named, "the log names file and position");
    broker.stop();
    assert_eq!(fs::read(last).expect("a segment").len(), whole.len() - 100, "nothing is cut");
    fs::write(last, &whole).expect("write");
    broker.start_again();
    assert_eq!(Connection::to(&broker).values(&topic, 0).len(), 70, "with the file whole again all is served");
}

#[test]
fn indexes_and_checkpoints_that_are_gone_or_garbage_are_made_anew() {
    let mut broker = Broker::start();
    let topic = filled(&broker);
    broker.stop();
    let dir = partition(&broker, &topic, 0);
    for (number, path) in files(&dir, "index").into_iter().enumerate() {
        match number % 4 {
            0 => fs::remove_file(&path).expect("remove"),
            1 => fs::write(&path, [0x55; 40]).expect("write"),
            2 => fs::write(&path, &fs::read(&path).expect("read")[..8]).expect("write"),
            _ => {}
        }
    }
    for path in files(&dir, ".snapshot") {
        fs::remove_file(path).expect("remove");
    }
    fs::write(dir.join("leader-epoch-checkpoint"), "garbage").expect("write");
    fs::write(dir.join("notes.txt"), "somebody's").expect("write");
    let (success, text) = on("check", &broker.data_dir());
    assert!(!success && text.contains("[the broker rebuilds this]") && !text.contains("damaged:"), "{text}");
    assert!(text.contains("left alone: notes.txt"), "{text}");
    broker.start_again();
    let mut connection = Connection::to(&broker);
    let values = connection.values(&topic, 0);
    assert_eq!(values.len(), 70);
    for at in [0, 1, 19, 40, 69] {
        assert_eq!(connection.fetch(&topic, 0, at).error_code, 0);
    }
    let (error, last) = connection.list_offset(&topic, 0, -3);
    assert_eq!(error, 0, "the largest timestamp");
    assert!(last >= 0);
    assert_eq!(broker.log().lines().filter(|line| line.contains("notes.txt")).count(), 1, "one line for a foreign file");
    broker.stop();
    let (success, text) = on("check", &broker.data_dir());
    assert!(success, "after the rebuild: {text}");
}
