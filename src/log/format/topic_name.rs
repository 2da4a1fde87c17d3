//! What a topic may be called.

use std::fmt;

/// Longest topic name in bytes: `<topic>-<partition>` with its suffixes must fit a directory name of 255.
pub const TOPIC_NAME_LENGTH_MAX: usize = 249;

/// Why a name is not a topic's; displayed as Kafka words it in INVALID_TOPIC_EXCEPTION answers.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum TopicNameError {
    Empty,
    /// `.` or `..`.
    Dots,
    TooLong(String),
    BadCharacter(String),
}

impl fmt::Display for TopicNameError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Topic name is invalid: ")?;
        match self {
            TopicNameError::Empty => f.write_str("the empty string is not allowed"),
            TopicNameError::Dots => f.write_str("'.' or '..' is not allowed"),
            TopicNameError::TooLong(name) => {
                write!(f, "the length of '{name}' is longer than the max allowed length {TOPIC_NAME_LENGTH_MAX}")
            }
            TopicNameError::BadCharacter(name) => {
                write!(f, "'{name}' contains one or more characters other than ASCII alphanumerics, '.', '_' and '-'")
            }
        }
    }
}

impl std::error::Error for TopicNameError {}

/// 1 to 249 of `[a-zA-Z0-9._-]`, but neither `.` nor `..`.
pub fn check_topic_name(name: &str) -> Result<(), TopicNameError> {
    if name.is_empty() {
        return Err(TopicNameError::Empty);
    }
    if name == "." || name == ".." {
        return Err(TopicNameError::Dots);
    }
    if name.len() > TOPIC_NAME_LENGTH_MAX {
        return Err(TopicNameError::TooLong(name.to_owned()));
    }
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-');
    if !name.bytes().all(allowed) {
        return Err(TopicNameError::BadCharacter(name.to_owned()));
    }
    Ok(())
}

/// True if two different names become one in metric names, where `.` turns into `_`; Kafka refuses the second.
pub fn topic_names_collide(one: &str, other: &str) -> bool {
    let folded = |byte: u8| if byte == b'.' { b'_' } else { byte };
    one != other && one.len() == other.len() && one.bytes().map(folded).eq(other.bytes().map(folded))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_follow_kafkas_rules() {
        for good in ["a", "...", "-", "__consumer_offsets", "A.b_c-9", &"x".repeat(249)] {
            assert_eq!(check_topic_name(good), Ok(()), "{good}");
        }
        assert_eq!(check_topic_name(""), Err(TopicNameError::Empty));
        assert_eq!(check_topic_name(".."), Err(TopicNameError::Dots));
        assert!(matches!(check_topic_name(&"x".repeat(250)), Err(TopicNameError::TooLong(_))));
        for bad in ["a b", "a/b", "ä", "a\0", "a:b"] {
            assert!(matches!(check_topic_name(bad), Err(TopicNameError::BadCharacter(_))), "{bad}");
        }
    }

    #[test]
    fn dots_and_underscores_collide() {
        assert!(topic_names_collide("a.b_c", "a_b.c"));
        assert!(!topic_names_collide("a.b", "a.b"));
        assert!(!topic_names_collide("a.b", "a-b"));
    }
}
