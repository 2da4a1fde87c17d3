//! The seam's files on the simulated disk: reads, maps, locks, writes under way, whole-file replacement.

use super::world;
use crate::rt::sim::{DiskFaults, Options, World};
use crate::rt::{self, AlignedBuffer, File, Map, OpenOptions, SharedFile, fs};
use std::cell::RefCell;
use std::collections::BTreeSet;
use std::io::ErrorKind;
use std::path::Path;
use std::rc::Rc;
use std::time::Duration;

const WRITE: OpenOptions = OpenOptions { write: true, create: true, direct: false, durable: false };

fn filled(byte: u8, len: usize) -> AlignedBuffer {
    let mut buffer = AlignedBuffer::with_capacity(len);
    buffer.extend_from_slice(&vec![byte; len]);
    buffer
}

#[test]
fn reads_see_the_latest_write_and_a_map_is_a_snapshot() {
    let (world, machine) = world(1);
    world.block_on(machine, async {
        let path = Path::new("/file");
        let file = File::open(path, WRITE).await.unwrap();
        file.write_at(0, filled(1, 1_000)).await.unwrap();
        let (shared, map) = (SharedFile::open(path).await.unwrap(), Map::open(path).await.unwrap());
        let buffer = file.write_at(990, filled(2, 20)).await.unwrap();
        assert_eq!(buffer.len(), 20, "the buffer comes back");
        assert_eq!(shared.read_at(985, 100).await.unwrap(), [vec![1; 5], vec![2; 20]].concat());
        assert_eq!(file.read_at(2_000, 10).await.unwrap(), b"".as_slice());
        assert_eq!(map.as_slice(), vec![1; 1_000]);
        fs::remove_file(path).await.unwrap();
        assert_eq!(shared.read_at(0, 1).await.unwrap(), [1].as_slice(), "an unlinked file lives in its handles");
        assert_eq!(File::open(path, OpenOptions::default()).await.err().unwrap().kind(), ErrorKind::NotFound);
    });
}

#[test]
#[should_panic(expected = "direct write")]
fn an_unaligned_direct_write_is_a_bug() {
    let world = World::new(1, Options { alignment: Some(512), ..Options::default() });
    let machine = world.add_machine();
    world.block_on(machine, async {
        let file = File::open("/file".as_ref(), OpenOptions { direct: true, ..WRITE }).await.unwrap();
        let _ = file.write_at(256, filled(1, 512)).await;
    });
}

#[test]
fn overlapping_writes_under_way_complete_in_any_order() {
    let mut winners = BTreeSet::new();
    for seed in 0..50 {
        let (world, machine) = world(seed);
        winners.insert(world.block_on(machine, async {
            let file = Rc::new(File::open("/file".as_ref(), WRITE).await.unwrap());
            for byte in [1, 2] {
                let file = Rc::clone(&file);
                rt::spawn(rt::Queue::Flush, async move { drop(file.write_at(0, filled(byte, 10)).await.unwrap()) });
            }
            rt::sleep(Duration::from_secs(1)).await;
            file.read_at(0, 1).await.unwrap()[0]
        }));
    }
    assert_eq!(winners, BTreeSet::from([1, 2]));
}

#[test]
fn a_replaced_small_file_is_the_old_or_the_new_one_and_the_new_one_once_it_said_so() {
    let mut seen = BTreeSet::new();
    for seed in 0..200 {
        let (world, machine) = world(seed);
        world.block_on(machine, async { fs::write_file("/checkpoint".as_ref(), b"old").await.unwrap() });
        let said_so = Rc::new(RefCell::new(false));
        let saying = Rc::clone(&said_so);
        world.spawn_on(machine, async move {
            fs::write_file("/checkpoint".as_ref(), b"newer").await.unwrap();
            *saying.borrow_mut() = true;
        });
        world.run_steps(world.random_below(16));
        world.crash(machine);
        let found = world.block_on(machine, async { fs::read_file("/checkpoint".as_ref(), 100).await.unwrap() });
        assert!(found == b"newer".as_slice() || (found == b"old".as_slice() && !*said_so.borrow()), "{found:?}");
        seen.insert((found, *said_so.borrow()));
    }
    assert_eq!(seen.len(), 3, "old, new before it said so, new: {seen:?}");
}

