//! Stories about counting and scraping.

use super::*;

const MICRO: Duration = Duration::from_micros(1);

/// The value of the one sample that begins with `series`.
fn value(page: &str, series: &str) -> String {
    let found: Vec<&str> = page.lines().filter_map(|line| line.strip_prefix(series)?.strip_prefix(' ')).collect();
    assert_eq!(found.len(), 1, "{series} in\n{page}");
    found[0].to_string()
}

#[test]
fn two_shards_requests_are_added_up_by_api() {
    let (mut first, mut second) = (ShardMetrics::default(), ShardMetrics::default());
    first.request(ApiKey::Produce, 100, 10, ErrorCode::None, 80 * MICRO);
    first.request(ApiKey::Fetch, 1, 1, ErrorCode::None, MICRO);
    second.request(ApiKey::Produce, 200, 20, ErrorCode::MessageTooLarge, 3_000 * MICRO);

    let page = render(vec![second.snapshot(ShardId(1), ShardReadings::default()), first.snapshot(ShardId(0), ShardReadings::default())]);

    assert_eq!(value(&page, "ringmill_requests_total{api=\"Produce\"}"), "2");
    assert_eq!(value(&page, "ringmill_requests_total{api=\"Fetch\"}"), "1");
    assert_eq!(value(&page, "ringmill_request_bytes_total{api=\"Produce\"}"), "300");
    assert_eq!(value(&page, "ringmill_response_bytes_total{api=\"Produce\"}"), "30");
    assert_eq!(value(&page, "ringmill_request_errors_total{api=\"Produce\",error=\"MESSAGE_TOO_LARGE\"}"), "1");
    let bucket = |le: &str| value(&page, &format!("ringmill_request_duration_seconds_bucket{{api=\"Produce\",le=\"{le}\"}}"));
    assert_eq!([bucket("0.00005"), bucket("0.0001"), bucket("0.0025"), bucket("0.005"), bucket("+Inf")], ["0", "1", "1", "2", "2"]);
    assert_eq!(value(&page, "ringmill_request_duration_seconds_count{api=\"Produce\"}"), "2");
    assert_eq!(value(&page, "ringmill_request_duration_seconds_sum{api=\"Produce\"}"), "0.00308");
}

#[test]
fn shards_stand_side_by_side() {
    let readings = |connections| ShardReadings { connections, busy: Duration::from_millis(1500), ..ShardReadings::default() };
    let shard = |id, connections| ShardMetrics::default().snapshot(ShardId(id), readings(connections));
    let page = render(vec![shard(0, 3), shard(1, 4)]);
    assert_eq!(value(&page, "ringmill_connections{shard=\"0\"}"), "3");
    assert_eq!(value(&page, "ringmill_connections{shard=\"1\"}"), "4");
    assert_eq!(value(&page, "ringmill_busy_seconds_total{shard=\"1\"}"), "1.5");
}

#[test]
fn topics_count_under_kafkas_names() {
    let (mut first, mut second) = (ShardMetrics::default(), ShardMetrics::default());
    first.produced("a", 10, 1_000);
    first.fetched("a", 300, 700);
    second.produced("a", 5, 500);
    second.produce_failed("b");
    let under_replicated = ShardReadings { partitions_under_replicated: 2, ..ShardReadings::default() };

    let page = render(vec![first.snapshot(ShardId(0), under_replicated), second.snapshot(ShardId(1), ShardReadings::default())]);

    assert_eq!(value(&page, "kafka_server_brokertopicmetrics_messagesin_total"), "15");
    assert_eq!(value(&page, "kafka_server_brokertopicmetrics_messagesin_total{topic=\"a\"}"), "15");
    assert_eq!(value(&page, "kafka_server_brokertopicmetrics_bytesout_total{topic=\"a\"}"), "1000");
    assert_eq!(value(&page, "kafka_server_brokertopicmetrics_failedproducerequests_total{topic=\"b\"}"), "1");
    assert_eq!(value(&page, "kafka_server_replicamanager_underreplicatedpartitions"), "2");
    assert_eq!(value(&page, "ringmill_fetched_bytes_total{shard=\"0\",from=\"file\"}"), "700");
}

#[test]
fn topics_beyond_the_bound_count_in_the_sum_alone() {
    let mut metrics = ShardMetrics::default();
    for number in 0..limits::METRICS_TOPICS_MAX + 5 {
        metrics.produced(&format!("topic-{number:05}"), 1, 1);
    }
    assert_eq!(metrics.topics.len(), limits::METRICS_TOPICS_MAX);
    assert_eq!(metrics.all_topics.messages_in as usize, limits::METRICS_TOPICS_MAX + 5);
    // A deleted topic makes room.
    metrics.forget_topic("topic-00000");
    metrics.produced("new", 1, 1);
    assert!(metrics.topics.contains_key("new"));
}

#[test]
fn a_page_is_well_formed() {
    let mut metrics = ShardMetrics::default();
    metrics.request(ApiKey::Metadata, 1, 1, ErrorCode::None, Duration::from_secs(100_000));
    metrics.request(ApiKey::Metadata, 1, 1, ErrorCode::None, Duration::ZERO);
    metrics.produced("we\"ird\\topic", 1, 1);
    metrics.journal_write(Duration::from_millis(1));
    let page = render(vec![metrics.snapshot(ShardId(0), ShardReadings::default())]);
    assert!(page.ends_with('\n') && page.contains(r#"{topic="we\"ird\\topic"} 1"#));
    let mut family = String::new();
    for line in page.lines() {
        if let Some(header) = line.strip_prefix("# HELP ") {
            let name = header.split(' ').next().expect("a name");
            assert_ne!(name, family, "a family stands twice");
            family = name.to_string();
        } else if !line.starts_with("# TYPE ") {
            assert!(line.starts_with(&family), "{line} stands under {family}");
            assert!(line.rsplit(' ').next().expect("a value").parse::<f64>().is_ok(), "{line}");
        }
    }
}

#[test]
fn snapshots_travel_between_cores() {
    fn is_send<T: Send>() {}
    is_send::<MetricsSnapshot>();
}
