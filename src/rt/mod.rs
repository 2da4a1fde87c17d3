//! The runtime seam: the only code that knows glommio, sockets, files, clocks, threads and randomness.
//!
//! Everything else asks this module: spawn, sleep, now, open, read, write, connect, listen, mesh. Two implementations stand
//! behind the same names: [`uring`] (glommio, one executor a core) and [`sim`] (all cores of all machines in one thread,
//! seeded, in virtual time). A thread-local says which one the current core runs on; handles are enums over both, so one
//! binary holds both and no type parameter spreads.
//!
//! Runs on every core. Never decides anything about Kafka. Start reading at [`task`], then [`file`], [`net`], [`mesh`].

pub mod clock;
pub mod file;
pub mod fs;
pub mod host;
pub mod mesh;
pub mod net;
pub mod random;
pub mod sim;
pub mod sync;
pub mod task;
pub mod uring;

pub use clock::{Instant, now, sleep, sleep_until, timeout, wall_clock};
pub use file::{AlignedBuffer, File, Map, OpenOptions, SharedFile};
pub use mesh::{Mesh, MeshSender};
pub use net::{Connection, Incoming, Listener};
pub use random::random_u64;
pub use task::{CoreSpec, Queue, blocking, busy_time, spawn, yield_if_needed, yield_now};

use std::cell::Cell;

/// Which implementation the current thread runs.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Backend {
    Uring,
    Sim,
}

thread_local! {
    static BACKEND: Cell<Option<Backend>> = const { Cell::new(None) };
}

/// Called by an implementation when it takes over a thread.
pub(crate) fn set_backend(backend: Option<Backend>) {
    BACKEND.with(|b| b.set(backend));
}

/// The current thread's implementation. Panics outside a core: that is a bug in start-up code, not an input.
pub(crate) fn backend() -> Backend {
    BACKEND.with(Cell::get).expect("rt is used on a thread that is no core")
}
