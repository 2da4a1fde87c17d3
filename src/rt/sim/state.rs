//! The world's state in its thread-local, the heap of events, and the two cells that live outside it (see [`with`]).

use super::disk::Disk;
use super::network::{self, Network};
use super::options::{NetworkFaults, Options, Span};
use super::rng::Rng;
use super::slab::{Key, Slab};
use super::trace::Trace;
use crate::rt::task::LocalFuture;
use std::cell::{Cell, RefCell};
use std::cmp::Ordering;
use std::collections::BinaryHeap;
use std::sync::Arc;
use std::task::Waker;

/// Everything there is. Nothing of a task (a future, a message, a handle) is dropped while it is borrowed.
pub struct State {
    pub seed: u64,
    pub rng: Rng,
    pub options: Options,
    pub network_faults: NetworkFaults,
    pub trace: Trace,
    pub now_ns: u64,
    pub cores: Slab<Core>,
    pub tasks: Slab<Task>,
    pub timers: Slab<Waker>,
    pub ios: Slab<PendingIo>,
    pub machines: Vec<MachineState>,
    pub network: Network,
    sequence: u64,
    heap: BinaryHeap<Scheduled>,
    woken: Vec<Key>,
}

/// One core of a process, or a machine's client core.
pub struct Core {
    pub machine: usize,
    pub name: String,
    /// Ends the core when it ends; a client core has none.
    pub main: Option<Key>,
    /// Tasks of the round under way and of the next one: within a round the order is chance, and a task runs once a round.
    pub ready: Vec<Key>,
    pub next: Vec<Key>,
    pub scheduled: bool,
    pub busy_until_ns: u64,
}

pub struct Task {
    pub core: Key,
    /// `None` while it is being polled.
    pub future: Option<LocalFuture<()>>,
    pub waker: Option<Arc<super::schedule::TaskWaker>>,
    pub queued: bool,
}

/// What an I/O does to its machine's disk when it completes.
pub type Completion = Box<dyn FnOnce(&mut Disk, &mut Rng)>;

/// An I/O under way: what it does to the disk when it completes.
pub struct PendingIo {
    pub machine: usize,
    pub what: &'static str,
    pub complete: Completion,
}

pub struct MachineState {
    pub disk: Disk,
    pub client_core: Option<Key>,
    pub wall_clock_offset_ms: i64,
}

pub enum Event {
    RunCore(Key),
    Timer(Key),
    Io(Key),
    Wake(Waker),
    Network(network::NetworkEvent),
}

struct Scheduled {
    time_ns: u64,
    sequence: u64,
    event: Event,
}

