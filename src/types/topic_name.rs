//! What a topic may be called.

use std::borrow::Cow;

/// Longest topic name in bytes: `<topic>-<partition>` with its suffixes must fit a directory name of 255.
const LENGTH_MAX: usize = 249;

/// 1 to 249 of `[a-zA-Z0-9._-]`, but neither `.` nor `..`; otherwise the reason in Kafka's words.
pub fn check_topic_name(name: &str) -> Result<(), String> {
    if name.is_empty() {
        return Err("Topic name is invalid: the empty string is not allowed".to_owned());
    }
    if name == "." || name == ".." {
        return Err(format!("Topic name is invalid: '{name}' is not allowed"));
    }
    // Kafka counts UTF-16 units; valid names are ASCII, so only the words for invalid ones depend on it.
    if name.encode_utf16().count() > LENGTH_MAX {
        return Err(format!("Topic name is invalid: the length of '{name}' is longer than the max allowed length {LENGTH_MAX}"));
    }
    if !name.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-')) {
        return Err(format!(
            "Topic name is invalid: '{name}' contains one or more characters other than ASCII alphanumerics, '.', '_' and '-'"
        ));
    }
    Ok(())
}

/// What names that would be mixed up in metrics, where `.` turns into `_`, have in common; `None` if `name` has neither.
pub fn topic_collision_key(name: &str) -> Option<Cow<'_, str>> {
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
        for valid in ["a", "a.b_c-D9", "...", "-", "__consumer_offsets", &"x".repeat(249)] {
            assert_eq!(check_topic_name(valid), Ok(()), "{valid}");
        }
        for invalid in ["", ".", "..", "a b", "a/b", "a:b", "\u{e4}", "a\0", &"x".repeat(250)] {
            assert!(check_topic_name(invalid).is_err(), "{invalid}");
        }
    }

    #[test]
    fn dots_and_underscores_collide() {
        assert_eq!(topic_collision_key("a.b"), topic_collision_key("a_b"));
        assert_ne!(topic_collision_key("a.b"), topic_collision_key("a_c"));
        assert_eq!(topic_collision_key("ab"), None);
    }
}
