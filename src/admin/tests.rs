//! Stories about the admin listener: its bytes, and the whole of it on the simulator.

use super::http::{self, Method, Parsed, Request, Response, Status};
use super::metrics::{MetricsSnapshot, ShardMetrics, ShardReadings};
use super::{MoveAsk, MoveRefusal};
use crate::config::limits;
use crate::rt::sim::{Options, World};
use crate::rt::{Connection, Listener, now, sleep, timeout};
use crate::types::ShardId;
use bytes::{Bytes, BytesMut};
use proptest::prelude::*;
use std::collections::VecDeque;
use std::net::SocketAddr;
use std::time::Duration;

// ---- bytes -------------------------------------------------------------------------------------------------------------

fn parsed(text: &str) -> Request {
    match http::parse(text.as_bytes()) {
        Parsed::Complete { request, len } if len == text.len() => request,
        other => panic!("{text:?} parses to {other:?}"),
    }
}

#[test]
fn a_scrape_is_understood() {
    let text = "GET /metrics?x=1 HTTP/1.1\r\nHost: localhost:9644\r\nUser-Agent: Prometheus/3\r\nAccept: */*\r\n\r\n";
    assert_eq!(parsed(text), Request { method: Method::Get, path: "/metrics".into(), query: "x=1".into(), keep_alive: true });
}

#[test]
fn connections_are_kept_as_the_peer_wants() {
    let kept = |head: &str| parsed(&format!("{head}\r\n\r\n")).keep_alive;
    assert!(kept("GET / HTTP/1.1"));
    assert!(!kept("GET / HTTP/1.1\r\nConnection: Close"));
    assert!(!kept("GET / HTTP/1.1\r\nConnection: foo, close"));
    assert!(!kept("GET / HTTP/1.0"));
    assert!(kept("GET / HTTP/1.0\r\nConnection: keep-alive"));
    // Bodies are not read, so what follows one could not be understood.
    assert!(!kept("POST / HTTP/1.1\r\nContent-Length: 5"));
    assert!(kept("GET / HTTP/1.1\r\nContent-Length: 0"));
    assert!(!kept("POST / HTTP/1.1\r\nTransfer-Encoding: chunked"));
}

#[test]
fn oversized_and_foreign_heads_are_refused() {
    let long = format!("GET /{} HTTP/1.1\r\n\r\n", "x".repeat(limits::ADMIN_REQUEST_HEAD_BYTES_MAX));
    assert_eq!(http::parse(long.as_bytes()), Parsed::Refused(Status::HeadTooLarge));
    let endless = format!("GET / HTTP/1.1\r\nX: {}", "x".repeat(limits::ADMIN_REQUEST_HEAD_BYTES_MAX));
    assert_eq!(http::parse(endless.as_bytes()), Parsed::Refused(Status::HeadTooLarge));
    let many = format!("GET / HTTP/1.1\r\n{}\r\n", "A: b\r\n".repeat(limits::ADMIN_REQUEST_HEADERS_MAX + 1));
    assert_eq!(http::parse(many.as_bytes()), Parsed::Refused(Status::HeadTooLarge));
    let kafka = b"\0\0\0\x23\0\x12\0\x03\0\0\0\0\0\x01a";
    assert_eq!(http::parse(kafka), Parsed::Refused(Status::BadRequest));
}

#[test]
fn a_head_request_gets_the_length_without_the_body() {
    let [head, body] = Response::text(Status::Ok, "live").into_parts(Method::Head, true);
    let head = std::str::from_utf8(&head).expect("text");
    assert!(head.starts_with("HTTP/1.1 200 OK\r\n") && head.contains("\r\nContent-Length: 5\r\n") && head.ends_with("\r\n\r\n"));
    assert!(body.is_empty());
}

proptest! {
    #[test]
    fn every_cut_of_a_request_waits_for_more(cut in 0usize..65) {
        let text = b"GET /health/ready HTTP/1.1\r\nHost: x\r\nConnection: keep-alive\r\n\r\n";
        let expected_complete = cut >= text.len();
        let result = http::parse(&text[..cut.min(text.len())]);
        prop_assert_eq!(matches!(result, Parsed::Complete { .. }), expected_complete);
        prop_assert_eq!(result == Parsed::Incomplete, !expected_complete);
    }

    #[test]
    fn any_bytes_are_judged(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        if let Parsed::Complete { len, .. } = http::parse(&bytes) {
            prop_assert!(len <= bytes.len());
        }
    }
}

