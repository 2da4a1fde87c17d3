//! What every core has (task queues, ticker, generator, receive scratch), and spawning on it.

use super::clock::{self, Ticker};
use super::wake::{self, TaskWaker, WakeList};
use super::{cold_read, pool, syscall};
use crate::rt::task::LocalFuture;
use crate::rt::{Backend, Queue, set_backend};
use glommio::{Latency, Shares, TaskQueueHandle};
use std::cell::{Cell, RefCell};
use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::rc::Rc;
use std::sync::{Arc, Weak};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

/// Overflow area of receives: what a connection's own buffer had no room for. One a core, so idle connections need no buffer.
const SCRATCH_BYTES: usize = 64 << 10;

/// The state of one core, reached through a thread-local.
pub struct Core {
    queues: [TaskQueueHandle; 4],
    pub ticker: Ticker,
    random: Cell<u64>,
    wakes: Arc<WakeList>,
    pub scratch: RefCell<Box<[u8]>>,
    pub cold_reads: cold_read::Gate,
    busy: Cell<Duration>,
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
    let wakes = WakeList::enter().expect("a core has a descriptor for its bell");
    let core = Rc::new(Core {
        queues,
        wakes: Arc::clone(&wakes),
        ticker: Ticker::default(),
        random: Cell::new(syscall::system_random()),
        scratch: RefCell::new(vec![0; SCRATCH_BYTES].into_boxed_slice()),
        cold_reads: cold_read::Gate::default(),
        busy: Cell::default(),
    });
    CORE.set(Some(Rc::clone(&core)));
    set_backend(Some(Backend::Uring));
    crate::types::seed_hashers(core.random_u64());
    // These two wake the others, so they are never made to wait for a turn.
    spawn_as_is(Queue::Foreground, clock::drive(core));
    spawn_as_is(Queue::Foreground, wakes.serve());
}

/// `Latency::Matters` would only shorten glommio's time slice, which is off.
const LATENCY: Latency = Latency::NotImportant;

/// Undoes [`enter`]; for a thread that goes on to something else.
pub fn leave() {
    CORE.set(None);
    WakeList::leave();
    set_backend(None);
}

fn spawn_as_is(queue: Queue, task: impl Future<Output = ()> + 'static) {
    glommio::spawn_local_into(task, core().queues[queue as usize]).expect("the queue lives as long as the core").detach();
}

pub fn spawn(queue: Queue, task: impl Future<Output = ()> + 'static) {
    spawn_as_is(queue, Task { future: Box::pin(task), waker: Weak::new(), core: core() });
}

/// Runs `task` in `queue` and waits for it. For the one future that glommio itself runs.
pub async fn run_in<T: 'static>(queue: Queue, task: impl Future<Output = T> + 'static) -> T {
    let (sender, receiver) = crate::rt::sync::oneshot();
    spawn(queue, async move { sender.send(task.await) });
    receiver.await.expect("a task that ends sends its value")
}

/// A task as glommio sees it: it has a waker that may go to other threads, and waits for the next turn when the slice is used up.
struct Task {
    future: LocalFuture<()>,
    /// Not an `Arc`: a task that nobody can wake any more shall end, not keep itself alive.
    waker: Weak<TaskWaker>,
    core: Rc<Core>,
}

impl Task {
    fn waker(&mut self, cx: &Context<'_>) -> Arc<TaskWaker> {
        self.waker.upgrade().unwrap_or_else(|| {
            let waker = TaskWaker::new(cx.waker().clone(), Arc::clone(&self.core.wakes));
            self.waker = Arc::downgrade(&waker);
            waker
        })
    }
}

impl Future for Task {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let waker = self.waker(cx);
        if wake::is_slice_over() {
            waker.pass_over();
            return Poll::Pending;
        }
        wake::polling(|| self.future.as_mut().poll(&mut Context::from_waker(&Waker::from(waker))))
    }
}

pub async fn yield_if_needed() {
    if wake::is_slice_over() {
        yield_now().await;
    }
}

/// Goes on after all that is runnable now has run and the rings have been polled.
pub async fn yield_now() {
    let mut yielded = false;
    poll_fn(|cx| {
        if std::mem::replace(&mut yielded, true) {
            return Poll::Ready(());
        }
        wake::give_way(cx.waker());
        Poll::Pending
    })
    .await;
}

pub async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    pool::run(work).await
}

pub fn busy_time() -> Duration {
    // glommio starts its count anew each time it is asked.
    let core = core();
    core.busy.set(core.busy.get() + glommio::executor().executor_stats().executor_runtime());
    core.busy.get()
}
