//! The glommio implementation of the seam: one executor a core, on a thread of its own.
//!
//! [`start`] builds the cores and says why it cannot; [`signals`] turns SIGTERM and SIGINT into messages; the other files stand
//! behind the facade's names. What glommio 0.9 lacks is done here with plain system calls that never block (sendmsg,
//! sendfile, accept4, preadv2), and [`readiness`] waits for a descriptor in glommio's ring. Work that may block runs on
//! [`pool`]'s threads. Nothing here decides anything about Kafka.
//!
//! Never used: glommio's own channels (a pending receive leaks wakers), accept (leaks when cancelled), blocking thread (only one, hangs on a
//! panic) and poll ring (it spins while an operation is under way).

pub mod buffer;
pub mod clock;
mod cold_read;
pub mod file;
pub mod fs;
pub mod host;
pub mod map;
pub mod mesh;
pub mod net;
mod pool;
mod readiness;
mod send_file;
pub mod shared_file;
pub mod signals;
pub mod start;
mod syscall;
pub mod task;
#[cfg(test)]
mod tests;
mod wake;

pub use start::{Running, StartError, run};

/// 64 bits from the core's generator, which the system seeded (not for keys).
pub fn random_u64() -> u64 {
    task::core().random_u64()
}
