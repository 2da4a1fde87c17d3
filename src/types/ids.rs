//! Ids, offsets and epochs. One newtype each, so that an offset is never passed where an epoch is meant.

use std::fmt;

macro_rules! number {
    ($(#[$doc:meta])* $name:ident($inner:ty)) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
        pub struct $name(pub $inner);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }
    };
}

number!(
    /// A record's position in its partition. -1 stands for "none" on the wire.
    Offset(i64)
);
number!(
    /// How often the partition's leadership changed; -1 stands for "unknown".
    LeaderEpoch(i32)
);
number!(
    /// A machine of the cluster (`node.id`).
    NodeId(i32)
);
number!(
    /// One core of this process that owns partitions, counted from 0.
    ShardId(u16)
);
number!(
    /// The number of a partition within its topic, counted from 0.
    PartitionIndex(i32)
);
number!(
    /// An idempotent or transactional producer; -1 stands for "none".
    ProducerId(i64)
);
number!(
    /// A producer's incarnation; -1 stands for "none".
    ProducerEpoch(i16)
);
number!(
    /// Milliseconds since 1970-01-01 UTC; -1 stands for "none".
    Timestamp(i64)
);

impl Offset {
    /// "No offset" on the wire.
    pub const NONE: Offset = Offset(-1);

    /// The offset `count` records on. Saturates, since peers choose the operands.
    pub fn plus(self, count: i64) -> Offset {
        Offset(self.0.saturating_add(count))
    }
}

impl LeaderEpoch {
    /// "Unknown" on the wire.
    pub const NONE: LeaderEpoch = LeaderEpoch(-1);
}

impl ProducerId {
    /// "Not idempotent" on the wire.
    pub const NONE: ProducerId = ProducerId(-1);
}

impl Timestamp {
    /// "No timestamp" on the wire.
    pub const NONE: Timestamp = Timestamp(-1);
}

/// A topic's identity for life (KIP-516): 16 bytes, shown as 22 characters of URL-safe base64 without padding.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct TopicId(pub [u8; 16]);

impl TopicId {
    /// "No id" on the wire.
    pub const ZERO: TopicId = TopicId([0; 16]);

    /// Parses the 22 characters that [`fmt::Display`] gives.
    pub fn parse(text: &str) -> Option<TopicId> {
        if text.len() != 22 {
            return None;
        }
        let mut bits: u128 = 0;
        for (position, byte) in text.bytes().enumerate() {
            let digit = ALPHABET.iter().position(|&a| a == byte)? as u128;
            // The last character carries two bits.
            bits = if position < 21 { bits << 6 | digit } else { bits << 2 | digit >> 4 };
        }
        Some(TopicId(bits.to_be_bytes()))
    }
}

const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

impl fmt::Display for TopicId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let bits = u128::from_be_bytes(self.0);
        for position in 0..21 {
            let digit = (bits >> (122 - 6 * position)) as usize & 63;
            write!(f, "{}", ALPHABET[digit] as char)?;
        }
        write!(f, "{}", ALPHABET[(bits as usize & 3) << 4] as char)
    }
}

impl fmt::Debug for TopicId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// A partition by its topic's id: what journals, the mesh and ownership name, since an id is never reused.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct TopicPartitionId {
    pub topic_id: TopicId,
    pub partition: PartitionIndex,
}

impl fmt::Display for TopicPartitionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.topic_id, self.partition)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn topic_id_text_round_trips() {
        // The pair was printed by Apache Kafka's `Uuid`.
        let id = TopicId([0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 255]);
        assert_eq!(id.to_string(), "AAECAwQFBgcICQoLDA0O_w");
        assert_eq!(TopicId::parse("AAECAwQFBgcICQoLDA0O_w"), Some(id));
        assert_eq!(TopicId::parse("AAECAwQFBgcICQoLDA0O!w"), None);
    }
}
