//! CRC and memcpy on one thread: out of the CPU's cache, and where every byte comes from memory.

use super::{GIB, MachineLimits};
use std::hint::black_box;
use std::time::{Duration, Instant};

const IN_CACHE: usize = 256 << 10;
/// More than the last cache of most CPUs, twice: source and destination.
const IN_MEMORY: usize = 128 << 20;

pub fn measure(each: Duration, limits: &mut MachineLimits) {
    let source = vec![0x5au8; IN_MEMORY];
    let mut target = vec![1u8; IN_MEMORY];
    limits.note(
        "crc32c, GiB/s",
        rate(each / 2, IN_CACHE, || {
            black_box(crc32c::crc32c(black_box(&source[..IN_CACHE])));
        }),
    );
    let small = &mut target[..IN_CACHE];
    limits.note(
        "memcpy in the cache, GiB/s",
        rate(each / 2, IN_CACHE, || black_box(&mut *small).copy_from_slice(black_box(&source[..IN_CACHE]))),
    );
    limits.note("memcpy in memory, GiB/s", rate(each, IN_MEMORY, || black_box(&mut target[..]).copy_from_slice(black_box(&source))));
}

fn rate(each: Duration, bytes: usize, mut work: impl FnMut()) -> f64 {
    work();
    let (start, mut rounds) = (Instant::now(), 0);
    while start.elapsed() < each {
        work();
        rounds += 1;
    }
    (rounds * bytes) as f64 / GIB / start.elapsed().as_secs_f64()
}
