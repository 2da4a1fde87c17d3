//! Waiting for the disk: an operation takes its time, then happens, then wakes who asked.

use super::disk::Disk;
use super::options::{Options, Span};
use super::rng::Rng;
use super::state::{self, Event, PendingIo, State};
use std::cell::RefCell;
use std::rc::Rc;
use std::task::{Poll, Waker};

struct Slot<T> {
    value: Option<T>,
    waker: Option<Waker>,
}

/// Does `work` to the current machine's disk after a random time. If the process dies first, it may never happen.
pub async fn submit<T: 'static>(
    what: &'static str,
    duration: fn(&Options) -> Span,
    work: impl FnOnce(&mut Disk, &mut Rng) -> T + 'static,
) -> T {
    let machine = state::current().machine;
    let slot = Rc::new(RefCell::new(Slot { value: None, waker: None }));
    let filled = Rc::clone(&slot);
    let complete = Box::new(move |disk: &mut Disk, rng: &mut Rng| {
        let value = work(disk, rng);
        let mut slot = filled.borrow_mut();
        slot.value = Some(value);
        if let Some(waker) = slot.waker.take() {
            waker.wake();
        }
    });
    state::with(|s| s.start_io(PendingIo { machine, what, complete }, duration));
    std::future::poll_fn(|cx| {
        let mut slot = slot.borrow_mut();
        if let Some(value) = slot.value.take() {
            return Poll::Ready(value);
        }
        slot.waker = Some(cx.waker().clone());
        Poll::Pending
    })
    .await
}

impl State {
    /// A write of a process that is gone takes up to as long as a stalled one.
    pub fn finish_later(&mut self, machine: usize, write: u64) {
        let complete = Box::new(move |disk: &mut Disk, rng: &mut Rng| {
            let _ = disk.end_write(write, rng);
        });
        let key = self.ios.insert(PendingIo { machine, what: "late write", complete });
        let Span { low_ns, high_ns } = self.options.disk_write;
        self.after(Span { low_ns, high_ns: high_ns * 200 }, Event::Io(key));
    }

    fn start_io(&mut self, io: PendingIo, duration: fn(&Options) -> Span) {
        let mut span = duration(&self.options);
        if self.rng.one_in(self.machines[io.machine].disk.faults.stall_one_in) {
            span = Span { low_ns: span.low_ns * 200, high_ns: span.high_ns * 200 };
        }
        let key = self.ios.insert(io);
        self.after(span, Event::Io(key));
    }
}
