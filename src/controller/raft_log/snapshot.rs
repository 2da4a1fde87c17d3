//! The snapshot file. Pure.
//!
//! `magic: u64`, `crc: u32` (CRC32C of all that follows), `index: u64` and `term: u64` of the last entry it holds, `records: bytes`
//! (a batch that replays to the image), and nothing after it.

use crate::controller::codec::{Decoder, Encoder};

const MAGIC: u64 = u64::from_be_bytes(*b"RMSNAP01");

/// The records of an image as of an entry.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Snapshot {
    pub index: u64,
    pub term: u64,
    /// An encoded batch.
    pub records: Vec<u8>,
}

impl Snapshot {
    pub fn encode(&self) -> Vec<u8> {
        let mut e = Encoder::default();
        e.u64(MAGIC);
        e.u32(0);
        e.u64(self.index);
        e.u64(self.term);
        e.byte_string(&self.records);
        let crc = crc32c::crc32c(&e.bytes[12..]);
        e.bytes[8..12].copy_from_slice(&crc.to_be_bytes());
        e.bytes
    }

    /// `None`: damaged, since a snapshot is there as a whole or not at all.
    pub fn decode(bytes: &[u8]) -> Option<Snapshot> {
        let mut d = Decoder::new(bytes);
        let (magic, crc) = (d.u64().ok()?, d.u32().ok()?);
        if magic != MAGIC || crc != crc32c::crc32c(&bytes[12..]) {
            return None;
        }
        let snapshot = Snapshot { index: d.u64().ok()?, term: d.u64().ok()?, records: d.byte_string().ok()?.to_vec() };
        d.finish().ok()?;
        Some(snapshot)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_snapshot_round_trips_and_no_part_of_it_is_one() {
        let snapshot = Snapshot { index: 9, term: 2, records: vec![1, 2, 3] };
        let bytes = snapshot.encode();
        assert_eq!(Snapshot::decode(&bytes), Some(snapshot));
        for cut in 0..bytes.len() {
            assert_eq!(Snapshot::decode(&bytes[..cut]), None);
        }
        for position in 0..bytes.len() {
            let mut flipped = bytes.clone();
            flipped[position] ^= 1;
            assert_eq!(Snapshot::decode(&flipped), None);
        }
    }
}