impl PartialEq for Scheduled {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Scheduled {}

impl PartialOrd for Scheduled {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Scheduled {
    /// Reversed, so that the heap's greatest is the earliest.
    fn cmp(&self, other: &Self) -> Ordering {
        (other.time_ns, other.sequence).cmp(&(self.time_ns, self.sequence))
    }
}

/// Which task is being polled.
#[derive(Clone, Copy)]
pub struct Current {
    pub core: Key,
    pub machine: usize,
}

thread_local! {
    static STATE: RefCell<Option<State>> = const { RefCell::new(None) };
    /// Outside the state, since wakers are called while it is borrowed.
    static WOKEN: RefCell<Vec<Key>> = const { RefCell::new(Vec::new()) };
    static CURRENT: Cell<Option<Current>> = const { Cell::new(None) };
    static GENERATION: Cell<u32> = const { Cell::new(0) };
}

/// Puts a new world in place.
pub fn install(seed: u64, options: Options) {
    let generation = GENERATION.with(|g| g.replace(g.get().wrapping_add(1 << 20)));
    let state = State {
        seed,
        rng: Rng::new(seed),
        network_faults: NetworkFaults::default(),
        trace: Trace::new(options.trace_text),
        options,
        now_ns: 1_000_000_000,
        cores: Slab::new(generation),
        tasks: Slab::new(generation),
        timers: Slab::new(generation),
        ios: Slab::new(generation),
        machines: Vec::new(),
        network: Network::new(generation),
        sequence: 0,
        heap: BinaryHeap::new(),
        woken: Vec::new(),
    };
    STATE.with(|s| {
        let mut slot = s.borrow_mut();
        assert!(slot.is_none(), "a simulated world exists on this thread already");
        *slot = Some(state);
    });
    WOKEN.with(|w| w.borrow_mut().clear());
    CURRENT.with(|c| c.set(None));
}

/// Takes the world out; what it held is dropped by the caller, outside the borrow.
pub fn uninstall() -> Option<State> {
    CURRENT.with(|c| c.set(None));
    STATE.with(|s| s.borrow_mut().take())
}

/// Runs `work` on the state. Must not be nested, so `work` drops nothing that belongs to a task and calls no task's code.
pub fn with<R>(work: impl FnOnce(&mut State) -> R) -> R {
    STATE.with(|s| work(s.borrow_mut().as_mut().expect("no simulated world on this thread")))
}

/// As [`with`], but does nothing once the world or the thread is gone: for `Drop`.
pub fn with_if_alive(work: impl FnOnce(&mut State)) {
    let _ = STATE.try_with(|s| {
        if let Some(state) = s.borrow_mut().as_mut() {
            work(state);
        }
    });
}

pub fn note_woken(task: Key) {
    let _ = WOKEN.try_with(|w| w.borrow_mut().push(task));
}

pub fn set_current(current: Option<Current>) {
    CURRENT.with(|c| c.set(current));
}

pub fn try_current() -> Option<Current> {
    CURRENT.with(Cell::get)
}

/// The core that runs now. Panics outside a task: a test must go through `World::spawn_on` or `World::block_on`.
pub fn current() -> Current {
    try_current().expect("this needs a simulated core: call it from a task")
}

impl State {
    pub fn at(&mut self, time_ns: u64, event: Event) {
        self.sequence += 1;
        self.heap.push(Scheduled { time_ns: time_ns.max(self.now_ns), sequence: self.sequence, event });
    }

    pub fn after(&mut self, delay: Span, event: Event) {
        let time_ns = self.now_ns + self.rng.span(delay);
        self.at(time_ns, event);
    }

    /// When the next event happens.
    pub fn next_time(&mut self) -> Option<u64> {
        self.take_woken();
        while let Some(first) = self.heap.peek() {
            if !self.is_stale(&first.event) {
                return Some(first.time_ns);
            }
            self.heap.pop();
        }
        None
    }

    /// Moves the clock to the next event and takes it.
    pub fn next_event(&mut self) -> Option<Event> {
        self.next_time()?;
        let first = self.heap.pop()?;
        self.now_ns = first.time_ns;
        let count = self.trace.event_count();
        assert!(count < self.options.events_max, "{count} events: a livelock?");
        Some(first.event)
    }

    /// Cancelled events neither happen nor move the clock.
    fn is_stale(&self, event: &Event) -> bool {
        match event {
            Event::RunCore(core) => self.cores.get(*core).is_none(),
            Event::Timer(timer) => self.timers.get(*timer).is_none(),
            Event::Io(io) => self.ios.get(*io).is_none(),
            Event::Wake(_) | Event::Network(_) => false,
        }
    }

    /// Makes the tasks that were woken since the last call runnable.
    fn take_woken(&mut self) {
        let mut woken = std::mem::take(&mut self.woken);
        WOKEN.with(|w| std::mem::swap(&mut *w.borrow_mut(), &mut woken));
        for task in woken.drain(..) {
            self.make_runnable(task);
        }
        self.woken = woken;
    }

    fn make_runnable(&mut self, key: Key) {
        let Some(task) = self.tasks.get_mut(key) else { return };
        if std::mem::replace(&mut task.queued, true) {
            return;
        }
        let core_key = task.core;
        let Some(core) = self.cores.get_mut(core_key) else { return };
        core.next.push(key);
        if !std::mem::replace(&mut core.scheduled, true) {
            let time_ns = core.busy_until_ns.max(self.now_ns) + self.rng.below(500);
            self.at(time_ns, Event::RunCore(core_key));
        }
    }

    pub fn trace(&mut self, what: &'static str, a: u64, b: u64) {
        self.trace.add(self.now_ns, what, a, b);
    }
}
