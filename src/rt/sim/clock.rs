//! Virtual time: it moves only from event to event.

use super::slab::Key;
use super::state::{self, Event};
use crate::rt::Instant;
use crate::types::Timestamp;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

/// 2026-01-01 00:00:00 UTC.
const WALL_CLOCK_START_MS: i64 = 1_767_225_600_000;
/// The real ticker's resolution.
const SLACK_NS: u64 = 1_000_000;

pub fn now() -> Instant {
    Instant(state::with(|s| s.now_ns))
}

pub fn wall_clock() -> Timestamp {
    let machine = state::try_current().map(|c| c.machine);
    state::with(|s| {
        let offset_ms = machine.map_or(0, |m| s.machines[m].wall_clock_offset_ms);
        Timestamp(WALL_CLOCK_START_MS + (s.now_ns / 1_000_000) as i64 + offset_ms)
    })
}

pub async fn sleep_until(deadline: Instant) {
    Sleep { deadline_ns: deadline.0, slack_ns: SLACK_NS, timer: None }.await;
}

/// Waits exactly this long: the time an operation takes, as against a timer.
pub async fn pause(duration_ns: u64) {
    Sleep { deadline_ns: now().0 + duration_ns, slack_ns: 0, timer: None }.await;
}

struct Sleep {
    deadline_ns: u64,
    slack_ns: u64,
    timer: Option<Key>,
}

impl Future for Sleep {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let this = &mut *self;
        state::with(|s| {
            if s.now_ns >= this.deadline_ns {
                return Poll::Ready(());
            }
            if let Some(waker) = this.timer.and_then(|key| s.timers.get_mut(key)) {
                waker.clone_from(cx.waker());
                return Poll::Pending;
            }
            let key = s.timers.insert(cx.waker().clone());
            this.timer = Some(key);
            let time_ns = this.deadline_ns.saturating_add(s.rng.below(this.slack_ns + 1));
            s.at(time_ns, Event::Timer(key));
            Poll::Pending
        })
    }
}

impl Drop for Sleep {
    fn drop(&mut self) {
        if let Some(key) = self.timer {
            state::with_if_alive(|s| drop(s.timers.remove(key)));
        }
    }
}
