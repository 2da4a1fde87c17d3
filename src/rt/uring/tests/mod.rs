//! The glommio implementation against the real kernel: each test runs a core on its own thread.

mod clock;
mod cold_read;
mod file;
mod fs;
mod mesh;
mod net;
mod process;
mod task;
mod wake;

use std::path::PathBuf;

/// A directory on the disk that the crate is built on, not on a tmpfs; removed at the end.
fn disk_dir() -> tempfile::TempDir {
    let target = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("target");
    std::fs::create_dir_all(&target).unwrap();
    tempfile::tempdir_in(target).unwrap()
}

/// Bytes that differ from place to place.
fn pattern(len: usize) -> Vec<u8> {
    (0..len as u64).map(|i| (i.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 56) as u8).collect()
}
