//! Tasks and cores: spawn on the current core, yield to I/O, run blocking work elsewhere.

use super::{Backend, backend, sim, uring};
use std::future::Future;
use std::pin::Pin;

/// Task queues of one core, most urgent first; the scheduler shares the core between them by weight.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Queue {
    /// Connections, produce and fetch, the mesh, the journal.
    Foreground,
    /// Followers' fetches and the metadata quorum.
    Replication,
    /// The segment writer and checkpoints.
    Flush,
    /// Recovery, compaction, cold reads.
    Background,
}

/// A future that stays on its core.
pub type LocalFuture<T> = Pin<Box<dyn Future<Output = T>>>;

/// What a core is started with: [`uring::run`](super::uring) gives it a thread, the simulator a place in its one thread.
pub struct CoreSpec {
    /// For the thread's name and logs, e.g. `shard-0`.
    pub name: String,
    /// The CPU to pin to; `None`: unpinned.
    pub cpu: Option<usize>,
    /// Builds the core's main task, on the core. The core ends when the task ends.
    pub main: Box<dyn FnOnce() -> LocalFuture<()> + Send>,
}

/// Starts a task on the current core; it is never cancelled. A panic inside ends the process (in the simulator: the run).
pub fn spawn(queue: Queue, task: impl Future<Output = ()> + 'static) {
    match backend() {
        Backend::Uring => uring::task::spawn(queue, task),
        Backend::Sim => sim::task::spawn(queue, task),
    }
}

/// Lets I/O and the other tasks run if this task has used its time slice (1 ms); cheap enough for a loop's body.
pub async fn yield_if_needed() {
    match backend() {
        Backend::Uring => uring::task::yield_if_needed().await,
        Backend::Sim => sim::task::yield_if_needed().await,
    }
}

/// Lets every other runnable task of this core run once.
pub async fn yield_now() {
    match backend() {
        Backend::Uring => uring::task::yield_now().await,
        Backend::Sim => sim::task::yield_now().await,
    }
}

/// Runs `work` on the core's blocking pool and returns its value. A panic in `work` ends the process, as on a core.
pub async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    match backend() {
        Backend::Uring => uring::task::blocking(work).await,
        Backend::Sim => sim::task::blocking(work).await,
    }
}

/// How long this core has run tasks since it started; the rest of the time it slept or polled.
pub fn busy_time() -> std::time::Duration {
    match backend() {
        Backend::Uring => uring::task::busy_time(),
        Backend::Sim => std::time::Duration::ZERO,
    }
}
