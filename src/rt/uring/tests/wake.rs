use crate::rt::sync::oneshot;
use crate::rt::task::LocalFuture;
use crate::rt::uring::start::{run, run_here};
use crate::rt::{CoreSpec, Mesh, Queue, blocking, now, spawn, yield_now};
use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::Duration;

/// Keeps the CPU without giving way.
fn spin(duration: Duration) {
    let end = now() + duration;
    while now() < end {
        std::hint::spin_loop();
    }
}

#[test]
fn two_cores_that_wake_each_other_all_the_time_never_both_sleep() {
    // glommio's own wakes hung here after some 10,000 hops on a busy machine. Few under way: the cores sleep often.
    const ROUNDS: u64 = 20_000;
    const UNDER_WAY: u64 = 16;
    let mut ends = Mesh::<u64>::ends(2, UNDER_WAY as usize, false).into_iter();
    let (mut asking, mut answering) = (ends.next().unwrap(), ends.next().unwrap());
    let ask: Box<dyn FnOnce() -> LocalFuture<()> + Send> = Box::new(move || {
        Box::pin(async move {
            let sender = asking.sender();
            for i in 0..ROUNDS {
                sender.send(1, i).await;
                if let Some(answered) = (i + 1).checked_sub(UNDER_WAY) {
                    assert_eq!(asking.receive().await, (1, answered));
                }
            }
            sender.send(1, u64::MAX).await;
        })
    });
    let answer: Box<dyn FnOnce() -> LocalFuture<()> + Send> = Box::new(move || {
        Box::pin(async move {
            let sender = answering.sender();
            loop {
                match answering.receive().await.1 {
                    u64::MAX => return,
                    i => sender.send(0, i).await,
                }
            }
        })
    });
    let cpus = crate::rt::host::allowed_cpus();
    let spec = |(i, main)| CoreSpec { name: format!("shard-{i}"), cpu: cpus.get(i).copied(), main };
    run([ask, answer].into_iter().enumerate().map(spec).collect()).unwrap().join();
}

#[test]
fn tasks_that_wake_each_other_for_ever_do_not_keep_the_core_from_its_rings() {
    run_here(async {
        let stop = Rc::new(Cell::new(false));
        for _ in 0..3 {
            let stop = Rc::clone(&stop);
            spawn(Queue::Background, async move {
                while !stop.get() {
                    // Runnable at once again, and never asks whether its slice is over.
                    let mut again = false;
                    std::future::poll_fn(|cx| {
                        cx.waker().wake_by_ref();
                        if std::mem::replace(&mut again, true) { std::task::Poll::Ready(()) } else { std::task::Poll::Pending }
                    })
                    .await;
                }
            });
        }
        blocking(|| ()).await;
        crate::rt::sleep(Duration::from_millis(2)).await;
        stop.set(true);
    });
}

#[test]
fn a_yield_lets_every_runnable_task_of_every_queue_run_first() {
    run_here(async {
        let order = Rc::new(RefCell::new(Vec::new()));
        for (name, queue) in [("background", Queue::Background), ("flush", Queue::Flush), ("foreground", Queue::Foreground)] {
            let order = Rc::clone(&order);
            spawn(queue, async move { order.borrow_mut().push(name) });
        }
        yield_now().await;
        order.borrow_mut().push("us");
        assert_eq!(order.borrow().last(), Some(&"us"));
        assert_eq!(order.borrow().len(), 4);
    });
}

#[test]
fn a_task_that_used_up_its_slice_goes_on_after_the_others() {
    run_here(async {
        let ran = Rc::new(Cell::new(false));
        let flag = Rc::clone(&ran);
        spawn(Queue::Foreground, async move { flag.set(true) });
        spin(Duration::from_millis(2));
        // The other is polled after the slice, so it waits for the next turn, and runs there before us.
        crate::rt::yield_if_needed().await;
        assert!(ran.get());
    });
}

#[test]
fn a_waker_may_outlive_its_task_on_another_thread() {
    run_here(async {
        let (taken, waker) = oneshot();
        spawn(Queue::Foreground, async move {
            let mut taken = Some(taken);
            std::future::poll_fn(|cx| {
                if let Some(taken) = taken.take() {
                    taken.send(cx.waker().clone());
                }
                std::task::Poll::Ready(())
            })
            .await;
        });
        let waker = waker.await.unwrap();
        blocking(move || {
            waker.wake_by_ref();
            drop(waker.clone());
            waker.wake();
        })
        .await;
        yield_now().await;
    });
}
