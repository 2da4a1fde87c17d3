//! Log directories that fail or are not there: the others serve, clients are told by Kafka's codes, and the process ends, with the reason,
//! only without the first, which has the cluster's metadata.

use std::collections::BTreeMap;

use kafka_protocol::messages::metadata_response::MetadataResponsePartition;
use kafka_protocol::messages::{DeleteTopicsRequest, DescribeLogDirsRequest, MetadataRequest};

use super::small_disks::OnSmallDisks;
use crate::batch::Batch;
use crate::broker::{Broker, PATIENCE, free_address, run_to_end, serve, unique};
use crate::connection::{Connection, topic};

const LEADER_NOT_AVAILABLE: i16 = 5;
const KAFKA_STORAGE_ERROR: i16 = 56;
const PARTITIONS: i32 = 4;

/// Error code of each log directory, and which partitions of the topic it has.
fn log_dirs(connection: &mut Connection, of: &str) -> BTreeMap<String, (i16, Vec<i32>)> {
    let response = connection.call(4, &DescribeLogDirsRequest::default().with_topics(None));
    let describe = |result: kafka_protocol::messages::describe_log_dirs_response::DescribeLogDirsResult| {
        let topics = result.topics.iter().filter(|found| *found.name.0 == *of);
        let mut partitions: Vec<i32> = topics.flat_map(|topic| &topic.partitions).map(|partition| partition.partition_index).collect();
        partitions.sort_unstable();
        (result.log_dir.to_string(), (result.error_code, partitions))
    };
    response.results.into_iter().map(describe).collect()
}

fn partitions(connection: &mut Connection, of: &str) -> Vec<MetadataResponsePartition> {
    use kafka_protocol::messages::metadata_request::MetadataRequestTopic;
    let asked = MetadataRequestTopic::default().with_name(Some(topic(of)));
    let response = connection.call(9, &MetadataRequest::default().with_topics(Some(vec![asked])));
    let mut partitions = response.topics.into_iter().next().expect("the topic").partitions;
    partitions.sort_by_key(|partition| partition.partition_index);
    partitions
}

/// Waits until these partitions, and no others, have no leader, and looks at what clients are told of all.
fn expect_lost(connection: &mut Connection, of: &str, lost: &[i32]) {
    let began = std::time::Instant::now();
    let leaderless = |found: &[MetadataResponsePartition]| {
        found.iter().filter(|partition| partition.error_code != 0).map(|partition| partition.partition_index).collect::<Vec<_>>()
    };
    let found = loop {
        let found = partitions(connection, of);
        if leaderless(&found) == lost {
            break found;
        }
        assert!(began.elapsed() < PATIENCE, "{:?} have no leader, not {lost:?}", leaderless(&found));
        std::thread::sleep(std::time::Duration::from_millis(10));
    };
    for partition in found {
        let index = partition.partition_index;
        let (error, fetched) = (connection.produce(of, index, Batch::of(&[b"later"]).build()).error_code, connection.fetch(of, index, 0));
        if lost.contains(&index) {
            let told = (partition.error_code, partition.leader_id.0, partition.offline_replicas.len(), partition.isr_nodes.len());
            assert_eq!(told, (LEADER_NOT_AVAILABLE, -1, 1, 0), "partition {index}");
            assert_eq!((error, fetched.error_code), (KAFKA_STORAGE_ERROR, KAFKA_STORAGE_ERROR), "partition {index}");
        } else {
            assert_eq!((error, fetched.error_code, partition.offline_replicas.len()), (0, 0, 0), "partition {index}");
        }
    }
}

/// What every partition must have, in order; there may be more.
fn expect_values(connection: &mut Connection, of: &str, expected: &[String]) {
    for partition in 0..PARTITIONS {
        let values = connection.values(of, partition);
        assert!(values.len() >= expected.len(), "partition {partition} has {} records of {}", values.len(), expected.len());
        assert!(values.iter().zip(expected).all(|(found, expected)| found == expected.as_bytes()), "partition {partition}");
    }
}

