//! A few tasks at a time over a list.

use crate::rt::sync::{Semaphore, queue};
use crate::rt::{self, Queue};
use std::future::Future;

/// Runs `work` for every item, at most `at_once` of them side by side, and waits for all.
pub async fn for_each<T, F>(queue_of: Queue, items: Vec<T>, at_once: u64, work: impl Fn(T) -> F)
where
    F: Future<Output = ()> + 'static,
{
    let slots = Semaphore::new(at_once);
    let (done, mut all_done) = queue::<()>();
    for item in items {
        let slot = slots.acquire(1).await;
        let (work, done) = (work(item), done.clone());
        rt::spawn(queue_of, async move {
            work.await;
            drop((slot, done));
        });
    }
    drop(done);
    while all_done.receive().await.is_some() {}
}
