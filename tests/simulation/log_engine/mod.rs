//! The log engine under random produce, crashes at any moment, failing and full disks, and changing numbers of shards.
//!
//! The check after every start: everything acknowledged or served is there, byte for byte; offsets are dense; deleted records
//! and topics stay deleted; leader epochs end where they did; repeats of remembered batches get their first answer.

mod bursts;
mod compaction;
mod ledger;
mod process;
mod retention;
mod spoil;
mod traffic;

use ledger::{Counts, Ledger};
use retention::Limits;
use ringmill::log::{LogConfig, TopicLogConfig};
use ringmill::rt::sim::{DiskFaults, Machine, Options, Span, World, for_each_seed};
use ringmill::types::NodeId;
use std::path::PathBuf;
use std::sync::Mutex;
use std::time::Duration;

/// One kind of story.
struct Story {
    slot_count: usize,
    lives: usize,
    /// Every how manyth topic has relaxed `flush.messages`.
    relaxed_one_in: usize,
    faults: DiskFaults,
    /// The disk becomes full during each life.
    fills_up: bool,
    /// Files beside the segments are spoiled between lives.
    spoils: bool,
    /// Topics have limits of size and age.
    retains: bool,
}

impl Story {
    fn fails(&self) -> bool {
        self.faults.write_error_one_in > 0 || self.faults.sync_error_one_in > 0
    }
}

const CRASHES: Story =
    Story { slot_count: 3, lives: 4, relaxed_one_in: 3, faults: NO_FAULTS, fills_up: false, spoils: false, retains: false };
const NO_FAULTS: DiskFaults =
    DiskFaults { read_error_one_in: 0, write_error_one_in: 0, sync_error_one_in: 0, stall_one_in: 0, capacity: None, only_in: None };
/// Syncs and writes that fail, and what a failed sync was to save is dropped while reads still show it.
const FAILING: DiskFaults = DiskFaults { write_error_one_in: 400, sync_error_one_in: 100, stall_one_in: 300, ..NO_FAULTS };

fn world(seed: u64) -> (World, Machine) {
    // A quick disk, so that runs are short; order and tearing are as bad as ever.
    let options = Options {
        disk_read: Span::us(5, 200),
        disk_write: Span::us(10, 2_000),
        disk_sync: Span::us(20, 3_000),
        blocking: Span::us(5, 500),
        ..Options::default()
    };
    let world = World::new(seed, options);
    let machine = world.add_machine();
    (world, machine)
}

/// Small enough that a life goes round the ring, rolls segments and closes files; different for every seed, the same for its lives.
fn config(world: &World) -> (LogConfig, TopicLogConfig) {
    let dir_count = 1 + world.random_below(2);
    let config = LogConfig {
        tail_bytes_max: 256 << 10,
        tail_flush_bytes: 4 << 10 << world.random_below(4),
        segment_write_bytes: 4 << 10 << world.random_below(4),
        bypass_bytes: 2 << 10 << world.random_below(5),
        journal_file_bytes: 64 << 10,
        journal_bytes_initial: 128 << 10,
        journal_bytes_max: 256 << 10 << world.random_below(2),
        write_out_lot: 1 + world.random_below(8) as usize,
        open_files_max: 6,
        index_maps_max: 4,
        disk_reserve_bytes: 512 << 10,
        retention_check_interval_ms: 5 + world.random_below(60) as i64,
        idle_check_interval_ms: 20 + world.random_below(300) as i64,
        ..LogConfig::new((0..dir_count).map(|n| PathBuf::from(format!("/data-{n}"))).collect(), NodeId(1))
    };
    let topic =
        TopicLogConfig { segment_bytes: 48 << 10 << world.random_below(3), index_interval_bytes: 1024, ..TopicLogConfig::default() };
    (config, topic)
}

