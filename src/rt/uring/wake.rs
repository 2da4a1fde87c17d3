//! How a task of this core is woken, from here or from another thread, and how it gives way to I/O.
//!
//! glommio 0.9 loses wake-ups: when a completion lands in its latency ring (the preempt timer, a wake from another thread) between
//! its polling and its running of tasks, it takes the runnable tasks for none and sleeps, for ever if nothing else happens. So nothing is
//! ever left to land there: the preempt timer is never due, and other threads never wake glommio's tasks. They put the task
//! on its core's list here and ring the core's own eventfd, which a task of the core reads in the main ring. A task that has used up the
//! time slice puts itself on the list: it goes on after the core has polled its rings.

use super::file::buffered;
use super::syscall;
use crate::rt::Instant;
use std::cell::Cell;
use std::io;
use std::mem::ManuallyDrop;
use std::os::fd::OwnedFd;
use std::sync::{Arc, Mutex, MutexGuard};
use std::task::{Wake, Waker};
use std::time::Duration;

thread_local! {
    /// The address of the current core's [`WakeList`]; 0 on other threads.
    static HOME: Cell<usize> = const { Cell::new(0) };
    /// A task is being polled: wakes come from it, not from a completion.
    static POLLING: Cell<bool> = const { Cell::new(false) };
    /// The next wake of the task that is being polled is for the next turn.
    static GIVING_WAY: Cell<bool> = const { Cell::new(false) };
    /// When this turn's first task began to run; 0 until then.
    static TURN_START: Cell<u64> = const { Cell::new(0) };
}

/// How long the tasks of a core run before it polls its rings again.
pub const SLICE: Duration = Duration::from_millis(1);

/// The time slice is used up. Starts it if this is the first question of the turn.
pub fn is_slice_over() -> bool {
    let now = super::clock::now();
    match TURN_START.get() {
        0 => {
            TURN_START.set(now.0);
            false
        }
        start => now - Instant(start) >= SLICE,
    }
}

/// Runs a task's poll.
pub fn polling<T>(poll: impl FnOnce() -> T) -> T {
    POLLING.set(true);
    let result = poll();
    POLLING.set(false);
    result
}

/// Lets the task that is being polled be woken after the core has polled its rings.
pub fn give_way(waker: &Waker) {
    GIVING_WAY.set(true);
    waker.wake_by_ref();
    GIVING_WAY.set(false);
}

/// The tasks of one core that are to be woken by the core itself at its next turn.
pub struct WakeList {
    bell: OwnedFd,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    tasks: Vec<Arc<TaskWaker>>,
    /// Before `tasks`: those whose turn it was when the slice was over.
    passed_over: Vec<Arc<TaskWaker>>,
    /// Wakers of glommio's that lost their last owner on another thread: dropped at home.
    dropped: Vec<Waker>,
    rung: bool,
}

impl WakeList {
    /// The list of the current thread's core.
    pub fn enter() -> io::Result<Arc<WakeList>> {
        let list = Arc::new(WakeList { bell: syscall::event_fd()?, state: Mutex::default() });
        HOME.set(Arc::as_ptr(&list) as usize);
        Ok(list)
    }

    pub fn leave() {
        HOME.set(0);
    }

    fn is_home(&self) -> bool {
        HOME.get() == std::ptr::from_ref(self) as usize
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("nobody panics with this lock")
    }

    fn push(&self, to: impl FnOnce(&mut State) -> &mut Vec<Arc<TaskWaker>>, task: Arc<TaskWaker>) {
        let ring = {
            let mut state = self.lock();
            to(&mut state).push(task);
            !std::mem::replace(&mut state.rung, true)
        };
        if ring {
            syscall::ring(&self.bell);
        }
    }

    /// Wakes who is on the list, turn by turn. One task of the core does this, ends never, and is no [`TaskWaker`]'s.
    pub async fn serve(self: Arc<Self>) {
        let bell = self.bell.try_clone().expect("a descriptor for the core's bell");
        let bell = buffered(bell);
        loop {
            // The read is the wait: it completes when the bell is rung, and resets it.
            if let Err(error) = bell.read_at(0, 8).await {
                let error = super::file::io_error(error);
                assert_eq!(error.kind(), io::ErrorKind::Interrupted, "the core's bell: {error}");
                continue;
            }
            let State { tasks, passed_over, dropped, rung: _ } = std::mem::take(&mut *self.lock());
            TURN_START.set(0);
            passed_over.into_iter().chain(tasks).for_each(|task| task.inner.wake_by_ref());
            drop(dropped);
        }
    }
}

/// The waker that a core's tasks see; goes anywhere.
pub struct TaskWaker {
    inner: ManuallyDrop<Waker>,
    home: Arc<WakeList>,
}

impl TaskWaker {
    pub fn new(inner: Waker, home: Arc<WakeList>) -> Arc<TaskWaker> {
        Arc::new(TaskWaker { inner: ManuallyDrop::new(inner), home })
    }

    /// Wakes the task after the core has polled its rings.
    fn wake_next_turn(self: Arc<Self>) {
        let home = Arc::clone(&self.home);
        home.push(|state| &mut state.tasks, self);
    }

    /// The same for a task that should run now: it goes before those that have run.
    pub fn pass_over(self: Arc<Self>) {
        let home = Arc::clone(&self.home);
        home.push(|state| &mut state.passed_over, self);
    }
}

impl Wake for TaskWaker {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        if !self.home.is_home() || GIVING_WAY.get() {
            return Arc::clone(self).wake_next_turn();
        }
        if !POLLING.get() {
            // A completion wakes, so the rings are being polled.
            TURN_START.set(0);
        }
        self.inner.wake_by_ref();
    }
}

impl Drop for TaskWaker {
    fn drop(&mut self) {
        // SAFETY: dropped once, here, and not used after.
        let inner = unsafe { ManuallyDrop::take(&mut self.inner) };
        if self.home.is_home() {
            drop(inner);
        } else {
            self.home.lock().dropped.push(inner);
        }
    }
}
