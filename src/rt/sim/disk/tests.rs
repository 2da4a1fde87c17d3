//! Each promise of the disk holds for every seed; each non-promise is kept by some seeds and broken by others.

use super::{DiskFaults, *};
use std::collections::BTreeMap;

const SEEDS: u64 = 300;
const FILE: &str = "/dir/file";

/// A disk with a durable file of `len` bytes of 1.
fn disk_with_file(len: usize, rng: &mut Rng) -> (Disk, Handle) {
    let mut disk = Disk::new(512);
    disk.create_dir("/dir".as_ref()).unwrap();
    let handle = disk.open(FILE.as_ref(), true).unwrap();
    write(&mut disk, handle, 0, &vec![1; len], rng);
    sync(&mut disk, handle, rng);
    disk.sync_dir("/".as_ref(), rng).unwrap();
    disk.sync_dir("/dir".as_ref(), rng).unwrap();
    (disk, handle)
}

fn write(disk: &mut Disk, handle: Handle, offset: u64, bytes: &[u8], rng: &mut Rng) {
    let id = disk.begin_write(handle, offset, bytes.to_vec(), false);
    disk.end_write(id, rng).unwrap();
}

fn write_durably(disk: &mut Disk, handle: Handle, offset: u64, bytes: &[u8], rng: &mut Rng) {
    let id = disk.begin_write(handle, offset, bytes.to_vec(), true);
    disk.end_write(id, rng).unwrap();
}

fn sync(disk: &mut Disk, handle: Handle, rng: &mut Rng) {
    let mark = disk.sync_mark(handle);
    disk.sync(handle, mark, rng).unwrap();
}

fn contents(disk: &mut Disk, path: &str, rng: &mut Rng) -> Option<Vec<u8>> {
    let handle = disk.open(path.as_ref(), false).ok()?;
    let len = disk.len(handle).unwrap();
    let bytes = disk.read(handle, 0, len as usize, rng).unwrap();
    disk.close(handle);
    assert_eq!(bytes.len() as u64, len);
    Some(bytes)
}

/// What the story's outcome is, with how many seeds had it.
fn outcomes<T: Ord>(story: impl Fn(&mut Rng) -> T) -> BTreeMap<T, u32> {
    let mut counts = BTreeMap::new();
    for seed in 0..SEEDS {
        *counts.entry(story(&mut Rng::new(seed))).or_insert(0) += 1;
    }
    counts
}

/// Each sector's bytes, which must all be equal, or a zero for a short file.
fn sector_values(bytes: &[u8]) -> Vec<u8> {
    let value = |sector: &[u8]| {
        assert!(sector.iter().all(|b| *b == sector[0]), "a sector is written whole or not at all");
        sector[0]
    };
    bytes.chunks(512).map(value).collect()
}

#[test]
fn what_was_synced_survives_every_crash() {
    let seen = outcomes(|rng| {
        let (mut disk, handle) = disk_with_file(5_000, rng);
        write(&mut disk, handle, 1_000, &[2; 6_000], rng);
        sync(&mut disk, handle, rng);
        disk.crash(rng);
        disk.crash(rng);
        contents(&mut disk, FILE, rng)
    });
    let expected: Vec<u8> = [vec![1; 1_000], vec![2; 6_000]].concat();
    assert_eq!(seen.into_keys().collect::<Vec<_>>(), [Some(expected)]);
}

#[test]
fn an_unsynced_overwrite_keeps_any_subset_of_its_sectors() {
    let seen = outcomes(|rng| {
        let (mut disk, handle) = disk_with_file(1_536, rng);
        write(&mut disk, handle, 0, &[2; 1_536], rng);
        assert_eq!(contents(&mut disk, FILE, rng).unwrap(), vec![2; 1_536], "reads see it before the crash");
        disk.crash(rng);
        sector_values(&contents(&mut disk, FILE, rng).unwrap())
    });
    assert_eq!(seen.len(), 8, "all subsets of three sectors: {seen:?}");
}

