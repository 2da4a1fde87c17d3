//! (skeleton) The deterministic simulator behind the seam.
pub mod clock;
pub mod file;
pub mod fs;
pub mod mesh;
pub mod net;
pub mod task;
pub fn random_u64() -> u64 {
    todo!()
}
