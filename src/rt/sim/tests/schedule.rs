//! Tasks, time, the mesh, ends of processes, determinism.

use super::{log, world};
use crate::rt::sim::{Options, World, for_each_seed};
use crate::rt::{self, CoreSpec, Mesh, Queue, sync};
use std::collections::BTreeSet;
use std::rc::Rc;
use std::time::Duration;

fn core<F: Future<Output = ()> + 'static>(name: &str, main: impl FnOnce() -> F + Send + 'static) -> CoreSpec {
    CoreSpec { name: name.into(), cpu: None, main: Box::new(|| Box::pin(main())) }
}

#[test]
fn sleeps_end_in_the_order_of_their_deadlines_and_never_early() {
    let (world, machine) = world(1);
    let ended = log();
    for wanted_ms in [30, 10, 20] {
        let ended = Rc::clone(&ended);
        world.spawn_on(machine, async move {
            let start = rt::now();
            rt::sleep(Duration::from_millis(wanted_ms)).await;
            let took = rt::now() - start;
            assert!(took >= Duration::from_millis(wanted_ms) && took < Duration::from_millis(wanted_ms + 2), "{took:?}");
            ended.borrow_mut().push(wanted_ms);
        });
    }
    world.run_until_idle();
    assert_eq!(*ended.borrow(), [10, 20, 30]);
}

#[test]
fn a_day_passes_in_no_time_and_a_cancelled_timer_does_not_hold_the_world_up() {
    let (world, machine) = world(2);
    world.block_on(machine, async {
        let answer = rt::timeout(Duration::from_secs(86_400), async { 7 }).await;
        assert_eq!(answer, Some(7));
        let none = rt::timeout(Duration::from_secs(3_600), std::future::pending::<()>()).await;
        assert_eq!(none, None);
    });
    let (start, wall_start) = (world.now(), rt::wall_clock());
    world.run_until_idle();
    assert_eq!(world.now(), start, "nothing was left to wait for");
    world.run_for(Duration::from_secs(86_400));
    assert_eq!(world.now() - start, Duration::from_secs(86_400));
    assert_eq!(rt::wall_clock().0 - wall_start.0, 86_400_000);
}

#[test]
fn which_of_two_tasks_runs_first_depends_on_the_seed() {
    let mut orders = BTreeSet::new();
    for seed in 0..50 {
        let (world, machine) = world(seed);
        let order = log();
        for name in ["a", "b", "c"] {
            let order = Rc::clone(&order);
            world.spawn_on(machine, async move { order.borrow_mut().push(name) });
        }
        world.run_until_idle();
        let order = order.borrow().clone();
        orders.insert(order);
    }
    assert_eq!(orders.len(), 6, "all orders of three tasks: {orders:?}");
}

#[test]
fn yielding_lets_every_runnable_task_run() {
    for seed in 0..200 {
        let (world, machine) = world(seed);
        world.block_on(machine, async {
            let seen = log();
            for id in 0..5 {
                let seen = Rc::clone(&seen);
                rt::spawn(Queue::Background, async move { seen.borrow_mut().push(id) });
            }
            rt::yield_now().await;
            assert_eq!(seen.borrow().len(), 5);
        });
    }
}

#[test]
fn the_mesh_keeps_the_order_of_each_pair_and_waits_when_full() {
    const COUNT: u64 = 200;
    for seed in 0..20 {
        let world = World::new(seed, Options::default());
        let machine = world.add_machine();
        let mut ends = Mesh::<u64>::ends(3, 4, true);
        let mut receiving = ends.pop().unwrap();
        let senders = ends.into_iter().enumerate().map(|(index, end)| {
            core(&format!("sender-{index}"), move || async move {
                let (sender, _end) = (end.sender(), end);
                for number in 0..COUNT {
                    sender.send(2, number).await;
                    rt::yield_if_needed().await;
                }
                assert!(sender.try_send(0, 0).is_ok(), "to itself or to a core that has ended");
            })
        });
        let mut cores: Vec<CoreSpec> = senders.collect();
        cores.push(core("receiver", move || async move {
            let mut next = [0; 2];
            for _ in 0..COUNT * 2 {
                let (from, number) = receiving.receive().await;
                assert_eq!(number, next[from]);
                next[from] += 1;
            }
        }));
        world.boot(machine, cores);
        world.run_until_idle();
        assert_eq!(world.running_cores(machine), 0);
    }
}

