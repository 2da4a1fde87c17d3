use crate::rt::sync::oneshot;
use crate::rt::uring::start::{run, run_here};
use crate::rt::{CoreSpec, Queue, blocking, busy_time, now, random_u64, spawn, yield_now};
use std::sync::mpsc;

#[test]
fn every_queue_runs_its_tasks() {
    run_here(async {
        for queue in [Queue::Foreground, Queue::Replication, Queue::Flush, Queue::Background] {
            let (sender, receiver) = oneshot();
            spawn(queue, async move { sender.send(queue) });
            assert_eq!(receiver.await, Ok(queue));
        }
    });
}

#[test]
fn blocking_work_runs_beside_other_blocking_work() {
    run_here(async {
        // The first piece ends only when the second has run.
        let (sender, receiver) = mpsc::channel();
        let (waiting, waited) = oneshot();
        spawn(Queue::Foreground, async move { waiting.send(blocking(move || receiver.recv().unwrap()).await) });
        blocking(move || sender.send(41).unwrap()).await;
        assert_eq!(waited.await, Ok(41));
    });
}

#[test]
#[should_panic(expected = "a job went wrong")]
fn a_panic_in_blocking_work_ends_the_core_that_waits_for_it() {
    run_here(async { blocking(|| panic!("a job went wrong")).await });
}

#[test]
fn cores_run_on_threads_of_their_own_and_are_joined() {
    let (sender, receiver) = mpsc::channel();
    let cores = ["shard-0", "shard-1", "controller"].map(|name| {
        let sender = sender.clone();
        CoreSpec {
            name: name.to_owned(),
            cpu: None,
            main: Box::new(move || {
                Box::pin(async move {
                    crate::rt::sleep(std::time::Duration::from_millis(1)).await;
                    let name = std::thread::current().name().map(str::to_owned);
                    sender.send((name.unwrap(), crate::types::HashMap::<u8, u8>::default(), random_u64())).unwrap();
                })
            }),
        }
    });
    run(cores.into()).unwrap().join();
    drop(sender);
    let mut reports: Vec<_> = receiver.iter().map(|(name, _, random)| (name, random)).collect();
    reports.sort();
    assert_eq!(reports.iter().map(|(name, _)| name.as_str()).collect::<Vec<_>>(), ["controller", "shard-0", "shard-1"]);
    assert!(reports[0].1 != reports[1].1 && reports[1].1 != reports[2].1);
}

#[test]
fn a_core_for_a_cpu_that_is_not_there_starts_none() {
    let main = || -> Box<dyn FnOnce() -> crate::rt::task::LocalFuture<()> + Send> {
        Box::new(|| Box::pin(async { panic!("no main task may start") }))
    };
    let cores = vec![
        CoreSpec { name: "shard-0".to_owned(), cpu: None, main: main() },
        CoreSpec { name: "shard-1".to_owned(), cpu: Some(100_000), main: main() },
    ];
    let Err(error) = run(cores) else { panic!("started on CPU 100000") };
    assert!(error.to_string().starts_with("shard-1 cannot run on CPU 100000"), "{error}");
}

#[test]
fn the_time_a_core_worked_only_grows() {
    run_here(async {
        let mut seen = Vec::new();
        for _ in 0..5 {
            let until = now() + std::time::Duration::from_millis(2);
            while now() < until {
                std::hint::spin_loop();
            }
            yield_now().await;
            seen.push(busy_time());
        }
        assert!(seen.is_sorted(), "{seen:?}");
        // All of them together, not what was worked since the last look.
        assert!(seen[4] >= seen[0] + std::time::Duration::from_millis(6), "{seen:?}");
    });
}
