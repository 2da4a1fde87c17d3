//! What a test holds: a world of machines that it boots, runs, cuts off, crashes and boots again.

use super::disk::Disk;
use super::network::machine_ip;
use super::options::{DiskFaults, NetworkFaults, Options};
use super::schedule;
use super::slab::Key;
use super::state::{self, MachineState, State};
use crate::rt::task::LocalFuture;
use crate::rt::{Backend, CoreSpec, Instant, set_backend};
use std::cell::RefCell;
use std::future::Future;
use std::net::IpAddr;
use std::ops::Deref;
use std::rc::Rc;
use std::time::Duration;

/// Owns this thread's simulation: it ends when this is dropped. A panic of a task goes through the call that ran it; the
/// seed and the last events are then printed.
pub struct World {
    control: Control,
    /// A world belongs to its thread.
    _not_send: std::marker::PhantomData<*const ()>,
}

/// A machine: an address, a disk that outlives crashes, and the cores that run now.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Machine(usize);

impl Machine {
    pub fn ip(self) -> IpAddr {
        machine_ip(self.0)
    }
}

/// What can be done to the world, also from within its tasks.
#[derive(Clone, Copy)]
pub struct Control(());

impl World {
    pub fn new(seed: u64, options: Options) -> World {
        state::install(seed, options);
        set_backend(Some(Backend::Sim));
        crate::types::seed_hashers(state::with(|s| s.rng.next()));
        World { control: Control(()), _not_send: std::marker::PhantomData }
    }

    /// For tasks: a copy that does not own the world.
    pub fn control(&self) -> Control {
        self.control
    }

    /// Lets one event happen; false if none is left.
    pub fn step(&self) -> bool {
        schedule::step()
    }

    /// Lets `count` events happen (fewer if none is left).
    pub fn run_steps(&self, count: u64) {
        for _ in 0..count {
            if !schedule::step() {
                return;
            }
        }
    }

    /// Runs until nothing will ever happen again. For worlds without periodic tasks.
    pub fn run_until_idle(&self) {
        while schedule::step() {}
    }

    pub fn run_for(&self, duration: Duration) {
        let end_ns = (self.now() + duration).0;
        while state::with(State::next_time).is_some_and(|time_ns| time_ns <= end_ns) {
            schedule::step();
        }
        state::with(|s| s.now_ns = end_ns);
    }

    /// Runs until `done` says so; false if `duration` passed first.
    pub fn run_until(&self, duration: Duration, mut done: impl FnMut() -> bool) -> bool {
        let end_ns = (self.now() + duration).0;
        while !done() {
            if state::with(State::next_time).is_none_or(|time_ns| time_ns > end_ns) {
                return done();
            }
            schedule::step();
        }
        true
    }

    /// Runs the world until `future`, on the machine's client core, is done. Panics if it never can be.
    pub fn block_on<T: 'static>(&self, machine: Machine, future: impl Future<Output = T> + 'static) -> T {
        let slot = Rc::new(RefCell::new(None));
        let filled = Rc::clone(&slot);
        self.spawn_on(machine, async move {
            let value = future.await;
            *filled.borrow_mut() = Some(value);
        });
        loop {
            if let Some(value) = slot.borrow_mut().take() {
                return value;
            }
            assert!(Rc::strong_count(&slot) > 1, "the task waited for died with its machine");
            assert!(schedule::step(), "nothing will ever happen again, and the task waited for is not done");
        }
    }
}

impl Deref for World {
    type Target = Control;

    fn deref(&self) -> &Control {
        &self.control
    }
}

impl Drop for World {
    fn drop(&mut self) {
        let core = state::try_current().map(|c| c.core);
        state::set_current(None);
        if std::thread::panicking() {
            state::with_if_alive(|s| {
                let core = core.and_then(|c| s.cores.get(c)).map_or("no core", |c| c.name.as_str());
                eprintln!(
                    "simulation with seed {} failed at {} ns, on {core}; its last events:\n{}",
                    s.seed,
                    s.now_ns,
                    s.trace.last_lines()
                );
                eprintln!("run it again: RINGMILL_SIM_SEED={}, with the name of this test", s.seed);
            });
        }
        let mut tasks = Vec::new();
        state::with_if_alive(|s| tasks = s.cores.keys(|_| true).into_iter().flat_map(|core| s.end_core(core)).collect());
        schedule::drop_tasks(tasks);
        drop(state::uninstall());
        set_backend(None);
    }
}

impl Control {
    pub fn now(&self) -> Instant {
        super::clock::now()
    }

    pub fn seed(&self) -> u64 {
        state::with(|s| s.seed)
    }

    /// A random number below `bound`, from the run's seed.
    pub fn random_below(&self, bound: u64) -> u64 {
        state::with(|s| s.rng.below(bound))
    }

    /// Adds a machine with an empty disk.
    pub fn add_machine(&self) -> Machine {
        state::with(|s| {
            let alignment = s.options.alignment.unwrap_or_else(|| [512, 512, 512, 4096, 4096, 4096, 4096, 1][s.rng.index(8)]);
            s.machines.push(MachineState { disk: Disk::new(alignment), client_core: None, wall_clock_offset_ms: 0 });
            Machine(s.machines.len() - 1)
        })
    }

