//! Spawning and yielding on a simulated core. Queues' shares are not modelled: any runnable task may run next.

use super::{clock, state};
use crate::rt::Queue;
use std::future::Future;
use std::task::Poll;

pub fn spawn(_queue: Queue, task: impl Future<Output = ()> + 'static) {
    // Without a core a destructor of a crashed process asks: nothing runs there any more.
    let Some(current) = state::try_current() else { return };
    state::with(|s| s.add_task(current.core, Box::pin(task)));
}

/// Sometimes yields: in virtual time no poll is long, and any of them may be the one that was too long.
pub async fn yield_if_needed() {
    if state::with(|s| s.rng.one_in(8)) {
        yield_now().await;
    }
}

/// Gives up two rounds: tasks that became runnable in this one all run in the next.
pub async fn yield_now() {
    let mut rounds_left = 2;
    std::future::poll_fn(|cx| {
        if rounds_left == 0 {
            return Poll::Ready(());
        }
        rounds_left -= 1;
        cx.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}

pub async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    let duration_ns = state::with(|s| s.rng.span(s.options.blocking));
    clock::pause(duration_ns).await;
    work()
}
