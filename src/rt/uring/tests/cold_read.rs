use super::super::cold_read::{Gate, bring};
use super::super::shared_file::{CHUNK_BYTES, SharedFile};
use super::super::start::run_here;
use super::file::drop_from_page_cache;
use super::{disk_dir, pattern};
use crate::rt::{Queue, spawn, yield_now};
use std::cell::Cell;
use std::os::fd::AsRawFd;
use std::path::Path;
use std::rc::Rc;

const PIECE: u64 = CHUNK_BYTES as u64;

/// Which pieces of the file have any page in the page cache.
fn cached_pieces(path: &Path) -> Vec<u64> {
    let file = std::fs::File::open(path).unwrap();
    let len = file.metadata().unwrap().len() as usize;
    let mut pages = vec![0u8; len.div_ceil(4096)];
    // SAFETY: a private read-only map of the whole file, unmapped below; `pages` has a byte for each page of it.
    unsafe {
        let map = libc::mmap(std::ptr::null_mut(), len, libc::PROT_READ, libc::MAP_PRIVATE, file.as_raw_fd(), 0);
        assert_ne!(map, libc::MAP_FAILED);
        assert_eq!(libc::mincore(map, len, pages.as_mut_ptr()), 0);
        libc::munmap(map, len);
    }
    let pieces = pages.chunks(CHUNK_BYTES / 4096).enumerate();
    pieces.filter(|(_, pages)| pages.iter().any(|page| page & 1 != 0)).map(|(piece, _)| piece as u64).collect()
}

#[test]
fn a_reader_brings_the_pieces_it_asks_for_and_no_readahead() {
    let dir = disk_dir();
    run_here(async move {
        let path = dir.path().join("segment");
        std::fs::write(&path, pattern(8 << 20)).unwrap();
        let file = SharedFile::open(&path).await.unwrap();
        drop_from_page_cache(&path);
        if !cached_pieces(&path).is_empty() {
            return; // This file system keeps what it was asked to drop: nothing is cold here.
        }
        for piece in [0, 1, 2, 3, 40] {
            bring(&file, piece * PIECE + 77).await.unwrap();
        }
        assert_eq!(file.read_at(50 * PIECE + 5, 10).await.unwrap().len(), 10);
        assert_eq!(cached_pieces(&path), [0, 1, 2, 3, 40, 50]);
    });
}

/// How many of 20 reads were under way at the same time, at most.
async fn side_by_side(is_disk_needed: fn() -> bool) -> u32 {
    let gate = Rc::new(Gate::new(is_disk_needed));
    let (now, most, left) = (Rc::new(Cell::new(0)), Rc::new(Cell::new(0)), Rc::new(Cell::new(20)));
    for _ in 0..20 {
        let (gate, now, most, left) = (Rc::clone(&gate), Rc::clone(&now), Rc::clone(&most), Rc::clone(&left));
        spawn(Queue::Foreground, async move {
            let read = async {
                now.set(now.get() + 1);
                most.set(most.get().max(now.get()));
                for _ in 0..20 {
                    yield_now().await;
                }
                now.set(now.get() - 1);
                Ok(())
            };
            gate.read(read).await.unwrap();
            left.set(left.get() - 1);
        });
    }
    while left.get() > 0 {
        yield_now().await;
    }
    most.get()
}

#[test]
fn a_core_reads_one_piece_at_a_time_while_others_need_the_disk_and_several_when_nobody_does() {
    run_here(async {
        assert_eq!(side_by_side(|| true).await, 1);
        assert_eq!(side_by_side(|| false).await, 8);
    });
}
