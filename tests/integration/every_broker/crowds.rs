//! Clients that take more than their share: that never read, that hardly write, that only sit there.

use std::time::Duration;

use kafka_protocol::messages::ApiVersionsRequest;

use crate::batch::{Batch, FETCH, fetch_request};
use crate::broker::{Broker, unique};
use crate::bystander::Bystander;
use crate::connection::{Connection, frame};

#[test]
fn a_client_that_never_reads() {
    let broker = Broker::start();
    let bystander = Bystander::of(&broker);
    let topic = unique("unread");
    let mut connection = Connection::to(&broker);
    connection.create_topic(&topic, &[]);
    for _ in 0..16 {
        connection.append(&topic, &Batch::of(&[&[1; 1_000_000]]));
    }
    // Each answer is 16 MB: a thousand of them would be 16 GB.
    let mut greedy: Vec<_> = (0..4).map(|_| Connection::to(&broker)).collect();
    for connection in &mut greedy {
        for id in 0..1000 {
            let request = frame(FETCH, id, &fetch_request(&topic, 0, 0, 50_000_000));
            if connection.write_some(&request) < request.len() {
                break;
            }
        }
    }
    bystander.expect_progress();
    std::thread::sleep(Duration::from_secs(2));
    bystander.expect_progress();
    if std::env::var("RINGMILL_TEST_BOOTSTRAP").is_err() {
        let resident = broker.resident_bytes();
        assert!(resident < 1 << 30, "the broker holds {} MiB for clients that do not read", resident >> 20);
    }
    drop(greedy);
    bystander.finish(&broker);
}

#[test]
fn clients_that_send_one_byte_at_a_time() {
    let broker = Broker::start();
    let bystander = Bystander::of(&broker);
    let request = frame(0, 1, &ApiVersionsRequest::default());
    let mut slow: Vec<_> = (0..50).map(|_| Connection::to(&broker)).collect();
    for byte in &request[..8] {
        for connection in &mut slow {
            connection.write(&[*byte]);
        }
        std::thread::sleep(Duration::from_secs(1));
        bystander.expect_progress();
    }
    for connection in &mut slow {
        connection.write(&request[8..]);
        connection.receive::<ApiVersionsRequest>(0, 1);
    }
    bystander.finish(&broker);
}

/// Ten thousand, or as many as this process may open files.
#[test]
fn ten_thousand_idle_connections() {
    let limit = raise_open_files();
    let count = 10_000.min(limit.saturating_sub(500)) as usize;
    let broker = Broker::start();
    let bystander = Bystander::of(&broker);
    let mut idle: Vec<_> = (0..count).map(|_| Connection::to(&broker)).collect();
    bystander.expect_progress();
    for connection in idle.iter_mut().step_by(97) {
        connection.call(0, &ApiVersionsRequest::default());
    }
    bystander.expect_progress();
    drop(idle);
    bystander.finish(&broker);
}

/// Raises this process's limit of open files, which a broker started later inherits, as far as it may.
fn raise_open_files() -> u64 {
    let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: both calls get a valid struct and touch nothing else.
    unsafe {
        assert_eq!(libc::getrlimit(libc::RLIMIT_NOFILE, &mut limit), 0);
        limit.rlim_cur = limit.rlim_max;
        assert_eq!(libc::setrlimit(libc::RLIMIT_NOFILE, &limit), 0);
    }
    limit.rlim_cur
}