#[test]
fn a_lock_is_held_once_until_dropped_or_its_process_dies() {
    let (world, machine) = world(2);
    let lock = || async { fs::lock("/lock".as_ref()).await };
    world.block_on(machine, async move {
        let held = lock().await.unwrap();
        assert_eq!(lock().await.err().unwrap().kind(), ErrorKind::WouldBlock);
        drop(held);
        let _held = lock().await.unwrap();
        rt::spawn(rt::Queue::Background, async move {
            let _held = _held;
            std::future::pending::<()>().await;
        });
    });
    assert!(world.block_on(machine, lock()).is_err());
    world.kill(machine);
    assert!(world.block_on(machine, lock()).is_ok());
}

#[test]
fn directories_are_listed_in_order_and_small_files_are_bounded() {
    let (world, machine) = world(3);
    world.block_on(machine, async {
        fs::create_dir_all("/data/topic-0".as_ref()).await.unwrap();
        fs::create_dir_all("/data/topic-0".as_ref()).await.unwrap();
        fs::write_file("/data/z".as_ref(), b"12345").await.unwrap();
        fs::write_file("/data/a".as_ref(), b"").await.unwrap();
        let names: Vec<(String, bool, u64)> =
            fs::list_dir("/data".as_ref()).await.unwrap().into_iter().map(|e| (e.name, e.is_dir, e.len)).collect();
        assert_eq!(names, [("a".into(), false, 0), ("topic-0".into(), true, 0), ("z".into(), false, 5)]);
        assert_eq!(fs::read_file("/data/z".as_ref(), 4).await.unwrap_err().kind(), ErrorKind::InvalidData);
        fs::remove_dir_all("/data".as_ref()).await.unwrap();
        assert_eq!(fs::list_dir("/data".as_ref()).await.unwrap_err().kind(), ErrorKind::NotFound);
        assert!(fs::free_space("/".as_ref()).await.unwrap() > 1 << 30);
    });
}

#[test]
fn a_stalling_disk_takes_its_time() {
    let (world, machine) = world(4);
    world.set_disk_faults(machine, DiskFaults { stall_one_in: 1, ..DiskFaults::default() });
    let start = world.now();
    world.block_on(machine, async { fs::create_dir_all("/dir".as_ref()).await.unwrap() });
    assert!(world.now() - start >= Duration::from_millis(4));
}

#[test]
fn a_killed_processs_direct_write_may_land_in_the_next_ones_time_unless_that_waits_for_it() {
    let mut late = 0;
    for seed in 0..200 {
        let world = World::new(seed, Options { alignment: Some(512), ..Options::default() });
        let machine = world.add_machine();
        let direct = OpenOptions { direct: true, ..WRITE };
        let waits = seed % 2 == 0;
        world.block_on(machine, async move { drop(File::open("/file".as_ref(), direct).await.unwrap().write_at(0, filled(1, 512)).await) });
        world.spawn_on(machine, async move {
            let file = File::open("/file".as_ref(), direct).await.unwrap();
            drop(file.write_at(0, filled(2, 512)).await);
        });
        world.run_until(Duration::from_millis(1), || world.control().writes_under_way(machine) > 0);
        world.kill(machine);
        let (first, last) = world.block_on(machine, async move {
            let file = File::open("/file".as_ref(), direct).await.unwrap();
            if waits {
                file.drain().await.unwrap();
            }
            let first = file.read_at(0, 1).await.unwrap()[0];
            rt::sleep(Duration::from_secs(1)).await;
            (first, file.read_at(0, 1).await.unwrap()[0])
        });
        assert!(first == last || !waits, "seed {seed}");
        late += u32::from(first != last);
    }
    assert!(late > 0);
}
