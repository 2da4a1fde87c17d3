//! Which partition of an internal topic has the state of a group or a transactional id: Kafka's rule, so that its directories mean the same here.
//!
//! Pure.

use crate::types::PartitionIndex;

/// Java's hash of the key's UTF-16 units, without its sign, modulo the number of partitions.
pub fn partition_for(key: &str, partitions: usize) -> PartitionIndex {
    let hash = key.encode_utf16().fold(0i32, |hash, unit| hash.wrapping_mul(31).wrapping_add(i32::from(unit)));
    // As Kafka's `Utils.abs`: the smallest integer, which has no positive one, becomes 0.
    let magnitude = hash.checked_abs().unwrap_or(0);
    PartitionIndex(magnitude % partitions as i32)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_go_where_kafka_puts_them() {
        // Printed by Java: `Math.abs(s.hashCode()) % 50`.
        for (key, partition) in [("", 0), ("a", 47), ("group", 47), ("my-group", 12), ("polygenelubricants", 0), ("\u{e4}\u{1f600}", 7)] {
            assert_eq!(partition_for(key, 50), PartitionIndex(partition), "{key}");
        }
    }
}
