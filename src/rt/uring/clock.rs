//! The system's clocks and the core's ticker: all sleeps of a core share one glommio timer.
//!
//! Deadlines are rounded up to whole milliseconds, so sleepers of one millisecond cost one wake-up together (each timer of glommio's
//! costs some 88 us of CPU). Nobody sleeps: no timer is set. A cancelled sleep leaves at most one timer that wakes nobody.

use super::syscall::clock_ns;
use crate::rt::Instant;
use crate::types::Timestamp;
use glommio::timer::Timer;
use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

const TICK_NS: u64 = 1_000_000;
/// The tick of a timer that is not set.
const NEVER: u64 = u64::MAX;

pub fn now() -> Instant {
    Instant(clock_ns(libc::CLOCK_MONOTONIC))
}

pub fn wall_clock() -> Timestamp {
    Timestamp((clock_ns(libc::CLOCK_REALTIME) / 1_000_000) as i64)
}

pub async fn sleep_until(deadline: Instant) {
    if now() < deadline {
        Sleep { core: super::task::core(), deadline, key: None }.await;
    }
}

/// One core's sleepers.
pub struct Ticker {
    /// By (tick, id): who sleeps until the start of which tick.
    sleepers: RefCell<BTreeMap<(u64, u64), Waker>>,
    next_id: Cell<u64>,
    /// The tick that the driver's timer is set for.
    armed: Cell<u64>,
    driver: RefCell<Option<Waker>>,
}

impl Default for Ticker {
    fn default() -> Self {
        Ticker { sleepers: RefCell::default(), next_id: Cell::new(0), armed: Cell::new(NEVER), driver: RefCell::new(None) }
    }
}

impl Ticker {
    fn insert(&self, tick: u64, waker: Waker) -> (u64, u64) {
        let key = (tick, self.next_id.get());
        self.next_id.set(key.1 + 1);
        self.sleepers.borrow_mut().insert(key, waker);
        if tick < self.armed.get() {
            self.armed.set(tick);
            if let Some(driver) = self.driver.borrow_mut().take() {
                driver.wake();
            }
        }
        key
    }

    #[cfg(test)]
    pub fn sleeper_count(&self) -> usize {
        self.sleepers.borrow().len()
    }

    /// Wakes who is due and returns the next tick that somebody waits for.
    fn fire(&self) -> u64 {
        let now = now().0 / TICK_NS;
        let due = {
            let mut sleepers = self.sleepers.borrow_mut();
            let later = sleepers.split_off(&(now + 1, 0));
            std::mem::replace(&mut *sleepers, later)
        };
        for waker in due.into_values() {
            waker.wake();
        }
        self.sleepers.borrow().first_key_value().map_or(NEVER, |((tick, _), _)| *tick)
    }
}

/// The task behind the ticker; one a core, ends never.
pub async fn drive(core: Rc<super::task::Core>) {
    let ticker = &core.ticker;
    let mut timer: Option<(u64, Timer)> = None;
    poll_fn(|cx| {
        loop {
            let next = ticker.fire();
            ticker.armed.set(next);
            *ticker.driver.borrow_mut() = Some(cx.waker().clone());
            if next == NEVER {
                timer = None;
                return Poll::<()>::Pending;
            }
            if timer.as_ref().is_none_or(|(tick, _)| *tick != next) {
                let wait_ns = (next * TICK_NS).saturating_sub(now().0);
                timer = Some((next, Timer::new(Duration::from_nanos(wait_ns))));
            }
            let (_, armed) = timer.as_mut().expect("set above");
            if Pin::new(armed).poll(cx).is_pending() {
                return Poll::Pending;
            }
            timer = None;
        }
    })
    .await;
}

struct Sleep {
    core: Rc<super::task::Core>,
    deadline: Instant,
    key: Option<(u64, u64)>,
}

impl Future for Sleep {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        if now() >= self.deadline {
            return Poll::Ready(());
        }
        let ticker = &self.core.ticker;
        if let Some(key) = self.key
            && let Some(waker) = ticker.sleepers.borrow_mut().get_mut(&key)
        {
            waker.clone_from(cx.waker());
            return Poll::Pending;
        }
        let tick = self.deadline.0.div_ceil(TICK_NS);
        self.key = Some(ticker.insert(tick, cx.waker().clone()));
        Poll::Pending
    }
}

impl Drop for Sleep {
    fn drop(&mut self) {
        if let Some(key) = self.key {
            self.core.ticker.sleepers.borrow_mut().remove(&key);
        }
    }
}
