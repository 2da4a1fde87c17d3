//! Frames of the metadata log. Pure.
//!
//! A frame is `magic: u32`, `crc: u32` (CRC32C of all that follows), `body_len: u32`, `sequence: u64`, body. Sequences grow by
//! one from frame to frame and across files. The body is a list of items, each `kind: u8` and its fields:
//! 1 origin: `node: u64`, `voters: [u64]`, the first item of every file · 2 vote: `term: u64`, `vote: u64`, `commit: u64` ·
//! 3 entry: `term: u64`, `index: u64`, `data: bytes`. Zeros follow the last frame (space allocated ahead).

use crate::controller::codec::{CodecError, Decoder, Encoder};

const MAGIC: u32 = u32::from_be_bytes(*b"RMF1");
/// Bytes of a frame before its body.
pub const HEADER_LEN: usize = 20;

/// Bytes of a vote.
pub const VOTE_LEN: usize = 25;

/// Whose log this is.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Origin {
    /// Raft ids: node id + 1, since raft knows no 0.
    pub node: u64,
    pub voters: Vec<u64>,
}

/// Raft's hard state.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Vote {
    pub term: u64,
    /// 0: nobody.
    pub vote: u64,
    /// May lag behind what is committed.
    pub commit: u64,
}

/// One entry of the replicated log; its data is a batch of records, or nothing.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct LogEntry {
    pub term: u64,
    pub index: u64,
    pub data: Vec<u8>,
}

impl LogEntry {
    /// Bytes of an entry in a frame.
    pub fn encoded_len(data_len: usize) -> usize {
        21 + data_len
    }
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Item {
    Origin(Origin),
    Vote(Vote),
    Entry(LogEntry),
}

impl Item {
    fn encode(&self, e: &mut Encoder) {
        match self {
            Item::Origin(origin) => {
                e.u8(1);
                e.u64(origin.node);
                e.list(&origin.voters, |e, id| e.u64(*id));
            }
            Item::Vote(vote) => {
                e.u8(2);
                e.u64(vote.term);
                e.u64(vote.vote);
                e.u64(vote.commit);
            }
            Item::Entry(entry) => {
                e.u8(3);
                e.u64(entry.term);
                e.u64(entry.index);
                e.byte_string(&entry.data);
            }
        }
    }

    fn decode(d: &mut Decoder<'_>) -> Result<Item, CodecError> {
        Ok(match d.u8()? {
            1 => Item::Origin(Origin { node: d.u64()?, voters: d.list(8, Decoder::u64)? }),
            2 => Item::Vote(Vote { term: d.u64()?, vote: d.u64()?, commit: d.u64()? }),
            3 => Item::Entry(LogEntry { term: d.u64()?, index: d.u64()?, data: d.byte_string()?.to_vec() }),
            other => return Err(CodecError::BadValue(other)),
        })
    }
}

/// The frame's bytes.
pub fn encode(sequence: u64, items: &[Item]) -> Vec<u8> {
    let mut e = Encoder::default();
    e.u32(MAGIC);
    e.u32(0);
    e.u32(0);
    e.u64(sequence);
    items.iter().for_each(|item| item.encode(&mut e));
    let mut bytes = e.bytes;
    let body_len = u32::try_from(bytes.len() - HEADER_LEN).expect("a turn's proposals are bounded far below 4 GiB");
    bytes[8..12].copy_from_slice(&body_len.to_be_bytes());
    let crc = crc32c::crc32c(&bytes[8..]);
    bytes[4..8].copy_from_slice(&crc.to_be_bytes());
    bytes
}

struct Frame<'a> {
    sequence: u64,
    body: &'a [u8],
}

/// The frame at the beginning of `bytes`, if it verifies.
fn verify(bytes: &[u8]) -> Option<Frame<'_>> {
    let mut d = Decoder::new(bytes);
    let (magic, crc, body_len) = (d.u32().ok()?, d.u32().ok()?, d.u32().ok()?);
    let frame = bytes.get(8..HEADER_LEN.checked_add(body_len as usize)?)?;
    if magic != MAGIC || crc32c::crc32c(frame) != crc {
        return None;
    }
    Some(Frame { sequence: d.u64().ok()?, body: &frame[HEADER_LEN - 8..] })
}

/// What follows the last frame of a file.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Tail {
    /// Nothing, or space allocated ahead.
    Clean,
    /// A frame that was being written when the node went down.
    Torn,
}

/// A file's content.
#[derive(Debug, PartialEq, Eq)]
pub struct Scan {
    pub items: Vec<Item>,
    /// Of the first and the last frame.
    pub sequences: Option<(u64, u64)>,
    /// Where the last frame ends, in bytes.
    pub len: usize,
    pub tail: Tail,
}

/// Why a file is no log of ours.
#[derive(Debug, PartialEq, Eq)]
pub enum Damage {
    /// Sound frames follow one that does not verify.
    Hole { position: usize },
    /// A frame verifies but is not the next one.
    Sequence { position: usize, expected: u64, found: u64 },
    /// A frame verifies but its body is not understood: a newer version wrote it.
    Body { position: usize, error: CodecError },
}

