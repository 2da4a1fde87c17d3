//! One step of the run: take the next event, apply it; if a core is to run, poll one of its tasks, picked by the seed.

use super::slab::Key;
use super::state::{self, Core, Current, Event, State, Task};
use crate::rt::task::LocalFuture;
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};

/// Wakes by key, so that a waker of a task that is gone does nothing.
pub struct TaskWaker(Key);

impl Wake for TaskWaker {
    fn wake(self: Arc<Self>) {
        state::note_woken(self.0);
    }

    fn wake_by_ref(self: &Arc<Self>) {
        state::note_woken(self.0);
    }
}

enum Action {
    Done,
    Poll { task: Key, current: Current, future: LocalFuture<()>, waker: Waker },
}

/// Lets the next event happen; false if there is none.
pub fn step() -> bool {
    let Some(action) = state::with(|s| s.next_event().map(|event| s.apply(event))) else { return false };
    if let Action::Poll { task, current, future, waker } = action {
        poll(task, current, future, &waker);
    }
    true
}

fn poll(task: Key, current: Current, mut future: LocalFuture<()>, waker: &Waker) {
    state::set_current(Some(current));
    let outcome = future.as_mut().poll(&mut Context::from_waker(waker));
    state::set_current(None);
    let leftovers = state::with(|s| match outcome {
        Poll::Pending => s.park(task, future),
        Poll::Ready(()) => s.finish(task, current.core, future),
    });
    drop_tasks(leftovers);
}

/// Runs the destructors of tasks: outside the state's borrow and on no core, so what they spawn is dropped.
pub fn drop_tasks(futures: Vec<LocalFuture<()>>) {
    let caller = state::try_current();
    state::set_current(None);
    drop(futures);
    state::set_current(caller);
}

impl State {
    pub fn add_core(&mut self, machine: usize, name: String) -> Key {
        let core = Core { machine, name, main: None, ready: Vec::new(), next: Vec::new(), scheduled: false, busy_until_ns: 0 };
        self.cores.insert(core)
    }

    pub fn add_task(&mut self, core: Key, future: LocalFuture<()>) -> Key {
        let key = self.tasks.insert(Task { core, future: Some(future), waker: None, queued: false });
        if let Some(task) = self.tasks.get_mut(key) {
            task.waker = Some(Arc::new(TaskWaker(key)));
        }
        state::note_woken(key);
        key
    }

    /// Ends a core and gives its tasks back for dropping.
    pub fn end_core(&mut self, core: Key) -> Vec<LocalFuture<()>> {
        self.cores.remove(core);
        let tasks = self.tasks.keys(|t| t.core == core);
        tasks.into_iter().filter_map(|key| self.tasks.remove(key)?.future).collect()
    }

    fn apply(&mut self, event: Event) -> Action {
        match event {
            Event::RunCore(core) => return self.run_core(core),
            Event::Timer(timer) => {
                self.trace("timer", u64::from(timer.index), 0);
                if let Some(waker) = self.timers.remove(timer) {
                    waker.wake();
                }
            }
            Event::Io(key) => {
                if let Some(io) = self.ios.remove(key) {
                    self.trace(io.what, io.machine as u64, u64::from(key.index));
                    (io.complete)(&mut self.machines[io.machine].disk, &mut self.rng);
                }
            }
            Event::Wake(waker) => waker.wake(),
            Event::Network(event) => self.network_event(event),
        }
        Action::Done
    }

    fn run_core(&mut self, key: Key) -> Action {
        let Some(core) = self.cores.get_mut(key) else { return Action::Done };
        core.scheduled = false;
        loop {
            if core.ready.is_empty() {
                std::mem::swap(&mut core.ready, &mut core.next);
            }
            if core.ready.is_empty() {
                return Action::Done;
            }
            let pick = self.rng.index(core.ready.len());
            let task_key = core.ready.swap_remove(pick);
            let Some(task) = self.tasks.get_mut(task_key) else { continue };
            task.queued = false;
            let (Some(future), Some(waker)) = (task.future.take(), task.waker.clone()) else { continue };
            core.busy_until_ns = self.now_ns + self.rng.span(self.options.poll);
            let (busy_until_ns, machine) = (core.busy_until_ns, core.machine);
            if !(core.ready.is_empty() && core.next.is_empty()) {
                core.scheduled = true;
                self.at(busy_until_ns, Event::RunCore(key));
            }
            self.trace("poll", u64::from(key.index), u64::from(task_key.index));
            return Action::Poll { task: task_key, current: Current { core: key, machine }, future, waker: waker.into() };
        }
    }

    fn park(&mut self, key: Key, future: LocalFuture<()>) -> Vec<LocalFuture<()>> {
        match self.tasks.get_mut(key) {
            Some(task) => {
                task.future = Some(future);
                Vec::new()
            }
            None => vec![future],
        }
    }

    fn finish(&mut self, key: Key, core: Key, future: LocalFuture<()>) -> Vec<LocalFuture<()>> {
        self.tasks.remove(key);
        let mut leftovers = vec![future];
        if self.cores.get(core).is_some_and(|c| c.main == Some(key)) {
            self.trace("core ends", u64::from(core.index), 0);
            leftovers.extend(self.end_core(core));
        }
        leftovers
    }
}