fn append_everywhere(connection: &mut Connection, to: &str) -> Vec<String> {
    let values: Vec<String> = (0..20).map(|n| format!("record {n} {}", "x".repeat(n * 97))).collect();
    for partition in 0..PARTITIONS {
        for value in &values {
            assert_eq!(connection.produce(to, partition, Batch::of(&[value.as_bytes()]).build()).error_code, 0);
        }
    }
    values
}

#[test]
fn one_failing_disk_leaves_the_other_serving_and_comes_back_whole() {
    let Some(mut disks) = OnSmallDisks::start(2, 128, &[]) else { return };
    let mut connection = Connection::to(&disks.broker());
    let orders = unique("orders");
    connection.create_partitioned_topic(&orders, PARTITIONS, &[]);
    let values = append_everywhere(&mut connection, &orders);
    let placed = log_dirs(&mut connection, &orders);
    let second = disks.dir(1).display().to_string();
    let lost = placed[&second].1.clone();
    assert_eq!(lost.len(), 2, "partitions are spread over the directories: {placed:?}");

    disks.fail(1);
    // Nobody knows until something is written there.
    let refused = connection.produce(&orders, lost[0], Batch::of(&[b"lost"]).build()).error_code;
    assert_eq!(refused, KAFKA_STORAGE_ERROR);
    expect_lost(&mut connection, &orders, &lost);
    assert_eq!(log_dirs(&mut connection, &orders)[&second].0, KAFKA_STORAGE_ERROR);
    assert!(disks.log().contains("log directory goes offline"), "the log says why");
    connection.create_partitioned_topic(&unique("later"), 4, &[]);

    // It was stopped, not cleanly where the disk had failed; repaired, everything is there.
    assert!(disks.wait(false).success());
    disks.start_again();
    let mut connection = Connection::to(&disks.broker());
    expect_lost(&mut connection, &orders, &[]);
    expect_values(&mut connection, &orders, &values);
}

#[test]
fn a_kill_after_the_disk_failed_loses_nothing() {
    let Some(mut disks) = OnSmallDisks::start(2, 128, &[]) else { return };
    let orders = unique("orders");
    let mut connection = Connection::to(&disks.broker());
    connection.create_partitioned_topic(&orders, PARTITIONS, &[]);
    let values = append_everywhere(&mut connection, &orders);
    disks.fail(1);
    disks.kill();
    disks.start_again();
    expect_values(&mut Connection::to(&disks.broker()), &orders, &values);
}

#[test]
fn without_the_disk_of_the_metadata_the_process_ends_and_says_why() {
    let Some(mut disks) = OnSmallDisks::start(2, 128, &[]) else { return };
    let orders = unique("orders");
    let mut connection = Connection::to(&disks.broker());
    connection.create_partitioned_topic(&orders, PARTITIONS, &[]);
    let values = append_everywhere(&mut connection, &orders);
    let first = disks.dir(0).display().to_string();
    let there = log_dirs(&mut connection, &orders)[&first].1[0];
    let lost = crate::batch::produce_request(&orders, there, -1, Some(Batch::of(&[b"lost"]).build()));
    disks.fail(0);
    // Something of the broker's own may have found out before.
    connection.try_write(&crate::connection::frame(crate::batch::PRODUCE, 1_000, &lost));
    let status = disks.wait(true);
    assert_eq!(status.code(), Some(1), "{status}");
    assert!(disks.log().contains(&format!("the log directory {first}, which has the metadata, has failed")), "{}", disks.log());
    disks.start_again();
    expect_values(&mut Connection::to(&disks.broker()), &orders, &values);
}

/// Produces until it is refused; how many megabytes were taken.
fn fill(connection: &mut Connection, topic: &str) -> usize {
    let megabyte = vec![7; 1_000_000];
    for acknowledged in 0..256 {
        let error = connection.produce(topic, 0, Batch::of(&[&megabyte]).build()).error_code;
        if error != 0 {
            assert_eq!(error, KAFKA_STORAGE_ERROR);
            return acknowledged;
        }
    }
    panic!("256 MB went to a disk of as much");
}

