//! Time: a monotonic clock for durations, the wall clock for record timestamps. Both virtual in the simulator.

use super::{Backend, backend, sim, uring};
use crate::types::Timestamp;
use std::future::Future;
use std::ops::{Add, Sub};
use std::time::Duration;

/// Nanoseconds on a monotonic clock with an arbitrary zero.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Default)]
pub struct Instant(pub u64);

impl Add<Duration> for Instant {
    type Output = Instant;

    fn add(self, duration: Duration) -> Instant {
        Instant(self.0.saturating_add(duration.as_nanos().min(u64::MAX as u128) as u64))
    }
}

impl Sub for Instant {
    type Output = Duration;

    /// Zero if `earlier` is later.
    fn sub(self, earlier: Instant) -> Duration {
        Duration::from_nanos(self.0.saturating_sub(earlier.0))
    }
}

/// The monotonic clock.
pub fn now() -> Instant {
    match backend() {
        Backend::Uring => uring::clock::now(),
        Backend::Sim => sim::clock::now(),
    }
}

/// The wall clock, in milliseconds; may jump.
pub fn wall_clock() -> Timestamp {
    match backend() {
        Backend::Uring => uring::clock::wall_clock(),
        Backend::Sim => sim::clock::wall_clock(),
    }
}

/// Completes at `deadline` or a little later (the core's ticker has a resolution of 1 ms). Cancel-safe.
pub async fn sleep_until(deadline: Instant) {
    match backend() {
        Backend::Uring => uring::clock::sleep_until(deadline).await,
        Backend::Sim => sim::clock::sleep_until(deadline).await,
    }
}

/// Completes after `duration` or a little later. Cancel-safe.
pub async fn sleep(duration: Duration) {
    sleep_until(now() + duration).await;
}

/// `future`'s value, or `None` once `duration` has passed. Only for cancel-safe futures: `rt::sync`'s, `Connection::read`.
pub async fn timeout<T>(duration: Duration, future: impl Future<Output = T>) -> Option<T> {
    let mut future = std::pin::pin!(future);
    let mut alarm = std::pin::pin!(sleep(duration));
    std::future::poll_fn(|cx| {
        if let std::task::Poll::Ready(value) = future.as_mut().poll(cx) {
            return std::task::Poll::Ready(Some(value));
        }
        alarm.as_mut().poll(cx).map(|()| None)
    })
    .await
}
