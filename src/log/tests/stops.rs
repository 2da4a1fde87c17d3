//! What the journal leaves under way at an end: after a stop nothing; and what a killed process's writes may do to the next one: nothing.

use super::*;
use crate::rt::{self, fs};
use std::cell::Cell;
use std::path::Path;
use std::time::Duration;

#[test]
fn a_stop_waits_for_the_journal_that_grows() {
    let given_up = Rc::new(Cell::new(0));
    for seed in 0..60 {
        let (world, machine) = world(seed);
        let pause = Duration::from_micros(world.random_below(8_000));
        let counting = Rc::clone(&given_up);
        world.block_on(machine, async move {
            let broker = start(LogConfig {
                journal_file_bytes: 1 << 20,
                journal_bytes_initial: 2 << 20,
                journal_bytes_max: 4 << 20,
                ..small_config()
            })
            .await;
            let log = broker.log(0).await;
            for n in 0..32 {
                let end = append(&log, &batch(n, 4, 10_000, 1));
                log.wait_durable(end).await.expect("a durable append");
            }
            let journal = Rc::clone(broker.store.log_dirs()[0].journal.as_ref().expect("a journal"));
            journal.grow();
            rt::sleep(pause).await;
            counting.set(counting.get() + u32::from(is_growing().await));
            journal.abort();
            journal.stopped().await;
            assert!(!is_growing().await, "seed {seed}");
        });
    }
    assert!(given_up.get() > 10, "stopped in the middle of it: {} times", given_up.get());
}

#[test]
fn a_killed_processs_frame_that_lands_in_the_next_ones_time_takes_nothing_from_it() {
    for seed in 0..150 {
        let (world, machine) = world(seed);
        let begun = Rc::new(Cell::new(false));
        let beginning = Rc::clone(&begun);
        world.spawn_on(machine, async move {
            let broker = start(small_config()).await;
            let log = broker.log(0).await;
            append(&log, &batch(0, 4, 1_000, 1));
            beginning.set(true);
            std::future::pending::<()>().await;
        });
        let under_way = || begun.get() && world.writes_under_way(machine) > 0;
        assert!(world.run_until(Duration::from_secs(5), under_way), "seed {seed}: a frame is on its way");
        world.kill(machine);
        let acknowledged = Rc::new(Cell::new(Offset(0)));
        let noting = Rc::clone(&acknowledged);
        world.spawn_on(machine, async move {
            let broker = start(small_config()).await;
            let log = broker.log(0).await;
            let end = append(&log, &batch(0, 4, 1_000, 2));
            log.wait_durable(end).await.expect("a durable append");
            noting.set(end);
            std::future::pending::<()>().await;
        });
        assert!(world.run_until(Duration::from_secs(5), || acknowledged.get() > Offset(0)), "seed {seed}: it is acknowledged");
        // The last life's write has landed by now, wherever it was.
        world.run_until(Duration::from_millis(100), || world.writes_under_way(machine) == 0);
        world.kill(machine);
        world.block_on(machine, async move {
            let broker = start(small_config()).await;
            assert_eq!(broker.log(0).await.log_end(), acknowledged.get(), "seed {seed}");
        });
    }
}

async fn is_growing() -> bool {
    fs::list_dir(Path::new("/data")).await.expect("a listing").iter().any(|entry| entry.name.ends_with(".new"))
}

#[test]
fn a_new_file_is_not_the_one_that_an_earlier_process_may_still_be_writing() {
    let (world, machine) = world(7);
    world.block_on(machine, async {
        start(small_config()).await.stop().await;
        let path = Path::new("/data/ringmill-journal-0-2.new");
        let options = rt::OpenOptions { write: true, create: true, ..rt::OpenOptions::default() };
        let earlier = rt::File::open(path, options).await.expect("a file");
        let made =
            crate::log::journal::files::make(&path.with_extension(""), 64 << 10, || Some(Duration::ZERO)).await.expect("a ring file");
        let mut late = rt::AlignedBuffer::with_capacity(4096);
        late.extend_from_slice(&[1; 4096]);
        earlier.write_at(0, late).await.expect("a write");
        assert_eq!(made.read_at(0, 1).await.expect("a read"), [0].as_slice());
    });
}