fn run(seed: u64, story: &Story) -> Counts {
    let (world, machine) = world(seed);
    let (config, mut topic) = config(&world);
    let limits = if story.retains { Limits::draw(|bound| world.random_below(bound)) } else { Limits::default() };
    limits.apply(&mut topic);
    let ledger = Ledger::new(story.slot_count, story.relaxed_one_in, limits);
    for life in 0..story.lives {
        let shard_count = 1 + world.random_below(3) as u16;
        {
            let contents = &mut *ledger.lock();
            (contents.life, contents.stop, contents.stopped_cleanly, contents.opened_count) = (life as i32, false, false, 0);
            // The first start makes everything, and the last one checks what the others left.
            contents.disk_fails = story.fails() && life > 0 && life + 1 < story.lives && world.random_below(4) == 0;
            contents.start_failed = false;
            contents.failures.clear();
            contents.slots.iter_mut().for_each(|slot| slot.online = false);
        }
        let fails_at_start = ledger.lock().disk_fails;
        // The kernel may tell this start, once, of what a sync before it lost.
        ledger.lock().disk_fails |= story.fails() && life > 0;
        world.set_disk_faults(machine, if fails_at_start { story.faults } else { NO_FAULTS });
        world.boot(machine, process::shards(&config, &topic, shard_count, &ledger));
        live(&world, machine, story, &ledger, shard_count);
        if story.spoils && world.random_below(3) > 0 {
            let dirs = config.log_dirs.clone();
            let (count, ledger) = (spoil::spoil(dirs), ledger.clone());
            world.block_on(machine, async move { ledger.lock().counts.spoiled += count.await });
        }
    }
    world.set_disk_faults(machine, NO_FAULTS);
    ledger.lock().counts
}

/// One life of the process, to its end.
fn live(world: &World, machine: Machine, story: &Story, ledger: &Ledger, shard_count: u16) {
    if world.random_below(6) == 0 {
        // A crash at any moment of the start. What the last stop promised still holds.
        world.run_steps(world.random_below(600));
        return world.crash(machine);
    }
    let opened = |ledger: &Ledger| ledger.lock().opened_count == usize::from(shard_count);
    let decided = world.run_until(Duration::from_secs(60), || opened(ledger) || ledger.lock().start_failed);
    assert!(decided, "the start takes longer than a minute");
    if !opened(ledger) {
        ledger.lock().counts.starts_failed += 1;
        return if world.random_below(2) == 0 { world.kill(machine) } else { world.crash(machine) };
    }
    ledger.lock().disk_fails = story.fails();
    world.set_disk_faults(machine, story.faults);
    if story.fills_up {
        fill_up(world, machine, ledger);
    }
    world.run_steps(world.random_below(4_000));
    if !ledger.lock().failures.is_empty() && story.faults.only_in.is_some() {
        the_others_serve(world, ledger);
    }
    match world.random_below(5) {
        // After a failed sync the page cache shows what no later sync saves: the next life must not trust it.
        0 => world.kill(machine),
        1 => {
            ledger.lock().stop = true;
            if world.random_below(3) == 0 {
                world.run_steps(world.random_below(400));
                return world.crash(machine);
            }
            let ended = world.run_until(Duration::from_secs(60), || world.running_cores(machine) == 0);
            assert!(ended, "the stop takes longer than a minute");
            let contents = &mut *ledger.lock();
            // Only the disk excuses a stop that is not clean.
            assert!(contents.stopped_cleanly || story.fills_up || story.fails());
            contents.slots.iter_mut().for_each(|slot| slot.complete = contents.stopped_cleanly);
        }
        _ => world.crash(machine),
    }
}

/// One log directory is offline: the partitions of the other are written to all the same.
fn the_others_serve(world: &World, ledger: &Ledger) {
    let online = |ledger: &Ledger| ledger.lock().slots.iter().filter(|slot| slot.online).map(|slot| slot.index).collect::<Vec<_>>();
    world.run_for(Duration::from_millis(10));
    let slots = online(ledger);
    let written = |ledger: &Ledger| {
        let contents = ledger.lock();
        slots.iter().map(|&slot| contents.slots[slot].next_offset() + i64::from(contents.slots[slot].generation) * 1_000_000).sum::<i64>()
    };
    let before = written(ledger);
    let goes_on = slots.is_empty() || world.run_until(Duration::from_secs(5), || written(ledger) > before);
    assert!(goes_on, "with one log directory lost, appends to the other wait");
    ledger.lock().counts.dirs_lost += 1;
}

