//! What goes and what stays: retention by size and by age, DeleteRecords, a reader of a file that is deleted under it, all through `kill -9`.

use std::time::{Duration, Instant};

use kafka_protocol::messages::delete_records_request::{DeleteRecordsPartition, DeleteRecordsTopic};
use kafka_protocol::messages::incremental_alter_configs_request::{AlterConfigsResource, AlterableConfig};
use kafka_protocol::messages::{DeleteRecordsRequest, DescribeLogDirsRequest, FetchRequest, IncrementalAlterConfigsRequest};

use crate::batch::{Batch, FETCH, fetch_request};
use crate::broker::{Broker, PATIENCE, unique};
use crate::connection::{Connection, text, topic};

const EARLIEST: i64 = -2;
const LATEST: i64 = -1;
const OFFSET_OUT_OF_RANGE: i16 = 1;
const POLICY_VIOLATION: i16 = 44;

/// The smallest segment there is: about 116 of the records below.
const SEGMENT: (&str, &str) = ("segment.bytes", "1048576");
const SETTINGS: [&str; 2] = ["log.retention.check.interval.ms=200", "log.segment.delete.delay.ms=0"];

fn value(i: i64) -> Vec<u8> {
    format!("{i} {}", "y".repeat(9_000)).into_bytes()
}

fn append_values(connection: &mut Connection, to: &str, offsets: std::ops::Range<i64>) {
    for i in offsets {
        assert_eq!(connection.append(to, &Batch::of(&[&value(i)])), i);
    }
}

