//! Starting and ending cores: limits, a check that rings are to be had, one pinned thread and executor a core.

use super::{pool, task};
use crate::rt::{CoreSpec, Queue};
use glommio::{GlommioError, LocalExecutor, LocalExecutorBuilder, Placement};
use std::fmt;
use std::io;
use std::os::fd::{FromRawFd, OwnedFd};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Once;
use std::thread::JoinHandle;
use std::time::Duration;

/// Submission entries a ring; three rings a core, some 100 KiB each. More requests than this just take another turn.
const RING_DEPTH: usize = 1024;
/// glommio's registered memory, pinned three times over. Journal and segment writes bring buffers of their own.
const IO_MEMORY_BYTES: usize = 64 << 10;
/// How long an idle pinned core looks for work before it sleeps.
const SPIN: Duration = Duration::from_micros(20);

/// glommio's own time slice is off, since a due timer can cost a wake-up: see `wake`. `wake::SLICE` is ours.
const PREEMPT_NEVER: Duration = Duration::from_secs(24 * 3600);

/// Why the cores could not be started, in words for the operator.
#[derive(Debug)]
pub enum StartError {
    /// The kernel gives us no io_uring.
    NoRing { cause: String, advice: &'static str },
    /// RLIMIT_MEMLOCK is below what a ring's registered memory needs.
    MemoryLock { limit_bytes: u64 },
    /// A core's CPU is offline or not ours.
    Cpu { core: String, cpu: usize, cause: String },
    /// Anything else: no thread, no descriptor.
    System { core: String, cause: io::Error },
}

impl fmt::Display for StartError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            StartError::NoRing { cause, advice } => write!(f, "io_uring is not available: {cause}. {advice}"),
            StartError::MemoryLock { limit_bytes } => write!(
                f,
                "the limit on locked memory is {limit_bytes} bytes, io_uring needs {MEMORY_LOCK_MIN}: raise it (ulimit -l, LimitMEMLOCK= in \
                 systemd, --ulimit memlock= in docker)"
            ),
            StartError::Cpu { core, cpu, cause } => write!(f, "{core} cannot run on CPU {cpu}: {cause}"),
            StartError::System { core, cause } => write!(f, "{core} cannot start: {cause}"),
        }
    }
}

impl std::error::Error for StartError {}

/// glommio refuses to start below this.
const MEMORY_LOCK_MIN: u64 = 512 << 10;

/// Cores that run.
pub struct Running(Vec<JoinHandle<()>>);

impl Running {
    /// Waits until the main task of every core has ended.
    pub fn join(self) {
        for core in self.0 {
            core.join().expect("a core that panics ends the process");
        }
    }
}

/// Starts the cores: all of them or none. A panic on one of them logs a line and aborts the process.
pub fn run(cores: Vec<CoreSpec>) -> Result<Running, StartError> {
    prepare_process()?;
    let mut threads = Vec::new();
    let mut gates = Vec::new();
    let mut failure = None;
    for spec in cores {
        match start_core(spec) {
            Ok((thread, gate)) => {
                threads.push(thread);
                gates.push(gate);
            }
            Err(error) => {
                failure = Some(error);
                break;
            }
        }
    }
    if let Some(error) = failure {
        drop(gates);
        Running(threads).join();
        return Err(error);
    }
    for gate in gates {
        gate.send(()).expect("a core waits at its gate");
    }
    Ok(Running(threads))
}

/// Makes one core's thread and executor. Its main task starts when the gate is opened, and never if the gate is dropped.
fn start_core(spec: CoreSpec) -> Result<(JoinHandle<()>, flume::Sender<()>), StartError> {
    let (gate, opened) = flume::bounded::<()>(1);
    let (report, reported) = flume::bounded(1);
    let CoreSpec { name, cpu, main } = spec;
    let core = name.clone();
    let thread = std::thread::Builder::new().name(name.clone()).spawn(move || {
        let executor = match make_executor(cpu) {
            Ok(executor) => executor,
            Err(error) => return report.send(Err(error)).expect("start waits for the report"),
        };
        report.send(Ok(())).expect("start waits for the report");
        if opened.recv().is_err() {
            return;
        }
        run_main(&executor, &core, main);
    });
    let thread = thread.map_err(|cause| StartError::System { core: name.clone(), cause })?;
    match reported.recv().expect("a starting core reports or panics") {
        Ok(()) => Ok((thread, gate)),
        Err(error) => Err(explain(name, cpu, error)),
    }
}

fn run_main(executor: &LocalExecutor, name: &str, main: Box<dyn FnOnce() -> crate::rt::task::LocalFuture<()> + Send>) {
    let outcome = catch_unwind(AssertUnwindSafe(|| {
        executor.run(async move {
            task::enter();
            task::run_in(Queue::Foreground, async move { main().await }).await;
        });
    }));
    if outcome.is_err() {
        tracing::error!(core = name, "the core panicked; the process aborts");
        std::process::abort();
    }
}

