//! Start, answers of the admin listener, and a clean stop.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use crate::batch::Batch;
use crate::broker::{Broker, PATIENCE, unique};
use crate::connection::Connection;

/// Status line and body of a GET.
pub fn get(broker: &Broker, path: &str) -> (String, String) {
    let mut stream = TcpStream::connect(broker.admin()).expect("connect to the admin listener");
    stream.set_read_timeout(Some(PATIENCE)).expect("timeout");
    write!(stream, "GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n").expect("request");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("answer");
    let (head, body) = answer.split_once("\r\n\r\n").expect("a head and a body");
    (head.lines().next().expect("a status line").to_string(), body.to_string())
}

#[test]
fn health_and_metrics() {
    let broker = Broker::start();
    let mut connection = Connection::to(&broker);
    let topic = unique("metrics");
    connection.create_topic(&topic, &[]);
    connection.append(&topic, &Batch::of(&[b"counted"]));
    for path in ["/health/live", "/health/ready"] {
        assert!(get(&broker, path).0.contains("200"), "{path}");
    }
    assert!(get(&broker, "/nowhere").0.contains("404"));
    let (status, metrics) = get(&broker, "/metrics");
    assert!(status.contains("200"));
    let ours = metrics.lines().filter(|line| line.starts_with("ringmill_")).count();
    assert!(ours > 20, "{ours} metrics");
    for line in metrics.lines().filter(|line| !line.starts_with('#') && !line.is_empty()) {
        let (_, value) = line.rsplit_once(' ').expect("a name and a value");
        assert!(value.parse::<f64>().is_ok(), "not a number: {line}");
    }
    // An append that was acknowledged was written to a journal, on one shard or the other.
    for name in ["ringmill_journal_writes_total{", "ringmill_journal_bytes{", "ringmill_journal_write_duration_seconds_count{"] {
        let values = metrics.lines().filter(|line| line.starts_with(name)).filter_map(|line| line.rsplit_once(' ')?.1.parse::<f64>().ok());
        assert!(values.sum::<f64>() > 0.0, "{name} counts nothing");
    }
}

#[test]
fn sigterm_stops_within_two_seconds_and_keeps_everything() {
    let mut broker = Broker::start();
    let topic = unique("stopped");
    Connection::to(&broker).create_topic(&topic, &[]);
    let mut written = 0;
    // The quickest of a few: what a busy machine takes is no fault of the broker's.
    for attempt in 1.. {
        let mut connection = Connection::to(&broker);
        for i in written..written + 100 {
            connection.append(&topic, &Batch::of(&[format!("record {i}").as_bytes()]));
        }
        written += 100;
        let idle = Connection::to(&broker);
        let (status, took) = broker.stop();
        drop((idle, connection));
        assert_eq!(status.code(), Some(0), "{status:?}");
        broker.start_again();
        if took < Duration::from_secs(2) {
            break;
        }
        assert!(attempt < 8, "took {took:?}");
    }
    let values = Connection::to(&broker).values(&topic, 0);
    assert_eq!(values, (0..written).map(|i| format!("record {i}")).collect::<Vec<_>>());
}

#[test]
fn topics_configs_and_identity_survive_restarts() {
    let mut broker = Broker::start();
    let topic = unique("survives");
    Connection::to(&broker).create_partitioned_topic(&topic, 5, &[("retention.ms", "123456")]);
    let describe = |broker: &Broker| {
        let named =
            kafka_protocol::messages::metadata_request::MetadataRequestTopic::default().with_name(Some(crate::connection::topic(&topic)));
        let request = kafka_protocol::messages::MetadataRequest::default().with_topics(Some(vec![named]));
        let answer = Connection::to(broker).call(12, &request);
        (answer.cluster_id, answer.topics[0].topic_id, answer.topics[0].partitions.len())
    };
    let before = describe(&broker);
    broker.stop();
    broker.start_again();
    assert_eq!(describe(&broker), before);
    broker.kill();
    broker.start_again();
    assert_eq!(describe(&broker), before);
}

#[test]
fn the_number_of_shards_may_change_between_starts() {
    let mut broker = Broker::start();
    let topic = unique("shards");
    let mut connection = Connection::to(&broker);
    connection.create_partitioned_topic(&topic, 6, &[]);
    for shards in ["1", "3", "2"] {
        let mut connection = Connection::to(&broker);
        for partition in 0..6 {
            let answer = connection.produce(&topic, partition, Batch::of(&[b"a", b"b"]).build());
            assert_eq!(answer.error_code, 0);
        }
        broker.kill();
        broker.set(&format!("ringmill.shards={shards}"));
        broker.start_again();
    }
    let mut connection = Connection::to(&broker);
    for partition in 0..6 {
        assert_eq!(connection.values(&topic, partition).len(), 6, "partition {partition}");
    }
}
