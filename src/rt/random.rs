//! Randomness: the system's, or the simulator's seed's.

use super::{Backend, backend, sim, uring};

/// 64 random bits (not for keys).
pub fn random_u64() -> u64 {
    match backend() {
        Backend::Uring => uring::random_u64(),
        Backend::Sim => sim::random_u64(),
    }
}
