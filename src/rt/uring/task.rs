//! What every core has (task queues, ticker, generator, receive scratch), and spawning on it.

use super::clock::{self, Ticker};
use super::{pool, syscall};
use crate::rt::{Backend, Queue, set_backend};
use glommio::{Latency, Shares, TaskQueueHandle};
use std::cell::{Cell, RefCell};
use std::future::Future;
use std::rc::Rc;
use std::time::Duration;

/// Overflow area of receives: what a connection's own buffer had no room for. One a core, so idle connections need no buffer.
const SCRATCH_BYTES: usize = 64 << 10;

/// The state of one core, reached through a thread-local.
pub struct Core {
    queues: [TaskQueueHandle; 4],
    pub ticker: Ticker,
    random: Cell<u64>,
    pub scratch: RefCell<Box<[u8]>>,
}

impl Core {
    /// splitmix64 from a seed of the system's.
    pub fn random_u64(&self) -> u64 {
        self.random.set(self.random.get().wrapping_add(0x9E37_79B9_7F4A_7C15));
        let mut z = self.random.get();
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }
}

thread_local! {
    static CORE: RefCell<Option<Rc<Core>>> = const { RefCell::new(None) };
}

/// The current core. Panics on other threads: a bug in start-up code.
pub fn core() -> Rc<Core> {
    CORE.with_borrow(|core| Rc::clone(core.as_ref().expect("this thread is no core")))
}

/// Weights and names of the task queues, in the order of [`Queue`].
const QUEUES: [(&str, usize); 4] = [("foreground", 1000), ("replication", 500), ("flush", 250), ("background", 50)];

/// Makes the running executor's thread a core. Call on the executor, before any other function of `rt`.
pub fn enter() {
    let executor = glommio::executor();
    let queues = QUEUES.map(|(name, shares)| executor.create_task_queue(Shares::Static(shares), LATENCY, name));
    let core = Rc::new(Core {
        queues,
        ticker: Ticker::new(),
        random: Cell::new(syscall::system_random()),
        scratch: RefCell::new(vec![0; SCRATCH_BYTES].into_boxed_slice()),
    });
    CORE.set(Some(Rc::clone(&core)));
    set_backend(Some(Backend::Uring));
    crate::types::seed_hashers(core.random_u64());
    spawn(Queue::Foreground, clock::drive(core));
}

/// Every queue gives the core back after this long if others wait.
pub const PREEMPT: Duration = Duration::from_millis(1);

/// With `Latency::Matters` each wake from another thread writes to the core's eventfd even when the core is awake.
const LATENCY: Latency = Latency::NotImportant;

/// Undoes [`enter`]; for a thread that goes on to something else.
pub fn leave() {
    CORE.set(None);
    set_backend(None);
}

pub fn spawn(queue: Queue, task: impl Future<Output = ()> + 'static) {
    glommio::spawn_local_into(task, core().queues[queue as usize]).expect("the queue lives as long as the core").detach();
}

/// Runs `task` in `queue` and waits for it.
pub async fn run_in<T: 'static>(queue: Queue, task: impl Future<Output = T> + 'static) -> T {
    glommio::spawn_local_into(task, core().queues[queue as usize]).expect("the queue lives as long as the core").await
}

pub async fn yield_if_needed() {
    glommio::yield_if_needed().await;
}

pub async fn yield_now() {
    glommio::executor().yield_task_queue_now().await;
}

pub async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    pool::run(work).await
}

pub fn busy_time() -> std::time::Duration {
    glommio::executor().executor_stats().executor_runtime()
}
