//! Compaction in the real process: killed again and again while it writes, it loses no key, and the log gets small in the end.

use std::collections::BTreeMap;
use std::time::Instant;

use kafka_protocol::records::RecordBatchDecoder;

use crate::batch::Batch;
use crate::broker::{Broker, PATIENCE, unique};
use crate::connection::Connection;

const KEYS: i64 = 40;

/// Every record's offset, key and number, in their order. Gaps are passed over.
fn read(connection: &mut Connection, topic: &str) -> Vec<(i64, String, i64)> {
    let (_, end) = connection.list_offset(topic, 0, -1);
    let (mut found, mut at) = (Vec::new(), 0);
    while at < end {
        let answer = connection.fetch(topic, 0, at);
        assert_eq!(answer.error_code, 0);
        let mut records = answer.records.unwrap_or_default();
        if records.is_empty() {
            break;
        }
        for set in RecordBatchDecoder::decode_all(&mut records).expect("records") {
            for record in set.records.into_iter().filter(|record| record.offset >= at).collect::<Vec<_>>() {
                let (key, value) = (record.key.expect("a key"), record.value.expect("a value"));
                let number = String::from_utf8_lossy(&value[..12]).trim().parse().expect("a number");
                found.push((record.offset, String::from_utf8_lossy(&key).into_owned(), number));
                at = record.offset + 1;
            }
        }
    }
    found
}

/// Of every key the last record must be there: number and offset are the same.
fn check(found: &[(i64, String, i64)], written: i64) {
    assert!(found.windows(2).all(|pair| pair[0].0 < pair[1].0), "offsets ascend");
    let mut last: BTreeMap<&str, i64> = BTreeMap::new();
    for (offset, key, number) in found {
        assert_eq!((*offset, key.as_str()), (*number, &*format!("key-{}", number % KEYS)), "a record is where it was written");
        last.insert(key, *number);
    }
    for number in written - KEYS..written {
        assert_eq!(last.get(&*format!("key-{}", number % KEYS)), Some(&number), "the last record of a key");
    }
}

/// Whether some `ringmill-cleaner*` of the running broker has an entry behind the version and the count.
fn notes_progress(broker: &Broker) -> bool {
    let entries = std::fs::read_dir(broker.data_dir()).expect("the data directory").map(|entry| entry.expect("an entry"));
    let mut notes = entries.filter(|entry| entry.file_name().to_string_lossy().starts_with("ringmill-cleaner"));
    notes.any(|note| std::fs::read_to_string(note.path()).is_ok_and(|text| text.lines().count() > 2))
}

#[test]
fn no_key_is_lost_when_it_is_killed_while_it_compacts() {
    // Slow enough that kills fall into passes.
    let mut broker = Broker::start_with(&["log.cleaner.backoff.ms=10", "log.cleaner.io.max.bytes.per.second=30000000"]);
    let topic = unique("compacted");
    let configs =
        [("cleanup.policy", "compact"), ("segment.bytes", "1048576"), ("min.cleanable.dirty.ratio", "0.01"), ("file.delete.delay.ms", "0")];
    Connection::to(&broker).create_topic(&topic, &configs);
    let mut written = 0;
    for life in 0..6u64 {
        let mut connection = Connection::to(&broker);
        for _ in 0..150 {
            let value = format!("{written:<12}{}", "v".repeat(15_000));
            let key = format!("key-{}", written % KEYS);
            assert_eq!(connection.append(&topic, &Batch::keyed(&[(Some(key.as_bytes()), value.as_bytes())])), written);
            written += 1;
        }
        std::thread::sleep(std::time::Duration::from_millis(life * 37));
        broker.kill();
        broker.start_again();
        check(&read(&mut Connection::to(&broker), &topic), written);
    }
    let mut connection = Connection::to(&broker);
    let began = Instant::now();
    // What stays is the last of each key, and the active segment.
    loop {
        let found = read(&mut connection, &topic);
        check(&found, written);
        if found.len() as i64 <= 3 * KEYS + 70 {
            break;
        }
        assert!(began.elapsed() < PATIENCE, "{} records are left of {written}", found.len());
        std::thread::sleep(std::time::Duration::from_millis(50));
    }
    // The log is small before the pass that made it so is over, and a stop ends a pass.
    while !notes_progress(&broker) {
        assert!(began.elapsed() < PATIENCE, "no pass has noted how far it came");
        std::thread::sleep(std::time::Duration::from_millis(50));
    }
    let (status, _) = broker.stop();
    assert!(status.success(), "{status:?}");
    let checkpoint = std::fs::read_to_string(broker.data_dir().join("cleaner-offset-checkpoint")).expect("Kafka's checkpoint");
    assert!(checkpoint.contains(&format!("{topic} 0 ")), "{checkpoint}");
}