#[test]
fn a_full_disk_keeps_room_for_what_it_took_even_through_a_kill() {
    let Some(mut disks) = OnSmallDisks::start(1, 256, &["ringmill.disk.reserve.bytes=33554432"]) else { return };
    let (filled, other) = (unique("filled"), unique("other"));
    let mut connection = Connection::to(&disks.broker());
    connection.create_topic(&filled, &[]);
    connection.create_topic(&other, &[]);
    connection.append(&other, &Batch::of(&[b"kept"]));
    let acknowledged = fill(&mut connection, &filled);
    assert!(acknowledged > 50, "only {acknowledged} MB of 256 were used");
    disks.kill();
    disks.start_again();
    let mut connection = Connection::to(&disks.broker());
    assert!(connection.values(&filled, 0).len() >= acknowledged, "everything acknowledged is served");
    // A start gives back what segments had ahead of their data.
    fill(&mut connection, &filled);
    let request = DeleteTopicsRequest::default().with_topic_names(vec![topic(&filled)]).with_timeout_ms(crate::broker::PATIENCE_MS);
    assert_eq!(connection.call(5, &request).responses[0].error_code, 0);
    let began = std::time::Instant::now();
    while connection.produce(&other, 0, Batch::of(&[b"again"]).build()).error_code != 0 {
        assert!(began.elapsed() < PATIENCE, "produce does not go on after topics were deleted");
        std::thread::sleep(std::time::Duration::from_millis(50));
    }
    assert_eq!(connection.values(&other, 0), vec!["kept", "again"]);
}

#[test]
fn a_missing_directory_is_gone_without_and_its_partitions_wait_for_it() {
    let home = tempfile::tempdir().expect("a directory");
    let (first, second) = (home.path().join("first"), home.path().join("second"));
    let dirs = format!("log.dirs={},{}", first.display(), second.display());
    let mut broker = Broker::start_with(&[&dirs]);
    let orders = unique("orders");
    let mut connection = Connection::to(&broker);
    connection.create_partitioned_topic(&orders, PARTITIONS, &[]);
    let values = append_everywhere(&mut connection, &orders);
    let lost = log_dirs(&mut connection, &orders)[&second.display().to_string()].1.clone();
    assert!(!lost.is_empty() && lost.len() < PARTITIONS as usize);
    broker.stop();

    // A file where the directory should be: it can neither be read nor made.
    let aside = home.path().join("aside");
    std::fs::rename(&second, &aside).expect("rename");
    std::fs::write(&second, "").expect("write");
    broker.start_again();
    let mut connection = Connection::to(&broker);
    expect_lost(&mut connection, &orders, &lost);
    assert_eq!(log_dirs(&mut connection, &orders)[&second.display().to_string()].0, KAFKA_STORAGE_ERROR);
    let later = unique("later");
    connection.create_topic(&later, &[]);
    connection.append(&later, &Batch::of(&[b"served"]));
    broker.stop();

    std::fs::remove_file(&second).expect("remove");
    std::fs::rename(&aside, &second).expect("rename");
    broker.start_again();
    let mut connection = Connection::to(&broker);
    expect_lost(&mut connection, &orders, &[]);
    expect_values(&mut connection, &orders, &values);
    assert_eq!(connection.values(&later, 0), vec!["served"]);
}

#[test]
fn without_its_first_directory_the_broker_does_not_start() {
    let home = tempfile::tempdir().expect("a directory");
    let (first, second) = (home.path().join("first"), home.path().join("second"));
    std::fs::write(&first, "").expect("write");
    let dirs = format!("{},{}", first.display(), second.display());
    let (status, stderr) = run_to_end(serve(free_address(), free_address(), std::path::Path::new(&dirs), &[]));
    assert_eq!(status.code(), Some(1), "{stderr}");
    assert!(stderr.contains(&first.display().to_string()), "{stderr}");
}