/// Reads frames from the beginning up to the first that does not verify.
pub fn scan(bytes: &[u8]) -> Result<Scan, Damage> {
    let mut scan = Scan { items: Vec::new(), sequences: None, len: 0, tail: Tail::Clean };
    while let Some(frame) = verify(&bytes[scan.len..]) {
        let position = scan.len;
        let (first, expected) = scan.sequences.map_or((frame.sequence, frame.sequence), |(first, last)| (first, last + 1));
        if frame.sequence != expected {
            return Err(Damage::Sequence { position, expected, found: frame.sequence });
        }
        let mut d = Decoder::new(frame.body);
        while !d.is_empty() {
            scan.items.push(Item::decode(&mut d).map_err(|error| Damage::Body { position, error })?);
        }
        scan.sequences = Some((first, frame.sequence));
        scan.len += HEADER_LEN + frame.body.len();
    }
    let rest = &bytes[scan.len..];
    if rest.iter().any(|&byte| byte != 0) {
        if has_later_frame(rest, scan.sequences.map_or(0, |(_, last)| last + 1)) {
            return Err(Damage::Hole { position: scan.len });
        }
        scan.tail = Tail::Torn;
    }
    Ok(scan)
}

/// A frame is written only once the one before it is durable: one that follows frame `missing` proves that to be damaged.
fn has_later_frame(bytes: &[u8], missing: u64) -> bool {
    let magic = MAGIC.to_be_bytes();
    let mut positions = bytes.windows(magic.len()).enumerate().filter(|(_, window)| *window == magic);
    positions.any(|(position, _)| verify(&bytes[position..]).is_some_and(|frame| frame.sequence > missing))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn entry(index: u64, len: usize) -> Item {
        Item::Entry(LogEntry { term: 1, index, data: vec![index as u8; len] })
    }

    fn origin() -> Vec<Item> {
        vec![Item::Origin(Origin { node: 2, voters: vec![2] }), Item::Vote(Vote { term: 1, vote: 2, commit: 9 })]
    }

    /// A file of `count` frames after its origin, and where each frame ends.
    fn file(count: u64) -> (Vec<u8>, Vec<usize>) {
        let mut bytes = encode(7, &origin());
        let mut ends = vec![bytes.len()];
        for n in 1..=count {
            bytes.extend(encode(7 + n, &[entry(2 * n, 0), entry(2 * n + 1, 40)]));
            ends.push(bytes.len());
        }
        (bytes, ends)
    }

    #[test]
    fn items_are_as_long_as_is_said() {
        let len = |item: Item| encode(1, &[item]).len() - HEADER_LEN;
        assert_eq!(len(Item::Vote(Vote::default())), VOTE_LEN);
        assert_eq!(len(entry(1, 5)), LogEntry::encoded_len(5));
    }

    #[test]
    fn every_cut_of_a_file_keeps_all_frames_before_it() {
        let (bytes, ends) = file(4);
        for cut in 0..=bytes.len() {
            let scan = scan(&bytes[..cut]).unwrap();
            let whole = ends.iter().filter(|&&end| end <= cut).count();
            assert_eq!(scan.len, ends[..whole].last().copied().unwrap_or(0), "cut at {cut}");
            assert_eq!(scan.items.len(), 2 * whole, "cut at {cut}");
            // The same with the space that was allocated ahead.
            let mut padded = bytes[..cut].to_vec();
            padded.resize(bytes.len() + 100, 0);
            assert_eq!(super::scan(&padded).unwrap().len, scan.len, "cut at {cut}");
        }
    }

    #[test]
    fn a_flipped_bit_in_the_last_frame_is_a_torn_tail_and_elsewhere_damage() {
        let (bytes, ends) = file(3);
        for position in 0..bytes.len() {
            let mut flipped = bytes.clone();
            flipped[position] ^= 0x10;
            match scan(&flipped) {
                Ok(scan) => {
                    assert!(position >= ends[2], "a hole at {position} passed as a torn tail");
                    assert_eq!((scan.len, scan.tail), (ends[2], Tail::Torn));
                }
                Err(damage) => {
                    assert!(position < ends[2]);
                    assert!(matches!(damage, Damage::Hole { .. }), "{damage:?}");
                }
            }
        }
    }

    #[test]
    fn a_frame_of_another_place_is_damage() {
        let mut bytes = encode(1, &origin());
        bytes.extend(encode(3, &[entry(1, 1)]));
        assert!(matches!(scan(&bytes), Err(Damage::Sequence { expected: 2, found: 3, .. })));
    }

    proptest! {
        #[test]
        fn any_bytes_are_scanned_without_a_panic(bytes in prop::collection::vec(any::<u8>(), 0..300), magic in any::<bool>()) {
            let mut bytes = bytes;
            if magic && bytes.len() >= 4 {
                bytes[..4].copy_from_slice(&MAGIC.to_be_bytes());
            }
            let _ = scan(&bytes);
        }
    }
}
