//! A look-up in the offset index of a full segment.

use crate::timing;
use ringmill::log::format::{OffsetIndex, OffsetIndexBuilder};
use ringmill::types::Offset;
use std::hint::black_box;

pub fn look_up() {
    // A full segment of 1 GiB with an entry every 4 KiB.
    let mut builder = OffsetIndexBuilder::new(Offset(0));
    for n in 1..262_144u32 {
        builder.append(Offset(i64::from(n) * 10), n * 4096).expect("ascending");
    }
    let index = OffsetIndex::new(Offset(0), builder.bytes());
    let mut target = 0;
    timing::time("log/index look-up, 262143 entries", || {
        target = (target + 1_000_003) % 2_621_430;
        black_box(index.lookup(Offset(target)))
    });
}