// ---- the listener ------------------------------------------------------------------------------------------------------

const PORT: u16 = 9644;

/// A world whose one machine serves `scrape`, and what a client on it sees.
fn with_listener<S, T: 'static>(scrape: S, client: impl AsyncFnOnce(SocketAddr) -> T + 'static) -> T
where
    S: AsyncFn() -> Vec<MetricsSnapshot> + 'static,
{
    let world = World::new(1, Options::default());
    let machine = world.add_machine();
    let address = SocketAddr::new(machine.ip(), PORT);
    world.block_on(machine, async move {
        super::serve(Listener::bind(address).expect("free"), scrape, answer_move);
        client(address).await
    })
}

/// Says what it was asked; shard 9 is always busy.
async fn answer_move(ask: MoveAsk) -> Result<String, MoveRefusal> {
    match ask.shard {
        9 => Err(MoveRefusal::NotNow("busy")),
        _ if ask.topic != "orders" => Err(MoveRefusal::Unknown("there is no such topic")),
        shard => Ok(format!("{}-{} to {shard}", ask.topic, ask.partition)),
    }
}

async fn one_shard() -> Vec<MetricsSnapshot> {
    vec![ShardMetrics::default().snapshot(ShardId(0), ShardReadings { connections: 7, ..ShardReadings::default() })]
}

async fn send(connection: &Connection, text: &str) {
    let mut parts = VecDeque::from([Bytes::from(text.to_string())]);
    connection.write_all(&mut parts).await.expect("sent");
}

/// Reads until `done` says that what came is all, or the peer closes.
async fn receive(connection: &Connection, done: impl Fn(&str) -> bool) -> String {
    let mut buffer = BytesMut::new();
    loop {
        let text = String::from_utf8_lossy(&buffer).into_owned();
        if done(&text) || connection.read(&mut buffer, 65_536).await.unwrap_or(0) == 0 {
            return text;
        }
    }
}

async fn ask(address: SocketAddr, request: &str) -> String {
    let connection = Connection::connect(address).await.expect("connected");
    send(&connection, &format!("{request} HTTP/1.1\r\nConnection: close\r\n\r\n")).await;
    receive(&connection, |_| false).await
}

#[test]
fn pages_and_errors_have_their_status() {
    let answers = with_listener(one_shard, async |address| {
        let mut answers = Vec::new();
        for request in ["GET /metrics", "GET /health/live", "GET /health/ready", "HEAD /metrics", "GET /", "POST /metrics", "BREW"] {
            answers.push(ask(address, request).await);
        }
        answers
    });
    let statuses: Vec<&str> = answers.iter().map(|answer| &answer[9..12]).collect();
    assert_eq!(statuses, ["200", "200", "200", "200", "404", "405", "400"]);
    assert!(answers[0].contains("Content-Type: text/plain; version=0.0.4") && answers[0].contains("ringmill_connections{shard=\"0\"} 7\n"));
    assert!(answers[1].ends_with("\r\n\r\nlive\n") && answers[2].ends_with("\r\n\r\nready\n"));
    assert!(answers[3].ends_with("\r\n\r\n"), "no body");
    assert!(answers[5].contains("\r\nAllow: GET, HEAD\r\n"));
}

#[test]
fn a_partition_is_moved_by_post_alone() {
    let answers = with_listener(one_shard, async |address| {
        let mut answers = Vec::new();
        for request in [
            "POST /partitions/move?topic=orders&partition=3&shard=1",
            "GET /partitions/move?topic=orders&partition=3&shard=1",
            "POST /partitions/move?topic=orders&partition=3",
            "POST /partitions/move?topic=orders&partition=x&shard=1",
            "POST /partitions/move?topic=clicks&partition=0&shard=1",
            "POST /partitions/move?topic=orders&partition=3&shard=9",
        ] {
            answers.push(ask(address, request).await);
        }
        answers
    });
    let statuses: Vec<&str> = answers.iter().map(|answer| &answer[9..12]).collect();
    assert_eq!(statuses, ["200", "405", "400", "400", "404", "409"]);
    assert!(answers[0].ends_with("\r\n\r\norders-3 to 1\n"));
    assert!(answers[1].contains("\r\nAllow: POST\r\n"));
}

