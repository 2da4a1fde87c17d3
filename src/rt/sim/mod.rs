//! The deterministic simulator behind the seam: all cores of all machines in one thread, seeded, in virtual time.
//!
//! A [`World`] sits in a thread-local; the facade's handles are keys into it. Everything that happens is an event in one heap
//! ordered by (virtual time, sequence number), and every choice (who runs next, how long an I/O takes, what a crash keeps)
//! is drawn from the seed, so a seed names a whole run. Never reads the machine's clock, its files or its memory addresses.
//!
//! Start at [`world`] (what a test calls), then [`schedule`] (events and polls), [`disk`], [`network`], [`mesh`].

pub mod clock;
pub mod disk;
pub mod file;
pub mod fs;
mod io;
pub mod mesh;
pub mod net;
mod network;
pub mod options;
mod rng;
mod schedule;
mod seeds;
mod slab;
mod state;
pub mod task;
mod trace;
pub mod world;

#[cfg(test)]
mod tests;

pub use options::{DiskFaults, NetworkFaults, Options, Span};
pub use seeds::{Ran, for_each_seed};
pub use world::{Control, Machine, World};

pub fn random_u64() -> u64 {
    state::with(|s| s.rng.next())
}
