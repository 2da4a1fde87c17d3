use crate::rt::sync::Event;
use crate::rt::uring::start::run_here;
use crate::rt::{Queue, now, sleep, sleep_until, spawn, timeout, wall_clock};
use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::Duration;

const MS: Duration = Duration::from_millis(1);
const HOUR: Duration = Duration::from_secs(3600);

#[test]
fn a_sleep_ends_at_its_deadline_or_later() {
    run_here(async {
        let start = now();
        sleep(5 * MS).await;
        assert!(now() - start >= 5 * MS);
        sleep_until(start).await;
        assert!(wall_clock().0 > 1_600_000_000_000, "milliseconds since 1970");
    });
}

#[test]
fn sleepers_wake_in_the_order_of_their_deadlines_whatever_order_they_came_in() {
    run_here(async {
        let woken = Rc::new(RefCell::new(Vec::new()));
        let all = Event::default();
        let done = all.listen();
        let start = now();
        for ms in [30, 10, 20] {
            let (woken, all) = (Rc::clone(&woken), all.clone());
            spawn(Queue::Foreground, async move {
                sleep_until(start + ms * MS).await;
                woken.borrow_mut().push(ms);
                if woken.borrow().len() == 3 {
                    all.notify();
                }
            });
        }
        done.await;
        assert_eq!(*woken.borrow(), [10, 20, 30]);
    });
}

#[test]
fn a_timeout_gives_the_value_or_gives_up() {
    run_here(async {
        assert_eq!(timeout(HOUR, async { 7 }).await, Some(7));
        assert_eq!(timeout(2 * MS, std::future::pending::<()>()).await, None);
        assert_eq!(timeout(HOUR, sleep(MS)).await, Some(()));
    });
}

#[test]
fn a_cancelled_sleep_wakes_nobody_and_a_later_one_still_works() {
    run_here(async {
        let ticker = &crate::rt::uring::task::core().ticker;
        assert_eq!(timeout(MS, sleep(HOUR)).await, None);
        assert_eq!(ticker.sleeper_count(), 0, "neither the sleep nor the alarm is left");
        let start = now();
        sleep(2 * MS).await;
        assert!(now() - start >= 2 * MS);
        assert_eq!(ticker.sleeper_count(), 0);
    });
}

#[test]
fn a_busy_task_lets_others_run_within_its_time_slice() {
    run_here(async {
        let stop = Rc::new(Cell::new(false));
        let flag = Rc::clone(&stop);
        spawn(Queue::Foreground, async move {
            sleep(3 * MS).await;
            flag.set(true);
        });
        while !stop.get() {
            crate::rt::yield_if_needed().await;
        }
        stop.set(false);
        let flag = Rc::clone(&stop);
        spawn(Queue::Background, async move { flag.set(true) });
        while !stop.get() {
            crate::rt::yield_now().await;
        }
    });
}