#[test]
fn a_core_that_has_ended_swallows_what_it_is_sent() {
    let (world, machine) = world(5);
    let mut ends = Mesh::<String>::ends(2, 2, true);
    let dead = ends.pop().unwrap();
    let alive = ends.pop().unwrap();
    let dies = core("dies", move || async move { drop(dead) });
    let sends = core("sends", move || async move {
        for _ in 0..100 {
            alive.sender().send(1, "into the void".into()).await;
        }
    });
    world.boot(machine, vec![dies, sends]);
    world.run_until_idle();
    assert_eq!(world.running_cores(machine), 0, "nobody waits for the dead");
}

#[test]
fn a_crash_ends_all_tasks_at_once_and_the_machine_boots_again() {
    let (world, machine) = world(6);
    let ticks = log();
    let tick = |ticks: super::Log<u32>, number: u32| async move {
        loop {
            rt::sleep(Duration::from_millis(10)).await;
            ticks.borrow_mut().push(number);
        }
    };
    let (sender, mut receiver) = sync::queue::<()>();
    world.spawn_on(machine, tick(Rc::clone(&ticks), 1));
    world.spawn_on(machine, async move {
        let _held = sender;
        std::future::pending::<()>().await;
    });
    world.run_for(Duration::from_millis(100));
    let before = ticks.borrow().len();
    assert!(before >= 5);
    world.crash(machine);
    world.run_for(Duration::from_millis(100));
    assert_eq!(ticks.borrow().len(), before);
    let outside = world.add_machine();
    assert!(world.block_on(outside, async move { receiver.receive().await }).is_none(), "what the tasks held is dropped");
    world.spawn_on(machine, tick(Rc::clone(&ticks), 2));
    world.run_for(Duration::from_millis(100));
    assert_eq!(ticks.borrow().last(), Some(&2));
}

#[test]
fn a_task_s_panic_reaches_the_test() {
    let outcome = std::panic::catch_unwind(|| {
        let (world, machine) = world(7);
        world.spawn_on(machine, async { panic!("broken invariant") });
        world.run_until_idle();
    });
    assert_eq!(outcome.unwrap_err().downcast_ref::<&str>(), Some(&"broken invariant"));
    let (world, machine) = world(8);
    assert_eq!(world.block_on(machine, async { rt::blocking(|| 5).await }), 5, "the thread serves another world");
}

/// A few cores that talk, sleep and write: enough for two runs to differ if anything but the seed had a say.
fn busy_run(seed: u64) -> (u64, String) {
    let world = World::new(seed, Options { trace_text: true, ..Options::default() });
    let machine = world.add_machine();
    let cores = Mesh::<u64>::ends(3, 8, true).into_iter().enumerate().map(|(index, mut end)| {
        core("shard", move || async move {
            let sender = end.sender();
            rt::spawn(Queue::Foreground, async move {
                for _ in 0..20 {
                    rt::sleep(Duration::from_micros(rt::random_u64() % 5_000)).await;
                    sender.send((index + 1) % 3, rt::random_u64()).await;
                }
            });
            let file = std::path::PathBuf::from(format!("/file-{index}"));
            for _ in 0..20 {
                let (_, number) = end.receive().await;
                rt::fs::write_file(&file, &number.to_be_bytes()).await.unwrap();
            }
        })
    });
    world.boot(machine, cores.collect());
    world.run_for(Duration::from_millis(40));
    world.crash(machine);
    let files = world.block_on(machine, async { rt::fs::list_dir("/".as_ref()).await.unwrap() });
    (world.trace_hash(), format!("{}{files:?}", world.trace_text()))
}

#[test]
fn a_seed_names_a_run() {
    let (hash, text) = busy_run(11);
    assert!(text.lines().count() > 300, "{} lines", text.lines().count());
    assert_eq!(busy_run(11), (hash, text));
    assert_ne!(busy_run(12).0, hash);
}

#[test]
fn every_seed_runs_once() {
    let seen = std::sync::Mutex::new(Vec::new());
    for_each_seed(20, |seed| seen.lock().unwrap().push(seed));
    let mut seen = seen.into_inner().unwrap();
    seen.sort_unstable();
    // The environment may ask for other seeds.
    assert!(!seen.is_empty() && seen.windows(2).all(|w| w[0] < w[1]), "{seen:?}");
}
