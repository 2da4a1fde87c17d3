use crate::rt::sync::{oneshot, queue};
use crate::rt::uring::start::{run, run_here};
use crate::rt::{CoreSpec, Mesh, Queue, spawn, yield_now};
use std::cell::Cell;
use std::rc::Rc;
use std::sync::mpsc;

fn cores(mains: Vec<Box<dyn FnOnce() -> crate::rt::task::LocalFuture<()> + Send>>) {
    let specs = mains.into_iter().enumerate().map(|(i, main)| CoreSpec { name: format!("shard-{i}"), cpu: None, main });
    run(specs.collect()).unwrap().join();
}

#[test]
fn messages_of_each_core_arrive_in_its_order_and_none_is_lost() {
    const CORES: usize = 3;
    const MESSAGES: u64 = 20_000;
    let (report, reports) = mpsc::channel();
    let mains = Mesh::<u64>::ends(CORES, 16, false).into_iter().map(|mut mesh| {
        let report = report.clone();
        let main: Box<dyn FnOnce() -> crate::rt::task::LocalFuture<()> + Send> = Box::new(move || {
            Box::pin(async move {
                let (sent, mut all_sent) = queue();
                for to in 0..CORES {
                    let (sender, sent) = (mesh.sender(), sent.clone());
                    spawn(Queue::Foreground, async move {
                        for i in 0..MESSAGES {
                            sender.send(to, i).await;
                        }
                        sent.send(()).unwrap();
                    });
                }
                let mut next = [0; CORES];
                while next.iter().any(|n| *n < MESSAGES) {
                    let (from, i) = mesh.receive().await;
                    assert_eq!(i, next[from], "from {from}");
                    next[from] += 1;
                }
                for _ in 0..CORES {
                    all_sent.receive().await.unwrap();
                }
                report.send(()).unwrap();
            })
        });
        main
    });
    cores(mains.collect());
    assert_eq!(reports.try_iter().count(), CORES);
}

#[test]
fn a_full_channel_gives_the_message_back_and_makes_a_send_wait() {
    run_here(async {
        let mut ends = Mesh::<u32>::ends(2, 2, false);
        let other = ends.pop().unwrap();
        let mut mesh = ends.pop().unwrap();
        let sender = mesh.sender();
        assert_eq!((sender.try_send(0, 1), sender.try_send(0, 2), sender.try_send(0, 3)), (Ok(()), Ok(()), Err(3)));
        assert_eq!(other.sender().try_send(0, 9), Ok(()), "the other core's channel has room");
        let sent = Rc::new(Cell::new(false));
        let flag = Rc::clone(&sent);
        spawn(Queue::Foreground, async move {
            sender.send(0, 3).await;
            flag.set(true);
        });
        yield_now().await;
        yield_now().await;
        assert!(!sent.get());
        let mut from_us = Vec::new();
        while from_us.len() < 3 {
            let (from, message) = mesh.receive().await;
            if from == 0 {
                from_us.push(message);
            }
        }
        assert_eq!(from_us, [1, 2, 3]);
        yield_now().await;
        assert!(sent.get());
    });
}

#[test]
fn a_send_that_is_given_up_leaves_nothing_behind() {
    run_here(async {
        let mut mesh = Mesh::<u32>::ends(1, 1, false).pop().unwrap();
        let sender = mesh.sender();
        sender.send(0, 1).await;
        assert_eq!(crate::rt::timeout(std::time::Duration::from_millis(2), sender.send(0, 2)).await, None);
        assert_eq!(mesh.receive().await, (0, 1));
        sender.send(0, 3).await;
        assert_eq!(mesh.receive().await, (0, 3), "the message that was given up did not go");
    });
}

#[test]
fn an_ended_core_swallows_what_it_is_sent_also_from_who_waits_for_room() {
    run_here(async {
        let mut ends = Mesh::<u32>::ends(2, 1, false);
        let ended = ends.pop().unwrap();
        let sender = ends[0].sender();
        sender.send(1, 1).await;
        let (done, waiting) = oneshot();
        spawn(Queue::Foreground, async move {
            sender.send(1, 2).await;
            done.send(());
        });
        yield_now().await;
        drop(ended);
        assert_eq!(waiting.await, Ok(()));
        assert_eq!(ends[0].sender().try_send(1, 3), Ok(()));
    });
}
