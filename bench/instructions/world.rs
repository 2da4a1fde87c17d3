//! A simulated world in which everything takes the same time each time, so that a change of the code moves no queue but its own.

use ringmill::rt::sim::{Options, Span, World};
use ringmill::types::Timestamp;
use ringmill::wire::records::BatchBuilder;

const SEED: u64 = 1;

pub fn calm() -> World {
    let always = |us| Span::us(us, us);
    let options = Options {
        poll: always(1),
        mesh: always(2),
        disk_read: always(100),
        disk_write: always(100),
        disk_sync: always(500),
        blocking: always(100),
        network: always(30),
        network_window: 4 << 20,
        alignment: Some(512),
        ..Options::default()
    };
    World::new(SEED, options)
}

/// A batch of about `size` bytes in records of 1,000, or of one smaller record.
pub fn batch(size: usize) -> bytes::Bytes {
    let mut builder = BatchBuilder::default();
    for _ in 0..size.div_ceil(1000) {
        builder.push(Timestamp(1), None, Some(&vec![b'v'; size.min(1000) - 80]), &[]);
    }
    builder.finish().into_bytes()
}