    /// Starts a process of these cores.
    pub fn boot(&self, machine: Machine, cores: Vec<CoreSpec>) {
        for spec in cores {
            state::with(|s| {
                let core = s.add_core(machine.0, spec.name);
                let main = s.add_task(core, Box::pin(async move { (spec.main)().await }));
                s.cores.get_mut(core).expect("a core just added").main = Some(main);
                s.trace("boot", machine.0 as u64, u64::from(core.index));
            });
        }
    }

    /// How many cores of the process run. (A client core is not counted.)
    pub fn running_cores(&self, machine: Machine) -> usize {
        state::with(|s| s.cores.keys(|c| c.machine == machine.0 && c.main.is_some()).len())
    }

    /// Runs test code on a core of the machine that lasts until the machine is killed or crashes.
    pub fn spawn_on(&self, machine: Machine, task: impl Future<Output = ()> + 'static) {
        state::with(|s| {
            let core = s.client_core(machine.0);
            s.add_task(core, Box::pin(task));
        });
    }

    /// kill -9 of all that runs on the machine: the page cache stays, I/O under way may or may not happen, direct writes even later.
    pub fn kill(&self, machine: Machine) {
        self.end(machine, false);
    }

    /// Power failure: all that runs is gone at once, and the disk keeps what was synced and any part of the rest.
    pub fn crash(&self, machine: Machine) {
        self.end(machine, true);
    }

    fn end(&self, machine: Machine, power_lost: bool) {
        let is_own = state::try_current().is_some_and(|current| current.machine == machine.0);
        assert!(!is_own, "a task cannot end its own machine");
        let tasks = state::with(|s| s.end_machine(machine.0, power_lost));
        schedule::drop_tasks(tasks);
    }

    pub fn set_disk_faults(&self, machine: Machine, faults: DiskFaults) {
        state::with(|s| s.machines[machine.0].disk.faults = faults);
    }

    /// Bytes that files take on the machine's disk now.
    pub fn used_space(&self, machine: Machine) -> u64 {
        state::with(|s| s.machines[machine.0].disk.used_space())
    }

    /// Writes to the machine's disk that have begun and are not through.
    pub fn writes_under_way(&self, machine: Machine) -> usize {
        state::with(|s| s.machines[machine.0].disk.writes_under_way())
    }

    pub fn set_network_faults(&self, faults: NetworkFaults) {
        state::with(|s| s.network_faults = faults);
    }

    /// Nothing passes between the two machines until [`Control::heal`]; what was sent arrives after that.
    pub fn partition(&self, a: Machine, b: Machine) {
        state::with(|s| s.partition(a.0, b.0));
    }

    pub fn heal(&self, a: Machine, b: Machine) {
        state::with(|s| s.heal(a.0, b.0));
    }

    /// Cuts one connection between the two machines, picked by chance; false if there is none.
    pub fn cut_connection(&self, a: Machine, b: Machine) -> bool {
        state::with(|s| {
            let between = |p: &super::network::Pair| {
                let machines = [p.ends[0].machine, p.ends[1].machine];
                machines == [a.0, b.0] || machines == [b.0, a.0]
            };
            let keys = s.network.connections.keys(between);
            if keys.is_empty() {
                return false;
            }
            let key = keys[s.rng.index(keys.len())];
            s.cut(key);
            true
        })
    }

    /// Makes the machine's wall clock jump.
    pub fn move_wall_clock(&self, machine: Machine, by_ms: i64) {
        state::with(|s| s.machines[machine.0].wall_clock_offset_ms += by_ms);
    }

    /// A number that two runs share only if the same things happened in the same order at the same times.
    pub fn trace_hash(&self) -> u64 {
        state::with(|s| s.trace.hash())
    }

    pub fn event_count(&self) -> u64 {
        state::with(|s| s.trace.event_count())
    }

    /// One line for each event, if [`Options::trace_text`] is set.
    pub fn trace_text(&self) -> String {
        state::with(|s| s.trace.text().to_owned())
    }

    /// Puts a line of the test's own into the trace.
    pub fn note(&self, what: &'static str, a: u64, b: u64) {
        state::with(|s| s.trace(what, a, b));
    }
}

impl State {
    fn client_core(&mut self, machine: usize) -> Key {
        if let Some(core) = self.machines[machine].client_core {
            return core;
        }
        let core = self.add_core(machine, "client".into());
        self.machines[machine].client_core = Some(core);
        core
    }

    fn end_machine(&mut self, machine: usize, power_lost: bool) -> Vec<LocalFuture<()>> {
        self.trace(if power_lost { "crash" } else { "kill" }, machine as u64, 0);
        self.machines[machine].client_core = None;
        let cores = self.cores.keys(|c| c.machine == machine);
        let tasks = cores.into_iter().flat_map(|core| self.end_core(core)).collect();
        for key in self.ios.keys(|io| io.machine == machine) {
            let Some(io) = self.ios.remove(key) else { continue };
            if self.rng.coin() {
                (io.complete)(&mut self.machines[machine].disk, &mut self.rng);
            }
        }
        self.end_of_machine(machine, power_lost);
        let disk = &mut self.machines[machine].disk;
        if power_lost {
            disk.crash(&mut self.rng);
        } else {
            for write in disk.kill(&mut self.rng) {
                self.finish_later(machine, write);
            }
        }
        tasks
    }
}