#[test]
fn an_unsynced_size_may_be_lost_while_the_bytes_are_kept_and_the_other_way_round() {
    let seen = outcomes(|rng| {
        let (mut disk, handle) = disk_with_file(512, rng);
        write(&mut disk, handle, 512, &[2; 512], rng);
        disk.crash(rng);
        sector_values(&contents(&mut disk, FILE, rng).unwrap())
    });
    let shapes: Vec<Vec<u8>> = seen.into_keys().collect();
    assert_eq!(shapes, [vec![1], vec![1, 0], vec![1, 2]], "old size; new size with zeros; all");
}

#[test]
fn a_later_append_to_a_sector_brings_the_earlier_one_along() {
    let seen = outcomes(|rng| {
        let (mut disk, handle) = disk_with_file(0, rng);
        disk.allocate(handle, 0, 512).unwrap();
        sync(&mut disk, handle, rng);
        write(&mut disk, handle, 0, &[1; 100], rng);
        write(&mut disk, handle, 100, &[2; 100], rng);
        disk.crash(rng);
        let bytes = contents(&mut disk, FILE, rng).unwrap();
        (bytes[0], bytes[100])
    });
    assert_eq!(seen.into_keys().collect::<Vec<_>>(), [(0, 0), (1, 0), (1, 2)]);
}

#[test]
fn a_durable_write_needs_no_sync_and_no_older_write_comes_back_over_it() {
    let seen = outcomes(|rng| {
        let (mut disk, handle) = disk_with_file(512, rng);
        write(&mut disk, handle, 0, &[2; 1_024], rng);
        write_durably(&mut disk, handle, 512, &[3; 1_024], rng);
        disk.crash(rng);
        sector_values(&contents(&mut disk, FILE, rng).unwrap())
    });
    assert_eq!(seen.into_keys().collect::<Vec<_>>(), [vec![1, 3, 3], vec![2, 3, 3]]);
}

#[test]
fn a_write_under_way_at_the_crash_is_torn_even_if_durable() {
    let seen = outcomes(|rng| {
        let (mut disk, handle) = disk_with_file(1_536, rng);
        disk.begin_write(handle, 0, vec![2; 1_536], true);
        disk.crash(rng);
        sector_values(&contents(&mut disk, FILE, rng).unwrap())
    });
    assert_eq!(seen.len(), 8, "{seen:?}");
}

#[test]
fn a_kill_loses_nothing_that_completed_and_leaves_writes_under_way_whole_or_not_at_all() {
    let seen = outcomes(|rng| {
        let (mut disk, handle) = disk_with_file(512, rng);
        write(&mut disk, handle, 0, &[2; 512], rng);
        disk.begin_write(handle, 512, vec![3; 1_024], false);
        disk.kill(rng);
        sector_values(&contents(&mut disk, FILE, rng).unwrap())
    });
    assert_eq!(seen.into_keys().collect::<Vec<_>>(), [vec![2], vec![2, 3, 3]]);
}

#[test]
fn a_cut_that_was_not_synced_may_be_undone_and_a_synced_one_never_is() {
    let story = |synced: bool| {
        move |rng: &mut Rng| {
            let (mut disk, handle) = disk_with_file(1_024, rng);
            disk.truncate(handle, 512).unwrap();
            if synced {
                sync(&mut disk, handle, rng);
            }
            disk.crash(rng);
            contents(&mut disk, FILE, rng).unwrap().len()
        }
    };
    assert_eq!(outcomes(story(false)).into_keys().collect::<Vec<_>>(), [512, 1_024]);
    assert_eq!(outcomes(story(true)).into_keys().collect::<Vec<_>>(), [512]);
}

