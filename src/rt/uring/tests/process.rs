//! What ends or refuses to start a whole process: each test runs this test binary again as a child that plays the part.

use crate::rt::uring::start::{explain_no_ring, run};
use crate::rt::uring::{StartError, signals};
use crate::rt::{CoreSpec, Queue, blocking, spawn};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::process::{Command, Output};

/// Set in the child: which part to play.
const PART: &str = "RINGMILL_TEST_PART";

fn child(part: &str) -> Output {
    let test = "rt::uring::tests::process::the_child_plays_its_part";
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args([test, "--exact", "--nocapture"]).env(PART, part).env("RUST_BACKTRACE", "0");
    // SAFETY: the function only makes a system call.
    unsafe { command.pre_exec(block_sigterm_and_sigint) };
    command.output().unwrap()
}

/// As `signals::listen` does on the main thread, which is not ours here: the test harness has it.
fn block_sigterm_and_sigint() -> std::io::Result<()> {
    // SAFETY: all zeros is an empty set; the pointers outlive the calls.
    unsafe {
        let mut set = std::mem::zeroed();
        libc::sigaddset(&mut set, libc::SIGTERM);
        libc::sigaddset(&mut set, libc::SIGINT);
        libc::sigprocmask(libc::SIG_BLOCK, &set, std::ptr::null_mut());
    }
    Ok(())
}

fn run_one_core(main: impl Future<Output = ()> + Send + 'static) {
    let spec = CoreSpec { name: "shard-0".to_owned(), cpu: None, main: Box::new(|| Box::pin(main)) };
    run(vec![spec]).unwrap().join();
}

#[test]
fn the_child_plays_its_part() {
    match std::env::var(PART).as_deref() {
        Ok("panic in main") => run_one_core(async { panic!("main went wrong") }),
        Ok("panic in task") => run_one_core(async {
            spawn(Queue::Background, async { panic!("a task went wrong") });
            std::future::pending().await
        }),
        Ok("panic in blocking") => run_one_core(async { blocking(|| panic!("a job went wrong")).await }),
        Ok("little locked memory") => run_with_locked_memory(64 << 10),
        Ok("8 MiB locked memory") => run_with_locked_memory(8 << 20),
        Ok("signals") => stop_by_signals(),
        _ => {}
    }
}

fn run_with_locked_memory(bytes: u64) {
    let limit = libc::rlimit { rlim_cur: bytes, rlim_max: bytes };
    // SAFETY: `limit` outlives the call.
    assert_eq!(unsafe { libc::setrlimit(libc::RLIMIT_MEMLOCK, &limit) }, 0);
    let specs = (0..3).map(|i| CoreSpec { name: format!("shard-{i}"), cpu: None, main: Box::new(|| Box::pin(async {})) });
    match run(specs.collect()) {
        Ok(cores) => cores.join(),
        Err(error) => {
            eprintln!("{error}");
            std::process::exit(3);
        }
    }
}

fn stop_by_signals() {
    let signals = signals::listen().unwrap();
    run_one_core(async move {
        for (number, signal) in [(libc::SIGTERM, signals::Signal::Terminate), (libc::SIGINT, signals::Signal::Interrupt)] {
            // SAFETY: a signal to ourselves.
            unsafe { libc::kill(libc::getpid(), number) };
            assert_eq!(signals.recv_async().await, Ok(signal));
        }
    });
    std::process::exit(4);
}

#[test]
fn a_panic_on_a_core_aborts_the_process_and_says_why() {
    for (part, message) in
        [("panic in main", "main went wrong"), ("panic in task", "a task went wrong"), ("panic in blocking", "a job went wrong")]
    {
        let output = child(part);
        let log = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.signal(), Some(libc::SIGABRT), "{part}: {:?} {log}", output.status);
        assert!(log.contains(message), "{part}: {log}");
    }
}

#[test]
fn little_locked_memory_is_refused_in_words_and_8_mib_are_enough() {
    let refused = child("little locked memory");
    assert_eq!(refused.status.code(), Some(3));
    let log = String::from_utf8_lossy(&refused.stderr);
    assert!(log.contains("the limit on locked memory is 65536 bytes"), "{log}");
    assert!(child("8 MiB locked memory").status.success());
}

#[test]
fn sigterm_and_sigint_arrive_as_messages() {
    let output = child("signals");
    assert_eq!(output.status.code(), Some(4), "{}", String::from_utf8_lossy(&output.stderr));
}

#[test]
fn a_missing_ring_is_explained() {
    let explain = |errno, sysctl| match explain_no_ring(std::io::Error::from_raw_os_error(errno), sysctl) {
        StartError::NoRing { cause, advice } => format!("{cause} {advice}"),
        other => panic!("{other}"),
    };
    assert!(explain(libc::EPERM, Some("2")).contains("kernel.io_uring_disabled is 2"));
    assert!(explain(libc::EPERM, Some("1")).contains("io_uring_group"));
    assert!(explain(libc::EPERM, Some("0")).contains("seccomp"));
    assert!(explain(libc::ENOSYS, None).contains("CONFIG_IO_URING"));
    assert!(explain(libc::ENOMEM, None).contains("ulimit -l"));
    assert!(explain(libc::EINVAL, None).contains("io_uring_setup"));
}