fn make_executor(cpu: Option<usize>) -> Result<LocalExecutor, GlommioError<()>> {
    let placement = cpu.map_or(Placement::Unbound, Placement::Fixed);
    LocalExecutorBuilder::new(placement)
        .spin_before_park(SPIN)
        .preempt_timer(PREEMPT_NEVER)
        .ring_depth(RING_DEPTH)
        .io_memory(IO_MEMORY_BYTES)
        .make()
}

fn explain(core: String, cpu: Option<usize>, error: GlommioError<()>) -> StartError {
    match (error, cpu) {
        (GlommioError::BuilderError(kind), Some(cpu)) => StartError::Cpu { core, cpu, cause: format!("{kind:?}") },
        (error, _) => StartError::System { core, cause: super::file::io_error(error) },
    }
}

/// What the whole process needs once: descriptors, SIGPIPE off, panics logged, the pool, and a kernel that gives rings.
fn prepare_process() -> Result<(), StartError> {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        raise_descriptor_limit();
        super::signals::ignore_broken_pipes();
        log_panics();
        pool::start();
    });
    check_memory_lock()?;
    check_ring()
}

fn log_panics() {
    let inner = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |info| {
        let thread = std::thread::current();
        tracing::error!(thread = thread.name().unwrap_or("?"), "{info}");
        inner(info);
    }));
}

fn limit(resource: libc::__rlimit_resource_t) -> libc::rlimit {
    let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: `limit` outlives the call.
    unsafe { libc::getrlimit(resource, &mut limit) };
    limit
}

/// As many descriptors as we may have: a broker holds files and connections by the thousand.
fn raise_descriptor_limit() {
    let mut descriptors = limit(libc::RLIMIT_NOFILE);
    descriptors.rlim_cur = descriptors.rlim_max;
    // SAFETY: raising the soft limit to the hard one; on failure the old one stays.
    unsafe { libc::setrlimit(libc::RLIMIT_NOFILE, &descriptors) };
}

fn check_memory_lock() -> Result<(), StartError> {
    let limit_bytes = limit(libc::RLIMIT_MEMLOCK).rlim_cur;
    if limit_bytes < MEMORY_LOCK_MIN { Err(StartError::MemoryLock { limit_bytes }) } else { Ok(()) }
}

/// Tries to make a tiny ring, because glommio panics where there is none.
fn check_ring() -> Result<(), StartError> {
    // SAFETY: io_uring_params is 120 bytes of plain numbers for which zeros are valid; the kernel fills it.
    let mut params = [0u32; 30];
    // SAFETY: see above; `params` outlives the call.
    let fd = unsafe { libc::syscall(libc::SYS_io_uring_setup, 2, params.as_mut_ptr()) };
    if fd >= 0 {
        // SAFETY: the call has just made this descriptor.
        drop(unsafe { OwnedFd::from_raw_fd(fd as i32) });
        return Ok(());
    }
    let sysctl = std::fs::read_to_string("/proc/sys/kernel/io_uring_disabled").ok();
    Err(explain_no_ring(io::Error::last_os_error(), sysctl.as_deref().map(str::trim)))
}

pub(super) fn explain_no_ring(error: io::Error, sysctl: Option<&str>) -> StartError {
    let (cause, advice) = match (error.raw_os_error(), sysctl) {
        (Some(libc::EPERM), Some("2")) => {
            ("the sysctl kernel.io_uring_disabled is 2", "Set it to 0 (sysctl -w kernel.io_uring_disabled=0).")
        }
        (Some(libc::EPERM), Some("1")) => (
            "the sysctl kernel.io_uring_disabled is 1 and this process is not in kernel.io_uring_group",
            "Set it to 0 or add the user to the group.",
        ),
        (Some(libc::EPERM | libc::EACCES), _) => (
            "the kernel refuses io_uring_setup, most likely by a seccomp filter (the default of docker, podman and others)",
            "Allow the io_uring system calls in the container's seccomp profile (docker run --security-opt seccomp=...).",
        ),
        (Some(libc::ENOSYS), _) => (
            "the kernel has no io_uring, or a sandbox hides it",
            "Run on Linux 5.15 or later, built with CONFIG_IO_URING, outside the sandbox.",
        ),
        (Some(libc::ENOMEM), _) => ("there is not enough memory that may be locked", "Raise the limit on locked memory (ulimit -l)."),
        (Some(libc::EMFILE | libc::ENFILE), _) => ("there are no descriptors left", "Raise the limit on open files (ulimit -n)."),
        _ => return StartError::NoRing { cause: error.to_string(), advice: "See io_uring_setup(2) for the error." },
    };
    StartError::NoRing { cause: format!("{cause} ({error})"), advice }
}

/// Runs `main` on an executor of the current thread: a core for tests. A panic in it fails the test.
#[cfg(test)]
pub(crate) fn run_here<T: 'static>(main: impl Future<Output = T> + 'static) -> T {
    prepare_process().expect("the machine gives us rings");
    let executor = make_executor(None).expect("the machine gives us an executor");
    let value = executor.run(async move {
        task::enter();
        task::run_in(Queue::Foreground, main).await
    });
    drop(executor);
    task::leave();
    value
}
