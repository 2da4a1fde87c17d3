//! The blocking pool: a few threads, shared by all cores, for calls that may wait for a disk. Never pinned.
//!
//! A panic in a piece of work is carried to the core that waits for it and ends the process there; if nobody waits any more, here.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::OnceLock;

type Job = Box<dyn FnOnce() + Send>;

/// Enough that a rename does not queue behind slow work of one core.
const THREADS_MIN: usize = 4;

static POOL: OnceLock<flume::Sender<Job>> = OnceLock::new();

/// Starts the threads unless they run. Called before cores are pinned, since a thread inherits its maker's CPUs.
pub fn start() -> &'static flume::Sender<Job> {
    POOL.get_or_init(|| {
        let threads = std::thread::available_parallelism().map_or(THREADS_MIN, |cpus| THREADS_MIN.max(2 * cpus.get()));
        let (sender, receiver) = flume::unbounded::<Job>();
        for index in 0..threads {
            let receiver = receiver.clone();
            std::thread::Builder::new()
                .name(format!("blocking-{index}"))
                .spawn(move || receiver.iter().for_each(|job| job()))
                .expect("the system gives us a few threads");
        }
        sender
    })
}

pub async fn run<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    let (sender, receiver) = flume::bounded::<Result<T, Box<dyn Any + Send>>>(1);
    let job: Job = Box::new(move || {
        let unheard = sender.send(catch_unwind(AssertUnwindSafe(work)));
        if let Err(flume::SendError(Err(_))) = unheard {
            tracing::error!("blocking work panicked after its waiter had gone");
            std::process::abort();
        }
    });
    start().send(job).expect("the pool's threads never end");
    match receiver.into_recv_async().await.expect("a job always answers") {
        Ok(value) => value,
        Err(panic) => resume_unwind(panic),
    }
}
