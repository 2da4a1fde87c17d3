//! What Kafka's consumers put into the opaque metadata of JoinGroup: read for the topics that a member subscribes to, as Kafka's broker does.
//!
//! ```text
//! i16  version
//! i32  count of topics; each: i16 length, name
//! i32  length of the user data, -1 for none; user data     and more in later versions
//! ```
//! Pure.

use crate::wire::{Reader, Str};
use bytes::Bytes;

/// The topics; `None` if this is no subscription.
pub fn subscribed_topics(metadata: Bytes) -> Option<Vec<Str>> {
    let mut reader = Reader::new(metadata);
    if reader.i16().ok()? < 0 {
        return None;
    }
    let count = reader.i32().ok()?;
    let mut topics = Vec::new();
    for _ in 0..count {
        let length = usize::try_from(reader.i16().ok()?).ok()?;
        let name = reader.bytes(length).ok()?;
        topics.push(Str::from_utf8_lossy(Bytes::copy_from_slice(&name)));
    }
    // User data, which says nothing here but must be whole.
    let length = reader.i32().ok()?;
    reader.bytes(usize::try_from(length.max(0)).ok()?).ok()?;
    Some(topics)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn subscription() -> Vec<u8> {
        [&[0u8, 1][..], &[0, 0, 0, 2], &[0, 1], b"a", &[0, 2], b"bc", &[0, 0, 0, 1, 9], b"what newer versions add"].concat()
    }

    #[test]
    fn topics_are_read_and_what_follows_is_left() {
        assert_eq!(subscribed_topics(subscription().into()), Some(vec!["a".into(), "bc".into()]));
    }

    #[test]
    fn what_is_cut_short_is_no_subscription() {
        for length in 0..subscription().len() - b"what newer versions add".len() {
            assert_eq!(subscribed_topics(Bytes::from(subscription()).slice(..length)), None, "{length}");
        }
        assert_eq!(subscribed_topics(Bytes::from_static(&[0, 0, 0x7f, 0xff, 0xff, 0xff])), None);
    }
}