#[test]
fn one_connection_serves_many_requests_also_pipelined() {
    let text = with_listener(one_shard, async |address| {
        let connection = Connection::connect(address).await.expect("connected");
        send(&connection, "GET /health/live HTTP/1.1\r\n\r\nGET /health/ready HTTP/1.1\r\n\r\nGET /heal").await;
        let first = receive(&connection, |text| text.contains("ready\n")).await;
        send(&connection, "th/live HTTP/1.1\r\n\r\n").await;
        first + &receive(&connection, |text| text.contains("live\n")).await
    });
    assert_eq!(text.matches("HTTP/1.1 200 OK").count(), 3);
    let order: Vec<usize> = ["live\n", "ready\n"].iter().map(|body| text.find(body).expect("answered")).collect();
    assert!(order.is_sorted());
}

#[test]
fn a_stuck_shard_makes_not_ready_but_live() {
    async fn stuck() -> Vec<MetricsSnapshot> {
        sleep(Duration::from_secs(3_600)).await;
        Vec::new()
    }
    let (live, ready) =
        with_listener(stuck, async |address| (ask(address, "GET /health/live").await, ask(address, "GET /health/ready").await));
    assert!(live.contains("200 OK"));
    assert!(ready.contains("503 Service Unavailable") && ready.ends_with("a shard does not answer\n"));
}

#[test]
fn a_peer_that_dawdles_is_closed_in_time() {
    let waited = with_listener(one_shard, async |address| {
        let connection = Connection::connect(address).await.expect("connected");
        let begun = now();
        let slow = connection.clone();
        crate::rt::spawn(crate::rt::Queue::Foreground, async move {
            for byte in format!("GET /health/live HTTP/1.1\r\nX: {}", "y".repeat(500)).chars() {
                sleep(Duration::from_secs(1)).await;
                let mut parts = VecDeque::from([Bytes::from(byte.to_string())]);
                if slow.write_all(&mut parts).await.is_err() {
                    break;
                }
            }
        });
        let text = receive(&connection, |_| false).await;
        assert!(text.contains("408 Request Timeout"), "{text}");
        now() - begun
    });
    assert!(waited >= limits::ADMIN_IDLE_MAX && waited < limits::ADMIN_IDLE_MAX * 2, "{waited:?}");
}

#[test]
fn connections_above_the_limit_are_dropped_and_places_come_back() {
    with_listener(one_shard, async |address| {
        let mut idle = Vec::new();
        for _ in 0..limits::ADMIN_CONNECTIONS_MAX {
            let connection = Connection::connect(address).await.expect("connected");
            send(&connection, "GET /health/live HTTP/1.1\r\n\r\n").await;
            receive(&connection, |text| text.contains("live\n")).await;
            idle.push(connection);
        }
        let extra = Connection::connect(address).await.expect("connected");
        assert_eq!(receive(&extra, |_| false).await, "", "dropped at once");
        idle.pop().expect("one").shutdown();
        sleep(Duration::from_secs(1)).await;
        assert!(ask(address, "GET /health/live").await.contains("200 OK"));
    });
}

#[test]
fn a_peer_that_never_reads_is_cut_off() {
    async fn large() -> Vec<MetricsSnapshot> {
        let mut metrics = ShardMetrics::default();
        (0..limits::METRICS_TOPICS_MAX).for_each(|number| metrics.produced(&format!("{number:0>200}"), 1, 1));
        vec![metrics.snapshot(ShardId(0), ShardReadings::default())]
    }
    with_listener(large, async |address| {
        let deaf = Connection::connect(address).await.expect("connected");
        send(&deaf, "GET /metrics HTTP/1.1\r\n\r\n").await;
        sleep(limits::ADMIN_WRITE_MAX * 2).await;
        // Cut off: what was under way arrives, then the end, though the connection was to be kept.
        let rest = timeout(Duration::from_secs(5), receive(&deaf, |_| false)).await.expect("closed");
        assert!(rest.len() < 1_000_000, "{}", rest.len());
    });
}