#[test]
fn what_was_cut_off_reads_as_zeros_when_the_file_grows_again() {
    let (mut disk, handle) = disk_with_file(10_000, &mut Rng::new(1));
    disk.truncate(handle, 700).unwrap();
    disk.allocate(handle, 0, 9_000).unwrap();
    let bytes = contents(&mut disk, FILE, &mut Rng::new(1)).unwrap();
    assert!(bytes.len() == 9_000 && bytes[..700] == [1; 700] && bytes[700..].iter().all(|b| *b == 0));
}

#[test]
fn a_recycled_file_keeps_its_old_bytes_where_nothing_was_written() {
    let seen = outcomes(|rng| {
        let (mut disk, handle) = disk_with_file(2_048, rng);
        disk.rename(FILE.as_ref(), "/dir/recycled".as_ref()).unwrap();
        disk.sync_dir("/dir".as_ref(), rng).unwrap();
        write_durably(&mut disk, handle, 512, &[2; 512], rng);
        disk.crash(rng);
        sector_values(&contents(&mut disk, "/dir/recycled", rng).unwrap())
    });
    assert_eq!(seen.into_keys().collect::<Vec<_>>(), [vec![1, 2, 1, 1]]);
}

#[test]
fn a_new_name_exists_for_sure_only_once_its_directory_is_synced() {
    let story = |dir_synced: bool| {
        move |rng: &mut Rng| {
            let (mut disk, _) = disk_with_file(1, rng);
            let new = disk.open("/dir/new".as_ref(), true).unwrap();
            write(&mut disk, new, 0, b"x", rng);
            sync(&mut disk, new, rng);
            if dir_synced {
                disk.sync_dir("/dir".as_ref(), rng).unwrap();
            }
            disk.crash(rng);
            contents(&mut disk, "/dir/new", rng)
        }
    };
    assert_eq!(outcomes(story(false)).into_keys().collect::<Vec<_>>(), [None, Some(b"x".to_vec())]);
    assert_eq!(outcomes(story(true)).into_keys().collect::<Vec<_>>(), [Some(b"x".to_vec())]);
}

#[test]
fn names_are_kept_and_lost_one_by_one_and_a_rename_is_whole() {
    let seen = outcomes(|rng| {
        let (mut disk, _) = disk_with_file(1, rng);
        disk.rename(FILE.as_ref(), "/dir/renamed".as_ref()).unwrap();
        disk.open("/dir/a".as_ref(), true).unwrap();
        disk.open("/dir/b".as_ref(), true).unwrap();
        disk.crash(rng);
        disk.list("/dir".as_ref()).unwrap().into_iter().map(|e| e.name).collect::<Vec<_>>()
    });
    assert_eq!(seen.len(), 8, "{seen:?}");
    assert!(seen.keys().all(|names| names.contains(&"file".into()) != names.contains(&"renamed".into())));
}

#[test]
fn a_removed_name_may_come_back_with_its_contents() {
    let seen = outcomes(|rng| {
        let (mut disk, handle) = disk_with_file(3, rng);
        disk.close(handle);
        disk.remove_file(FILE.as_ref()).unwrap();
        assert_eq!(contents(&mut disk, FILE, rng), None);
        disk.crash(rng);
        contents(&mut disk, FILE, rng)
    });
    assert_eq!(seen.into_keys().collect::<Vec<_>>(), [None, Some(vec![1; 3])]);
}

#[test]
fn a_directory_that_is_lost_takes_all_in_it_along_and_sync_all_saves_everything() {
    let story = |all_synced: bool| {
        move |rng: &mut Rng| {
            let (mut disk, _) = disk_with_file(1, rng);
            disk.create_dir("/dir/sub".as_ref()).unwrap();
            let handle = disk.open("/dir/sub/file".as_ref(), true).unwrap();
            write(&mut disk, handle, 0, b"x", rng);
            sync(&mut disk, handle, rng);
            disk.sync_dir("/dir/sub".as_ref(), rng).unwrap();
            if all_synced {
                let marks = disk.sync_all_marks();
                let mut watcher = disk.watch("/dir".as_ref()).unwrap();
                disk.sync_all(&mut watcher, &marks, rng).unwrap();
            }
            disk.crash(rng);
            contents(&mut disk, "/dir/sub/file", rng).is_some()
        }
    };
    assert_eq!(outcomes(story(false)).into_keys().collect::<Vec<_>>(), [false, true]);
    assert_eq!(outcomes(story(true)).into_keys().collect::<Vec<_>>(), [true]);
}