/// The disk is full for a while; with space again, appends are taken again.
fn fill_up(world: &World, machine: Machine, ledger: &Ledger) {
    let capacity = Some(world.used_space(machine) + world.random_below(1 << 20));
    world.set_disk_faults(machine, DiskFaults { capacity, ..NO_FAULTS });
    world.run_for(Duration::from_millis(100 + world.random_below(500)));
    if world.random_below(2) == 0 {
        return;
    }
    world.set_disk_faults(machine, NO_FAULTS);
    let written = |ledger: &Ledger| ledger.lock().slots.iter().map(|s| s.next_offset() + i64::from(s.generation) * 1_000_000).sum::<i64>();
    world.run_for(Duration::from_millis(300));
    let before = written(ledger);
    let goes_on = world.run_until(Duration::from_secs(5), || written(ledger) > before);
    assert!(goes_on, "with space again, appends are refused still");
}

/// Runs a story for many seeds and adds up what was done; `seen` says whether the story met what it is about.
fn run_all(count: u64, story: &Story, seen: fn(&Counts) -> bool) {
    let total = Mutex::new(Counts::default());
    let ran = for_each_seed(count, |seed| {
        let counts = run(seed, story);
        let mut total = total.lock().unwrap();
        total.batches_checked += counts.batches_checked;
        total.batches_lost_unacknowledged += counts.batches_lost_unacknowledged;
        total.duplicates += counts.duplicates;
        total.reads += counts.reads;
        total.refused += counts.refused;
        total.deletions += counts.deletions;
        total.spoiled += counts.spoiled;
        total.bypass_runs += counts.bypass_runs;
        total.retained += counts.retained;
        total.starts_failed += counts.starts_failed;
        total.dirs_lost += counts.dirs_lost;
    });
    let total = total.into_inner().unwrap();
    println!("{total:?}");
    ran.must_have_seen(total.batches_checked > 0 && total.reads > 0 && seen(&total), &total);
}

#[test]
fn nothing_acknowledged_or_served_is_lost_by_crashes() {
    run_all(400, &CRASHES, |total| {
        total.batches_lost_unacknowledged > 0 && total.duplicates > 0 && total.deletions > 0 && total.bypass_runs > 0
    });
}

#[test]
fn a_failing_disk_loses_nothing_acknowledged() {
    run_all(100, &Story { faults: FAILING, ..CRASHES }, |total| total.starts_failed > 0);
}

#[test]
fn one_failing_log_directory_leaves_the_other_serving() {
    let faults = DiskFaults { only_in: Some("data-1"), write_error_one_in: 200, sync_error_one_in: 50, ..FAILING };
    run_all(60, &Story { slot_count: 6, faults, ..CRASHES }, |total| total.dirs_lost > 0);
}

#[test]
fn a_failing_disk_under_many_partitions_loses_nothing_acknowledged() {
    // Enough partitions for one sync of the whole file system to serve several shards.
    let faults = DiskFaults { write_error_one_in: 3_000, sync_error_one_in: 300, ..NO_FAULTS };
    run_all(8, &Story { slot_count: 40, lives: 3, faults, ..CRASHES }, |_| true);
}

#[test]
fn a_full_disk_refuses_appends_until_there_is_space_again() {
    run_all(30, &Story { fills_up: true, lives: 3, ..CRASHES }, |total| total.refused > 0);
}

#[test]
fn spoiled_files_beside_the_segments_change_no_answer() {
    run_all(100, &Story { spoils: true, ..CRASHES }, |total| total.spoiled > 0);
}

#[test]
fn retention_takes_what_it_may_and_nothing_else_through_crashes() {
    run_all(200, &Story { retains: true, lives: 5, ..CRASHES }, |total| total.retained > 0 && total.deletions > 0);
}

#[test]
fn many_partitions_share_a_small_ring() {
    run_all(15, &Story { slot_count: 25, lives: 3, ..CRASHES }, |_| true);
}
