//! Read-only maps of whole files, and the SIGBUS handler that keeps a shrunken file from killing the process.
//!
//! Touching a page that a truncation took away raises SIGBUS on the touching thread. The handler looks the address up in a
//! table of all maps; if it is ours, it puts a page of zeros there and marks the map poisoned; else it hands on to the handler that was there before.

use super::pool;
use memmap2::Mmap;
use std::io;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicPtr, AtomicUsize, Ordering};
use std::sync::{Mutex, Once};

pub struct Map {
    /// `None`: an empty file.
    map: Option<(Mmap, Entry)>,
}

impl Map {
    pub async fn open(path: &Path) -> io::Result<Map> {
        let path = path.to_owned();
        pool::run(move || Map::open_blocking(&path)).await
    }

    fn open_blocking(path: &Path) -> io::Result<Map> {
        let file = std::fs::File::open(path)?;
        if file.metadata()?.len() == 0 {
            return Ok(Map { map: None });
        }
        install_handler();
        // SAFETY: the file is one of ours; bytes that change under the map are verified by who reads them, and pages that vanish
        // are replaced by the handler.
        let map = unsafe { Mmap::map(&file)? };
        let entry = Entry::register(map.as_ptr() as usize, map.len());
        let _ = map.advise(memmap2::Advice::WillNeed);
        for page in map.chunks(PAGE_BYTES) {
            std::hint::black_box(page[0]);
        }
        Ok(Map { map: Some((map, entry)) })
    }

    pub fn as_slice(&self) -> &[u8] {
        self.map.as_ref().map_or(&[], |(map, _)| map)
    }

    pub fn is_poisoned(&self) -> bool {
        self.map.as_ref().is_some_and(|(_, entry)| entry.slot().poisoned.load(Ordering::Acquire))
    }
}

const PAGE_BYTES: usize = 4096;
const SLOTS_PER_BLOCK: usize = 1024;
/// 65,536 maps: as many as vm.max_map_count gives a process.
const BLOCKS: usize = 64;

/// One live map as the handler sees it.
struct Slot {
    /// Address of the first byte; 0: free. Written last on registering and first on leaving.
    start: AtomicUsize,
    end: AtomicUsize,
    poisoned: AtomicBool,
}

type Block = [Slot; SLOTS_PER_BLOCK];

/// Blocks are made on demand and never freed, so the handler may read them at any time.
static TABLE: [AtomicPtr<Block>; BLOCKS] = [const { AtomicPtr::new(std::ptr::null_mut()) }; BLOCKS];

/// Numbers of the slots that are free, and how many were ever handed out.
static FREE: Mutex<(Vec<usize>, usize)> = Mutex::new((Vec::new(), 0));

/// A place in the table, given up when dropped (before the memory is unmapped or after, both are fine: nobody reads the map any more).
struct Entry(usize);

fn block(index: usize) -> Option<&'static Block> {
    // SAFETY: the pointer is null or was leaked from a Box by `register`.
    unsafe { TABLE[index].load(Ordering::Acquire).as_ref() }
}

impl Entry {
    fn register(start: usize, len: usize) -> Entry {
        let mut free = FREE.lock().expect("nobody panics with this lock");
        let number = free.0.pop().unwrap_or_else(|| {
            free.1 += 1;
            free.1 - 1
        });
        assert!(number < BLOCKS * SLOTS_PER_BLOCK, "more maps than the kernel gives a process");
        if block(number / SLOTS_PER_BLOCK).is_none() {
            let empty = || Slot { start: AtomicUsize::new(0), end: AtomicUsize::new(0), poisoned: AtomicBool::new(false) };
            let fresh: Box<Block> = Box::new(std::array::from_fn(|_| empty()));
            TABLE[number / SLOTS_PER_BLOCK].store(Box::into_raw(fresh), Ordering::Release);
        }
        let entry = Entry(number);
        entry.slot().poisoned.store(false, Ordering::Release);
        entry.slot().end.store(start + len.next_multiple_of(PAGE_BYTES), Ordering::Release);
        entry.slot().start.store(start, Ordering::Release);
        entry
    }

    fn slot(&self) -> &'static Slot {
        &block(self.0 / SLOTS_PER_BLOCK).expect("made when registered")[self.0 % SLOTS_PER_BLOCK]
    }
}

impl Drop for Entry {
    fn drop(&mut self) {
        self.slot().start.store(0, Ordering::Release);
        FREE.lock().expect("nobody panics with this lock").0.push(self.0);
    }
}

/// What handled SIGBUS before us (Rust's own reports stack overflows).
static PREVIOUS: AtomicPtr<libc::sigaction> = AtomicPtr::new(std::ptr::null_mut());

fn install_handler() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let previous: *mut libc::sigaction = Box::into_raw(Box::new(
            // SAFETY: all zeros is a valid sigaction.
            unsafe { std::mem::zeroed() },
        ));
        // SAFETY: all zeros is a valid sigaction.
        let mut action: libc::sigaction = unsafe { std::mem::zeroed() };
        action.sa_sigaction = on_bus_error as *const () as usize;
        action.sa_flags = libc::SA_SIGINFO | libc::SA_ONSTACK;
        PREVIOUS.store(previous, Ordering::Release);
        // SAFETY: the handler only loads and stores atomics and calls mmap and sigaction, which are safe in a handler.
        let result = unsafe { libc::sigaction(libc::SIGBUS, &action, previous) };
        assert_eq!(result, 0, "SIGBUS can be handled");
    });
}

extern "C" fn on_bus_error(_signal: libc::c_int, info: *mut libc::siginfo_t, _context: *mut libc::c_void) {
    // SAFETY: the kernel passes a valid siginfo.
    let address = unsafe { (*info).si_addr() } as usize;
    if !poison(address) || !map_zeros(address & !(PAGE_BYTES - 1)) {
        // Not ours: the instruction runs again and meets the previous handler.
        // SAFETY: the pointer was set before the handler was installed and is never freed.
        unsafe { libc::sigaction(libc::SIGBUS, PREVIOUS.load(Ordering::Acquire), std::ptr::null_mut()) };
    }
}

/// Marks every map that may hold the address. A slot that changes hands meanwhile may be marked too: it is then rebuilt for nothing.
fn poison(address: usize) -> bool {
    let mut found = false;
    for slot in (0..BLOCKS).map_while(block).flatten() {
        let start = slot.start.load(Ordering::Acquire);
        if start != 0 && (start..slot.end.load(Ordering::Acquire)).contains(&address) {
            slot.poisoned.store(true, Ordering::Release);
            found = true;
        }
    }
    found
}

fn map_zeros(page: usize) -> bool {
    let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_FIXED;
    // SAFETY: the page belongs to one of our read-only maps, whose unmapping takes it away with the rest.
    let result = unsafe { libc::mmap(page as *mut libc::c_void, PAGE_BYTES, libc::PROT_READ, flags, -1, 0) };
    result != libc::MAP_FAILED
}