#[test]
fn a_sync_covers_only_what_was_written_before_it_began() {
    let seen = outcomes(|rng| {
        let (mut disk, handle) = disk_with_file(1_024, rng);
        write(&mut disk, handle, 0, &[2; 512], rng);
        let mark = disk.sync_mark(handle);
        write(&mut disk, handle, 512, &[3; 512], rng);
        disk.sync(handle, mark, rng).unwrap();
        disk.crash(rng);
        sector_values(&contents(&mut disk, FILE, rng).unwrap())
    });
    assert_eq!(seen.into_keys().collect::<Vec<_>>(), [vec![2, 1], vec![2, 3]]);
}

#[test]
fn after_a_failed_sync_a_later_one_succeeds_without_the_data() {
    let seen = outcomes(|rng| {
        let (mut disk, handle) = disk_with_file(512, rng);
        write(&mut disk, handle, 0, &[2; 512], rng);
        disk.faults.sync_error_one_in = 1;
        let mark = disk.sync_mark(handle);
        assert_eq!(disk.sync(handle, mark, rng).unwrap_err().raw_os_error(), Some(libc::EIO));
        disk.faults = DiskFaults::default();
        sync(&mut disk, handle, rng);
        assert_eq!(contents(&mut disk, FILE, rng).unwrap(), vec![2; 512], "reads still see it");
        disk.crash(rng);
        sector_values(&contents(&mut disk, FILE, rng).unwrap())
    });
    assert_eq!(seen.into_keys().collect::<Vec<_>>(), [vec![1], vec![2]]);
}

#[test]
fn a_failed_sync_of_the_file_system_is_told_to_every_watcher_and_at_the_next_sync_of_the_file() {
    let rng = &mut Rng::new(1);
    let (mut disk, handle) = disk_with_file(512, rng);
    let (mut one, mut other) = (disk.watch("/dir".as_ref()).unwrap(), disk.watch("/dir".as_ref()).unwrap());
    let sync_all = |disk: &mut Disk, watcher: &mut Watcher, rng: &mut Rng| {
        let marks = disk.sync_all_marks();
        disk.sync_all(watcher, &marks, rng).is_ok()
    };
    write(&mut disk, handle, 0, &[2; 512], rng);
    disk.faults.sync_error_one_in = 1;
    assert!(!sync_all(&mut disk, &mut one, rng));
    disk.faults = DiskFaults::default();
    let mut late = disk.watch("/dir".as_ref()).unwrap();
    assert!(sync_all(&mut disk, &mut late, rng), "it was told before");
    assert!(sync_all(&mut disk, &mut one, rng), "told once");
    assert!(!sync_all(&mut disk, &mut other, rng));
    let mark = disk.sync_mark(handle);
    assert!(disk.sync(handle, mark, rng).is_err());
    let mark = disk.sync_mark(handle);
    assert!(disk.sync(handle, mark, rng).is_ok());
}

#[test]
fn errors_of_one_file_system_leave_the_others_alone() {
    let rng = &mut Rng::new(1);
    let (mut disk, handle) = disk_with_file(512, rng);
    disk.create_dir("/other".as_ref()).unwrap();
    let other = disk.open("/other/file".as_ref(), true).unwrap();
    write(&mut disk, handle, 0, &[2; 512], rng);
    write(&mut disk, other, 0, &[2; 512], rng);
    disk.faults = DiskFaults { sync_error_one_in: 1, only_in: Some("other"), ..DiskFaults::default() };
    let (mark, other_mark) = (disk.sync_mark(handle), disk.sync_mark(other));
    assert!(disk.sync(handle, mark, rng).is_ok());
    assert!(disk.sync(other, other_mark, rng).is_err());
}

