//! Which names a topic may have, in Kafka's words.
//!
//! Pure.

use std::borrow::Cow;

/// Longest name: with a dash, a partition number and a suffix it still is a file name.
const NAME_LEN_MAX: usize = 249;

/// Topics that Kafka keeps its own state in.
pub const INTERNAL_TOPICS: [&str; 3] = ["__consumer_offsets", "__transaction_state", "__share_group_state"];

/// The name of the topic that stands for the metadata log itself; nobody may make it.
pub const CLUSTER_METADATA_TOPIC: &str = "__cluster_metadata";

pub fn is_internal(name: &str) -> bool {
    INTERNAL_TOPICS.contains(&name)
}

/// The reason why `name` is no valid topic name.
pub fn check(name: &str) -> Result<(), String> {
    if name.is_empty() {
        return Err("Topic name is invalid: the empty string is not allowed".to_owned());
    }
    if name == "." || name == ".." {
        return Err(format!("Topic name is invalid: '{name}' is not allowed"));
    }
    // Kafka counts UTF-16 units; valid names are ASCII, so only the words for invalid ones depend on it.
    if name.encode_utf16().count() > NAME_LEN_MAX {
        return Err(format!("Topic name is invalid: the length of '{name}' is longer than the max allowed length {NAME_LEN_MAX}"));
    }
    if !name.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-')) {
        return Err(format!(
            "Topic name is invalid: '{name}' contains one or more characters other than ASCII alphanumerics, '.', '_' and '-'"
        ));
    }
    Ok(())
}

/// What names that would be mixed up in metrics have in common; `None` if `name` has neither `.` nor `_`.
pub fn collision_key(name: &str) -> Option<Cow<'_, str>> {
    if name.contains('.') {
        Some(Cow::Owned(name.replace('.', "_")))
    } else if name.contains('_') {
        Some(Cow::Borrowed(name))
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_checked_as_kafka_checks_them() {
        for valid in ["a", "a.b_c-D9", "...", "__consumer_offsets", &"x".repeat(249)] {
            assert_eq!(check(valid), Ok(()), "{valid}");
        }
        for invalid in ["", ".", "..", "a b", "a/b", "ä", "a\0", &"x".repeat(250)] {
            assert!(check(invalid).is_err(), "{invalid}");
        }
    }

    #[test]
    fn dots_and_underscores_collide() {
        assert_eq!(collision_key("a.b"), collision_key("a_b"));
        assert_ne!(collision_key("a.b"), collision_key("a_c"));
        assert_eq!(collision_key("ab"), None);
    }
}
