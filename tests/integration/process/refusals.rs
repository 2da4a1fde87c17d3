//! Starts that cannot be: each ends with one clear message and leaves a broker that runs alone.

use std::fs;
use std::net::TcpListener;
use std::os::unix::process::CommandExt;
use std::path::Path;

use crate::broker::{Broker, free_address, free_addresses, run_to_end, serve};
use crate::bystander::Bystander;

/// Starts a broker that must end by itself, not with success, and say each of these.
fn expect_refusal(data_dir: &Path, settings: &[&str], says: &[&str]) {
    let (status, stderr) = run_to_end(serve(free_address(), free_address(), data_dir, settings));
    assert!(status.code().is_some_and(|code| code != 0), "{status:?}\n{stderr}");
    for text in says {
        assert!(stderr.to_lowercase().contains(&text.to_lowercase()), "does not say '{text}':\n{stderr}");
    }
    assert!(!stderr.contains("panicked"), "{stderr}");
}

#[test]
fn a_port_in_use() {
    let dir = tempfile::tempdir().expect("a directory");
    let taken = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = taken.local_addr().expect("address");
    let setting = format!("listeners=PLAINTEXT://{address}");
    expect_refusal(dir.path(), &[&setting], &["in use", &address.port().to_string()]);
    let setting = format!("ringmill.admin.listener={address}");
    expect_refusal(dir.path(), &[&setting], &["in use", &address.port().to_string()]);
}

#[test]
fn fewer_ports_than_cores() {
    let dir = tempfile::tempdir().expect("a directory");
    let port = free_addresses(2).port();
    let setting = format!("ringmill.core.endpoints={port}-{}", port + 1);
    expect_refusal(dir.path(), &[&setting, "ringmill.shards=3"], &["ringmill.core.endpoints", "2 ports", "3 shards"]);
    let taken = TcpListener::bind(("127.0.0.1", port + 1)).expect("a port");
    expect_refusal(dir.path(), &[&setting], &["in use", &(port + 1).to_string()]);
    drop(taken);
}

#[test]
fn a_directory_in_use() {
    let broker = Broker::start();
    let bystander = Bystander::of(&broker);
    let dir = broker.data_dir();
    expect_refusal(&dir, &[], &["in use", dir.to_str().expect("utf-8")]);
    bystander.finish(&broker);
}

#[test]
fn a_directory_of_another_node() {
    let mut broker = Broker::start();
    broker.stop();
    let dir = broker.data_dir();
    expect_refusal(&dir, &["node.id=77"], &["node.id", "77"]);
    let properties = dir.join("meta.properties");
    let text = fs::read_to_string(&properties).expect("meta.properties");
    let damaged: Vec<_> = text.lines().map(|line| if line.starts_with("version=") { "version=99" } else { line }).collect();
    fs::write(&properties, damaged.join("\n")).expect("write");
    expect_refusal(&dir, &[], &["meta.properties", "version"]);
}

#[test]
fn a_directory_that_cannot_be_written() {
    // Root may write everywhere but in /proc, everybody else not in /.
    expect_refusal(Path::new("/proc/ringmill-test"), &[], &["/proc/ringmill-test"]);
    let home = tempfile::tempdir().expect("a directory");
    let file = home.path().join("file");
    fs::write(&file, "not a directory").expect("write");
    expect_refusal(&file, &[], &[file.to_str().expect("utf-8")]);
}

#[test]
fn settings_that_mean_nothing() {
    let dir = tempfile::tempdir().expect("a directory");
    expect_refusal(dir.path(), &["log.retention.hours=soon"], &["log.retention.hours", "soon"]);
    expect_refusal(dir.path(), &["ringmill.no.such.key=1"], &["ringmill.no.such.key"]);
    expect_refusal(dir.path(), &["listeners=nonsense"], &["listeners", "nonsense"]);
    expect_refusal(dir.path(), &["ringmill.shards=0"], &["ringmill.shards"]);
    assert_eq!(fs::read_dir(dir.path()).expect("directory").count(), 0, "nothing was written");
}

#[test]
fn a_known_kafka_key_and_an_unknown_one_only_warn() {
    let broker = Broker::start_with(&["num.network.threads=8", "no.such.key=1"]);
    Bystander::of(&broker).finish(&broker);
    let log = broker.log();
    for key in ["num.network.threads", "no.such.key"] {
        assert_eq!(log.lines().filter(|line| line.contains(key)).count(), 1, "one line about {key}:\n{log}");
    }
}

/// A kernel, or a container, that forbids io_uring.
#[test]
fn no_io_uring() {
    let dir = tempfile::tempdir().expect("a directory");
    let mut command = serve(free_address(), free_address(), dir.path(), &[]);
    // SAFETY: only system calls between fork and exec, on memory that is there.
    unsafe { command.pre_exec(forbid_io_uring) };
    let (status, stderr) = run_to_end(command);
    assert!(status.code().is_some_and(|code| code != 0), "{status:?}\n{stderr}");
    assert!(stderr.contains("io_uring"), "{stderr}");
    assert!(!stderr.contains("panicked"), "{stderr}");
}

/// Makes `io_uring_setup` fail with EPERM for this process and what it executes.
fn forbid_io_uring() -> std::io::Result<()> {
    let instruction = |code: u32, jt, jf, k: u32| libc::sock_filter { code: code as u16, jt, jf, k };
    let mut filter = [
        instruction(libc::BPF_LD | libc::BPF_W | libc::BPF_ABS, 0, 0, 0), // the number of the system call
        instruction(libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K, 0, 1, libc::SYS_io_uring_setup as u32),
        instruction(libc::BPF_RET | libc::BPF_K, 0, 0, libc::SECCOMP_RET_ERRNO | libc::EPERM as u32),
        instruction(libc::BPF_RET | libc::BPF_K, 0, 0, libc::SECCOMP_RET_ALLOW),
    ];
    let program = libc::sock_fprog { len: filter.len() as u16, filter: filter.as_mut_ptr() };
    // SAFETY: the program lives until the call returns; the kernel copies it.
    let result = unsafe {
        libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
        libc::prctl(libc::PR_SET_SECCOMP, libc::SECCOMP_MODE_FILTER, &program)
    };
    if result == 0 { Ok(()) } else { Err(std::io::Error::last_os_error()) }
}