#[test]
fn a_failed_write_may_have_written_any_part() {
    let seen = outcomes(|rng| {
        let (mut disk, handle) = disk_with_file(1_024, rng);
        disk.faults.write_error_one_in = 1;
        let id = disk.begin_write(handle, 0, vec![2; 1_024], true);
        assert_eq!(disk.end_write(id, rng).unwrap_err().raw_os_error(), Some(libc::EIO));
        sector_values(&contents(&mut disk, FILE, rng).unwrap())
    });
    assert_eq!(seen.len(), 4, "{seen:?}");
}

#[test]
fn a_full_disk_refuses_growth_takes_overwrites_and_has_room_again_after_a_removal() {
    let rng = &mut Rng::new(1);
    let (mut disk, handle) = disk_with_file(8_192, rng);
    disk.faults.capacity = Some(3 * 4_096);
    assert_eq!(disk.free_space(), 4_096);
    let new = disk.open("/dir/new".as_ref(), true).unwrap();
    let id = disk.begin_write(new, 0, vec![1; 8_192], false);
    assert_eq!(disk.end_write(id, rng).unwrap_err().raw_os_error(), Some(libc::ENOSPC));
    assert_eq!(disk.allocate(new, 0, 8_192).unwrap_err().raw_os_error(), Some(libc::ENOSPC));
    write(&mut disk, handle, 0, &[5; 8_192], rng);
    disk.remove_file(FILE.as_ref()).unwrap();
    assert_eq!(disk.free_space(), 4_096, "an open file keeps its space");
    disk.close(handle);
    assert_eq!(disk.free_space(), 3 * 4_096);
    write(&mut disk, new, 0, &[1; 8_192], rng);
    disk.truncate(new, 100).unwrap();
    assert_eq!(disk.free_space(), 2 * 4_096);
    disk.kill(rng);
    assert_eq!(disk.free_space(), 2 * 4_096);
}

#[test]
fn an_unlinked_file_lives_as_long_as_it_is_open() {
    let rng = &mut Rng::new(1);
    let (mut disk, handle) = disk_with_file(10, rng);
    disk.remove_dir_all("/dir".as_ref()).unwrap();
    disk.sync_dir("/".as_ref(), rng).unwrap();
    assert_eq!(disk.read(handle, 0, 100, rng).unwrap(), vec![1; 10]);
    disk.close(handle);
    assert_eq!(disk.list("/".as_ref()).unwrap(), []);
}

#[test]
fn renames_replace_files_and_refuse_what_a_file_system_refuses() {
    let rng = &mut Rng::new(1);
    let (mut disk, _) = disk_with_file(10, rng);
    disk.create_dir("/other".as_ref()).unwrap();
    let new = disk.open("/other/new".as_ref(), true).unwrap();
    write(&mut disk, new, 0, b"new", rng);
    assert!(disk.rename("/other/new".as_ref(), "/dir".as_ref()).is_err());
    assert_eq!(disk.rename("/other".as_ref(), "/dir".as_ref()).unwrap_err().kind(), io::ErrorKind::DirectoryNotEmpty);
    disk.rename("/other/new".as_ref(), FILE.as_ref()).unwrap();
    assert_eq!(contents(&mut disk, FILE, rng).unwrap(), b"new");
    assert_eq!(disk.list("/other".as_ref()).unwrap(), []);
    disk.rename("/other".as_ref(), "/moved".as_ref()).unwrap();
    assert_eq!(disk.create_dir(FILE.as_ref()).unwrap_err().kind(), io::ErrorKind::AlreadyExists);
    assert_eq!(disk.open("/missing/file".as_ref(), true).unwrap_err().kind(), io::ErrorKind::NotFound);
}