fn wait_until(what: &str, mut is: impl FnMut() -> bool) {
    let began = Instant::now();
    while !is() {
        assert!(began.elapsed() < PATIENCE, "{what}: still not");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// Error code and low watermark.
fn delete_records(connection: &mut Connection, of: &str, offset: i64) -> (i16, i64) {
    let partition = DeleteRecordsPartition::default().with_partition_index(0).with_offset(offset);
    let topic = DeleteRecordsTopic::default().with_name(topic(of)).with_partitions(vec![partition]);
    let request = DeleteRecordsRequest::default().with_topics(vec![topic]).with_timeout_ms(crate::broker::PATIENCE_MS);
    let answer = &connection.call(2, &request).topics[0].partitions[0];
    (answer.error_code, answer.low_watermark)
}

fn set_config(connection: &mut Connection, of: &str, key: &str, value: &str) {
    let config = AlterableConfig::default().with_name(text(key)).with_config_operation(0).with_value(Some(text(value)));
    let resource = AlterConfigsResource::default().with_resource_type(2).with_resource_name(text(of)).with_configs(vec![config]);
    let answer = connection.call(1, &IncrementalAlterConfigsRequest::default().with_resources(vec![resource]));
    assert_eq!(answer.responses[0].error_code, 0);
}

fn size_in_log_dirs(connection: &mut Connection, of: &str) -> i64 {
    let answer = connection.call(4, &DescribeLogDirsRequest::default().with_topics(None));
    let topics = &answer.results[0].topics;
    topics.iter().find(|found| found.name == topic(of)).expect("the topic").partitions[0].partition_size
}

fn files(broker: &Broker, of: &str) -> Vec<(String, u64)> {
    let entries = std::fs::read_dir(broker.data_dir().join(format!("{of}-0"))).expect("the partition's directory");
    let mut found: Vec<_> = entries
        .map(|entry| entry.expect("an entry"))
        .filter_map(|entry| Some((entry.file_name().into_string().expect("a name"), entry.metadata().ok()?.len())))
        .collect();
    found.sort();
    found
}

/// Every record from the log start on is the one that was written.
fn check_from_start(connection: &mut Connection, of: &str, end: i64) {
    let mut at = connection.list_offset(of, 0, EARLIEST).1;
    assert_eq!(connection.list_offset(of, 0, LATEST), (0, end));
    while at < end {
        let fetched = connection.fetch(of, 0, at);
        assert_eq!(fetched.error_code, 0, "at {at}");
        let records = fetched.records.expect("records below the end");
        let needle = value(at);
        assert!(records.windows(needle.len()).take(200).any(|window| window == needle), "the first record is the one at {at}");
        at += 1 + (end - at) / 7;
    }
}

#[test]
fn retention_by_size_deletes_segments_and_what_it_leaves_survives_kills() {
    let mut broker = Broker::start_with(&SETTINGS);
    let name = unique("by-size");
    let mut connection = Connection::to(&broker);
    connection.create_topic(&name, &[SEGMENT, ("retention.bytes", "2097152")]);
    let mut end = 0;
    for _ in 0..3 {
        append_values(&mut connection, &name, end..end + 400);
        end += 400;
        // The limit and a segment that is not wholly above it: 3 MiB of records of 9 KB.
        let least = end - 350;
        wait_until("old segments go", || connection.list_offset(&name, 0, EARLIEST).1 >= least);
        let start = connection.list_offset(&name, 0, EARLIEST).1;
        assert!(end - start >= 2_097_152 / 9_100, "at least the limit stays: {start} to {end}");
        let below = connection.fetch(&name, 0, start - 1);
        assert_eq!((below.error_code, below.high_watermark, below.log_start_offset), (OFFSET_OUT_OF_RANGE, -1, -1), "as Kafka has it");
        broker.kill();
        broker.start_again();
        connection = Connection::to(&broker);
        assert!(connection.list_offset(&name, 0, EARLIEST).1 >= start, "nothing comes back");
        check_from_start(&mut connection, &name, end);
    }
    wait_until("files go", || {
        files(&broker, &name).iter().filter(|(file, _)| file.contains(".log")).map(|(_, len)| len).sum::<u64>() < 5 << 20
    });
    assert!(size_in_log_dirs(&mut connection, &name) < 4 << 20);
}

#[test]
fn when_all_is_expired_all_goes_and_offsets_go_on_after_a_kill() {
    let mut broker = Broker::start_with(&SETTINGS);
    let name = unique("by-age");
    let mut connection = Connection::to(&broker);
    connection.create_topic(&name, &[("retention.ms", "-1")]);
    let hour_ago = |i: i64| {
        let mut batch = Batch::of(&[&value(i)]);
        batch.base_timestamp -= 3_600_000;
        batch.max_timestamp -= 3_600_000;
        batch
    };
    for i in 0..50 {
        connection.append(&name, &hour_ago(i));
    }
    std::thread::sleep(Duration::from_millis(500));
    assert_eq!(connection.list_offset(&name, 0, EARLIEST), (0, 0), "no limit yet");
    set_config(&mut connection, &name, "retention.ms", "1800000");
    wait_until("everything goes", || connection.list_offset(&name, 0, EARLIEST).1 == 50);
    wait_until("its size is counted", || size_in_log_dirs(&mut connection, &name) == 0);
    append_values(&mut connection, &name, 50..60);
    broker.kill();
    broker.start_again();
    let mut connection = Connection::to(&broker);
    assert_eq!(connection.list_offset(&name, 0, EARLIEST), (0, 50));
    check_from_start(&mut connection, &name, 60);
    std::thread::sleep(Duration::from_millis(500));
    assert_eq!(connection.list_offset(&name, 0, EARLIEST), (0, 50), "what is fresh stays");
}

#[test]
fn deleted_records_stay_deleted_after_a_kill() {
    let mut broker = Broker::start_with(&SETTINGS);
    let (name, compacted) = (unique("deleted"), unique("compacted"));
    let mut connection = Connection::to(&broker);
    connection.create_topic(&name, &[SEGMENT]);
    connection.create_topic(&compacted, &[("cleanup.policy", "compact")]);
    connection.append(&compacted, &Batch::keyed(&[(Some(b"k"), b"v")]));
    assert_eq!(delete_records(&mut connection, &compacted, 1), (POLICY_VIOLATION, -1));
    append_values(&mut connection, &name, 0..300);
    assert_eq!(delete_records(&mut connection, &name, 301), (OFFSET_OUT_OF_RANGE, -1));
    assert_eq!(delete_records(&mut connection, &name, 250), (0, 250));
    broker.kill();
    broker.start_again();
    let mut connection = Connection::to(&broker);
    assert_eq!(connection.list_offset(&name, 0, EARLIEST), (0, 250));
    check_from_start(&mut connection, &name, 300);
    wait_until("segments below go", || files(&broker, &name).iter().filter(|(file, _)| file.ends_with(".log")).count() == 1);
    assert_eq!(delete_records(&mut connection, &name, -1), (0, 300));
    broker.kill();
    broker.start_again();
    let mut connection = Connection::to(&broker);
    assert_eq!((connection.list_offset(&name, 0, EARLIEST), connection.list_offset(&name, 0, LATEST)), ((0, 300), (0, 300)));
    append_values(&mut connection, &name, 300..310);
    check_from_start(&mut connection, &name, 310);
}

/// 32 MiB in one answer: more than sockets hold, so the broker is in the middle of its sendfile when the file goes.
#[test]
fn a_slow_reader_gets_all_of_a_file_that_is_deleted_under_it() {
    let broker = Broker::start_with(&[&SETTINGS[..], &["ringmill.memory.bytes=16777216"]].concat());
    let name = unique("slow");
    let mut connection = Connection::to(&broker);
    connection.create_topic(&name, &[("segment.bytes", "33554432"), ("max.message.bytes", "2097152")]);
    let large = vec![b'z'; 1 << 20];
    for i in 0..50 {
        assert_eq!(connection.append(&name, &Batch::of(&[&large])), i);
    }
    let mut reader = Connection::to(&broker);
    let asked = reader.send(FETCH, &fetch_request(&name, 0, 0, 30 << 20));
    // The answer is on its way once its first bytes have come; the rest of it waits for us.
    let size = reader.receive_size();
    assert!(size > 29 << 20, "{size} bytes");
    assert_eq!(delete_records(&mut connection, &name, -1), (0, 50));
    wait_until("the file goes", || files(&broker, &name).iter().all(|(file, len)| !file.contains(".log") || *len < 30 << 20));
    let answer = reader.receive_rest::<FetchRequest>(size, FETCH, asked);
    let mut records = answer.responses[0].partitions[0].records.clone().expect("records");
    let batches = kafka_protocol::records::RecordBatchDecoder::decode_all(&mut records).expect("batches whose CRCs are right");
    assert!(batches.len() >= 28, "{} batches", batches.len());
    for (offset, batch) in (0..).zip(&batches) {
        assert_eq!(batch.records[0].offset, offset);
        assert!(batch.records[0].value.as_ref().is_some_and(|value| *value == large));
    }
    assert_eq!(connection.fetch(&name, 0, 0).error_code, OFFSET_OUT_OF_RANGE);
}
