//! What a batch's header must be beside the batches before it. Pure.
//!
//! Base offset, length, leader epoch and magic lie outside a batch's CRC. A wrong length puts the CRC over other bytes, a wrong magic is seen at once; a
//! wrong base offset or leader epoch is told by its neighbours alone: offsets ascend, and epochs never fall. Gaps between batches are what
//! compaction leaves, so a base offset that is too high is seen by the batch behind it.

use crate::types::{LeaderEpoch, Offset};
use crate::wire::records::BatchHeader;
use std::fmt;

/// What the next batch must fit to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Neighbours {
    next_offset: Offset,
    epoch: LeaderEpoch,
}

/// A header that cannot stand where it stands.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Misfit {
    /// The base offset lies below the end of the batch before, or of the segment.
    Offset { expected: Offset, found: Offset },
    /// The last offset lies below the first, or beyond what an offset can be.
    Delta(i32),
    /// The leader epoch is below the one of the batch before, or no epoch at all.
    Epoch { before: LeaderEpoch, found: LeaderEpoch },
}

impl fmt::Display for Misfit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Misfit::Offset { expected, found } => write!(f, "a batch at offset {found} where {expected} or more is expected"),
            Misfit::Delta(delta) => write!(f, "a batch whose last offset lies {delta} behind its first"),
            Misfit::Epoch { before, found } => write!(f, "a batch of leader epoch {found} behind one of epoch {before}"),
        }
    }
}

impl Neighbours {
    /// For the first batch, at or above `next_offset`, of a run whose epochs are not known.
    pub fn from(next_offset: Offset) -> Neighbours {
        Neighbours { next_offset, epoch: LeaderEpoch::NONE }
    }

    /// The offset after the last batch that was taken.
    pub fn next_offset(&self) -> Offset {
        self.next_offset
    }

    /// Takes the next batch, if it fits; else nothing changes.
    pub fn take(&mut self, header: &BatchHeader) -> Result<(), Misfit> {
        if header.base_offset < self.next_offset {
            return Err(Misfit::Offset { expected: self.next_offset, found: header.base_offset });
        }
        if header.last_offset_delta < 0 || header.base_offset.0.checked_add(i64::from(header.last_offset_delta) + 1).is_none() {
            return Err(Misfit::Delta(header.last_offset_delta));
        }
        if header.leader_epoch < self.epoch || header.leader_epoch < LeaderEpoch::NONE {
            return Err(Misfit::Epoch { before: self.epoch, found: header.leader_epoch });
        }
        *self = Neighbours { next_offset: header.next_offset(), epoch: header.leader_epoch };
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::types::Timestamp;
    use crate::wire::records::BatchBuilder;

    fn header(base: i64, count: usize, epoch: i32) -> BatchHeader {
        let mut builder = BatchBuilder::default().base_offset(Offset(base));
        (0..count).for_each(|_| {
            builder.push(Timestamp(1), None, Some(b"v"), &[]);
        });
        BatchHeader { leader_epoch: LeaderEpoch(epoch), ..*builder.finish().header() }
    }

    #[test]
    fn batches_follow_each_other_with_gaps_and_rising_epochs() {
        let mut neighbours = Neighbours::from(Offset(10));
        for (base, epoch) in [(10, -1), (12, 3), (20, 3), (22, 7)] {
            assert_eq!(neighbours.take(&header(base, 2, epoch)), Ok(()), "{base}");
        }
        assert_eq!((neighbours.next_offset(), neighbours.epoch), (Offset(24), LeaderEpoch(7)));
    }

    #[test]
    fn what_does_not_fit_is_named_and_not_taken() {
        let mut neighbours = Neighbours::from(Offset(0));
        neighbours.take(&header(0, 5, 4)).unwrap();
        let before = neighbours;
        assert_eq!(neighbours.take(&header(4, 1, 4)), Err(Misfit::Offset { expected: Offset(5), found: Offset(4) }));
        assert_eq!(neighbours.take(&header(5, 1, 3)), Err(Misfit::Epoch { before: LeaderEpoch(4), found: LeaderEpoch(3) }));
        assert_eq!(neighbours.take(&header(i64::MAX, 1, 4)), Err(Misfit::Delta(0)));
        let backwards = BatchHeader { last_offset_delta: -2, ..header(5, 1, 4) };
        assert_eq!(neighbours.take(&backwards), Err(Misfit::Delta(-2)));
        assert_eq!(neighbours, before);
    }

    /// The sum over all single bits of base offset and epoch of three dense batches: only what raises the last batch passes.
    #[test]
    fn only_a_flip_upwards_in_the_last_batch_passes() {
        let batches = [header(0, 2, 5), header(2, 2, 5), header(4, 2, 5)];
        let fits = |batches: &[BatchHeader]| {
            let mut neighbours = Neighbours::from(Offset(0));
            batches.iter().all(|header| neighbours.take(header).is_ok())
        };
        for at in 0..3 {
            for bit in 0..64 {
                let mut flipped = batches;
                flipped[at].base_offset.0 ^= 1 << bit;
                let upwards = flipped[at].base_offset > batches[at].base_offset;
                assert_eq!(fits(&flipped), at == 2 && upwards, "base offset of {at}, bit {bit}");
            }
            for bit in 0..32 {
                let mut flipped = batches;
                flipped[at].leader_epoch.0 ^= 1 << bit;
                let upwards = flipped[at].leader_epoch > batches[at].leader_epoch;
                // The first batch of all has nobody before it.
                assert_eq!(
                    fits(&flipped),
                    at == 2 && upwards || at == 0 && !upwards && flipped[0].leader_epoch.0 >= 0,
                    "epoch of {at}, bit {bit}"
                );
            }
        }
    }
}
