//! A disk that fills up: produce is refused by Kafka's code, everything else goes on, and nothing acknowledged is lost.
//! The disk is a small tmpfs in a mount namespace of the broker's own; where a machine forbids those, the test says so and ends.

use std::os::unix::process::CommandExt;
use std::process::{Child, Command};

use crate::batch::{Batch, PRODUCE, produce_request};
use crate::broker::{Broker, PATIENCE, answers, free_address, serve, unique};
use crate::connection::Connection;

use super::groups::{await_coordinator, commit, fetch};

const KAFKA_STORAGE_ERROR: i16 = 56;
const NOT_COORDINATOR: i16 = 16;

struct OnSmallDisk {
    child: Child,
    home: tempfile::TempDir,
}

impl Drop for OnSmallDisk {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        if std::thread::panicking() {
            eprintln!("--- stderr of the broker ---\n{}", std::fs::read_to_string(self.home.path().join("log")).unwrap_or_default());
        }
    }
}

fn namespaces_are_allowed() -> bool {
    Command::new("unshare").args(["-rm", "mount", "-t", "tmpfs", "none", "/mnt"]).status().is_ok_and(|status| status.success())
}

/// A broker whose data directory holds this many MiB.
fn start_on_small_disk(mebibytes: u32, settings: &[&str]) -> (OnSmallDisk, Broker) {
    let home = tempfile::tempdir().expect("a directory");
    let (address, admin) = (free_address(), free_address());
    let data = home.path().join("data");
    std::fs::create_dir(&data).expect("create");
    let broker = serve(address, admin, &data, settings);
    let mount = format!("mount -t tmpfs -o size={mebibytes}m none '{}' && exec \"$0\" \"$@\"", data.display());
    let mut command = Command::new("unshare");
    command.args(["-rm", "sh", "-c", &mount]).arg(broker.get_program()).args(broker.get_args());
    command.stderr(std::fs::File::create(home.path().join("log")).expect("log"));
    // SAFETY: prctl is async-signal-safe and touches nothing of the parent.
    unsafe {
        command.pre_exec(|| {
            libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL);
            Ok(())
        })
    };
    let child = command.spawn().expect("start");
    let began = std::time::Instant::now();
    let mut process = OnSmallDisk { child, home };
    while !answers(address) {
        assert!(process.child.try_wait().expect("try_wait").is_none() && began.elapsed() < PATIENCE, "the broker does not answer");
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
    (process, Broker::at(address))
}

#[test]
fn a_full_disk_refuses_produce_and_nothing_else() {
    if !namespaces_are_allowed() {
        eprintln!("no disk_full test: this machine forbids mount namespaces");
        return;
    }
    let (_process, broker) = start_on_small_disk(200, &[]);
    let mut connection = Connection::to(&broker);
    let (filled, other) = (unique("filled"), unique("other"));
    connection.create_topic(&filled, &[]);
    connection.create_topic(&other, &[]);
    connection.append(&other, &Batch::of(&[b"kept"]));
    let megabyte = vec![7; 1_000_000];
    let mut acknowledged = 0;
    let refusal = loop {
        let answer = connection.call(PRODUCE, &produce_request(&filled, 0, -1, Some(Batch::of(&[&megabyte]).build())));
        let partition = &answer.responses[0].partition_responses[0];
        if partition.error_code != 0 {
            break partition.error_code;
        }
        assert_eq!(partition.base_offset, acknowledged);
        acknowledged += 1;
        assert!(acknowledged < 300, "300 MB went to a disk of 200");
    };
    assert_eq!(refusal, KAFKA_STORAGE_ERROR);
    assert!(acknowledged > 50, "only {acknowledged} MB of 200 were used");

    let mut other_client = Connection::to(&broker);
    assert_eq!(other_client.values(&other, 0), vec!["kept"]);
    assert_eq!(other_client.list_offset(&filled, 0, -1), (0, acknowledged));
    assert_eq!(other_client.values(&filled, 0).len() as i64, acknowledged, "everything acknowledged is served");

    // Deleting makes room, and produce goes on by itself.
    let request = kafka_protocol::messages::DeleteTopicsRequest::default()
        .with_topic_names(vec![crate::connection::topic(&filled)])
        .with_timeout_ms(crate::broker::PATIENCE_MS);
    assert_eq!(other_client.call(5, &request).responses[0].error_code, 0);
    let began = std::time::Instant::now();
    while other_client.produce(&other, 0, Batch::of(&[b"again"]).build()).error_code != 0 {
        assert!(began.elapsed() < PATIENCE, "produce does not go on after topics were deleted");
        std::thread::sleep(std::time::Duration::from_millis(50));
    }
    assert_eq!(other_client.values(&other, 0), vec!["kept", "again"]);
}

/// Produces megabytes until the disk takes no more.
fn fill(connection: &mut Connection, topic: &str) {
    let megabyte = vec![7; 1_000_000];
    for _ in 0..300 {
        if connection.produce(topic, 0, Batch::of(&[&megabyte]).build()).error_code == KAFKA_STORAGE_ERROR {
            return;
        }
    }
    panic!("300 MB went to a smaller disk");
}

#[test]
fn a_full_disk_refuses_commits_as_kafka_does_and_takes_them_again_by_itself() {
    if !namespaces_are_allowed() {
        eprintln!("no disk_full test: this machine forbids mount namespaces");
        return;
    }
    // One shard: another one's share of the last megabyte would be enough for thousands of commits.
    let (_process, broker) = start_on_small_disk(200, &["ringmill.shards=1"]);
    let mut connection = Connection::to(&broker);
    let (filled, other, group) = (unique("filled"), unique("other"), unique("group"));
    connection.create_topic(&filled, &[]);
    connection.create_topic(&other, &[]);
    await_coordinator(&mut connection, &group);
    let mut committed = 0;
    let refusal = loop {
        match commit(&mut connection, &group, &other, committed + 1) {
            0 => committed += 1,
            refusal => break refusal,
        }
        // What little the writing of tails gave back may be taken by a commit or two.
        fill(&mut connection, &filled);
    };
    // Kafka's word for a coordinator's log that takes nothing: clients ask who coordinates, and try again.
    assert_eq!(refusal, NOT_COORDINATOR);
    assert!(committed > 0);
    assert_eq!(fetch(&mut connection, &group, &other), Ok(committed), "nothing was half done, and everything else goes on");
    let request = kafka_protocol::messages::DeleteTopicsRequest::default()
        .with_topic_names(vec![crate::connection::topic(&filled)])
        .with_timeout_ms(30_000);
    assert_eq!(connection.call(5, &request).responses[0].error_code, 0);
    let began = std::time::Instant::now();
    while commit(&mut connection, &group, &other, 1_000) != 0 {
        assert!(began.elapsed() < PATIENCE, "commits are not taken after topics were deleted");
        std::thread::sleep(std::time::Duration::from_millis(50));
    }
    assert_eq!(fetch(&mut connection, &group, &other), Ok(1_000));
}
