//! Reads of cold data on their way into the page cache: a few pieces ahead of what is being sent, and no more at a time than durable writes bear.
//!
//! The kernel's readahead takes no part, since it puts up to `read_ahead_kb` in front of the next durable write (8 MiB on
//! some disks: a 4 KiB write then took 350 ms). See docs/decisions/0013-cold-reads.md. One gate a core.

use super::shared_file::{CHUNK_BYTES, SharedFile};
use super::{clock, syscall, task};
use crate::rt::sync::{OneshotReceiver, Semaphore, oneshot};
use crate::rt::{Instant, Queue};
use std::cell::Cell;
use std::collections::VecDeque;
use std::future::Future;
use std::io;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// Pieces of [`CHUNK_BYTES`] that a core reads at the same time while nobody waits for a durable write: enough for a disk's full rate.
const PIECES_MAX: u64 = 8;
/// So long after the last durable write of any core the disk belongs to readers.
const QUIET_AFTER: Duration = Duration::from_millis(20);
/// While durable writes go on, a core rests for so many times as long as it has read: reads are under way a third of the time at most.
const RESTS_FOR_A_READ: u32 = 2;
/// Shorter rests are put off until they are worth a timer.
const REST_MIN: Duration = Duration::from_millis(2);
/// A disk that takes longer than this for a piece has stalled: no reason to rest even longer.
const REST_MAX: Duration = Duration::from_millis(20);

/// When a core last began a durable write, as nanoseconds of the monotonic clock. The disk is the process's, not the core's.
static LAST_DURABLE_WRITE: AtomicU64 = AtomicU64::new(0);

pub fn durable_write_begins() {
    LAST_DURABLE_WRITE.store(clock::now().0, Ordering::Relaxed);
}

fn durable_writes_go_on() -> bool {
    clock::now() < Instant(LAST_DURABLE_WRITE.load(Ordering::Relaxed)) + QUIET_AFTER
}

/// What one core may read of cold data: as fast as the disk gives while nobody needs it, else one piece at a time, with rests.
pub struct Gate {
    pieces: Semaphore,
    /// Rest that is due before the next piece.
    owed: Cell<Duration>,
    is_disk_needed: fn() -> bool,
}

impl Default for Gate {
    fn default() -> Self {
        Gate::new(durable_writes_go_on)
    }
}

impl Gate {
    pub fn new(is_disk_needed: fn() -> bool) -> Gate {
        Gate { pieces: Semaphore::new(PIECES_MAX), owed: Cell::default(), is_disk_needed }
    }

    /// Waits for this read's turn, and runs it.
    pub async fn read(&self, read: impl Future<Output = io::Result<()>>) -> io::Result<()> {
        let share = if (self.is_disk_needed)() { PIECES_MAX } else { 1 };
        let _share = self.pieces.acquire(share).await;
        if !(self.is_disk_needed)() {
            self.owed.set(Duration::ZERO);
            return read.await;
        }
        self.rest().await;
        let began = clock::now();
        let result = read.await;
        self.owed.set(self.owed.get() + (clock::now() - began) * RESTS_FOR_A_READ);
        result
    }

    async fn rest(&self) {
        let owed = self.owed.get();
        if owed >= REST_MIN {
            let began = clock::now();
            clock::sleep_until(began + owed.min(REST_MAX)).await;
            self.owed.set(owed.min(REST_MAX).saturating_sub(clock::now() - began));
        }
    }
}

/// One range of a file on its way out: which of its pieces are in the page cache, and which are on their way there.
pub struct ReadAhead<'a> {
    file: &'a SharedFile,
    /// What is neither looked for nor being read yet begins here.
    next: u64,
    end: u64,
    /// By offset: where a piece that was cold begins, and its end.
    under_way: VecDeque<(u64, OneshotReceiver<io::Result<()>>)>,
}

impl<'a> ReadAhead<'a> {
    pub fn new(file: &'a SharedFile, offset: u64, end: u64) -> ReadAhead<'a> {
        ReadAhead { file, next: offset, end, under_way: VecDeque::new() }
    }

    /// Where what is ready with the byte `at` ends.
    pub fn piece_end(&self, at: u64) -> u64 {
        piece_end(at).min(self.end)
    }

    /// Waits until the piece that `at` lies in is in the page cache, and begins with those behind it. To be asked in order.
    pub async fn ready(&mut self, at: u64) -> io::Result<()> {
        let window_end = self.end.min(at + PIECES_MAX * CHUNK_BYTES as u64);
        while self.next < window_end {
            let (piece, end) = (self.next, self.piece_end(self.next));
            if !self.file.is_cached(end - 1)? {
                self.under_way.push_back((piece, begin(self.file.clone(), end - 1)));
            }
            self.next = end;
        }
        while self.under_way.front().is_some_and(|&(piece, _)| piece <= at) {
            let (_, read) = self.under_way.pop_front().expect("looked at just now");
            read.await.unwrap_or_else(|_| Err(io::ErrorKind::Interrupted.into()))?;
        }
        Ok(())
    }
}

/// A task of its own, so that pieces are read side by side; it ends by itself if nobody wants the piece any more.
fn begin(file: SharedFile, last: u64) -> OneshotReceiver<io::Result<()>> {
    let (done, read) = oneshot();
    task::spawn(Queue::Foreground, async move { done.send(bring(&file, last).await) });
    read
}

/// Where the piece that `at` lies in ends: a multiple of the chunk size. Only whole pieces are read, so that one byte's probe speaks for all before it.
fn piece_end(at: u64) -> u64 {
    (at / CHUNK_BYTES as u64 + 1) * CHUNK_BYTES as u64
}

/// Brings the piece that `last` lies in into the page cache, and no more than it. Waits for its turn, then for the disk, and stops nobody else.
pub async fn bring(file: &SharedFile, last: u64) -> io::Result<()> {
    let piece = piece_end(last) - CHUNK_BYTES as u64;
    let read = async {
        // Once its last byte is read, the piece is: it was one request to the disk.
        let from = match syscall::read_ahead(file.raw_fd(), piece, CHUNK_BYTES) {
            Ok(()) => last,
            Err(_) => piece,
        };
        file.read_by_ring(from, (last - from) as usize + 1).await.map(drop)
    };
    task::core().cold_reads.read(read).await
}
